"""The clocks and the ids."""

from __future__ import annotations

import asyncio
import re
import time
from datetime import UTC, datetime, timedelta

import pytest

from hedged.adapters import clock as clocks
from hedged.adapters.clock import AcceleratedClock, SeededIds, SystemClock, SystemIds, monotonic_usec
from tests.support import T0


def test_the_system_clock_is_aware_utc_and_agrees_with_the_machine() -> None:
    """`now` is the machine's time with a zone; `monotonic` goes forward at the same pace."""
    clock = SystemClock()
    before = clock.monotonic()
    assert clock.now().tzinfo is UTC
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=5)
    assert clock.monotonic() >= before


def test_a_suspended_machine_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The monotonic clock is the one that goes on while the machine sleeps."""
    asked = []
    monkeypatch.setattr(clocks.time, "clock_gettime", lambda clock: asked.append(clock) or 1.0)
    SystemClock().monotonic()
    assert asked == [time.CLOCK_BOOTTIME]


def test_systemd_reads_microseconds_of_clock_monotonic() -> None:
    """The stamp of a reload is CLOCK_MONOTONIC, in microseconds."""
    assert monotonic_usec() == pytest.approx(time.monotonic() * 1e6, abs=5e6)


def test_an_accelerated_clock_runs_faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """At speed 120, half a real second is a minute; both of its readings agree."""
    real = iter([50.0, 50.5, 50.5])
    monkeypatch.setattr(clocks.time, "monotonic", lambda: next(real))
    clock = AcceleratedClock(120, T0)
    assert clock.monotonic() == pytest.approx(60)
    assert clock.now() == T0 + timedelta(minutes=1)


async def test_an_accelerated_clock_sleeps_shorter(monkeypatch: pytest.MonkeyPatch) -> None:
    """`sleep` takes the clock's own seconds, divided by the speed."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)

    monkeypatch.setattr(asyncio, "sleep", sleep)
    await AcceleratedClock(120, T0).sleep(60)
    await SystemClock().sleep(3)
    assert slept == [0.5, 3]


@pytest.mark.parametrize("speed", [0, -1])
def test_time_cannot_stand_still_or_go_back(speed: float) -> None:
    """A speed that is not positive is refused."""
    with pytest.raises(ValueError, match="speed"):
        AcceleratedClock(speed, T0)


def test_ids_are_24_hex_digits_and_differ() -> None:
    """Both kinds keep the port's format and do not repeat."""
    for ids in (SystemIds(), SeededIds(1)):
        made = [ids.new() for _ in range(1000)]
        assert all(re.fullmatch(r"[0-9a-f]{24}", each) for each in made)
        assert len(set(made)) == len(made)


def test_a_seed_gives_the_same_ids_again() -> None:
    """Same seed, same ids; another seed, others."""
    first, again, other = SeededIds(7), SeededIds(7), SeededIds(8)
    series = [first.new() for _ in range(5)]
    assert series == [again.new() for _ in range(5)]
    assert series != [other.new() for _ in range(5)]
