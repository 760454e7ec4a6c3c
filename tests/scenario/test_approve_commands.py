"""`proposals`, `approve` and `reject` as a person gives them, over the simulated exchange and a real database."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tests.scenario.test_commands import ask, config, rows, run_cycles  # noqa: F401

Config = Callable[..., Path]


def orders(path: Path) -> int:
    return rows(path, "SELECT count(*) FROM orders WHERE sent_at IS NOT NULL")[0][0]


def listed(path: Path) -> list[Mapping[str, Any]]:
    return json.loads(ask("proposals", "--json", "-c", path).stdout)["proposals"]


def test_from_the_proposal_to_the_order(config: Config) -> None:  # noqa: F811
    """Shown, approved for what was shown, sent once by the next cycle; a second yes is refused."""
    path = config("approve")
    run_cycles(path)
    assert orders(path) == 0
    (made,) = listed(path)
    assert made["verdict"] == "open"
    state = json.loads(ask("status", "--json", "-c", path).stdout)
    assert [each["id"] for each in state["decision"]["proposals"]] == [made["id"]]
    assert f"proposed  {made['id']}  sell" in ask("status", "-c", path).stdout
    assert f"    open  {made['id']}  sell" in ask("proposals", "-c", path).stdout
    unasked = ask("approve", made["id"], "-c", path)
    assert unasked.exit_code == 1
    assert "nothing was changed: --yes or --digest does it" in unasked.stderr
    assert [each["verdict"] for each in listed(path)] == ["open"]
    said = ask("approve", made["id"], "--yes", "-c", path)
    assert said.exit_code == 0, said.output
    assert f"proposal {made['id']} is approved" in said.stdout
    assert "no daemon runs on it now" in said.stderr
    again = ask("approve", made["id"], "--yes", "-c", path)
    assert again.exit_code == 1
    run_cycles(path, 1)
    assert orders(path) == 1
    (used,) = listed(path)
    assert (used["verdict"], used["decided_by"]) == ("used", "cli")
    assert rows(path, "SELECT client_order_id FROM orders") == [(used["client_order_id"],)]


def test_other_numbers_are_not_approved(config: Config) -> None:  # noqa: F811
    """A digest of something else, an id that nobody knows: refused, and said so."""
    path = config("approve")
    run_cycles(path, 1)
    (made,) = listed(path)
    wrong = ask("approve", made["id"], "--digest", "0" * 64, "-c", path)
    assert wrong.exit_code == 1
    unknown = ask("approve", "nothing", "--yes", "-c", path)
    assert unknown.exit_code == 1
    assert [each["verdict"] for each in listed(path)] == ["open"]
    right = ask("approve", made["id"], "--digest", made["digest"], "-c", path)
    assert right.exit_code == 0, right.output


def test_a_no_and_a_pause(config: Config) -> None:  # noqa: F811
    """Rejected with a reason that is kept; while paused nothing can be approved."""
    path = config("approve")
    run_cycles(path, 1)
    (made,) = listed(path)
    assert ask("pause", "-c", path).exit_code == 0
    assert ask("approve", made["id"], "--yes", "-c", path).exit_code == 1
    assert ask("reject", made["id"], "--reason", "too  big", "-c", path).exit_code == 0
    (no,) = listed(path)
    assert (no["verdict"], no["ended_because"]) == ("rejected", "too big")
    assert ask("resume", "-c", path).exit_code == 0
    run_cycles(path)
    assert orders(path) == 0
    assert len(listed(path)) == 1


def test_once_names_only_proposals_that_are_kept(config: Config) -> None:  # noqa: F811
    """A look invents no id that nobody could approve; what stands is shown as it stands."""
    path = config("approve")
    before = json.loads(ask("once", "--json", "-c", path).stdout)["decision"]
    assert (len(before["intents"]), before["proposals"]) == (1, [])
    run_cycles(path, 1)
    after = json.loads(ask("once", "--json", "-c", path).stdout)["decision"]
    assert (after["intents"], [each["id"] for each in after["proposals"]]) == ([], [listed(path)[0]["id"]])
    assert len(listed(path)) == 1
