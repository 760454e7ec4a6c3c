"""The real daemon in approve mode at a local exchange: nothing is written there before a person says yes, then once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.rig import CONFIG, Rig
from tests.support import ROOT, need

APPROVE = CONFIG.replace('mode = "paper"', 'mode = "approve"').replace("[paper]\ncash = 30000\n", "")


def command(rig: Rig, *arguments: str) -> str:
    whole = [sys.executable, "-m", "hedged.cli.main", *arguments, "--config", str(rig.config)]
    done = subprocess.run(whole, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.timeout(180)
async def test_a_word_and_the_order(tmp_path: Path) -> None:
    """Proposed, killed and started again, approved by command: one order at the exchange, and no second one."""
    need("mosquitto")
    async with Rig(tmp_path, text=APPROVE) as rig:
        await rig.until("a proposal", lambda: bool(rig.state.get("name")) and bool(listed(rig)), within=60)
        await rig.cycles(2)
        assert rig.told("orders")["orders"] == []
        (made,) = listed(rig)
        rig.kill()
        rig.start()
        await rig.cycles(2)
        assert [each["id"] for each in listed(rig)] == [made["id"]]
        assert "is approved" in command(rig, "approve", made["id"], "--digest", made["digest"])
        await rig.until("the order", lambda: len(rig.told("orders")["orders"]) == 1, within=30)
        await rig.cycles(3)
        assert len(rig.told("orders")["orders"]) == 1
        (used,) = [each for each in listed(rig) if each["id"] == made["id"]]
        assert used["verdict"] == "used"
        assert rig.told("orders")["orders"][0]["id"] == used["client_order_id"]


def listed(rig: Rig) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(command(rig, "proposals", "--json"))["proposals"]
    return found
