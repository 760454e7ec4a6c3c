"""What a right file becomes: values, defaults, worlds, paths, and the environment over it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from pydantic import ValidationError

from hedged.adapters.exchanges import dialects
from hedged.adapters.store.retention import Retention
from hedged.errors import ConfigurationError
from hedged.model.finding import Kind, Severity
from hedged.model.instrument import MarginTier
from hedged.model.policy import LegPolicy, Limits, Mode, PaperPolicy, Thresholds, World
from hedged.settings import Settings, load
from hedged.settings.check_accounts import AVAILABLE, TAKING_ORDERS
from hedged.tell.rules import AlertRules
from hedged.tell.templates import Template

ACCOUNT = '[[accounts]]\nname = "main"\nexchange = "binance"\n'
HEDGE = '[[hedges]]\nname = "alts"\nassets = ["ETH", "UNI"]\ninstruments = ["main:ETH/USDT:USDT"]\n'
PLAIN = ACCOUNT + HEDGE
SIMULATED = ACCOUNT.replace("binance", "simulated") + HEDGE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "ca.pem").write_text("-")
    return tmp_path


def settings(folder: Path, text: str, environ: dict[str, str] | None = None, *, dry_run: bool = False) -> Settings:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, {"HOME": "/home/me"} if environ is None else environ, dry_run=dry_run)


def problems(folder: Path, text: str, environ: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        settings(folder, text, environ)
    return [problem.replace(str(folder / "mine.toml"), "F") for problem in caught.value.problems]


def test_defaults_are_those_of_the_model(folder: Path) -> None:
    """What a file leaves out is what the core would take by itself, so that there is one place for defaults."""
    policy = settings(folder, PLAIN).policy()
    assert (policy.name, policy.mode, policy.world, policy.quote) == ("mine", Mode.MONITOR, World.REAL, "USDT")
    assert policy.every == timedelta(seconds=60)
    assert policy.thresholds == Thresholds(stale_after=timedelta(minutes=3))
    assert policy.limits == Limits()
    assert policy.paper == PaperPolicy()
    assert policy.dust_value == Decimal(10)
    assert settings(folder, PLAIN).retention() == Retention()
    assert settings(folder, PLAIN).alert_rules() == AlertRules()


def test_every_table_reaches_the_policy(folder: Path) -> None:
    """A key that is read but never arrives would be a setting that does nothing."""
    text = (
        'name = "Mine"\nquote = "USDC"\n[schedule]\nevery = "30s"\n'
        '[portfolio]\ndust_value = 5\nignore = ["LUNC"]\naliases = { stETH = "ETH" }\n'
        + ACCOUNT
        + '[[holdings]]\nasset = "stETH"\nquantity = 12.50\nas_of = 2026-11-01\nnote = "cold"\nmax_age = "7d"\n'
        + '[[hedges]]\nname = "alts"\nassets = ["stETH", "UNI", "*"]\ntarget_ratio = "0.9"\nband = 0.1\n'
        + 'instruments = ["main:ETH/USDC:USDC", "main:BTC/USDC:USDC-261225"]\nweights = [0.7, 0.3]\n'
        + "beta = { stETH = 1.2 }\n"
        + '[[tiers]]\ninstrument = "main:ETH/USDC:USDC"\nnotional_floor = 50000\nmaintenance_margin_rate = 0.01\n'
        + 'leverage_max = 50\n[[tiers]]\ninstrument = "main:ETH/USDC:USDC"\nnotional_floor = 0\n'
        + "maintenance_margin_rate = 0.004\nleverage_max = 125\n"
        + "[paper]\ncash = 1\nfee_taker = 0.001\nfee_maker = -0.0001\nslippage_bps = 3\nspread_bps = 4\nleverage = 2\n"
        + "[margin]\nwarning = 0.4\ncritical = 0.6\nliquidation_near = 0.2\n"
        + '[expiry]\nladder = ["1d", "14d"]\n'
        + "[limits]\norder_notional_max = 1\nposition_notional_max = 2\nturnover_day_max = 3\norders_cycle_max = 4\n"
        + 'price_collar = 0.05\n[alerts]\nstale_after = "10m"\nleg_skew_max = "5s"\ndepeg = 0.02\nsettle = "0s"\n'
        + '[alerts.repeat]\ninfo = "1d"\nwarning = "2h"\ncritical = "5m"\n[alerts.for]\ndrift = "2m"\n'
        + '[store]\nkeep_cycles = "1d"\nkeep_hourly = "2d"\nkeep_daily = "3d"\nkeep_history = "4d"\nkeep_delivered = "5d"\n'
    )
    found = settings(folder, text)
    policy = found.policy()
    assert (policy.name, policy.quote, policy.every) == ("Mine", "USDC", timedelta(seconds=30))
    assert (policy.dust_value, policy.ignore, policy.aliases) == (Decimal(5), {"LUNC"}, {"stETH": "ETH"})
    holding = policy.holdings[0]
    assert (holding.asset, str(holding.quantity), holding.note) == ("stETH", "12.50", "cold")
    assert (holding.as_of, holding.max_age) == (datetime(2026, 11, 1, tzinfo=UTC), timedelta(days=7))
    hedge = policy.hedges[0]
    assert (hedge.assets, hedge.takes_rest, hedge.beta) == (("ETH", "UNI"), True, {"ETH": Decimal("1.2")})
    assert (hedge.target_ratio, hedge.band, hedge.mode) == (Decimal("0.9"), Decimal("0.1"), Mode.MONITOR)
    assert hedge.legs == (
        LegPolicy("main:ETH/USDC:USDC", weight=Decimal("0.7")),
        LegPolicy("main:BTC/USDC:USDC-261225", weight=Decimal("0.3")),
    )
    assert policy.tiers == {
        "main:ETH/USDC:USDC": (
            MarginTier(Decimal(0), Decimal("0.004"), Decimal(125)),
            MarginTier(Decimal(50_000), Decimal("0.01"), Decimal(50)),
        )
    }
    assert policy.paper == PaperPolicy(*map(Decimal, ("1", "0.001", "-0.0001", "3", "4", "2")))
    assert policy.limits == Limits(Decimal(1), Decimal(2), Decimal(3), 4, Decimal("0.05"))
    assert policy.thresholds == Thresholds(
        stale_after=timedelta(minutes=10),
        leg_skew_max=timedelta(seconds=5),
        margin_ratio_warning=Decimal("0.4"),
        margin_ratio_critical=Decimal("0.6"),
        liquidation_distance_near=Decimal("0.2"),
        expiry_ladder=(timedelta(days=14), timedelta(days=1)),
        depeg=Decimal("0.02"),
    )
    rules = found.alert_rules()
    assert rules.hold == {Kind.DRIFT: timedelta(minutes=2)}
    assert [rules.repeat[severity] for severity in Severity] == [
        timedelta(days=1),
        timedelta(hours=2),
        timedelta(minutes=5),
    ]
    assert rules.settle == timedelta(0)
    assert found.retention() == Retention(*(timedelta(days=days) for days in range(1, 6)))


def test_what_is_entered_by_hand_reaches_the_broker(folder: Path) -> None:
    """Contracts and positions at a broker, their expiry by CME's rule, and the currency of the price they follow."""
    found = settings(
        folder,
        ACCOUNT
        + HEDGE.replace("main:ETH/USDT:USDT", "cme:ETH/USD:USD-261127")
        + """
        [[instruments]]
        instrument = "cme:ETH/USD:USD-261127"
        multiplier = "0.1"
        expiry = "cme"
        price_from = "main:ETH/USDT:USDT"
        [[positions]]
        instrument = "cme:ETH/USD:USD-261127"
        contracts = -50
        entry = 3100
        as_of = 2026-11-01
        max_age = "7d"
        """,
    )
    (broker,) = found.brokers
    contract = broker.contracts[0].instrument
    assert (contract.id, contract.multiplier, contract.lot_size) == ("cme:ETH/USD:USD-261127", Decimal("0.1"), 1)
    assert (contract.quote, contract.settle, contract.by_hand) == ("USDT", "USD", True)
    assert contract.expiry == datetime(2026, 11, 27, 16, tzinfo=UTC)
    held = broker.positions[0]
    assert (held.contracts, held.entry_price, held.max_age) == (-50, 3100, timedelta(days=7))
    assert held.as_of == datetime(2026, 11, 1, tzinfo=UTC)
    assert found.policy().accounts == {"main", "cme"}


