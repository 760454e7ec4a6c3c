"""`hedged check-config`: what it prints where, and its exit status."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from hedged.cli.check_config import check_config
from hedged.settings.check_accounts import AVAILABLE

GOOD = '[[accounts]]\nname = "main"\nexchange = "binance"\n'


@pytest.fixture(autouse=True)
def _bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)


def run(*arguments: str) -> Result:
    app = typer.Typer()
    app.command()(check_config)
    return CliRunner().invoke(app, arguments)


def test_a_right_file_exits_0(tmp_path: Path) -> None:
    """With one line that says what it would run as."""
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    result = run("--config", str(path))
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == f"{path}: valid  name mine, mode monitor, world real\n"


def test_faults_go_to_stderr_and_exit_78(tmp_path: Path) -> None:
    """78 is what the unit does not start again after."""
    path = tmp_path / "mine.toml"
    path.write_text('mode = "monitr"\n' + GOOD + "apiKey = 'CANARY'\n")
    result = run("--config", str(path))
    assert (result.exit_code, result.stdout) == (78, "")
    first, second = result.stderr.splitlines()
    assert first.startswith(f'{path}:1  mode = "monitr"  must be one of')
    assert second.startswith(f"{path}:5  accounts[0].apiKey  unknown key: secrets never stand in this file")


def test_json_holds_each_part_of_a_fault(tmp_path: Path) -> None:
    """For editors and scripts: one object on stdout, also with faults."""
    path = tmp_path / "mine.toml"
    path.write_text(GOOD + '[[hedges]]\nname = "a"\nassets = ["*"]\ninstruments = ["main:A/USDT:USDT"]\nband = 2\n')
    result = run("--config", str(path), "--json")
    report = json.loads(result.stdout)
    assert (result.exit_code, result.stderr, report["valid"]) == (78, "", False)
    message = f"{path}:8  hedges[0].band = 2  must be below 1"
    parts = {"file": str(path), "line": 8, "column": None, "variable": None, "key": "hedges[0].band", "value": "2"}
    assert report["problems"] == [{"message": message, **parts, "text": "must be below 1"}]


def test_json_of_a_right_file(tmp_path: Path) -> None:
    """The same object, with what it would run as."""
    path = tmp_path / "mine.toml"
    path.write_text(GOOD + '[store]\npath = "/x/y.sqlite"\n')
    report = json.loads(run("--config", str(path), "--json").stdout)
    expected = {"schema": 1, "valid": True, "file": str(path), "problems": [], "name": "mine"}
    assert report == {**expected, "mode": "monitor", "world": "real", "store": "/x/y.sqlite"}


def test_secret_files_are_checked_too(tmp_path: Path) -> None:
    """`run` would refuse a key file that others can read, so this does."""
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "account-main").write_text('{"apiKey": "CANARY", "secret": "CANARY"}')
    (folder / "account-main").chmod(0o644)
    (folder / "notify").write_text("CANARY\n")
    (folder / "notify").chmod(0o600)
    result = run("--config", str(path))
    assert result.exit_code == 78
    assert [line.split(": ", 1)[1] for line in result.stderr.splitlines()] == [
        f"mode 0644 lets others in: chmod 640 {folder / 'account-main'}",
        "not an address such as tgram://TOKEN/CHAT",
    ]
    assert "CANARY" not in result.stderr


def test_channels_are_checked_without_a_network(tmp_path: Path) -> None:
    """A URL that is none, a program that is not there, a channel that nobody has: each by its line, none quoted."""
    path = tmp_path / "mine.toml"
    path.write_text(GOOD + '[alerts.channels]\nfirst = ["log"]\nthen = ["phone", "sms"]\n[notify]\nexec = ["beep"]\n')
    folder = tmp_path / "credentials"
    folder.mkdir()
    (folder / "notify").write_text("phone = json://127.0.0.1/CANARY\n\nmail = mailtoo://u:CANARY@host\n")
    (folder / "notify").chmod(0o600)
    no_program, no_url = run("--config", str(path)).stderr.splitlines()
    assert no_program.endswith(f"{tmp_path / 'beep'} is no program that this user may run")
    assert no_url.startswith(f"{folder / 'notify'}:3  mailtoo://…  must be a notification URL that apprise understands")
    (folder / "notify").write_text("phone = json://127.0.0.1/CANARY\n")
    assert run("--config", str(path)).stderr.splitlines() == [
        f'{path}:8  notify.exec = ["beep"]  {tmp_path / "beep"} is no program that this user may run',
        f'{path}:6  alerts.channels.then[1] = "sms"  is no channel that there is: log, exec, phone',
    ]
    (tmp_path / "beep").write_text("#!/bin/sh\n")
    (tmp_path / "beep").chmod(0o700)
    assert run("--config", str(path)).stderr.splitlines() == [
        f'{path}:6  alerts.channels.then[1] = "sms"  is no channel that there is: log, exec, phone',
    ]


def test_every_secret_that_is_missing_is_listed(tmp_path: Path) -> None:
    """The token of the pages, the bot's, the broker's and an account's keys: one look shows all that is to be made."""
    path = tmp_path / "mine.toml"
    keys = 'credentials_file = "keys"\n'
    path.write_text(
        GOOD.replace('exchange = "binance"\n', f'exchange = "binance"\n{keys}')
        + '[web]\nlisten = "0.0.0.0:9464"\n[telegram]\n[mqtt]\nhost = "broker"\ncredentials_file = "login"\n'
    )
    told = run("--config", str(path)).stderr
    assert told.count("no such file: ") == 2
    assert f"no such file: {tmp_path / 'keys'}" in told
    assert f"no such file: {tmp_path / 'login'}" in told
    assert "[telegram] needs the secret file telegram" in told
    assert "needs a token in the secret file web-token" in told
    assert len(told.splitlines()) == 4, "each once"


