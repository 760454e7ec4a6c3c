"""Maintenance margin and liquidation prices that a venue does not tell, from tiers and marks. Pure.

For an account of linear contracts that share one settlement currency as cross margin. In any other case what the
venue left out stays None: an inverse position, a second settlement currency, a mark or tiers that are not known, and
a position whose size is not trusted make the whole account unknown. Nothing here can tell an isolated position, which
does not share the account's equity: where there is any, the dialect says `one_pool = False` and nothing is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Context, Decimal

from hedged.estimate.liquidation import liquidation_price, maintenance_margin
from hedged.estimate.margin_account import Marks, Tiers, money
from hedged.model.instrument import Instrument, InstrumentId, MarginTier
from hedged.model.snapshot import Derivatives, Margin, Position

_ZERO = Decimal(0)
_PRICE = Context(prec=12)  # significant digits; coins cost from 1e-9 to 1e5


def is_lacking(derivatives: Derivatives) -> bool:
    """Whether the venue left out something that could be filled. Without an equity nothing can."""
    if derivatives.margin is None:
        return False
    held = _held(derivatives)
    return derivatives.margin.maintenance is None or any(position.liquidation_price is None for position in held)


def fill_margin(
    derivatives: Derivatives, instruments: Mapping[InstrumentId, Instrument], marks: Marks, tiers: Tiers
) -> Derivatives:
    """The same with what was None computed, and `estimated` set if anything was. What the venue tells is never changed.

    `marks` and `tiers` may lack positions, `instruments` may not.
    """
    margin, held = derivatives.margin, _held(derivatives)
    if margin is None or not _is_one_pool(held, instruments):
        return derivatives
    needed = {
        position.instrument: _maintenance(position, instruments[position.instrument], marks, tiers) for position in held
    }
    known = {name: amount for name, amount in needed.items() if amount is not None}
    if len(known) < len(needed):
        return derivatives
    total = sum(known.values(), _ZERO)
    filled = replace(margin, maintenance=total if margin.maintenance is None else margin.maintenance)
    positions = tuple(
        _fill_position(position, contract, margin=filled, needed=known, marks=marks, tiers=tiers)
        if (contract := instruments.get(position.instrument)) and position.contracts
        else position
        for position in derivatives.positions
    )
    if filled == margin and positions == derivatives.positions:
        return derivatives
    return Derivatives(positions, replace(filled, estimated=True))


def _held(derivatives: Derivatives) -> list[Position]:
    return [position for position in derivatives.positions if position.contracts]


def _is_one_pool(held: list[Position], instruments: Mapping[InstrumentId, Instrument]) -> bool:
    contracts = [instruments[position.instrument] for position in held]
    return (
        all(position.trusted for position in held)
        and all(contract.linear for contract in contracts)
        and len({contract.settle for contract in contracts}) <= 1
    )


def _maintenance(position: Position, instrument: Instrument, marks: Marks, tiers: Tiers) -> Decimal | None:
    if position.maintenance_margin is not None:
        return position.maintenance_margin
    mark, brackets = marks.get(position.instrument), _usable(tiers.get(position.instrument, ()))
    if mark is None or not brackets:
        return None
    return money(maintenance_margin(instrument.notional(position.contracts, mark), brackets))


def _usable(tiers: Sequence[MarginTier]) -> Sequence[MarginTier]:
    """The tiers, or none where the formula does not hold: rates from 0 to below 1, floors ascending from 0."""
    floors = [tier.notional_floor for tier in tiers]
    rates = all(0 <= tier.maintenance_margin_rate < 1 for tier in tiers)
    return tiers if rates and floors == sorted(set(floors)) and floors[:1] == [_ZERO] else ()


def _fill_position(
    position: Position,
    instrument: Instrument,
    *,
    margin: Margin,
    needed: Mapping[InstrumentId, Decimal],
    marks: Marks,
    tiers: Tiers,
) -> Position:
    """Collateral of this position: wallet + unrealised PnL of the others − their maintenance.

    Taken as if it had been opened at the mark, the wallet and *all* unrealised PnL are the account's equity, so that
    neither entry prices nor the venue's way to value an open position come into it.
    """
    name = position.instrument
    filled = replace(position, maintenance_margin=needed[name])
    mark, brackets = marks.get(name), _usable(tiers.get(name, ()))
    if position.liquidation_price is not None or mark is None or not brackets:
        return filled
    others = sum((amount for other, amount in needed.items() if other != name), _ZERO)
    price = liquidation_price(
        base_quantity=instrument.base_quantity(position.contracts, mark),
        entry_price=mark,
        collateral=margin.equity - others,
        tiers=brackets,
    )
    if price is None:
        return filled
    # past it already: at the mark, for the formula's distance would grow the worse things stand
    nearest = max(price, mark) if position.contracts < 0 else min(price, mark)
    return replace(filled, liquidation_price=_PRICE.plus(nearest))