def test_decimals_are_exact(folder: Path) -> None:
    """0.1 is a tenth, not the float beside it, written with or without quotes."""
    text = PLAIN + "".join(
        f'[[holdings]]\nasset = "ETH"\nquantity = {number}\nas_of = 2026-11-01\n' for number in ("0.1", '"0.1"', "1")
    )
    assert [holding.quantity for holding in settings(folder, text).holdings] == [Decimal("0.1"), Decimal("0.1"), 1]


def test_a_time_with_a_zone_becomes_utc(folder: Path) -> None:
    """11:30 in +02:00 is 09:30 UTC."""
    text = PLAIN + '[[holdings]]\nasset = "ETH"\nquantity = 1\nas_of = 2026-11-01T11:30:00+02:00\n'
    assert settings(folder, text).policy().holdings[0].as_of == datetime(2026, 11, 1, 9, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("mode", "account", "world"),
    [
        ("monitor", "", World.REAL),
        ("paper", "", World.PAPER),
        ("monitor", "sandbox = true", World.SIMULATED),
        ("paper", 'connect_to = "127.0.0.1:8443"\nca_file = "ca.pem"', World.SIMULATED),
        ("paper", 'connect_to = "[::1]:8443"\nca_file = "ca.pem"', World.SIMULATED),
        ("paper", 'connect_to = "localhost:8443"\nca_file = "ca.pem"', World.SIMULATED),
    ],
)
def test_the_world_follows_from_mode_and_accounts(folder: Path, mode: str, account: str, world: World) -> None:
    """A test account is never taken for a real one, whatever the mode."""
    found = settings(folder, f'mode = "{mode}"\n{ACCOUNT}{account}\n{HEDGE}')
    assert found.world is found.policy().world is world


