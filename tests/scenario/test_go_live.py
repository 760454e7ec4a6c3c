"""`hedged go-live`: each condition for live trading, red and green, and what `run` makes of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hedged.act.brake import keep_pause, keep_resumed
from hedged.act.go_live import GoLive, keep
from hedged.adapters.clock import SystemClock
from hedged.adapters.store.memory import MemoryStore
from hedged.adapters.store.sql import SqlStore
from hedged.app import require_go_live, require_keys
from hedged.cli.go_live import confirming, key_check
from hedged.daemon.keys import KeyWatch
from hedged.errors import ConfigurationError
from hedged.model.permissions import Permissions
from hedged.model.policy import World
from hedged.model.stop import Stop
from hedged.settings import load
from hedged.settings.digest import trading_digest
from tests.scenario.test_commands import ask
from tests.store_samples import intent, message, record

NOW = SystemClock().now()
DAY = timedelta(days=1)
CONFIG = """
name = "mine"
mode = "live"
[[accounts]]
name = "sim"
exchange = "simulated"
balances = { ETH = 4 }
[[hedges]]
name = "alts"
assets = ["ETH"]
instruments = ["sim:ETH/USDT:USDT"]
[limits]
order_notional_max = 5000
position_notional_max = 20000
turnover_day_max = 20000
[notify]
heartbeat_url = "http://127.0.0.1:9/beat"
"""


class Stage:
    """A portfolio for which everything is in order; tests take something away."""

    def __init__(self, folder: Path) -> None:
        self.config, self.store = folder / "mine.toml", folder / "mine.sqlite"
        self.paper = folder / "paper.sqlite"
        self.config.write_text(CONFIG + f'[store]\npath = "{self.store}"\n')
        urls = folder / "credentials" / "notify"
        urls.parent.mkdir()
        urls.write_text("json://127.0.0.1:9/a\njson://127.0.0.1:9/b\n")
        urls.chmod(0o600)
        self.channels = asyncio.run(confirming(load(self.config)))

    def change(self, before: str, after: str) -> None:
        assert before in self.config.read_text()
        self.config.write_text(self.config.read_text().replace(before, after))

    async def fill(self, *, days: int = 7, delivered: timedelta = DAY / 2, beaten: timedelta = DAY / 2) -> None:
        store = SqlStore(self.paper)
        await store.open("mine", World.PAPER, NOW)
        for number in range(days):
            await store.record_cycle(record(number, at=NOW - number * DAY), [])
        await store.close()
        store = SqlStore(self.store)
        await store.open("mine", World.SIMULATED, NOW)
        await store.record_cycle(record(99, at=NOW, messages=[message("e1")]), self.channels)
        for channel in self.channels:
            for row in await store.due(channel, NOW, 10):
                await store.delivered(row.id, NOW - delivered)
        await store.put_blob("heartbeat", {"delivered_at": (NOW - beaten).isoformat()}, NOW)
        await store.close()

    def ask(self, *more: str | Path) -> tuple[int, dict[str, Any]]:
        said = ask("go-live", "--check", "--json", "-c", self.config, "--paper-store", self.paper, *more)
        assert said.stdout, said.output
        return said.exit_code, json.loads(said.stdout)

    def red(self) -> list[str]:
        code, said = self.ask()
        found = [each["what"] for each in said["checks"] if each["result"] == "failed"]
        assert (code, said["green"]) == ((1, False) if found else (0, True)), said
        return found

    def text(self, what: str) -> str:
        return next(each["text"] for each in self.ask()[1]["checks"] if each["what"] == what)


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    return Stage(tmp_path)


def on(stage: Stage, work: Callable[[SqlStore], Any]) -> None:
    async def run() -> None:
        store = SqlStore(stage.store)
        await store.open("mine", World.SIMULATED, NOW)
        await work(store)
        await store.close()

    asyncio.run(run())


def test_everything_in_order_is_green_and_kept(stage: Stage) -> None:
    """Exit 0, a line a condition, and remembered until the configuration changes."""
    asyncio.run(stage.fill())
    assert ask("go-live", "-c", stage.config).exit_code == 1
    assert stage.red() == []
    shown = ask("go-live", "--check", "-c", stage.config, "--paper-store", stage.paper)
    assert shown.stdout.count("✓") >= 7
    assert "the simulated world asks for none of this" in shown.stdout
    kept = ask("go-live", "-c", stage.config)
    assert kept.exit_code == 0
    assert "green since" in kept.stdout
    stage.change("order_notional_max = 5000", "order_notional_max = 50000")
    changed = ask("go-live", "-c", stage.config)
    assert changed.exit_code == 1
    assert "have changed since" in changed.stdout


def test_nothing_in_order_is_red_and_says_what_to_do(stage: Stage) -> None:
    """Before anything has run: every line with its fix, and nothing is kept or made."""
    stage.change("order_notional_max = 5000\nposition_notional_max = 20000\nturnover_day_max = 20000\n", "")
    assert stage.red() == ["days on paper", "doctor", "limits", "two channels", "heartbeat"]
    assert not stage.store.exists()
    assert "set order_notional_max, position_notional_max, turnover_day_max under [limits]" in stage.text("limits")
    assert "--dry-run" in stage.text("days on paper")


@pytest.mark.parametrize(
    ("missing", "red", "said"),
    [
        ({"days": 6}, "days on paper", "cycles on 6 days of the last 30, at least 7 are needed"),
        ({"delivered": DAY * 1.01}, "two channels", "nothing was delivered within 24 h"),
    ],
)
def test_what_is_too_little_or_too_old_is_red(stage: Stage, missing: dict[str, Any], red: str, said: str) -> None:
    """Each condition alone keeps it from being green."""
    asyncio.run(stage.fill(**missing))
    assert stage.red() == [red]
    assert said in stage.text(red)


def test_a_channel_that_took_a_test_has_delivered(stage: Stage) -> None:
    """`hedged notify test` is enough; what it left of another day, or in words nobody understands, is none."""

    async def keep(**tested: str) -> None:
        store = SqlStore(stage.store)
        await store.open("mine", World.SIMULATED, NOW)
        await store.put_blob("tested", tested, NOW)
        await store.close()

    asyncio.run(stage.fill(delivered=DAY * 1.01))
    asyncio.run(keep(**dict.fromkeys(stage.channels, (NOW - DAY * 1.01).isoformat())))
    assert stage.red() == ["two channels"]
    asyncio.run(keep(**dict.fromkeys(stage.channels, "yesterday")))
    assert stage.red() == ["two channels"]
    asyncio.run(keep(**dict.fromkeys(stage.channels, NOW.isoformat())))
    assert stage.red() == []


def test_a_heartbeat_that_was_not_heard_for_a_day_is_red(stage: Stage) -> None:
    """By the doctor as well."""
    asyncio.run(stage.fill(beaten=DAY * 1.01))
    assert stage.red() == ["doctor", "heartbeat"]
    assert "it was last answered on" in stage.text("heartbeat")


@pytest.mark.parametrize(
    ("before", "after", "red"),
    [
        ("turnover_day_max = 20000\n", "", "limits"),
        ('heartbeat_url = "http://127.0.0.1:9/beat"\n', "", "heartbeat"),
    ],
)
def test_what_is_not_configured_is_red(stage: Stage, before: str, after: str, red: str) -> None:
    """A limit or the heartbeat that is not set."""
    asyncio.run(stage.fill())
    stage.change(before, after)
    assert stage.red() == [red]


def test_one_channel_is_too_few(stage: Stage) -> None:
    """The log and MQTT reach nobody by themselves."""
    asyncio.run(stage.fill())
    (stage.config.parent / "credentials" / "notify").write_text("json://127.0.0.1:9/a\n")
    assert stage.red() == ["two channels"]
    assert "add addresses to `notify`" in stage.text("two channels")


def test_an_order_without_an_end_is_red(stage: Stage) -> None:
    """Live trading starts with a clean journal."""
    asyncio.run(stage.fill())
    on(stage, lambda store: store.plan("c1", [intent("hd1")], NOW))
    assert stage.red() == ["journal"]
    assert "hd1 on main:ETH/USDT:USDT" in stage.text("journal")


def test_a_pause_is_red(stage: Stage) -> None:
    """By command or by the file, and over with it."""
    asyncio.run(stage.fill())
    on(stage, lambda store: keep_pause(store, Stop(NOW, "`hedged pause`", "holiday")))
    assert stage.red() == ["not stopped"]
    assert "holiday: `hedged resume` ends it" in stage.text("not stopped")
    on(stage, lambda store: keep_resumed(store, NOW))
    (stage.config.parent / "PAUSED").write_text("")
    assert stage.red() == ["not stopped"]
    (stage.config.parent / "PAUSED").unlink()
    assert stage.red() == []


def test_another_portfolios_paper_does_not_count(stage: Stage) -> None:
    """Time on paper is this portfolio's own."""
    asyncio.run(stage.fill())
    stage.change('name = "mine"\nmode', 'name = "other"\nmode')
    assert "days on paper" in stage.red()
    assert "belongs to portfolio 'mine'" in stage.text("days on paper")


