"""A margin account in the words of the model: what an account reader answers."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from hedged.estimate.liquidation import maintenance_margin
from hedged.estimate.margin_account import MarginAccount, Marks, Tiers, money
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Derivatives, Margin, Position


def derivatives_of(
    account: MarginAccount,
    marks: Marks,
    tiers: Tiers,
    *,
    leverage: Decimal,
    estimated: bool,
    funding_paid: Mapping[InstrumentId, Decimal] | None = None,
) -> Derivatives:
    """Positions and margin of `account` at `marks`; prices and amounts to eight decimals.

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
                maintenance_margin=money(maintenance_margin(held.value(mark), tiers[instrument])),
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
