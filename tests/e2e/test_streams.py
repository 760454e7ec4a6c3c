"""The daemon as users run it, with an exchange that speaks between two readings."""

from __future__ import annotations

import contextlib
import time
import urllib.error
from pathlib import Path

import pytest

from tests.e2e.rig import Rig
from tests.support import need


@pytest.mark.timeout(180)
async def test_a_jump_is_hedged_long_before_the_next_reading(tmp_path: Path) -> None:
    """Readings are ten minutes apart: a jump, then a storm of ticks, each answered once, and stopping is quick."""
    need("mosquitto")
    async with Rig(tmp_path, every=600) as rig:

        def tell(kind: str, market: str, value: str) -> bool:
            with contextlib.suppress(urllib.error.HTTPError):  # nobody has subscribed to it yet
                rig.control("tell", {"kind": kind, "market": market, "value": value})
                return True
            return False

        def woken() -> list[str]:
            return [line for line in (tmp_path / "daemon.log").read_text().splitlines() if "woken_by" in line]

        await rig.until("the first reading", lambda: bool(rig.listener.states))
        await rig.until("subscribed", lambda: tell("spot", "UNIUSDT", "8"))
        rig.control("price", {"asset": "UNI", "price": "12"})
        began = time.monotonic()
        tell("spot", "UNIUSDT", "12")
        await rig.until("woken", lambda: bool(woken()))
        assert time.monotonic() - began < 10
        assert "main: UNI/USDT moved by +50.00 %" in woken()[0]
        await rig.until("read again, and the order is filled", lambda: len(rig.fills()) == 2)
        before, began = len(woken()), time.monotonic()
        for number in range(300):
            tell("mark", "ETHUSDT", str(3000 + 100 * (number % 2)))
        await rig.until("woken again", lambda: len(woken()) > before)
        assert len(woken()) <= before + 1 + (time.monotonic() - began) / 5  # `every_min`
        assert rig.writes() == 0
        code, seconds = rig.stop()
        assert (code, seconds < 3) == (0, True)
