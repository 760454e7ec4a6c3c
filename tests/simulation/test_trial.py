"""The whole daemon against everything at once: nothing that is promised breaks, the same seed gives the same run, and a
bug that is planted is found.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from pathlib import Path

import pytest
from typer.testing import CliRunner

import hedged.trial.run
from hedged import __version__
from hedged.act.overrides import set_override
from hedged.adapters.store.sql import SqlStore
from hedged.cli.main import app
from hedged.cli.simulate import report
from hedged.model.policy import World
from hedged.model.timing import Override
from hedged.trial.journal import Journal
from hedged.trial.run import run_seed, run_seeds
from tests.simulation.planted import BUGS, Bug, outbox_after_commit
from tests.support import ROOT, T0

SEEDS, HOURS = 20, 6.0


def seed_of_this_commit() -> int:
    """Other seeds with every commit; where there is no git, with every version."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True)
        name = done.stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        name = __version__
    return int(sha256(name.encode()).hexdigest()[:6], 16)


@pytest.mark.timeout(600)
def test_nothing_that_is_promised_breaks() -> None:
    """Twenty seeds of six hours, the real store included: every invariant holds at every step."""
    first = seed_of_this_commit()
    results = list(run_seeds(range(first, first + SEEDS), HOURS, processes=2))
    broken = [report(result.violation, HOURS) for result in results if result.violation is not None]
    assert not broken, "\n".join(broken)
    assert len(results) == SEEDS
    assert sum(result.orders for result in results) > SEEDS
    assert sum(result.crashes for result in results) > SEEDS


def test_the_same_seed_is_the_same_run() -> None:
    """Twice in one process: the same orders, alerts, messages, states and faults at the same moments."""
    assert run_seed(3, 1.0) == run_seed(3, 1.0)


def test_the_same_seed_is_the_same_run_in_another_process() -> None:
    """Also where strings hash differently, so that no set's order has a say."""
    found = set()
    for hashing in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-m", "hedged.cli.main", "simulate", "--seed", "5", "--hours", "1", "--json"],
            env={**os.environ, "PYTHONHASHSEED": hashing},
            capture_output=True,
            text=True,
            check=True,
        )
        found.add(json.loads(done.stdout)["hash"])
    assert len(found) == 1


def caught(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> tuple[int, int] | None:
    """Seed and invariant of the first run that finds it."""
    with monkeypatch.context() as patch:
        bug.plant(patch)
        for seed in bug.seeds:
            violation = run_seed(seed, 3.0, (bug.judge,)).violation
            if violation is not None:
                return seed, violation.invariant
    return None


@pytest.mark.timeout(600)
@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_planted_bug_is_found(bug: Bug, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each breaks the invariant that it should, and the same run without it breaks none."""
    found = caught(bug, monkeypatch)
    assert found is not None
    seed, invariant = found
    assert bug.judge.__name__ == f"invariant_{invariant:02}"
    assert run_seed(seed, 3.0).violation is None


def test_a_failing_seed_is_replayed_exactly(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same violation at the same moment, with the same lines before it."""
    outbox_after_commit(monkeypatch)
    first, again = run_seed(0, 3.0), run_seed(0, 3.0)
    assert first.violation is not None
    assert first == again
    assert "--seed 0" in report(first.violation, 3.0)
    assert first.violation.said in report(first.violation, 3.0)


def test_the_command_fails_on_a_violation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Exit 1, the report on stderr, and the numbers all the same; without one, exit 0."""
    runner = CliRunner()
    good = runner.invoke(app, ["simulate", "--seed", "0", "--hours", "0.6", "--json"])
    assert good.exit_code == 0
    assert json.loads(good.stdout)["violations"] == []
    outbox_after_commit(monkeypatch)
    bad = runner.invoke(app, ["simulate", "--seed", "0", "--hours", "3", "--json"])
    assert bad.exit_code == 1
    assert "invariant 3 does not hold" in bad.stderr
    assert [each["invariant"] for each in json.loads(bad.stdout)["violations"]] == [3]


def test_a_daemon_that_turns_without_time_passing_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A loop that never waits would hang the simulation: it is an error instead."""
    monkeypatch.setattr(hedged.trial.life, "_STEPS_MAX", 20)
    with pytest.raises(RuntimeError, match="without time passing"):
        run_seed(0, 0.5)


async def test_ratios_set_by_hand_are_read_as_such(tmp_path: Path) -> None:
    """A time of day that ends in a forbidden ratio's digits is no ratio."""
    store = SqlStore(tmp_path / "trial.sqlite")
    await store.open("trial", World.SIMULATED, T0)
    await set_override(store, "btc", Override(Decimal("0.8"), T0 + timedelta(seconds=1.31)), T0)
    journal = Journal(tmp_path / "trial.sqlite")
    assert journal.ratios_by_hand() == {Decimal("0.8")}
    await set_override(store, "eth", Override(Decimal("1.31"), None), T0)
    assert journal.ratios_by_hand() == {Decimal("0.8"), Decimal("1.31")}
    journal.close()
    await store.close()
