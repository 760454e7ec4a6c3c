"""`hedged plan` as a person uses it: offline from price files, from the simulated exchange, and into the configuration."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from typer.testing import CliRunner

from hedged.cli.main import app
from hedged.cli.plan import _hedges, _write
from hedged.cli.plan_venues import _Listing, _nearest_dates, _Past
from hedged.errors import Unreachable
from hedged.estimate.past_prices import past_prices
from hedged.model.history import Bar, Settlement
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.plan import PlanProposal
from hedged.model.snapshot import Quote, Read
from hedged.settings import load
from tests.support import ROOT, T0, ManualClock, need_shared
from tests.unit.test_plan import contract, planned
from tests.unit.test_plan_inverse import margined

CONFIG = """\
# what I hold
name = "mine"
mode = "paper"

[[accounts]]
name = "sim"
exchange = "simulated"
balances = { ETH = 4, SOL = 100 } # at last count

[store]
path = "store.sqlite"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(CONFIG)
    return path


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """200 days of hourly closes of four coins that move together, one of them listed for the last 20."""
    rng, hours = np.random.default_rng(3), 200 * 24
    factor = rng.normal(0, 0.006, hours)
    betas = {"BTC": 0.8, "ETH": 1.0, "SOL": 1.3, "NEW": 1.2}
    columns = {name: 100 * np.exp(np.cumsum(b * factor + rng.normal(0, 0.002, hours))) for name, b in betas.items()}
    path = tmp_path_factory.mktemp("prices") / "spot.csv"
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with path.open("w") as file:
        file.write("ts," + ",".join(columns) + "\n")
        for hour in range(hours):
            cells = [
                "" if name == "NEW" and hour < hours - 480 else f"{column[hour]:.4f}"
                for name, column in columns.items()
            ]
            file.write(f"{start + timedelta(hours=hour):%Y-%m-%dT%H:%M:%SZ},{','.join(cells)}\n")
    return path


def ask(*arguments: str | Path, answer: str | None = None) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments], input=answer)