def test_the_schema_needs_no_file() -> None:
    """Editors complete and check keys with it."""
    schema = json.loads(run("--schema").stdout)
    assert schema["properties"]["mode"]["default"] == "monitor"
    assert schema["additionalProperties"] is False
    assert "for" in schema["$defs"]["AlertSettings"]["properties"]


def test_no_file_is_a_usage_error() -> None:
    """2, as for every wrong use of a command."""
    assert run().exit_code == 2


HEDGE = '[[hedges]]\nname = "alts"\nassets = ["ETH"]\ninstruments = ["main:ETH/USDT:USDT"]\n'
HYPER = HEDGE.replace("ETH/USDT:USDT", "ETH/USDC:USDC")
ADDRESS, KEY = "0x" + "ab" * 20, "0x" + "12" * 32
NO_KEY = "account main: it has no key, so no order can be sent there"


@pytest.mark.parametrize(
    ("exchange", "mode", "keys", "told"),
    [
        (
            "kucoin",
            "monitor",
            {"apiKey": "CANARY", "secret": "CANARY"},
            "F: account main: the credentials file lacks pa",
        ),
        (
            "bitget",
            "monitor",
            {"apiKey": "CANARY", "secret": "CANARY"},
            "F: account main: the credentials file lacks pa",
        ),
        ("binance", "monitor", {"apiKey": "CANARY"}, "F: account main: the credentials file lacks secret"),
        ("hyperliquid", "monitor", {}, 'F: holds no key: write {"walletAddress": "…"} or remove it'),
        ("hyperliquid", "monitor", {"privateKey": KEY}, "F: account main: the credentials file lacks walletAddress"),
        ("hyperliquid", "monitor", {"walletAddress": "0xCANARY"}, "F: exchange = hyperliquid  walletAddress must be"),
        (
            "hyperliquid",
            "monitor",
            {"walletAddress": ADDRESS, "privateKey": "CANARY"},
            "F: exchange = hyperliquid  privateKey must be an API wallet's: 0x and 64 hexadecimal digits",
        ),
        (
            "hyperliquid",
            "approve",
            {"walletAddress": ADDRESS},
            "F: exchange = hyperliquid  orders are signed by an API",
        ),
        ("bitget", "approve", None, f"C: {NO_KEY}"),
        ("gate", "live", None, f"C: {NO_KEY}"),
        ("kucoin", "live", None, f"C: {NO_KEY}"),
        ("hyperliquid", "live", None, f"C: {NO_KEY}"),
        ("hyperliquid", "approve", {"walletAddress": ADDRESS, "privateKey": KEY}, None),
        ("hyperliquid", "monitor", {"walletAddress": ADDRESS}, None),
        ("okx", "approve", {"apiKey": "CANARY", "secret": "CANARY", "password": "CANARY"}, None),
        ("gate", "paper", None, None),
    ],
)
def test_what_run_refuses_without_asking_anybody_is_not_valid(
    exchange: str, mode: str, keys: dict[str, str] | None, told: str | None, tmp_path: Path
) -> None:
    """A key that is none, one that is missing, and one that cannot sign an order: with the file that is to be changed."""
    path = tmp_path / "mine.toml"
    hedge = HYPER if exchange == "hyperliquid" and mode != "paper" else HEDGE
    path.write_text(f'mode = "{mode}"\n' + GOOD.replace("binance", exchange) + hedge)
    secret = tmp_path / "credentials" / "account-main"
    secret.parent.mkdir()
    if keys is not None:
        secret.write_text(json.dumps(keys))
        secret.chmod(0o600)
    result = run("--config", str(path))
    assert "CANARY" not in result.stderr
    if told is None:
        assert (result.exit_code, result.stderr) == (0, "")
        return
    (line,) = result.stderr.splitlines()
    assert result.exit_code == 78
    assert line.replace(str(secret), "F").replace(str(path), "C").startswith(told)


@pytest.mark.parametrize("exchange", sorted(set(AVAILABLE) - {"simulated"}))
def test_the_example_of_an_empty_file_is_what_the_exchange_needs(exchange: str, tmp_path: Path) -> None:
    """With exactly those keys it is complete as far as the exchange's list of what it needs goes."""
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace("binance", exchange))
    secret = tmp_path / "credentials" / "account-main"
    secret.parent.mkdir()
    secret.write_text("{}")
    secret.chmod(0o600)
    example = run("--config", str(path)).stderr.partition("write ")[2].partition(" or remove")[0]
    names = list(json.loads(example))
    for left_out in names:
        rest = {name: "x" for name in names if name != left_out}
        if rest:
            secret.write_text(json.dumps(rest))
            assert f"lacks {left_out}, which {exchange} needs" in run("--config", str(path)).stderr
    secret.write_text(json.dumps(dict.fromkeys(names, "x")))
    assert "lacks" not in run("--config", str(path)).stderr
