"""A short form of the crashes: `python -m tests.simulation.alert_crashes` has the long one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.support import ROOT

CRASHES = 40


def test_no_alert_is_lost_in_a_crash_and_no_crash_says_more_than_one_twice(tmp_path: Path) -> None:
    """Processes that die at awaits while channels go down: all is told in the end, under the ids it was told before."""
    command = [
        sys.executable,
        "-m",
        "tests.simulation.alert_crashes",
        "--crashes",
        str(CRASHES),
        "--folder",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True, timeout=500, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout)
    assert figures["crashes"] == CRASHES
    assert figures["events"] >= 5, "hardly anything happened"
    assert figures["received"] >= figures["rows"] > 0
    assert (figures["lost"], figures["unbelieved"], figures["not_alternating"]) == (0, 0, 0)
    assert figures["duplicates"] <= 2 * CRASHES
    assert figures["duplicates_a_crash_and_channel"] <= 1