@pytest.mark.parametrize(
    "elsewhere",
    ["10.0.0.1:8443", "example.org:8443", "127.0.0.1.example.org:1", "127.0.0.1", "user@127.0.0.1:1", "127.0.0.1:1/x"],
)
def test_connect_to_never_leaves_this_machine(folder: Path, elsewhere: str) -> None:
    """Whoever could point the address elsewhere would be sent signed requests."""
    (problem,) = problems(folder, f'{ACCOUNT}connect_to = "{elsewhere}"\nca_file = "ca.pem"\n{HEDGE}')
    assert problem.endswith('must be a port of this machine, such as "127.0.0.1:8443"')


@pytest.mark.parametrize(
    ("text", "instance", "store"),
    [
        (PLAIN, "mine", "mine.sqlite"),
        ('mode = "paper"\n' + PLAIN, "mine-paper", "mine-paper.sqlite"),
        (SIMULATED, "mine-simulated", "mine-simulated.sqlite"),
        ('name = "a/b #1"\n' + PLAIN, "a/b #1", "a%2Fb %231.sqlite"),
        ('name = ".."\n' + PLAIN, "..", "...sqlite"),
    ],
)
def test_instance_and_store_are_named_after_the_portfolio(folder: Path, text: str, instance: str, store: str) -> None:
    """Another world has another MQTT instance; a name cannot lead the database out of its folder."""
    found = settings(folder, text, {"STATE_DIRECTORY": "/state:/other"})
    assert (found.instance, found.store_path()) == (instance, Path("/state") / store)


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"STATE_DIRECTORY": "/var/lib/hedged"}, "/var/lib/hedged"),
        ({"XDG_STATE_HOME": "/x", "HOME": "/home/me"}, "/x/hedged"),
        ({"XDG_STATE_HOME": "relative", "HOME": "/home/me"}, "/home/me/.local/state/hedged"),
        ({"HOME": "/home/me"}, "/home/me/.local/state/hedged"),
    ],
)
def test_the_store_is_in_the_state_directory(folder: Path, environ: dict[str, str], expected: str) -> None:
    """systemd's directory first, then the user's."""
    assert settings(folder, PLAIN, environ).store_path() == Path(expected) / "mine.sqlite"


