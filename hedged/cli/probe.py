"""`hedged probe`: one line for a monitoring system, in the form and with the exit codes of its plug-ins."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from hedged.cli.options import ConfigOption, DryRunOption

if TYPE_CHECKING:
    from hedged.model.alert import Alert
    from hedged.settings import Settings

OK, WARNING, CRITICAL, UNKNOWN = range(4)
WORDS = ("OK", "WARNING", "CRITICAL", "UNKNOWN")
STALE_AFTER = 3  # intervals
AHEAD_MAX = 10.0  # seconds that a clock may have been set back meanwhile
NAMED_MAX = 4  # alerts of a severity


@dataclass(frozen=True, slots=True)
class Seen:
    """What the store and the lock say."""

    last: datetime | None  # when a cycle was last completed
    state: Mapping[str, Any]
    firing: Sequence[Alert]
    waiting: int  # messages in the outbox
    holder: str | None  # the process that runs on the store


def probe(config: ConfigOption, dry_run: DryRunOption = False) -> None:
    """Say in one line how the daemon is: exit 0 ok, 1 warning, 2 critical, 3 unknown."""
    from hedged.adapters.clock import SystemClock
    from hedged.errors import HedgedError
    from hedged.settings import load

    figures: Sequence[str] = ()
    try:
        settings = load(config, dry_run=dry_run)
        seen = asyncio.run(_look(settings))
        now = SystemClock().now()  # after looking, which may take its time: no cycle that is seen lies ahead
        code, text = verdict(seen, settings, now)
        figures = list(perfdata(seen, settings, now))
    except HedgedError as error:
        code, text = UNKNOWN, str(error)
    except Exception as error:  # noqa: BLE001 - a crash would exit 1, which is a mere warning
        code, text = UNKNOWN, f"{type(error).__name__}: {error}"
    line = f"HEDGED {WORDS[code]} - {_plain(text)}"
    typer.echo(f"{line} | {' '.join(figures)}" if figures else line)
    raise typer.Exit(code)


async def _look(settings: Settings) -> Seen:
    from hedged.adapters.store.lock import holder
    from hedged.adapters.store.sql import SqlStore
    from hedged.model.alert import AlertState

    store = SqlStore(settings.store_path())
    await store.open_read_only(settings.name, settings.world)
    try:
        last = await store.last_cycle()
        return Seen(
            last=None if last is None else last[1],
            state=await store.latest_state() or {},
            firing=[alert for alert in await store.alerts() if alert.state is AlertState.FIRING],
            waiting=sum((await store.backlog()).values()),
            holder=holder(settings.store_path()),
        )
    finally:
        await store.close()


def verdict(seen: Seen, settings: Settings, now: datetime) -> tuple[int, str]:
    """Exit code and words. What was found counts only while a cycle says that it is so."""
    from hedged.model.finding import Severity

    name, every = settings.instance, settings.schedule.every.total_seconds()
    if seen.last is None:
        return UNKNOWN, f"{name}: no cycle has been completed yet"
    age = (now - seen.last).total_seconds()
    if age < -max(every, AHEAD_MAX):
        return UNKNOWN, f"{name}: the last cycle lies {-age:.0f} s ahead: is this machine's clock right?"
    if age > STALE_AFTER * every:
        who = "no daemon runs on it" if seen.holder is None else f"process {seen.holder} runs and completes none"
        return CRITICAL, f"{name}: last cycle {age:.0f} s ago, at an interval of {every:g} s: {who}"
    parts = [
        f"{len(found)} {severity.value}: {_listed(found)}"
        for severity in sorted(Severity, key=lambda each: -each.rank)
        if (found := [alert for alert in seen.firing if alert.severity is severity])
    ]
    beaten = seen.state.get("heartbeat") or {}
    if beaten.get("problem"):
        parts.append(f"heartbeat not answered ({beaten['problem']})")
    worst = max((alert.severity.rank for alert in seen.firing), default=0)
    code = max(worst, WARNING if beaten.get("problem") else OK)
    return code, f"{name}: last cycle {max(age, 0):.0f} s ago, {'; '.join(parts) or 'nothing fires'}"


def perfdata(seen: Seen, settings: Settings, now: datetime) -> Iterator[str]:
    """`'label'=value[unit];warning;critical;min`, U where a value is not known."""
    from hedged.model.finding import Severity

    every = settings.schedule.every.total_seconds()
    age = "U" if seen.last is None else f"{max((now - seen.last).total_seconds(), 0):.1f}s"
    yield f"age={age};;{STALE_AFTER * every:g};0"
    for severity in Severity:
        yield f"{severity.value}={sum(alert.severity is severity for alert in seen.firing)};;;0"
    yield f"outbox={seen.waiting};;;0"
    margin = settings.margin
    for row in seen.state.get("hedges", ()):
        yield f"{_label(row['name'], 'ratio')}={_number(row['hedge_ratio'])}"
        yield f"{_label(row['name'], 'drift')}={_number(row['drift'])}"
    for row in seen.state.get("margin", ()):
        limits = f"{margin.warning};{margin.critical};0"
        yield f"{_label(row['account'], 'margin')}={_number(row['margin_ratio'])};{limits}"


def _listed(alerts: Sequence[Alert]) -> str:
    more = len(alerts) - NAMED_MAX
    return ", ".join(alert.key for alert in alerts[:NAMED_MAX]) + (f" and {more} more" if more > 0 else "")


def _number(value: float | None) -> str:
    return "U" if value is None else f"{value:.6f}".rstrip("0").rstrip(".")


def _label(name: str, what: str) -> str:
    return "'" + _plain(f"{name} {what}").replace("=", " ").replace("'", "''") + "'"


def _plain(text: str) -> str:
    """On one line, without the bar that begins the figures."""
    return " ".join("".join(char if char.isprintable() and char != "|" else " " for char in text).split())
