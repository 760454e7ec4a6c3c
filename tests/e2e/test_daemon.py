"""The daemon as users run it: a process, a real exchange dialect over TLS, a real broker, a real database."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.e2e.rig import Rig, first_hedge, injected_drift, kill_and_restart
from tests.support import need


@pytest.mark.timeout(180)
async def test_from_start_to_kill_and_back(tmp_path: Path) -> None:
    """Retained state, an injected drift told, traded on paper and resolved; kill -9 repeats neither alert nor order."""
    need("mosquitto")
    async with Rig(tmp_path) as rig:
        await first_hedge(rig)
        await injected_drift(rig, 0)
        await kill_and_restart(rig)
        await injected_drift(rig, 1)
        assert rig.writes() == 0
        code, seconds = rig.stop()
        assert (code, seconds < 10) == (0, True)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("fault", ["html", "empty", "truncated", "hang", "403"])
async def test_an_exchange_that_answers_nonsense(tmp_path: Path, fault: str) -> None:
    """Alert naming account and call, the last good state kept, no order; the daemon goes on and recovers by itself."""
    need("mosquitto")
    async with Rig(tmp_path) as rig:
        await first_hedge(rig)
        rig.control("fault", {"path": "/api/v3/account", "fault": fault})
        rig.control("price", {"asset": "UNI", "price": "12"})

        def told() -> list[dict]:
            return [alert for alert in rig.listener.alerts if alert["key"] == "account_unreachable/main"]

        await rig.until("the fault is told", lambda: bool(told()), 60)
        assert "main" in told()[0]["body"]
        assert "spot" in told()[0]["body"]
        await rig.until("the hedge is blocked", lambda: rig.state["state"] == "blocked", 60)
        assert rig.state["exposure_value"] is not None, "what was seen last is still shown"
        assert len(rig.fills()) == 1
        rig.control("fault", {"path": "/api/v3/account"})
        await rig.until("it recovers and trades", lambda: len(rig.fills()) == 2 and rig.state["state"] == "ok", 60)


@pytest.mark.timeout(120)
async def test_a_reload_and_a_broken_one(tmp_path: Path) -> None:
    """SIGHUP takes a good file over between two cycles; a broken one changes nothing and is said."""
    need("mosquitto")
    async with Rig(tmp_path) as rig:
        await first_hedge(rig)
        text = rig.config.read_text()
        rig.config.write_text(text.replace("[[hedges]]\n", "[[hedges]]\nband = 2.0\n"))
        rig.daemon.send_signal(signal.SIGHUP)
        await rig.until("it is said", lambda: "band = 2.0" in (tmp_path / "daemon.log").read_text())
        await rig.cycles(2)
        rig.config.write_text(text.replace("[[hedges]]\n", "[[hedges]]\ntarget_ratio = 0.5\n"))
        rig.daemon.send_signal(signal.SIGHUP)
        await rig.until("the new target", lambda: rig.state["target_ratio"] == 0.5)
        await rig.until("bought back to it", lambda: rig.state["state"] == "ok")
        assert rig.state["hedge_ratio"] == pytest.approx(0.55, abs=0.001)
