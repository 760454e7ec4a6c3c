"""The scripted two days that `scenario="story"` lays over the random market, as data that a demo can narrate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt

from hedged.simulation.coins import COINS, COLUMN, quarterly_expiries

STORY_DAYS = 2
NOISE = 0.2  # of the usual volatility while the script leads
EXPIRY_WARNING = timedelta(days=7)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Beat:
    """One scene, from `start` to `end` after the anchor. `moves` are simple returns over it, else `others`."""

    name: str
    start: timedelta
    end: timedelta
    text: str
    moves: Mapping[str, float] = field(default_factory=dict)
    others: float = 0.0

    def move(self, asset: str) -> float:
        return self.moves.get(asset, self.others)


STORY: tuple[Beat, ...] = (
    Beat("quiet", timedelta(hours=0), timedelta(hours=3), "A quiet market: coins and hedge move together."),
    Beat(
        "drift",
        timedelta(hours=3),
        timedelta(hours=9),
        "The coins rise while ETH slips: the short no longer covers them.",
        {"ETH": -0.03, "BTC": 0.01, "SOL": 0.18, "UNI": 0.20, "AAVE": 0.16, "AVAX": 0.17, "DOGE": 0.22, "USDC": 0.0},
        others=0.15,
    ),
    Beat("pause", timedelta(hours=9), timedelta(hours=14), "The market rests."),
    Beat(
        "rally",
        timedelta(hours=14),
        timedelta(hours=24),
        "A strong rally: everything rises, and the short's margin is squeezed.",
        {"ETH": 0.36, "BTC": 0.24, "USDC": 0.0},
        others=0.30,
    ),
    Beat(
        "pullback",
        timedelta(hours=27),
        timedelta(hours=33),
        "Part of the rally is given back, and the margin breathes.",
        {"ETH": -0.16, "BTC": -0.11, "USDC": 0.0},
        others=-0.15,
    ),
    Beat(
        "expiry",
        timedelta(hours=36),
        timedelta(hours=48),
        "The quarterly future has seven days left: time to think of the roll.",
    ),
)


def story_anchor(after: datetime) -> datetime:
    """The first anchor from `after` on with which the quarterly future enters its last 7 days at the beat "expiry"."""
    lead = EXPIRY_WARNING + STORY[-1].start
    return quarterly_expiries(after + lead - _MINUTE, 1)[0] - lead


def overlay(day: int) -> npt.NDArray[np.float64]:
    """Log price that the script has added by each minute of a day since the anchor, shape (1440, coins).

    A beat's move is eased in and out (3x² − 2x³) and stays once it is over.
    """
    minutes = np.arange(day * 1440, (day + 1) * 1440, dtype=float)
    added = np.zeros((1440, len(COINS)))
    for beat in STORY:
        first, last = beat.start / _MINUTE, beat.end / _MINUTE
        x = np.clip((minutes - first) / (last - first), 0.0, 1.0)
        moves = np.zeros(len(COINS))
        for asset, column in COLUMN.items():
            moves[column] = np.log1p(beat.move(asset))
        added += np.outer(x * x * (3 - 2 * x), moves)
    return added