def test_paths_are_relative_to_the_file(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The daemon's working directory says nothing about where the user's files are."""
    monkeypatch.setenv("HOME", "/home/me")
    (folder / "keys").write_text("{}")
    found = settings(folder, ACCOUNT + 'credentials_file = "keys"\n' + HEDGE + '[store]\npath = "~/h.sqlite"\n')
    assert found.accounts[0].credentials_file == folder / "keys"
    assert found.store_path() == Path("/home/me/h.sqlite")
    assert found.credentials().beside == folder / "credentials"


def test_a_dry_run_turns_orders_into_paper(folder: Path) -> None:
    """Live and approve become paper, monitor stays what it is, and the real store is left alone."""
    other = '[[hedges]]\nname = "b"\nassets = ["SOL"]\ninstruments = ["main:SOL/USDT:USDT"]\nmode = "monitor"\n'
    found = settings(folder, 'mode = "live"\n' + PLAIN + other, {"STATE_DIRECTORY": "/s"}, dry_run=True)
    policy = found.policy()
    assert (found.dry_run, found.mode, found.world) == (True, Mode.PAPER, World.PAPER)
    assert [hedge.mode for hedge in policy.hedges] == [Mode.PAPER, Mode.MONITOR]
    assert found.store_path() == Path("/s/mine.sqlite.paper")


def test_a_dry_run_of_one_hedge_keeps_the_others(folder: Path) -> None:
    """A single approving hedge is reason enough for a store of its own."""
    found = settings(folder, PLAIN + 'mode = "approve"\n', {"STATE_DIRECTORY": "/s"}, dry_run=True)
    assert (found.policy().hedges[0].mode, found.world) == (Mode.PAPER, World.PAPER)
    assert found.store_path().name == "mine.sqlite.paper"


def test_a_dry_run_without_orders_changes_nothing(folder: Path) -> None:
    """Monitor and paper trade nothing real as they are."""
    for text in (PLAIN, 'mode = "paper"\n' + PLAIN):
        found = settings(folder, text, {"STATE_DIRECTORY": "/s"}, dry_run=True)
        assert found == settings(folder, text, {"STATE_DIRECTORY": "/s"})
        assert not found.dry_run


def test_the_environment_goes_over_the_file(folder: Path) -> None:
    """Single keys of tables, also of tables that the file does not have; the rest of a table stays."""
    found = settings(
        folder,
        PLAIN + "[limits]\norders_cycle_max = 3\nprice_collar = 0.01\n",
        {
            "HEDGED_MODE": "paper",
            "HEDGED_SCHEDULE__EVERY": "30s",
            "HEDGED_LIMITS__PRICE_COLLAR": "0.03",
            "HEDGED_MQTT__HOST": "broker",
            "HEDGED_MQTT__TLS": "true",
            "HEDGED_ALERTS__REPEAT__CRITICAL": "5m",
            "HEDGED_TEST_REQUIRE": "mosquitto",
            "HOME": "/home/me",
        },
    )
    assert (found.mode, found.schedule.every) == (Mode.PAPER, timedelta(seconds=30))
    assert (found.limits.orders_cycle_max, found.limits.price_collar) == (3, Decimal("0.03"))
    assert found.mqtt is not None
    assert (found.mqtt.host, found.mqtt.tls, found.alerts.repeat.critical) == ("broker", True, timedelta(minutes=5))


@pytest.mark.parametrize(
    ("name", "value", "problem"),
    [
        ("HEDGED_MODUS", "x", "unknown name; did you mean HEDGED_MODE?"),
        ("HEDGED_mode", "x", "unknown name; did you mean HEDGED_MODE?"),
        ("HEDGED_ZZZZZZZZZZZZZZZ", "x", "unknown name: no key of the configuration"),
        ("HEDGED_ACCOUNTS", "[]", "is set in the file alone: the environment sets single values"),
        ("HEDGED_ACCOUNTS__0__NAME", "x", "is set in the file alone: the environment sets single values"),
        ("HEDGED_PORTFOLIO__IGNORE", "ETH", "is set in the file alone: the environment sets single values"),
        ("HEDGED_ALERTS__FOR__DRIFT", "5m", "is set in the file alone: the environment sets single values"),
        ("HEDGED_MQTT", "{}", "is a table: set its keys one by one, as HEDGED_MQTT__KEY"),
        (
            "HEDGED_MQTT__PASSWORD",
            "CANARY",
            "unknown name: secrets are never read from the environment, only from credential files",
        ),
    ],
)
def test_an_unknown_variable_is_an_error(folder: Path, name: str, value: str, problem: str) -> None:
    """A typo there would leave the file's value in place without a word; the value is never repeated."""
    assert problems(folder, PLAIN, {name: value}) == [f"environment  {name}  {problem}"]


def test_a_wrong_value_from_the_environment_names_the_variable(folder: Path) -> None:
    """Pointing at a line of the file would send people to the wrong place."""
    environ = {"HEDGED_MODE": "monitr", "HEDGED_MARGIN__WARNING": "2", "HEDGED_NOTIFY__HEARTBEAT_URL": "CANARY"}
    margin, mode, heartbeat = problems(folder, 'mode = "paper"\n' + PLAIN, environ)
    assert mode.startswith('environment  HEDGED_MODE = "monitr"  must be one of "monitor", "paper"')
    assert margin == 'environment  HEDGED_MARGIN__WARNING = "2"  must be below 1'
    assert heartbeat == "environment  HEDGED_NOTIFY__HEARTBEAT_URL  must be an http:// or https:// address"


def test_the_real_environment_is_read_by_default(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`load(path)` is what commands call."""
    (folder / "mine.toml").write_text(PLAIN)
    monkeypatch.setenv("HEDGED_MODE", "paper")
    assert load(folder / "mine.toml").mode is Mode.PAPER


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (b"", "F  is empty: start from config/hedged.example.toml"),
        (b" \n\n", "F  is empty: start from config/hedged.example.toml"),
        (b"# \xff\n", "F:1  is not UTF-8: save it in that encoding"),
        (b'mode = "paper"\nname = "\xe9"\n', "F:2  is not UTF-8: save it in that encoding"),
        (b"a = " + b"[" * 5000, "F  is not a configuration: lists nested too deeply"),
        (b"#" * 1_000_001, "F  is larger than 1000000 bytes: not a configuration"),
        (b"mode = \n", "F:1:8  not TOML: Invalid value"),
    ],
)
def test_a_file_that_is_no_configuration_says_so(folder: Path, content: bytes, problem: str) -> None:
    """Whatever the path holds, the answer is one readable line."""
    path = folder / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load(path, {})
    assert str(caught.value).replace(str(path), "F") == problem


def test_a_path_without_a_readable_file_says_so(folder: Path) -> None:
    """A missing file is an error, never an empty configuration; nor is a folder a file."""
    for path, text in ((folder / "absent.toml", "no such file"), (folder, "is a directory")):
        with pytest.raises(ConfigurationError, match=text):
            load(path, {})


def test_editors_marks_and_line_ends_do_no_harm(folder: Path) -> None:
    """A byte order mark and CRLF come from some editors; lines are still counted right."""
    path = folder / "mine.toml"
    path.write_bytes(b"\xef\xbb\xbf" + (PLAIN + "band = 2\n").replace("\n", "\r\n").encode())
    with pytest.raises(ConfigurationError) as caught:
        load(path, {})
    assert str(caught.value) == f"{path}:8  hedges[0].band = 2  must be below 1"


def test_a_file_name_that_is_no_name_asks_for_one(folder: Path) -> None:
    """The stem becomes a topic and a database; one with control characters would garble both."""
    path = folder / "a\x1b[31m.toml"
    path.write_text(PLAIN)
    with pytest.raises(ConfigurationError) as caught:
        load(path, {})
    assert "name  is needed" in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_control_characters_of_a_file_never_reach_the_terminal(folder: Path) -> None:
    """A pasted value cannot move the cursor or colour the screen."""
    (problem,) = problems(folder, 'mode = "\\u001b[2J\\u202e"\n' + PLAIN)
    assert problem.startswith('F:1  mode = "\\u001b[2J\\u202e"')


def test_settings_cannot_be_changed(folder: Path) -> None:
    """A reload builds new settings; nothing edits those that a cycle is using."""
    found = settings(folder, SIMULATED.replace(HEDGE, "balances = { ETH = 4 }\n" + HEDGE))
    with pytest.raises(ValidationError):
        found.schedule.every = timedelta(seconds=1)
    with pytest.raises(AttributeError):
        found.name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError):
        found.accounts[0].balances["ETH"] = Decimal(5)  # type: ignore[index]


def test_the_listed_exchanges_are_those_the_adapters_read() -> None:
    """The list is written twice, because importing the adapters takes long; this keeps both equal."""
    assert {name: wallets for name, wallets in AVAILABLE.items() if name != "simulated"} == dialects.exchanges()
    assert dialects.order_dialects().keys() == TAKING_ORDERS


def test_importing_settings_is_quick() -> None:
    """`hedged --help` and check-config load no exchange, database, loop or numbers library."""
    code = "import sys, hedged.settings; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"ccxt", "aiohttp", "sqlalchemy", "numpy", "asyncio", "pydantic_settings"}.intersection(modules)


def test_templates_by_kind_and_of_groups(folder: Path) -> None:
    """A folder of own words reaches the rules: each kind's, and that of a message about several."""
    (folder / "words").mkdir()
    (folder / "words" / "drift.txt").write_text("{state}: {subject}\n{text}\n")
    (folder / "words" / "group.html").write_text("<b>{lines}</b>\n")
    rules = settings(folder, PLAIN + '[alerts]\ntemplates = "words"\n').alert_rules()
    assert dict(rules.templates) == {Kind.DRIFT: Template(text="{state}: {subject}\n{text}\n")}
    assert rules.group_template == Template(html="<b>{lines}</b>\n")
