"""A margin account in the words of the model: what an account reader answers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from hedged.estimate.margin_account import MarginAccount, Marks, Tiers, money
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Derivatives, Margin, Position

_ZERO, _ONE = Decimal(0), Decimal(1)


def derivatives_of(
    account: MarginAccount,
    marks: Marks,
    tiers: Tiers,
    *,
    leverage: Decimal,
    estimated: bool,
    funding_paid: Mapping[InstrumentId, Decimal] | None = None,
) -> Derivatives:
    """Positions and margin of `account` at `marks`, in its own currency; prices and amounts to eight decimals.

    `estimated`: the tiers are assumed, not told by a venue.
    """
    positions = []
    for instrument, held in account.positions.items():
        mark = marks[instrument]
        liquidation = account.liquidation_price(instrument, marks, tiers)
        positions.append(
            Position(
                instrument=instrument,
                contracts=held.contracts,
                entry_price=money(held.entry_price),
                liquidation_price=None if liquidation is None else money(liquidation),
                unrealised_pnl=held.unrealised_pnl(mark),
                maintenance_margin=money(held.maintenance(mark, tiers[instrument])),
            )
        )
    margin = Margin(
        equity=account.equity(marks),
        maintenance=account.maintenance(marks, tiers),
        available=max(account.available(marks, tiers, leverage), Decimal(0)),
        estimated=estimated,
        leverage=leverage,
    )
    return Derivatives(tuple(positions), margin, funding_paid)


def in_quote(shown: Derivatives, price: Decimal) -> Derivatives:
    """What was in coins as it counts in the portfolio's quote currency, at `price` for one coin."""
    margin = shown.margin
    return replace(
        shown,
        positions=tuple(
            replace(
                each,
                unrealised_pnl=_times(each.unrealised_pnl, price),
                maintenance_margin=_times(each.maintenance_margin, price),
            )
            for each in shown.positions
        ),
        margin=None
        if margin is None
        else replace(
            margin,
            equity=money(margin.equity * price),
            maintenance=_times(margin.maintenance, price),
            available=_times(margin.available, price),
        ),
    )


def tightest(pools: Sequence[Derivatives]) -> Derivatives:
    """All positions, with the margin of the pool that is nearest to its liquidation; without any, of the largest."""
    used = [each.margin for each in pools if each.positions and each.margin is not None]
    idle = [each.margin for each in pools if each.margin is not None]
    margin = min(used, key=_left) if used else max(idle, key=lambda each: each.equity, default=None)
    paid = {name: amount for each in pools for name, amount in (each.funding_paid or {}).items()}
    return Derivatives(tuple(position for each in pools for position in each.positions), margin, paid)


def _left(margin: Margin) -> Decimal:
    """The share of the equity that is not needed for maintenance."""
    return (margin.equity - (margin.maintenance or _ZERO)) / margin.equity if margin.equity > 0 else -_ONE


def _times(amount: Decimal | None, price: Decimal) -> Decimal | None:
    return None if amount is None else money(amount * price)
