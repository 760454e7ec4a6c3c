"""Loops that must not die."""

from __future__ import annotations

import pytest

from hedged.daemon.background import keep_alive
from tests.support import ManualClock


async def test_a_crashing_loop_is_started_again_with_growing_pauses() -> None:
    """Each crash is followed by a longer pause, up to a minute; a loop that returns is left in peace."""
    clock, runs = ManualClock(), 0

    async def loop() -> None:
        nonlocal runs
        runs += 1
        if runs < 10:
            raise OSError("broken pipe")

    await keep_alive(loop, clock)
    assert runs == 10
    assert clock.slept == [1, 2, 4, 8, 16, 32, 60, 60, 60]


async def test_a_loop_that_lived_long_starts_again_quickly() -> None:
    """A crash after a healthy while is a new story: the pause is short again."""
    clock, runs = ManualClock(), 0

    async def loop() -> None:
        nonlocal runs
        runs += 1
        if runs == 4:
            clock.advance(3600)
        if runs < 6:
            raise OSError("broken pipe")

    await keep_alive(loop, clock)
    assert clock.slept == [1, 2, 4, 1, 2]


async def test_a_crash_is_logged_with_the_loop_s_name(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing fails in silence: the log names the loop and holds the traceback."""
    runs = 0

    async def courier() -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise OSError("broken pipe")

    await keep_alive(courier, ManualClock())
    written = "".join(capsys.readouterr())
    assert "courier" in written
    assert "broken pipe" in written
