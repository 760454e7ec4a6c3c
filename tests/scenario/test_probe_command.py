"""`hedged probe` as a monitoring system runs it."""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from hedged.adapters.clock import SystemClock
from hedged.adapters.store.lock import StoreLock
from hedged.adapters.store.sql import SqlStore
from hedged.cli.probe import Seen, perfdata, verdict
from hedged.model.finding import Severity
from hedged.model.policy import World
from hedged.ports import CycleRecord, Memory
from hedged.settings import load
from tests.scenario.test_commands import ask, config, run_cycles  # noqa: F401
from tests.store_samples import alert
from tests.support import T0

Config = Callable[..., Path]
SECONDS = timedelta(seconds=1)


def record(path: Path, *, age: float = 0, firing: tuple[Severity, ...] = ()) -> None:
    """A cycle as the daemon leaves it, that was completed so many seconds ago."""

    async def write() -> None:
        at = SystemClock().now() - age * SECONDS
        store = SqlStore(path.parent / "mine.sqlite")
        await store.open("mine", World.SIMULATED, at)
        alerts = [replace(alert(f"s{n}", f"e{n}", at=at), severity=each) for n, each in enumerate(firing)]
        await store.record_cycle(
            CycleRecord("c", at, at, None, {"portfolio": "mine"}, None, Memory(), alerts, ()), ["log"]
        )
        await store.close()

    asyncio.run(write())


@pytest.mark.parametrize(
    ("firing", "code", "word", "said"),
    [
        ((), 0, "OK", "nothing fires"),
        ((Severity.INFO,), 0, "OK", "1 info: "),
        ((Severity.INFO, Severity.WARNING), 1, "WARNING", "1 warning: "),
        ((Severity.WARNING, Severity.CRITICAL, Severity.INFO), 2, "CRITICAL", "1 critical: "),
    ],
)
def test_the_worst_that_fires_is_the_answer(
    config: Config,  # noqa: F811
    firing: tuple[Severity, ...],
    code: int,
    word: str,
    said: str,
) -> None:
    """One line: word, what fires with the worst first, and figures behind the bar."""
    path = config()
    record(path, firing=firing)
    result = ask("probe", "-c", path)
    assert result.exit_code == code
    (line,) = result.stdout.splitlines()
    text, bar, figures = line.partition(" | ")
    assert text.startswith(f"HEDGED {word} - mine-simulated: last cycle ")
    assert f" s ago, {said}" in text
    assert bar
    assert re.match(r"age=\d+\.\ds;;180;0 info=\d;;;0 warning=\d;;;0 critical=\d;;;0 outbox=0;;;0", figures)
    counts = {each: str(firing.count(each)) for each in Severity}
    assert re.findall(r"(info|warning|critical)=(\d)", figures) == [(s.value, n) for s, n in counts.items()]


def test_of_a_daemon_at_work(config: Config) -> None:  # noqa: F811
    """It reads beside the daemon, and shows its ratios."""
    path = config()
    run_cycles(path)
    lock = StoreLock(path.parent / "mine.sqlite")
    try:
        result = ask("probe", "-c", path)
    finally:
        lock.release()
    assert result.exit_code in {0, 1}, result.output
    assert re.search(r"'alts ratio'=0\.\d+ 'alts drift'=-?0\.\d+ 'sim margin'=0\.\d+;0\.5;0\.75;0", result.stdout)


def test_a_daemon_that_stands_still_is_critical(config: Config) -> None:  # noqa: F811
    """After three intervals, whatever fired then; it says whether a process is there."""
    path = config()
    record(path, age=178)
    assert ask("probe", "-c", path).exit_code == 0
    (path.parent / "mine.sqlite").unlink()
    record(path, age=182, firing=(Severity.WARNING,))
    gone = ask("probe", "-c", path)
    assert gone.exit_code == 2
    assert "CRITICAL - mine-simulated: last cycle 18" in gone.stdout
    assert "at an interval of 60 s: no daemon runs on it |" in gone.stdout
    lock = StoreLock(path.parent / "mine.sqlite")
    try:
        assert "runs and completes none |" in ask("probe", "-c", path).stdout
    finally:
        lock.release()


def test_what_nobody_can_tell_is_unknown(config: Config) -> None:  # noqa: F811
    """No file, a wrong one, no database, another's, a damaged one, no cycle, one from the future: 3, on stdout."""
    path = config()
    store = path.parent / "mine.sqlite"

    def said(expected: str) -> None:
        result = ask("probe", "-c", path)
        assert (result.exit_code, result.stderr) == (3, "")
        assert result.stdout.startswith("HEDGED UNKNOWN - ")
        assert len(result.stdout.splitlines()) == 1
        assert expected in result.stdout

    said("no database yet")
    assert not store.exists()

    async def empty() -> None:
        made = SqlStore(store)
        await made.open("mine", World.SIMULATED, T0)
        await made.close()

    asyncio.run(empty())
    said("no cycle has been completed yet")
    with sqlite3.connect(store) as database:
        database.execute("UPDATE stamp SET world = 'real'")
    said("real")
    store.unlink()
    record(path, age=-200)
    said("the last cycle lies 200 s ahead")
    store.write_bytes(b"no database, but something of that length" * 40)
    said("is not a database")
    path.write_text("mode = 1\nquote = 2\n")
    said("mine.toml:1")
    path.unlink()
    said("no such file")


def seen(**parts: object) -> Seen:
    return replace(Seen(T0, {}, (), 0, None), **parts)


def test_figures_that_are_not_known_are_u(config: Config) -> None:  # noqa: F811
    """A blocked hedge has no ratio, and 0 would be a lie; quotes and bars in names break nothing."""
    settings = load(config(), {})
    state = {
        "hedges": [{"name": "it's a|b=c", "hedge_ratio": None, "drift": None}],
        "margin": [{"account": "main", "margin_ratio": None}],
    }
    figures = list(perfdata(seen(state=state), settings, T0 + 5 * SECONDS))
    assert figures[0] == "age=5.0s;;180;0"
    assert figures[5:] == ["'it''s a b c ratio'=U", "'it''s a b c drift'=U", "'main margin'=U;0.5;0.75;0"]


def test_a_switch_that_does_not_answer_is_a_warning(config: Config) -> None:  # noqa: F811
    """It would not notice if hedged stopped."""
    settings = load(config(), {})
    state = {"heartbeat": {"delivered_at": None, "problem": "success: status 500"}}
    code, text = verdict(seen(state=state), settings, T0)
    assert (code, text) == (1, "mine-simulated: last cycle 0 s ago, heartbeat not answered (success: status 500)")


def test_many_alerts_stay_one_line(config: Config) -> None:  # noqa: F811
    """Four are named, the others counted."""
    settings = load(config(), {})
    firing = [replace(alert(f"s{n}", f"e{n}"), severity=Severity.CRITICAL) for n in range(30)]
    code, text = verdict(seen(firing=firing), settings, T0)
    assert code == 2
    assert text.endswith(f"30 critical: {', '.join(each.key for each in firing[:4])} and 26 more")
