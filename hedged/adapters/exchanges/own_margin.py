"""Maintenance margin and liquidation prices that a venue does not tell, from tiers and marks. Pure.

For an account of linear contracts. Those in cross margin share the account's equity and settle in one currency; each
isolated one has what is set apart for it, which backs no other, and the pool nearest to its end speaks for the account.
In any other case what the venue left out stays None: an inverse position, a second currency of the shared pool, a mark
or tiers that are not known, and a position whose size is not trusted make the whole account unknown. Where a dialect
cannot tell what is set apart it says `one_pool = False`, and nothing is computed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Context, Decimal
from operator import attrgetter

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

    The margin that is told is the shared pool's. `marks` and `tiers` may lack positions, `instruments` may not.
    """
    margin, held = derivatives.margin, _held(derivatives)
    if margin is None or not _is_plain(held, instruments):
        return derivatives
    needed = {
        position.instrument: _maintenance(position, instruments[position.instrument], marks, tiers) for position in held
    }
    known = {name: amount for name, amount in needed.items() if amount is not None}
    if len(known) < len(needed):
        return derivatives
    shared = {each.instrument: known[each.instrument] for each in held if each.isolated_equity is None}
    crossed = margin.maintenance if margin.maintenance is not None else sum(shared.values(), _ZERO)
    apart = [Margin(each.isolated_equity, known[each.instrument]) for each in held if each.isolated_equity is not None]
    tightest = max((replace(margin, maintenance=crossed), *apart), key=attrgetter("tightness"))
    filled = replace(tightest, available=margin.available)

    def fill(position: Position) -> Position:
        contract = instruments.get(position.instrument)
        if contract is None or not position.contracts:
            return position
        collateral, need = position.isolated_equity, known[position.instrument]
        if collateral is None:
            collateral = margin.equity - sum(shared.values(), _ZERO) + need
        return _fill_position(position, contract, collateral=collateral, needed=need, marks=marks, tiers=tiers)

    positions = tuple(fill(position) for position in derivatives.positions)
    if filled == margin and positions == derivatives.positions:
        return derivatives
    return replace(derivatives, positions=positions, margin=replace(filled, estimated=True))


def _held(derivatives: Derivatives) -> list[Position]:
    return [position for position in derivatives.positions if position.contracts]


def _is_plain(held: list[Position], instruments: Mapping[InstrumentId, Instrument]) -> bool:
    shared = {instruments[position.instrument].settle for position in held if position.isolated_equity is None}
    return (
        all(position.trusted for position in held)
        and all(instruments[position.instrument].linear for position in held)
        and len(shared) <= 1
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
    collateral: Decimal,
    needed: Decimal,
    marks: Marks,
    tiers: Tiers,
) -> Position:
    """`collateral` of a position that shares: wallet + unrealised PnL of the others − their maintenance.

    Taken as if it had been opened at the mark, the wallet and *all* unrealised PnL are the pool's equity, so that
    neither entry prices nor the venue's way to value an open position come into it.
    """
    name = position.instrument
    filled = replace(position, maintenance_margin=needed)
    mark, brackets = marks.get(name), _usable(tiers.get(name, ()))
    if position.liquidation_price is not None or mark is None or not brackets:
        return filled
    price = liquidation_price(
        base_quantity=instrument.base_quantity(position.contracts, mark),
        entry_price=mark,
        collateral=collateral,
        tiers=brackets,
    )
    if price is None:
        return filled
    # past it already: at the mark, for the formula's distance would grow the worse things stand
    nearest = max(price, mark) if position.contracts < 0 else min(price, mark)
    return replace(filled, liquidation_price=_PRICE.plus(nearest))
