"""The move that breaches: how far prices go against an account before it is liquidated, and what to buy back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import numpy as np

from hedged.estimate.liquidation_odds import RiskyPosition
from hedged.estimate.margin_account import MarginAccount, Marks, Tiers
from hedged.estimate.volatility import Volatilities
from hedged.model.instrument import InstrumentId, round_up
from hedged.model.statistics import BreachMove

_COMMON_RISE_MAX = 2.0**40
_HALVINGS = 100
_ZERO = Decimal(0)


def risky_positions(
    account: MarginAccount, marks: Marks, tiers: Tiers, volatilities: Mapping[InstrumentId, Volatilities]
) -> tuple[RiskyPosition, ...]:
    """The account's linear positions as the odds see them, in its order; the equity to go with them is the account's.

    Raises `KeyError` for a position without mark, tiers or volatility: what is not known is not safe.
    """
    return tuple(
        RiskyPosition(
            notional=float(held.value(marks[instrument])),
            volatility_current=volatilities[instrument].current.value_year,
            volatility_prudent=volatilities[instrument].prudent,
            tiers=tuple(tiers[instrument]),
        )
        for instrument, held in account.positions.items()
    )


def breach_moves(account: MarginAccount, marks: Marks, tiers: Tiers) -> list[BreachMove]:
    """For each instrument alone, the nearest breach first; one that can go anywhere without a breach is left out."""
    gone = account.must_liquidate(marks, tiers)
    moves = []
    for instrument in account.positions:
        price = account.liquidation_price(instrument, marks, tiers)
        if gone:
            moves.append(BreachMove(instrument, 0.0))
        elif price is not None:
            moves.append(BreachMove(instrument, float(price / marks[instrument]) - 1))
    return sorted(moves, key=lambda move: abs(move.ratio))


def common_breach_move(positions: Sequence[RiskyPosition], equity: float) -> BreachMove | None:
    """How far all prices rise or fall alike until this account is liquidated; the nearer of the two, None: neither."""
    if not positions:
        return None

    def left(ratio: float) -> float:
        return equity - sum(float(each.need(np.array(ratio))) for each in positions)

    if left(1.0) <= 0:
        return BreachMove(None, 0.0)
    rise = _first_crossing(lambda rise: left(1 + rise), _COMMON_RISE_MAX)
    fall = _first_crossing(lambda fall: left(1 - fall), 1 - 1e-9)
    found = [BreachMove(None, sign * move) for sign, move in ((1, rise), (-1, fall)) if move is not None]
    return min(found, key=lambda move: abs(move.ratio), default=None)


def contracts_to_close(contracts: Decimal, keep_ratio: float, lot_size: Decimal) -> Decimal:
    """Contracts to trade, signed (buy > 0), so that at most `keep_ratio` of a position is left: whole lots, rounded up.

    Never more than is held: reduce-only.
    """
    closing = abs(contracts) * (1 - Decimal(repr(keep_ratio)))
    return -min(round_up(max(closing, _ZERO), lot_size), abs(contracts)).copy_sign(contracts)


def _first_crossing(left: Callable[[float], float], furthest: float) -> float | None:
    """The move from 0 at which `left`, positive at 0, comes to 0; None if it never does.

    Once at most: it falls all the way, or is concave, because maintenance steepens by bracket.
    """
    if left(furthest) > 0:
        return None
    near, far = 0.0, furthest
    for _ in range(_HALVINGS):
        middle = (near + far) / 2
        if middle in {near, far}:  # no number lies between
            break
        near, far = (middle, far) if left(middle) > 0 else (near, middle)
    return far
