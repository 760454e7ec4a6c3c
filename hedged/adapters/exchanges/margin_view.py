"""A margin account in the words of the model: what an account reader answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_HALF_EVEN, Context, Decimal
from operator import attrgetter

from hedged.estimate.margin_account import MarginAccount, Marks, Tiers, money
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.snapshot import Derivatives, Margin, Position

_TWENTY_DIGITS = Context(prec=20, rounding=ROUND_HALF_EVEN)


def derivatives_of(
    account: MarginAccount,
    marks: Marks,
    tiers: Tiers,
    *,
    leverage: Decimal,
    estimated: bool,
    funding_paid: Mapping[InstrumentId, Decimal] | None = None,
) -> Derivatives:
    """Positions and margin of `account` at `marks`, in its own currency; amounts and most prices to eight decimals.

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
                entry_price=_twenty_digits(held.entry_price) if held.inverse else money(held.entry_price),
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


def in_quote(shown: Derivatives, currency: str, price: Decimal) -> Derivatives:
    """What was in this currency as it counts in the portfolio's quote currency, at `price` for one of it."""
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
        equities={} if margin is None else {currency: money(margin.equity * price)},
    )


def by_currency(pools: Iterable[tuple[str, Decimal | None]]) -> dict[str, Decimal]:
    """The equity of each currency's cross pool; without those that are not known, or are several in one currency."""
    found: dict[str, list[Decimal | None]] = {}
    for currency, equity in pools:
        found.setdefault(currency, []).append(equity)
    return {currency: each[0] for currency, each in found.items() if len(each) == 1 and each[0] is not None}


def of_shared(
    margin: Margin | None, held: Iterable[Position], listed: Mapping[InstrumentId, Instrument]
) -> dict[str, Decimal]:
    """The same where `margin` is that of all positions in cross margin, which settle in one currency."""
    if margin is None:
        return {}
    return {listed[each.instrument].settle: margin.equity for each in held if each.isolated_equity is None}


def tightest(pools: Sequence[Derivatives]) -> Derivatives:
    """All positions, with the margin of the pool that is nearest to its liquidation; without any, of the largest."""
    used = [each.margin for each in pools if each.positions and each.margin is not None]
    idle = [each.margin for each in pools if each.margin is not None]
    margin = max(used, key=attrgetter("tightness")) if used else max(idle, key=attrgetter("equity"), default=None)
    return Derivatives(
        tuple(position for each in pools for position in each.positions),
        margin,
        funding_paid={name: amount for each in pools for name, amount in (each.funding_paid or {}).items()},
        equities={currency: equity for each in pools for currency, equity in each.equities.items()},
    )


def _times(amount: Decimal | None, price: Decimal) -> Decimal | None:
    return None if amount is None else money(amount * price)


def _twenty_digits(price: Decimal) -> Decimal:
    """An inverse position moves like its face over this price: eight decimals are too few for a cheap coin."""
    return Decimal(f"{_TWENTY_DIGITS.plus(price):f}")
