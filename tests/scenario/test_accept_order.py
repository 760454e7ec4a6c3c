"""`accept-order`: a person says what became of an order that nobody can look up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from hedged.adapters.store.sql import SqlStore
from hedged.model.order import Unknown
from hedged.model.policy import World
from tests.scenario.test_commands import ask, config, rows  # noqa: F401
from tests.store_samples import intent

Config = Callable[..., Path]
NOW = datetime(2026, 11, 2, tzinfo=UTC)


def doubtful(path: Path) -> None:
    """An order of 2 contracts, sent and unknown."""

    async def make() -> None:
        store = SqlStore(path.parent / "mine.sqlite")
        await store.open("mine", World.SIMULATED, NOW)
        await store.plan("c1", [replace(intent("hd1"), held=Decimal(-8)), intent("hd2")], NOW)
        await store.mark_sent("hd1", NOW)
        await store.record_outcome(Unknown("hd1", "time-out"), NOW)
        await store.close()

    asyncio.run(make())


@pytest.mark.parametrize(("filled", "state", "fills"), [("0", "absent", 0), ("1.5", "filled", 1)])
def test_what_a_person_says_is_the_end(config: Config, filled: str, state: str, fills: int) -> None:  # noqa: F811
    """None or a part: the row comes to its end, and what was filled is kept as estimated."""
    path = config()
    doubtful(path)
    said = ask("accept-order", "hd1", "--filled", filled, "-c", path)
    assert said.exit_code == 0, said.output
    assert rows(path, "SELECT state FROM orders WHERE client_order_id = 'hd1'") == [(state,)]
    assert len(rows(path, "SELECT data FROM fills")) == fills


@pytest.mark.parametrize(
    ("order", "filled", "problem"),
    [
        ("hd1", "3", "from 0 to 2"),
        ("hd1", "-1", "from 0 to 2"),
        ("hd1", "NaN", "from 0 to 2"),
        ("hd1", "all", "from 0 to 2"),
        ("hd2", "1", "never sent"),
        ("hd9", "1", "no order hd9 is in doubt here: hd1"),
    ],
)
def test_what_cannot_be_is_refused(config: Config, order: str, filled: str, problem: str) -> None:  # noqa: F811
    """More than was ordered, what is no number, an order that was never sent or is not there."""
    path = config()
    doubtful(path)
    said = ask("accept-order", order, "--filled", filled, "-c", path)
    assert said.exit_code == 1
    assert problem in said.stderr
    assert rows(path, "SELECT state FROM orders WHERE client_order_id = 'hd1'") == [("unknown",)]