SAW = datetime.fromisoformat("2026-11-01T00:00:00+00:00")


@pytest.mark.parametrize(
    ("permissions", "confirmed", "days", "result", "said"),
    [
        (Permissions(trade=True, withdraw=False), None, 0, "ok", "it may trade and cannot withdraw"),
        (Permissions(trade=True, withdraw=True), SAW, 0, "failed", "it may withdraw"),
        (Permissions(trade=False, withdraw=False), None, 0, "failed", "it may not trade"),
        (Permissions(trade=True), None, 0, "failed", "withdraw_disabled_confirmed = 2026-11-01"),
        (Permissions(trade=True), SAW, 89, "ok", "as you saw on 2026-11-01"),
        (Permissions(trade=True), SAW, 90, "failed", "does not tell whether it may withdraw"),
        (Permissions(trade=True), SAW, -2, "failed", "does not tell whether it may withdraw"),  # a date to come
        (None, SAW, 1, "unknown", "whether it may trade the venue does not tell"),
        (None, None, 1, "failed", "does not tell whether it may withdraw"),
        (Permissions(withdraw=False), None, 0, "unknown", "the first order shows"),
    ],
)
def test_a_key_trades_and_does_not_withdraw(
    permissions: Permissions | None, confirmed: datetime | None, days: int, result: str, said: str
) -> None:
    """Where the venue does not tell, its user's word counts for ninety days; whether it trades, the first order shows."""
    check = key_check("main", permissions, confirmed, SAW + days * DAY)
    assert check.result == result
    assert said in check.text


