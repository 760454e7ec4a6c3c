"""The margin table: what each column says, and that it says `unknown` where nothing is known."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from hedged.cli.show import breach, odds, show_state, top_up

KNOWN: dict[str, Any] = {
    "account": "bybit",
    "margin_ratio": 0.05,
    "liquidation_distance_ratio": 0.1945,
    "estimated": False,
    "equity": "3000",
    "maintenance": "150",
    "liquidation_probability": 0.0308,
    "liquidation_within_seconds": 86_400,
    "currency": "USDT",
    "top_up": "583.84",
    "breach": {"instrument": "bybit:ETH/USDT:USDT", "ratio": 0.0945},
    "leverage_lowest": 5,
    "odds_basis": "from 90 days of prices",
}
EARLIER = {
    name: KNOWN[name]
    for name in ("account", "margin_ratio", "liquidation_distance_ratio", "estimated", "equity", "maintenance")
}


def printed(row: dict[str, Any], width: int = 160) -> str:
    out = Console(width=width, record=True, file=None, force_terminal=False)
    with out.capture() as captured:
        state = {
            "portfolio": "p", "now": "2026-11-22T12:00:00Z", "mode": "paper", "world": "paper", "quote": "USDT",
            "exposures": [], "hedges": [], "margin": [row], "expiries": [], "findings": [],
            "decision": {"intents": [], "refused": [], "reason": "nothing"},
        }  # fmt: skip
        show_state(state, console=out)
    return captured.get()


def test_a_row_says_what_to_do() -> None:
    """Which move breaches, how likely it is within the time, and what to add."""
    text = printed(KNOWN)
    for said in ("ETH +9.4%", "3.1% in 1 d", "584 USDT", "5x", "from 90 days of prices"):
        assert said in text


def test_what_is_unknown_is_called_that() -> None:
    """With the reason behind it."""
    row = {**KNOWN, "liquidation_probability": None, "top_up": None, "breach": None, "odds_basis": "unknown: no equity"}
    text = printed(row)
    assert "unknown" in text
    assert "19.4%" in text, "the venue's own distance still stands"
    assert "unknown: no equity" in text


def test_a_row_of_an_earlier_version_is_shown() -> None:
    """`status` reads what the daemon of yesterday wrote."""
    assert "bybit" in printed(EARLIER)
    assert (breach(EARLIER), odds(EARLIER), top_up(EARLIER)) == ("", "–", "–")


@pytest.mark.parametrize(
    ("chance", "seconds", "text"),
    [(0.0, 86_400, "0.0% in 1 d"), (0.00002, 86_400, "< 0.01% in 1 d"), (0.2, 43_200, "20.0% in 12 h")],
)
def test_odds_in_words(chance: float, seconds: int, text: str) -> None:
    """Within the user's own time; what is nearly nothing is not called nothing."""
    assert odds({"liquidation_probability": chance, "liquidation_within_seconds": seconds}) == text


def test_in_sixty_columns_every_figure_is_whole() -> None:
    """Eight columns do not fit: the account stands above its figures, each with what it is."""
    lines = printed(KNOWN, width=60).splitlines()
    assert all(len(line) <= 60 for line in lines)
    for said in (
        "equity 3,000.00",
        "to liquidation ETH +9.4%",
        "liquidated 3.1% in 1 d",
        "top up 584 USDT",
        "leverage 5x",
    ):
        assert any(said in line for line in lines), said
