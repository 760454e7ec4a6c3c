"""The commands as a person uses them, over the simulated exchange and a real database."""

from __future__ import annotations

import asyncio
import json
import re
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from hedged import app as root
from hedged.adapters.clock import SystemClock, SystemIds
from hedged.adapters.store.lock import StoreLock
from hedged.adapters.store.sql import SqlStore
from hedged.cli.main import app
from hedged.errors import StoreUnavailable
from hedged.ports import Memory
from hedged.settings import load

CONFIG = """
name = "mine"
mode = "{mode}"
[[accounts]]
name = "sim"
exchange = "simulated"
balances = {{ ETH = 4, SOL = 100 }}
cash = {cash}
[[hedges]]
name = "alts"
assets = ["ETH", "SOL"]
instruments = ["sim:ETH/USDT:USDT"]
[paper]
cash = {cash}
[store]
path = "{store}"
"""


@pytest.fixture
def config(tmp_path: Path) -> Callable[..., Path]:
    def write(mode: str = "paper", cash: int = 20_000) -> Path:
        path = tmp_path / "mine.toml"
        path.write_text(CONFIG.format(mode=mode, cash=cash, store=tmp_path / "mine.sqlite"))
        return path

    return write


def ask(*arguments: str | Path) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def run_cycles(config: Path, number: int = 2) -> None:
    """What the daemon does, without its schedule."""

    async def run() -> None:
        clock = SystemClock()
        wired = await root.build(load(config), clock, SystemIds())
        for _ in range(number):
            await wired.after_cycle(await wired.cycle(clock.now(), ()))
        await wired.close()

    asyncio.run(run())


def rows(config: Path, query: str) -> list[Any]:
    with sqlite3.connect(config.parent / "mine.sqlite") as database:
        return database.execute(query).fetchall()


def test_once_before_anything_has_run(config: Callable[..., Path]) -> None:
    """Without a database `once` shows what would be traded, and makes none."""
    result = ask("once", "-c", config())
    assert result.exit_code == 0
    assert "would trade" in result.stdout
    assert not (config().parent / "mine.sqlite").exists()


def test_once_is_the_contract(config: Callable[..., Path]) -> None:
    """The JSON has every part, money as text, ratios as numbers."""
    state = json.loads(ask("once", "-c", config("monitor"), "--json").stdout)
    parts = ("schema", "now", "mode", "world", "portfolio", "exposures", "hedges", "margin", "expiries", "findings")
    assert [part for part in parts if part not in state] == []
    hedge = state["hedges"][0]
    assert (hedge["state"], hedge["target_ratio"], hedge["drift"]) == ("under", 1.0, -1.0)
    assert float(hedge["exposure_value"]) > 0
    assert isinstance(hedge["exposure_value"], str)
    intent = state["decision"]["intents"][0]
    assert (intent["side"], intent["reduce_only"]) == ("sell", False)
    assert float(intent["quantity"]) > 0


def test_once_changes_nothing_and_sees_the_paper_account(config: Callable[..., Path]) -> None:
    """After the daemon has traded, `once` shows its paper position, and no row of its store is touched."""
    path = config()
    run_cycles(path)
    before = [rows(path, f"SELECT * FROM {table}") for table in ("cycles", "orders", "alerts", "outbox", "blobs")]
    state = json.loads(ask("once", "-c", path, "--json").stdout)
    assert state["hedges"][0]["state"] == "ok"
    assert float(state["hedges"][0]["legs"][0]["contracts"]) < 0
    assert [
        rows(path, f"SELECT * FROM {table}") for table in ("cycles", "orders", "alerts", "outbox", "blobs")
    ] == before


def test_once_fails_when_nothing_could_be_read(tmp_path: Path) -> None:
    """A venue nobody answers for: exit 1, also on paper, whose own wallet is no reading."""
    from tests.venues.certificates import make_ca

    ca_file, _, _ = make_ca(tmp_path)
    path = tmp_path / "down.toml"
    account = f'[[accounts]]\nname = "main"\nexchange = "binance"\nconnect_to = "127.0.0.1:9"\nca_file = "{ca_file}"\n'
    hedge = '[[hedges]]\nname = "a"\nassets = ["ETH"]\ninstruments = ["main:ETH/USDT:USDT"]\n'
    path.write_text(f'mode = "paper"\n{account}{hedge}[store]\npath = "{tmp_path}/s.sqlite"\n')
    result = ask("once", "-c", path)
    assert result.exit_code == 1
    assert "unreachable" in result.stdout


def test_status_tells_the_last_cycle_and_its_orders(config: Callable[..., Path]) -> None:
    """What was traded is told as done, with its price; --check says when the last cycle is too old."""
    path = config()
    assert ask("status", "-c", path).exit_code == 1, "nothing has run yet"
    run_cycles(path, 1)
    shown = ask("status", "-c", path, "--check")
    assert shown.exit_code == 0
    assert "filled at" in shown.stdout
    with sqlite3.connect(path.parent / "mine.sqlite") as database:
        database.execute("UPDATE memory SET finished_at = finished_at - 3600000000")
    assert ask("status", "-c", path, "--check").exit_code == 1
    assert ask("status", "-c", path).exit_code == 0


def test_a_refused_paper_order_is_told(config: Callable[..., Path]) -> None:
    """Too little paper cash: the gate refuses the order with the numbers, in status and as an alert."""
    path = config(cash=10)
    run_cycles(path, 1)
    state = json.loads(ask("status", "-c", path, "--json").stdout)
    assert "free_margin_min" in state["decision"]["refused"][0]["reason"]
    assert "order_refused" in {finding["kind"] for finding in state["findings"]}