def asked(*arguments: str | Path) -> dict[str, Any]:
    result = ask("plan", *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def holdings(folder: Path, text: str) -> Path:
    path = folder / "holdings.csv"
    path.write_text(text)
    return path


def test_a_plan_offline_fits_sixty_columns(config: Path, prices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables that a narrow terminal shows whole; proposal, effectiveness, cost, margin and reasons are there."""
    monkeypatch.setenv("COLUMNS", "60")
    result = ask("plan", "-c", config, "--prices", prices, "--no-own")
    assert result.exit_code == 0, result.output
    shown = result.stdout
    for word in (
        "Proposed",
        "contracts",
        "effectiveness:",
        "risk left:",
        "cost a year",
        "margin:",
        "Why not",
        "offline",
    ):
        assert word in shown
    table = shown[shown.index("Proposed") : shown.index("effectiveness:")].splitlines()
    assert max(len(line.rstrip()) for line in table) <= 60


def test_a_plan_as_json(config: Path, prices: Path) -> None:
    """Money as text, ratios as numbers, whole lots, an interval around what is expected."""
    plan = asked("-c", config, "--prices", prices, "--no-own", "--size", "1")
    assert (plan["schema"], plan["portfolio"], plan["quote"]) == ("hedged.plan/1", "mine", "USDT")
    (group,) = plan["groups"]
    assert (group["name"], sorted(group["assets"])) == ("all", ["ETH", "SOL"])
    proposed = group["proposed"]
    assert proposed["effectiveness"]["low"] < proposed["effectiveness"]["expected"] < proposed["effectiveness"]["high"]
    (leg,) = proposed["legs"]
    assert float(leg["contracts"]) < 0
    assert abs(float(leg["contracts"]) - leg["optimum"]) <= 0.001
    assert leg["assumed"] is True
    assert proposed["cost_year"]["total"] is None, "no funding file: unknown, not 0"
    assert float(proposed["margin"][0]["collateral"]) > 0
    assert any("20 of 200 days" in each["reason"] for each in group["alternatives"])


@pytest.mark.parametrize("symbol", ["ETH", "ETH/USDT:USDT"])
def test_funding_from_a_file_is_the_mean_of_its_last_days(
    config: Path, prices: Path, tmp_path: Path, symbol: str
) -> None:
    """0.02 % each 8 h over ten days is 21.9 % a year that the short is paid; how many days that rests on is said."""
    end = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=200 * 24)
    rows = [f"{end - timedelta(hours=8 * n):%Y-%m-%dT%H:%M:%SZ},{symbol},0.0002" for n in range(30, -1, -1)]
    rows.append(f"{end:%Y-%m-%dT%H:%M:%SZ},ETHUSD,0.0001")
    path = tmp_path / "funding.csv"
    path.write_text("\n".join(["ts,symbol,funding_rate", *rows]) + "\n")
    csv = holdings(tmp_path, "asset,quantity\nETH,100\n")
    options = ("-c", config, "--holdings", csv, "--prices", prices, "--funding", path, "--size", "1")
    (group,) = asked(*options)["groups"]
    cost = group["proposed"]["cost_year"]
    (leg,) = group["proposed"]["legs"]
    assert float(cost["funding"]) == pytest.approx(0.219 * float(leg["notional"]), rel=1e-3)
    assert cost["funding_of"] == {leg["instrument"]: "the last 10 days on file"}
    shown = ask("plan", *options).stdout
    assert "funding is that of the last 10 days on file" in shown
    assert "Funding on file of ETHUSD is that of no contract here" in " ".join(shown.split())


def test_more_time_to_top_up_takes_more_margin(config: Path, prices: Path) -> None:
    """And so does a smaller probability."""

    def collateral(*options: str) -> float:
        plan = asked("-c", config, "--prices", prices, "--no-own", "--size", "1", *options)
        return float(plan["groups"][0]["proposed"]["margin"][0]["collateral"])

    usual = collateral()
    assert collateral("--top-up-within", "7d") > usual
    assert collateral("--probability", "0.001") > usual


def test_groups(config: Path, prices: Path, tmp_path: Path) -> None:
    """By hedge where there are any, all together for a file, by sector, or each by itself."""
    file = holdings(tmp_path, "asset,quantity\nETH,1\nSOL,2\nNEW,3\n")
    with_prices = ("-c", config, "--prices", prices)

    def names(*options: str | Path) -> dict[str, set[str]]:
        return {group["name"]: set(group["assets"]) for group in asked(*with_prices, *options)["groups"]}

    assert names("--holdings", file) == {"all": {"ETH", "SOL", "NEW"}}
    assert names("--holdings", file, "--group", "sector") == {"layer-1": {"ETH", "SOL"}, "other": {"NEW"}}
    assert names("--holdings", file, "--per-asset") == {"ETH": {"ETH"}, "SOL": {"SOL"}, "NEW": {"NEW"}}
    config.write_text(CONFIG + '[[hedges]]\nname = "mine"\nassets = ["SOL"]\ninstruments = ["sim:ETH/USDT:USDT"]\n')
    assert names() == {"mine": {"SOL"}, "unhedged": {"ETH"}}


def test_writing_keeps_every_comment_and_passes_the_check(config: Path, prices: Path) -> None:
    """The difference is shown, the file grows at its end, and `check-config` takes it."""
    result = ask("plan", "-c", config, "--prices", prices, "--no-own", "--write", "--yes")
    assert result.exit_code == 0, result.output
    assert "+[[hedges]]" in result.stderr
    after = config.read_text()
    assert after.startswith(CONFIG)
    assert "# From `hedged plan` of" in after
    assert ask("check-config", "-c", config).exit_code == 0
    (hedge,) = load(config, {}).policy().hedges
    assert (hedge.name, hedge.target.value) == ("all", "minimum-variance")
    again = ask("plan", "-c", config, "--prices", prices, "--no-own", "--group", "all", "--write", "--yes")
    assert isinstance(again.exception, Exception)
    assert "'all' is in the file already" in str(again.exception)
    assert config.read_text() == after


def test_own_contracts_are_written_as_quantity(config: Path, prices: Path) -> None:
    """One hedge for each coin, which `check-config` takes."""
    assert ask("plan", "-c", config, "--prices", prices, "--per-asset", "--write", "--yes").exit_code == 0
    assert ask("check-config", "-c", config).exit_code == 0
    assert {hedge.target.value for hedge in load(config, {}).policy().hedges} == {"quantity"}


@pytest.mark.parametrize("answer", ["n\n", ""])
def test_nothing_is_written_unasked(config: Path, prices: Path, answer: str) -> None:
    """No, or nobody there to ask: the file stays as it is."""
    result = ask("plan", "-c", config, "--prices", prices, "--write", answer=answer)
    assert result.exit_code == 1
    assert config.read_text() == CONFIG


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (None, "No such file"),
        ("asset,quantity\n", "no holdings in it"),
        ("asset,quantity\nETH,nan\n", "is not a finite number"),
        ("asset,quantity\nETH,-1\n", "is below zero"),
        ("asset,quantity\nETH,1\nGOLD,1\n", "no price of GOLD"),
        ("asset,quantity\nUSDT,100\n", "there are no holdings to plan for"),
    ],
)
def test_holdings_that_cannot_be_planned(
    config: Path, prices: Path, tmp_path: Path, text: str | None, why: str
) -> None:
    """Named with the reason, exit status 1 (main turns the error into it)."""
    file = tmp_path / "none.csv" if text is None else holdings(tmp_path, text)
    result = ask("plan", "-c", config, "--prices", prices, "--holdings", file)
    assert result.exit_code == 1
    assert why in str(result.exception)


@pytest.mark.parametrize(
    "options",
    [
        ("--size", "5"),
        ("--size", "0"),
        ("--probability", "0"),
        ("--probability", "1"),
        ("--probability", "nan"),
        ("--top-up-within", "soon"),
        ("--top-up-within", "365d"),
        ("--funding", "rates.csv"),
        ("--per-asset", "--group", "all"),
        ("--group", "colour"),
    ],
)
def test_impossible_options_are_usage_errors(config: Path, options: tuple[str, ...]) -> None:
    """Exit status 2, before anything is read."""
    assert ask("plan", "-c", config, *options).exit_code == 2


def test_a_plan_from_the_accounts(config: Path) -> None:
    """The simulated exchange's balances and contracts, dated ones too; without a past it says so, with no number."""
    plan = asked("-c", config)
    (group,) = plan["groups"]
    assert set(group["assets"]) == {"ETH", "SOL"}
    legs = {leg["instrument"].partition("-")[0]: leg for leg in group["proposed"]["legs"]}
    assert legs.keys() <= {"sim:ETH/USDT:USDT", "sim:SOL/USDT:USDT", "sim:BTC/USDT:USDT"}
    assert not any(leg["assumed"] for leg in legs.values())
    assert not (config.parent / "store.sqlite").exists(), "a plan changes nothing anywhere"


def test_holdings_from_a_file_at_the_accounts_prices(config: Path, tmp_path: Path) -> None:
    """Without asking for balances; a coin that nobody prices is an error, not a zero."""
    plan = asked("-c", config, "--holdings", holdings(tmp_path, "asset,quantity\nLINK,100\nUSDT,5\n"))
    assert plan["groups"][0]["assets"] == ["LINK"]
    assert any(note.startswith("USDT: cash") for note in plan["notes"])
    result = ask("plan", "-c", config, "--holdings", holdings(tmp_path, "asset,quantity\nGOLD,1\n"))
    assert "no account has a price of GOLD in USDT" in str(result.exception)


def test_which_coins_are_chosen_from(config: Path) -> None:
    """Own first, BTC, ETH and indices, then the holdings' sector before others by turns; thirty besides the own at most."""
    settings = load(config, {})
    listing = _Listing(settings, settings.policy(), {}, clock=ManualClock(), past={}, kept={})
    listed = {*settings.sectors, "DEFI", "BTCDOM", "1000UNI", "NOSECTOR"}
    found = list(listing._bases(["UNI"], listed))
    assert found[:6] == ["1000UNI", "UNI", "BTC", "ETH", "BTCDOM", "DEFI"]
    assert found.index("AAVE") < found.index("MATIC"), "second of its sector each, the holding's own sector first"
    assert len(found) == 32
    assert len({settings.sectors[base].sector for base in found[6:]}) == 10
    assert "NOSECTOR" not in found


def test_of_dated_contracts_the_next_of_the_least_rolled_is_proposed() -> None:
    """A quarter's where one is listed, else a month's, else the next; and the perpetual beside it."""
    week, month, quarter, next_quarter = (contract("ETH", date=day) for day in ("270115", "270129", "270326", "270625"))
    perpetual = contract("ETH").instrument
    for listed, best in (
        ([week, month, quarter, next_quarter], quarter),
        ([week, month], month),
        ([week], week),
    ):
        found = _nearest_dates([*(each.instrument for each in listed), perpetual])
        assert found == [perpetual, best.instrument]


class InCoins:
    """A venue that lists ETH margined in ETH and SOL in SOL, dated and not; of a dollar it tells no price, but an index."""

    account = "sim"

    async def instruments(self) -> dict[str, Instrument]:
        listed = [margined("ETH"), margined("ETH", date="270326"), margined("SOL"), contract("ETH", date="270326")]
        renamed = (replace(each.instrument, account="sim") for each in listed)
        return {each.id: each for each in renamed}

    async def quotes(self, names: list[InstrumentId]) -> dict[InstrumentId, Read[Quote]]:
        return {
            name: Read(Quote(Decimal(3030), index=Decimal(3000), bid=Decimal(3029), ask=Decimal(3031)), T0)
            for name in names
        }

    async def prices(self, assets: set[str], quote: str) -> dict[str, Read[Decimal]]:
        return {asset: Read(Decimal(2994), T0) for asset in assets if asset in {"ETH", "SOL"}}


@pytest.mark.parametrize(
    ("mode", "coins", "expected"),
    [
        ("paper", "", ["main:ETH/USDT:USDT-270326"]),
        (
            "paper",
            "[paper]\ncoins = { ETH = 1 }\n",
            ["main:ETH/USD:ETH", "main:ETH/USD:ETH-270326", "main:ETH/USDT:USDT-270326"],
        ),
        (
            "monitor",
            "",
            ["main:ETH/USD:ETH", "main:ETH/USD:ETH-270326", "main:ETH/USDT:USDT-270326", "main:SOL/USD:SOL"],
        ),
    ],
)
async def test_contracts_margined_in_coins_are_chosen_from(
    config: Path, mode: str, coins: str, expected: list[str]
) -> None:
    """Dated and not, beside the linear ones; on paper those that the wallet can back. A dollar is worth coin over index."""
    config.write_text(CONFIG.replace('"paper"', f'"{mode}"') + coins)
    settings = load(config, {})
    venue: Any = InCoins()
    listing = _Listing(settings, settings.policy(), {"sim": venue}, clock=ManualClock(), past={}, kept={})
    found = {each.instrument.id: each for each in await listing.candidates(["ETH", "SOL"])}
    assert sorted(found) == expected
    for name, each in found.items():
        assert each.rate == (Decimal("0.998") if "/USD:" in name else 1)
    if "main:ETH/USD:ETH-270326" in found:
        days = (datetime(2027, 3, 26, 8, tzinfo=UTC) - T0) / timedelta(days=1)
        assert float(found["main:ETH/USD:ETH-270326"].carry_year or 0) == pytest.approx(-0.01 * 365 / days)


def test_coins_to_be_bought_are_written_into_the_hedge(config: Path) -> None:
    """They are exposure of the hedge that they back, unless another covers them."""
    best = planned(past_prices({}, 3600, 10**9, 365), {"UNI": 50_000}, [margined("ETH")])
    policy = load(config, {}).policy()

    def written(*proposals: PlanProposal) -> list[tuple[str, ...]]:
        return [each.assets for each in _hedges(proposals, policy, "2026-01-01")]

    assert written(best) == [("UNI", "ETH")]
    assert written(best, replace(best, assets=("ETH",))) == [("UNI",), ("ETH",)]
    config.write_text(CONFIG + '[[hedges]]\nname = "rest"\nassets = ["*"]\ninstruments = ["sim:ETH/USDT:USDT"]\n')
    policy = load(config, {}).policy()
    assert written(best) == [("UNI",)]


def test_coins_that_back_two_hedges_are_written_into_the_first(config: Path) -> None:
    """An asset is in one hedge at most, and once: the file that would not load was never written."""
    past = past_prices({}, 3600, 10**9, 365)
    one, two = (replace(planned(past, {name: 50_000}, [margined("ETH")]), name=name) for name in ("UNI", "AAVE"))
    assert one.best is not None
    there = replace(one.best.margin[0], account="other")
    one = replace(one, best=replace(one.best, margin=(*one.best.margin, there)))
    config.write_text(CONFIG.replace('"sim"', '"main"') + "[paper]\ncoins = { ETH = 1 }\n")
    _write(config, [one, two], load(config, {}).policy(), yes=True)
    assert [hedge.assets for hedge in load(config, {}).policy().hedges] == [("UNI", "ETH"), ("AAVE",)]


@pytest.mark.parametrize(
    ("mode", "exposure"),
    [("paper", {"BTC", "ETH", "SOL"}), ("monitor", {"ETH", "SOL"}), ("hedge", {"BTC", "ETH", "SOL"})],
)
def test_coins_in_the_paper_wallet_are_exposure_offline_too(
    config: Path, prices: Path, mode: str, exposure: set[str]
) -> None:
    """As the daemon and a replay count them, one wallet an account; held, so nothing has to be bought to post them."""
    text = CONFIG.replace('"paper"', '"monitor"' if mode == "hedge" else f'"{mode}"')
    text += "[paper]\ncoins = { BTC = 0.1 }\n[[accounts]]\nname = 'two'\nexchange = 'simulated'\n"
    if mode == "hedge":
        text += '[[hedges]]\nname = "a"\nassets = ["*"]\nmode = "paper"\ninstruments = ["sim:ETH/USDT:USDT"]\n'
    config.write_text(text)
    result = ask("plan", "-c", config, "--prices", prices, "--json", "--group", "asset")
    told = {name: group for group in json.loads(result.stdout)["groups"] for name in group["assets"]}
    assert set(told) == exposure
    if "BTC" in exposure:
        row = prices.read_text().splitlines()[-1].split(",")
        assert Decimal(told["BTC"]["exposure_value"]) == (Decimal(row[1]) * Decimal("0.2")).quantize(Decimal("0.01"))
        assert "to be bought" not in result.stdout


def test_a_plan_offline_has_contracts_margined_in_the_wallets_coins(config: Path, prices: Path, tmp_path: Path) -> None:
    """As a replay has them; told with collateral in coins and money, and why the other was not taken."""
    config.write_text(CONFIG + "[paper]\ncoins = { ETH = 1 }\n")
    funding = tmp_path / "funding.csv"
    rows = [f"2026-07-{day:02}T00:00:00Z,ETH,0.0001" for day in range(1, 20)]
    funding.write_text("\n".join(["ts,symbol,funding_rate", *rows]) + "\n")
    csv = holdings(tmp_path, "asset,quantity\nETH,40\n")
    options = ("-c", config, "--holdings", csv, "--prices", prices, "--funding", funding)
    (group,) = asked(*options)["groups"]
    told = {each["what"]: each["reason"] for each in group["alternatives"]}
    assert told["sim:ETH/USD:ETH"] == "the same coin as sim:ETH/USDT:USDT, no cheaper, margined in ETH"
    (margin,) = group["proposed"]["margin"]
    assert (margin["currency"], margin["bought"]) == ("USDT", "0")
    assert margin["collateral"] == margin["collateral_value"]


class Candles:
    """A venue with hourly bars of what it lists, in pages."""

    def __init__(self, account: str, listed: set[str], page: int = 1000, *, down: bool = False) -> None:
        self.account = account
        self.asked: list[tuple[str, datetime]] = []
        self._listed, self._page, self._down = listed, page, down

    async def bars(self, subject: str, quote: str, since: datetime) -> list[Bar] | None:
        self.asked.append((subject, since))
        if self._down:
            raise Unreachable(self.account, "candles", "no answer")
        if subject not in self._listed:
            return None
        first = since.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
        times = (first + timedelta(hours=hour) for hour in range(self._page))
        return [Bar(at, 100.0, 101.0, 99.0) for at in times if at <= T0]


class Funding:
    """A venue's market and past funding: a contract of 0.01 % each 8 h, which was 0.03 % in the past month."""

    def __init__(self, settled: object) -> None:
        self.account = "sim"
        self._settled = settled

    async def instruments(self) -> dict[str, Instrument]:
        one = replace(contract("ETH").instrument, id=InstrumentId("sim:ETH/USDT:USDT"), account="sim")
        return {one.id: one}

    async def quotes(self, names: list[InstrumentId]) -> dict[InstrumentId, Read[Quote]]:
        quote = Quote(Decimal(3000), funding_rate=Decimal("0.0001"), funding_interval_hours=Decimal(8))
        return dict.fromkeys(names, Read(quote, T0))

    async def funding(self, _: InstrumentId, since: datetime) -> list[Settlement] | None:
        if isinstance(self._settled, Exception):
            raise self._settled
        if self._settled is None:
            return None
        times = (T0 - timedelta(hours=8 * count) for count in range(100, -1, -1))
        return [Settlement(at, Decimal("0.0003")) for at in times if at > since]


@pytest.mark.parametrize(
    ("settled", "kept", "year", "of"),
    [
        ("told", {}, "-0.3285", "the past 30 days, as sim tells it"),
        (None, {"sim:ETH/USDT:USDT": Decimal("-0.2")}, "-0.2", "the past weeks, as hedged saw it"),
        (None, {}, "-0.1095", "today"),
        (Unreachable("sim", "past funding", "no answer"), {}, "-0.1095", "today"),
    ],
)
async def test_funding_is_that_of_the_past_where_it_is_known(
    config: Path, settled: object, kept: dict[InstrumentId, Decimal], year: str, of: str
) -> None:
    """The venue's settlements, else what the daemon saw, else today's rate; and what it is, is told with it."""
    settings = load(config, {})
    venue = Funding(settled)
    listing = _Listing(
        settings,
        settings.policy(),
        {"sim": venue},  # type: ignore[dict-item]
        clock=ManualClock(),
        past={"sim": venue},  # type: ignore[dict-item]
        kept=kept,
    )
    (found,) = await listing.candidates(["ETH"])
    assert found.carry_year == Decimal(year)
    assert found.carry_of == of
    assert len(listing.notes) == isinstance(settled, Exception)


async def test_a_year_of_bars_is_read_page_by_page() -> None:
    """Contracts from their own account, coins from the first that has them; what fails is told and not invented."""
    main, other = Candles("main", {"main:ETH/USDT:USDT"}), Candles("other", {"UNI"})
    dead = Candles("dead", set(), down=True)
    past = _Past({"dead": dead, "main": main, "other": other}, None, "USDT", ManualClock())
    shown: list[tuple[int, int]] = []
    listed = [contract("ETH"), contract("ETH", date="270326")]
    history = await past.read(["UNI"], listed, lambda done, total: shown.append((done, total)))
    assert history.days("UNI") == pytest.approx(365, abs=0.1)
    assert history.days("main:ETH/USDT:USDT") == pytest.approx(365, abs=0.1)
    assert history.high["UNI"][-1] == 101.0
    assert "main:ETH/USDT:USDT" not in {subject for subject, _ in other.asked}
    assert len([1 for subject, _ in other.asked if subject == "UNI"]) >= 9, "pages of a thousand hours"
    assert history.days("ETH") == 0, "no account has the coin itself, which the dated contract stands on"
    assert any(note.startswith("UNI: past prices could not be read: dead") for note in past.notes)
    assert shown[-1] == (3, 3)


def test_real_prices_of_2023() -> None:
    """Ten coins as the study for replays holds them: a set without them, in bounds that are honest; own contracts take all."""
    data, config = need_shared("data/robbudaghyan_spot_1h.csv.gz"), ROOT / "config" / "replay.toml"
    funding = need_shared("data/merged_funding_8h.csv.gz")
    plan = asked("-c", config, "--prices", data, "--funding", funding, "--no-own", "--size", "2")
    (group,) = plan["groups"]
    assert group["name"] == "alts"
    found = group["proposed"]["effectiveness"]
    assert found["low"] < 0.5 < found["expected"] < 0.8 < found["high"]
    bases = {leg["instrument"].split(":")[1].split("/")[0] for leg in group["proposed"]["legs"]}
    assert not bases & set(group["assets"])
    own = asked("-c", config, "--prices", data, "--per-asset")
    for each in own["groups"]:
        assert each["proposed"]["effectiveness"]["expected"] > 0.99
        assert each["proposed"]["target"] == "quantity"
