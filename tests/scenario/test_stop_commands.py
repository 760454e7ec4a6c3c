"""`pause` and `resume` as a person gives them, over the simulated exchange and a real database."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hedged.adapters.clock import process_name
from hedged.adapters.store.lock import StoreLock, holder
from tests.scenario.test_commands import ask, config, rows, run_cycles  # noqa: F401

Config = Callable[..., Path]


def orders(path: Path) -> int:
    return rows(path, "SELECT count(*) FROM orders WHERE sent_at IS NOT NULL")[0][0]


def test_pause_and_resume(config: Config) -> None:  # noqa: F811
    """Paused before the first cycle nothing is traded and everything shows it; resumed, the hedge is built."""
    path = config()
    said = ask("pause", "-c", path, "--reason", "holiday")
    assert said.exit_code == 0, said.output
    assert "no daemon runs on it now" in said.stdout
    run_cycles(path)
    assert orders(path) == 0
    state = json.loads(ask("status", "--json", "-c", path).stdout)
    assert state["paused"]["reason"] == "holiday"
    assert "paused" in {finding["kind"] for finding in state["findings"]}
    assert "paused  since" in ask("status", "-c", path).stdout
    assert "paused since" in json.loads(ask("once", "--json", "-c", path).stdout)["decision"]["refused"][0]["reason"]
    again = ask("pause", "-c", path, "--reason", "other")
    assert "as it has been since" in again.stdout
    assert json.loads(ask("status", "--json", "-c", path).stdout)["paused"]["reason"] == "holiday"
    resumed = ask("resume", "-c", path)
    assert "it was paused since" in resumed.stdout
    assert json.loads(ask("status", "--json", "-c", path).stdout)["paused"] is None
    run_cycles(path, 1)
    assert orders(path) == 1
    assert "nothing was paused" in ask("resume", "-c", path).stdout


def test_a_mistake_in_the_file_keeps_nobody_from_stopping(config: Config) -> None:  # noqa: F811
    """The daemon runs on with what it read before: the file PAUSED beside its database stops it, and that is said."""
    path = config()
    run_cycles(path, 1)
    database = next(path.parent.glob("*.sqlite"))
    path.write_text(path.read_text().replace("[[hedges]]", "[[hedges]]\nband = 5", 1))
    nobody = ask("pause", "-c", path)
    assert nobody.exit_code == 1
    assert "NOT paused" in nobody.stderr
    assert "signal USR1" in nobody.stderr
    lock = StoreLock(database)
    try:
        said = ask("pause", "-c", path, "--reason", "now")
    finally:
        lock.release()
    assert said.exit_code == 0, said.output
    assert "band" in said.stderr
    assert (path.parent / "PAUSED").read_text() == "now\n"
    assert "goes by the file" in said.stdout


def test_the_file_by_hand(config: Config) -> None:  # noqa: F811
    """Making PAUSED beside the database is enough; `resume` removes it."""
    path = config()
    file = path.parent / "PAUSED"
    file.write_text("ask Ada first\n")
    run_cycles(path, 1)
    assert orders(path) == 0
    assert json.loads(ask("status", "--json", "-c", path).stdout)["paused"]["reason"] == "ask Ada first"
    assert ask("resume", "-c", path).exit_code == 0
    assert not file.exists()
    run_cycles(path, 1)
    assert orders(path) == 1


def test_a_file_that_cannot_be_removed_stays_a_pause(config: Config) -> None:  # noqa: F811
    """`resume` fails before anything is resumed."""
    path = config()
    (path.parent / "PAUSED").mkdir()
    assert ask("resume", "-c", path).exit_code == 1
    run_cycles(path, 1)
    assert orders(path) == 0


def test_where_the_database_fails_the_file_does_it(config: Config) -> None:  # noqa: F811
    """`pause` falls back on the file and says so; what cannot be understood in the database is cleared by `resume`."""
    path = config()
    store = path.parent / "mine.sqlite"
    store.write_bytes(b"not a database, but something of that length" * 40)
    said = ask("pause", "-c", path, "--reason", "disk")
    assert said.exit_code == 0, said.output
    assert "paused by the file" in said.stdout
    assert (path.parent / "PAUSED").read_text() == "disk\n"
    store.unlink()
    run_cycles(path, 1)
    assert orders(path) == 0


def test_a_daemon_that_does_not_answer_is_no_acknowledgement(config: Config) -> None:  # noqa: F811
    """Somebody holds the store and completes no cycle: exit 1 in time, and the pause is kept; --no-wait says so too."""
    path = config()
    run_cycles(path, 1)
    lock = StoreLock(path.parent / "mine.sqlite")
    try:
        assert holder(path.parent / "mine.sqlite") is not None
        late = ask("pause", "-c", path, "--wait", "0")
        assert late.exit_code == 1
        assert "has not answered" in late.stderr
        quick = ask("pause", "-c", path, "--no-wait")
        assert quick.exit_code == 0
        assert "from the next cycle on at the latest" in quick.stdout
    finally:
        lock.release()
    assert holder(path.parent / "mine.sqlite") is None


# unwind


def test_unwind_proposes_with_numbers_and_changes_nothing(config: Config) -> None:  # noqa: F811
    """What is bought back, what it costs and what is left naked; without a yes the hedge stays."""
    path = config()
    run_cycles(path)
    shown = ask("unwind", "alts", "-c", path)
    assert shown.exit_code == 0, shown.output
    lines = shown.stdout.splitlines()
    assert lines[0].startswith("alts: buy ")
    assert "sim:ETH/USDT:USDT near" in lines[0]
    assert "reduce-only" in lines[0]
    assert lines[1].startswith("expected cost in fees, spread and slippage: ")
    assert float(lines[1].split()[-2].replace(",", "")) > 0
    assert lines[2].startswith("left without a hedge: ")
    assert "ETH, SOL" in lines[2]
    assert lines[-1] == "nothing was changed: --yes does it"
    run_cycles(path, 1)
    assert orders(path) == 1


def test_unwind_closes_and_keeps_closed(config: Config) -> None:  # noqa: F811
    """With --yes the next cycle closes it reduce-only, no later one builds it again, and clearing the wish does."""
    path = config()
    run_cycles(path)
    assert ask("unwind", "alts", "--yes", "-c", path).exit_code == 0
    run_cycles(path, 3)
    assert orders(path) == 2
    last = json.loads(rows(path, "SELECT data FROM orders ORDER BY planned_at DESC LIMIT 1")[0][0])
    assert (last["purpose"], last["reduce_only"], last["side"]) == ("close", True, "buy")
    state = json.loads(ask("status", "--json", "-c", path).stdout)
    assert state["hedges"][0]["target_reason"] == "unwound by hand"
    assert float(state["hedges"][0]["legs"][0]["contracts"]) == 0
    assert "nothing is held" in ask("unwind", "alts", "-c", path).stdout
    ask("set-ratio", "alts", "--clear", "-c", path)
    run_cycles(path, 1)
    assert orders(path) == 3


def test_unwinding_more_than_an_order_may_be(config: Config) -> None:  # noqa: F811
    """The proposal says that it goes by parts, and so it goes, cycle by cycle, to nothing."""
    path = config()
    run_cycles(path)
    before = path.read_text()
    held = abs(float(json.loads(ask("status", "--json", "-c", path).stdout)["hedges"][0]["hedge_value"]))
    path.write_text(f"{before}\n[limits]\norder_notional_max = {held / 2.5:.0f}\n")
    shown = ask("unwind", "alts", "--yes", "-c", path).stdout.splitlines()
    assert shown[1].endswith("more in the cycles that follow: no order is above order_notional_max")
    whole = float(shown[2].split()[-2].replace(",", ""))
    assert whole == pytest.approx(held * 0.0008, rel=0.2), "fees and slippage of all of it"
    run_cycles(path, 4)
    state = json.loads(ask("status", "--json", "-c", path).stdout)
    assert float(state["hedges"][0]["legs"][0]["contracts"]) == 0
    assert orders(path) == 1 + 3


def test_unwinding_one_of_two_that_share_a_contract(config: Config) -> None:  # noqa: F811
    """What the other needs stays, and it is said."""
    path = config()
    text = path.read_text().replace('assets = ["ETH", "SOL"]', 'assets = ["ETH"]')
    other = '[[hedges]]\nname = "sol"\nassets = ["SOL"]\ninstruments = ["sim:ETH/USDT:USDT"]\n'
    path.write_text(text.replace("[paper]", f"{other}[paper]"))
    run_cycles(path)
    shown = ask("unwind", "sol", "-c", path).stdout
    assert "its contract is shared with alts: what they need of it stays" in shown
    assert "left without a hedge: 15,0" in shown.replace("15,000.00", "15,000")
    ask("unwind", "sol", "--yes", "-c", path)
    run_cycles(path, 2)
    hedges = {each["name"]: each for each in json.loads(ask("status", "--json", "-c", path).stdout)["hedges"]}
    assert hedges["sol"]["target_ratio"] == 0
    assert abs(hedges["alts"]["hedge_ratio"] - 1) < 0.12, "inside the band, which is one of both together"


def test_unwind_while_paused_says_that_it_waits(config: Config) -> None:  # noqa: F811
    """A pause holds back closing too."""
    path = config()
    run_cycles(path)
    ask("pause", "-c", path)
    assert "is refused: paused since" in ask("unwind", "alts", "-c", path).stdout


def test_unwinding_what_the_file_does_not_name(config: Config) -> None:  # noqa: F811
    """A usage error with the way out."""
    said = ask("unwind", "gone", "-c", config())
    assert said.exit_code == 2
    assert "put one that was removed back" in " ".join(said.output.replace("│", " ").split())


# paper reset


def test_paper_reset_begins_anew_and_nothing_has_vanished(config: Config) -> None:  # noqa: F811
    """Cash as configured, no position, the journal untouched; the next cycles tell of no loss and hedge again."""
    path = config()
    run_cycles(path)
    assert "nothing was changed" in ask("paper", "reset", "-c", path).stdout
    path.write_text(path.read_text().replace("cash = 20000", "cash = 50000"))
    before = rows(path, "SELECT * FROM orders")
    finished = rows(path, "SELECT finished_at FROM memory")
    said = ask("paper", "reset", "--yes", "-c", path)
    assert said.exit_code == 0, said.output
    assert "-8.55" in said.stdout
    assert "sim: reset to 50,000.00 USDT and no position" in said.stdout
    assert rows(path, "SELECT * FROM orders") == before
    assert rows(path, "SELECT finished_at FROM memory") == finished, "no sign of life"
    ledger = json.loads(rows(path, "SELECT data FROM blobs WHERE key = 'paper/sim'")[0][0])
    assert (ledger["wallet"], ledger["positions"], len(ledger["outcomes"])) == ("50000", {}, 1)
    run_cycles(path, 1)
    state = json.loads(ask("status", "--json", "-c", path).stdout)
    assert [each["kind"] for each in state["findings"] if "vanished" in each["kind"] or "closed" in each["kind"]] == []
    assert state["orders"][0]["outcome"] == "filled"
    assert orders(path) == 2


def test_paper_reset_after_a_daemon_that_was_killed(config: Config) -> None:  # noqa: F811
    """Its name is still in the database; under its lock nobody else can be alive."""
    import sqlite3

    path = config()
    run_cycles(path)
    with sqlite3.connect(path.parent / "mine.sqlite") as database:
        machine = process_name().split(":")[0]
        database.execute("UPDATE lease SET holder = ?, expires_at = expires_at + 60000000", (f"{machine}:10993:dead",))
    said = ask("paper", "reset", "--yes", "-c", path)
    assert said.exit_code == 0, said.output


def test_paper_reset_of_less_cash_is_no_loss(config: Config) -> None:  # noqa: F811
    """Even where the wallet falls by more than half: no vanished balance, and the guard does not halt."""
    path = config()
    run_cycles(path)
    path.write_text(path.read_text().replace("cash = 20000", "cash = 2000"))
    assert ask("paper", "reset", "--account", "sim", "--yes", "-c", path).exit_code == 0
    run_cycles(path, 1)
    state = json.loads(ask("status", "--json", "-c", path).stdout)
    assert "balance_vanished" not in {each["kind"] for each in state["findings"]}
    assert state["halted"] is None


def test_paper_reset_settles_what_was_open(config: Config) -> None:  # noqa: F811
    """An order whose outcome only the ledger knows comes to that end, and is not filled into the empty account later."""
    path = config()
    run_cycles(path, 1)
    import sqlite3

    with sqlite3.connect(path.parent / "mine.sqlite") as database:
        database.execute("UPDATE orders SET state = 'unknown', ended_at = NULL")
        database.execute("DELETE FROM fills")
    assert ask("paper", "reset", "--yes", "-c", path).exit_code == 0
    assert rows(path, "SELECT state FROM orders") == [("filled",)]
    run_cycles(path, 1)
    state = json.loads(ask("status", "--json", "-c", path).stdout)
    assert float(state["hedges"][0]["legs"][0]["contracts"]) == 0, "as read, before the new order"
    assert orders(path) == 2


def test_paper_reset_refuses(config: Config, tmp_path: Path) -> None:  # noqa: F811
    """While a daemon holds the store; where there is no paper account; an account that is not there."""
    import subprocess
    import sys

    path = config()
    assert "no paper account has been used" in ask("paper", "reset", "--yes", "-c", path).stdout
    run_cycles(path, 1)
    assert ask("paper", "reset", "--yes", "--account", "nobody", "-c", path).exit_code == 2
    command = [sys.executable, "-m", "hedged.cli.main", "paper", "reset", "--yes", "-c", str(path)]
    lock = StoreLock(path.parent / "mine.sqlite")
    held = subprocess.run(command, capture_output=True, text=True, check=False)
    lock.release()
    assert held.returncode == 1
    assert "another hedged" in held.stderr
    config("monitor")
    none = subprocess.run(command, capture_output=True, text=True, check=False)
    assert none.returncode == 78
    assert "no paper account here" in none.stderr
    assert rows(path, "SELECT count(*) FROM blobs WHERE key = 'paper/sim' AND data LIKE '%-8.55%'") == [(1,)]


def test_paper_reset_is_refused_in_the_real_world(tmp_path: Path) -> None:
    """A hedge on paper beside a portfolio in the real world has no account of its own to reset: 78."""
    from hedged.errors import ConfigurationError

    path = tmp_path / "real.toml"
    account = '[[accounts]]\nname = "main"\nexchange = "binance"\n'
    hedge = '[[hedges]]\nname = "a"\nassets = ["ETH"]\ninstruments = ["main:ETH/USDT:USDT"]\n'
    path.write_text(f'mode = "monitor"\n{account}{hedge}[store]\npath = "{tmp_path}/s.sqlite"\n')
    assert isinstance(ask("paper", "reset", "--yes", "-c", path).exception, ConfigurationError)