def test_accepting_what_vanished(config: Callable[..., Path]) -> None:
    """`accept-position` names account and symbol; nothing in doubt is exit 1, an unknown account is usage."""
    path = config()
    run_cycles(path, 1)
    assert ask("accept-position", "sim", "ETH/USDT:USDT", "-c", path).exit_code == 1
    assert ask("accept-position", "nobody", "ETH/USDT:USDT", "-c", path).exit_code == 2

    async def doubt() -> Memory:
        clock = SystemClock()
        store = SqlStore(path.parent / "mine.sqlite")
        await store.open("mine", load(path).world, clock.now())
        memory = await store.memory()
        record = replace(_record(clock), memory=replace(memory, polls={"sim:ETH/USDT:USDT": 3, "sim/spot/ETH": 3}))
        await store.record_cycle(record, [])
        await store.close()
        return memory

    asyncio.run(doubt())
    accepted = ask("accept-position", "sim", "ETH/USDT:USDT", "-c", path)
    assert accepted.exit_code == 0
    assert ask("accept-balance", "sim", "-c", path).exit_code == 0
    assert len(rows(path, "SELECT * FROM accepted")) == 2


def _record(clock: SystemClock):
    from hedged.ports import CycleRecord

    now = clock.now() + timedelta(seconds=1)
    return CycleRecord("f" * 24, now, now, None, None, None, Memory(), (), ())


def test_another_worlds_database_is_refused(config: Callable[..., Path]) -> None:
    """A store of the simulated world is not opened by the real one: exit 78 with both worlds."""
    path = config()
    run_cycles(path, 1)
    path.write_text(path.read_text().replace('exchange = "simulated"', 'exchange = "binance"').replace("balances", "#"))
    result = CliRunner().invoke(app, ["status", "-c", str(path)])
    assert "simulated" in str(result.exception)


def test_one_daemon_a_store(tmp_path: Path) -> None:
    """A second holder is refused and told who the first is; a reload of the same process may hold it twice."""
    import subprocess
    import sys

    store = tmp_path / "mine.sqlite"
    first = StoreLock(store)
    second = StoreLock(store)
    script = (
        f"from pathlib import Path; from hedged.adapters.store.lock import StoreLock; StoreLock(Path({str(store)!r}))"
    )
    other = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert StoreUnavailable.__name__ in other.stderr
    assert "another hedged (process" in other.stderr
    first.release()
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode != 0
    second.release()
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, check=False).returncode == 0


def test_the_daemon_as_wired(config: Callable[..., Path]) -> None:
    """The simulated market keeps its anchor over a restart; a second daemon on the store is refused."""
    path = config()
    run_cycles(path, 1)
    anchor = rows(path, "SELECT data FROM blobs WHERE key = 'simulation/sim'")
    run_cycles(path, 1)
    assert rows(path, "SELECT data FROM blobs WHERE key = 'simulation/sim'") == anchor
    fills = rows(path, "SELECT count(*) FROM fills")
    assert fills == [(1,)], "the hedge is built once"


def test_the_demo_tells_its_story() -> None:
    """Drift, order, margin squeeze, expiry, summary; exit 0 without a terminal."""
    result = ask("demo", "--seconds", "0")
    assert result.exit_code == 0
    for word in ("outside its band", "paper order filled", "liquidation", "margin of sim", "expires", "Summary"):
        assert word in result.stdout, word
    assert "Still " not in result.stdout, "what is only told again is counted"
    assert re.search(r"messages .*\d+ repeat", result.stdout)
    assert "Traceback" not in result.output


def test_the_demo_takes_simulated_accounts_only(tmp_path: Path) -> None:
    """The demo never reads a real exchange."""
    path = tmp_path / "real.toml"
    path.write_text('[[accounts]]\nname = "main"\nexchange = "binance"\n')
    assert "simulated accounts only" in str(ask("demo", "--seconds", "0", "-c", path).exception)


def test_a_ratio_set_by_hand_holds_for_a_while(config: Callable[..., Path]) -> None:
    """The next cycle trades to it and says so; taken back, the configured one holds again."""
    path = config()
    run_cycles(path, 1)
    said = ask("set-ratio", "alts", "0.5", "--for", "3d", "-c", path)
    assert said.exit_code == 0, said.output
    assert said.output.startswith("alts: 0.5 until ")
    run_cycles(path, 1)
    shown = json.loads(ask("status", "--json", "-c", path).output)["hedges"][0]
    assert shown["target_ratio"] == 0.5
    assert shown["target_reason"].startswith("set by hand until ")
    assert "set by hand until" in ask("status", "-c", path).output
    assert ask("set-ratio", "alts", "--clear", "-c", path).exit_code == 0
    assert json.loads(ask("once", "--json", "-c", path).output)["hedges"][0]["target_ratio"] == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("nobody", "0.5"), "not a hedge"),
        (("alts", "2"), "expected a number from 0 to 1.5"),
        (("alts", "NaN"), "expected a number"),
        (("alts", "-1"), ""),
        (("alts", "0.5", "--for", "a while"), "must be a duration"),
        (("alts",), "give the ratio"),
        (("alts", "0.5", "--clear"), "give the ratio"),
    ],
)
def test_a_ratio_that_cannot_be_set_is_a_usage_error(
    config: Callable[..., Path], arguments: tuple[str, ...], words: str
) -> None:
    """Nothing is stored, and the sentence says what is allowed."""
    answer = ask("set-ratio", *arguments, "-c", config())
    assert answer.exit_code == 2
    assert words in " ".join(answer.output.replace("│", " ").split())