# what `run` makes of it


REAL = CONFIG.replace('exchange = "simulated"\nbalances = { ETH = 4 }', 'exchange = "binance"')


async def test_live_in_the_real_world_needs_it(tmp_path: Path) -> None:
    """Never green, green, green for something else; approve and the simulated world do without."""
    path = tmp_path / "mine.toml"
    path.write_text(REAL)
    settings, store = load(path), MemoryStore()
    assert settings.world is World.REAL
    await store.open("mine", World.REAL, NOW)
    with pytest.raises(
        ConfigurationError, match='alts: mode = "live", but `hedged go-live --check` has not been green'
    ):
        await require_go_live(settings, store)
    await keep(store, GoLive(NOW, trading_digest(settings.document), "0.1"))
    await require_go_live(settings, store)
    path.write_text(REAL.replace("turnover_day_max = 20000", "turnover_day_max = 30000"))
    with pytest.raises(ConfigurationError, match="something else that orders come of have changed"):
        await require_go_live(load(path), store)
    path.write_text(REAL.replace('mode = "live"', 'mode = "approve"'))
    await require_go_live(load(path), store)
    path.write_text(CONFIG)
    await require_go_live(load(path), MemoryStore())


@pytest.mark.parametrize(
    ("permissions", "said"),
    [
        (Permissions(trade=True, withdraw=False), None),
        (Permissions(trade=False, withdraw=False), 'mode = "live", but account sim: its key may not trade'),
        (None, "does not tell whether its key may withdraw"),
    ],
)
async def test_a_live_start_asks_the_key_anew(
    tmp_path: Path, permissions: Permissions | None, said: str | None
) -> None:
    """What was green once may have changed since; approve, whose every order a person sees, only tells."""

    class Venue:
        async def permissions(self) -> Permissions | None:
            return permissions

    path = tmp_path / "mine.toml"
    path.write_text(REAL)
    keys = KeyWatch({"sim": Venue()}, {}, SystemClock())
    await keys.check()
    if said is None:
        require_keys(load(path), keys, NOW)
    else:
        with pytest.raises(ConfigurationError, match=said):
            require_keys(load(path), keys, NOW)
    path.write_text(REAL.replace('mode = "live"', 'mode = "approve"'))
    require_keys(load(path), keys, NOW)


