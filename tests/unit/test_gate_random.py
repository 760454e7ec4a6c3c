"""The gate against a hostile generator; a million of the same by `python -m tests.benchmarks.gate`."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hedged.decide import gate
from tests.benchmarks.gate import run


def test_no_random_order_is_over_a_limit() -> None:
    """Of twenty thousand, some hundreds are approved, and each keeps every limit by a second reckoning."""
    tally = run(20_000, seed=1)
    assert tally.over == []
    assert tally.approved > 300


@pytest.mark.parametrize(
    "rule", ["_size", "_crumb", "_notional", "_number", "_leverage", "_free_margin", "_jump", "_collar"]
)
def test_the_second_reckoning_would_notice(rule: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With any of the gate's rules taken out there are orders over a limit."""
    nothing: Callable[..., None] = lambda *_: None  # noqa: E731
    monkeypatch.setattr(gate, rule, nothing)
    assert run(20_000, seed=1, until_over=True).over