def test_what_changes_the_digest(tmp_path: Path) -> None:
    """Whatever orders come of; not when somebody looked at a key or a wallet, nor where messages go."""
    path = tmp_path / "mine.toml"

    def digest(text: str) -> str:
        path.write_text(text)
        return trading_digest(load(path).document)

    before = digest(REAL)
    looked = REAL.replace('exchange = "binance"', 'exchange = "binance"\nwithdraw_disabled_confirmed = 2026-11-01')
    assert digest(looked) == before
    assert digest(REAL.replace("127.0.0.1:9/beat", "127.0.0.1:9/other")) == before
    for changed in (
        ('mode = "live"', 'mode = "approve"'),
        ('["ETH"]', '["ETH", "UNI"]'),
        ("order_notional_max = 5000", "order_notional_max = 5001"),
        ('exchange = "binance"', 'exchange = "bybit"'),
        ('name = "alts"', 'name = "alts"\ntarget_ratio = 0.9'),
        ('name = "alts"', 'name = "alts"\nplacement = "passive"'),
    ):
        assert digest(REAL.replace(*changed)) != before, changed


SECTORS = '[assets]\nUNI = {{ sector = "defi", beta_btc = {}, beta_eth = 1 }}\n'
WALLET = '[[holdings]]\nasset = "ETH"\nquantity = {}\nas_of = {}\n'


@pytest.mark.parametrize(
    "table",
    [
        '[margin]\non_critical = "reduce"\n',
        '[alerts]\nstale_after = "7d"\n',
        '[alerts]\nleg_skew_max = "1d"\n',
        "[alerts]\ndepeg = 0.1\n",
        '[portfolio]\naliases = { BTC = "ETH" }\n',
        '[portfolio]\nignore = ["SOL"]\n',
        "[portfolio]\ndust_value = 0\n",
        WALLET.format(100, "2026-11-01"),
        '[expiry]\nroll = "30d"\nstop = "10d"\n',
        '[schedule]\nevery = "1h"\n',
        '[approve]\nexpires = "12h"\n',
        '[[tiers]]\ninstrument = "sim:ETH/USDT:USDT"\nnotional_floor = 0\nleverage_max = 9\nmaintenance_margin_rate = 0.01',
    ],
)
def test_every_table_that_orders_come_of_changes_the_digest(tmp_path: Path, table: str) -> None:
    """Also what an order is held back by, and what is held where nobody can look."""
    path = tmp_path / "mine.toml"
    path.write_text(REAL)
    before = trading_digest(load(path).document)
    path.write_text(f"{REAL}\n{table}")
    assert trading_digest(load(path).document) != before


@pytest.mark.parametrize(
    ("table", "other"),
    [
        ('[alerts]\nsettle = "1m"\n', '[alerts]\nsettle = "2m"\n'),
        ("", "[alerts]\nmessages_minute_max = 5\n"),
        ("", '[schedule]\nstreams = false\nevery_min = "9s"\n'),
        ("", '[store]\nkeep_cycles = "9d"\n'),
        (WALLET.format(5, "2026-11-01"), WALLET.format(5, "2026-11-20")),
    ],
)
def test_what_is_about_messages_keeps_the_digest(tmp_path: Path, table: str, other: str) -> None:
    """And a wallet that was looked at once more and held the same."""
    path = tmp_path / "mine.toml"
    path.write_text(f"{REAL}\n{table}")
    before = trading_digest(load(path).document)
    path.write_text(f"{REAL}\n{other}")
    assert trading_digest(load(path).document) == before


def test_another_list_of_sectors_changes_the_digest(tmp_path: Path) -> None:
    """By what is in it, for its ratios size hedges."""
    path, sectors = tmp_path / "mine.toml", tmp_path / "sectors.toml"
    path.write_text(f'{REAL}\n[portfolio]\nsectors_file = "sectors.toml"\n')
    digests = set()
    for beta in (1.1, 1.4):
        sectors.write_text(SECTORS.format(beta))
        digests.add(trading_digest(load(path).document))
    assert len(digests) == 2


async def test_a_start_that_is_refused_holds_nothing(tmp_path: Path) -> None:
    """Exit 78 before any exchange is asked; the lock and the lease are free again."""
    from hedged import app as root
    from hedged.adapters.clock import SystemIds
    from hedged.adapters.store.lock import holder

    path = tmp_path / "mine.toml"
    path.write_text(REAL + f'[store]\npath = "{tmp_path / "mine.sqlite"}"\n')
    clock = SystemClock()
    with pytest.raises(ConfigurationError, match="go-live"):
        await root.build(load(path), clock, SystemIds())
    assert holder(tmp_path / "mine.sqlite") is None
    store = SqlStore(tmp_path / "mine.sqlite")
    await store.open("mine", World.REAL, clock.now())
    await store.take_lease("elsewhere:1:a", clock.now(), DAY)
    await store.close()
