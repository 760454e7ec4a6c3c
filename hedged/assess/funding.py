"""Funding as the venue settled it, in the place of what was worked out from the announced rates.

Every settlement that is booked is remembered for `KEPT`. What its payments differ from it by is booked on the day on
which they are read, as an order is that was found out about later. So it does not matter when, how often or in which
order payments come: each counts once, by its id, and each settlement is either computed or read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from hedged.estimate.decomposition import coin_worth, money
from hedged.estimate.prior import base_of
from hedged.model.effect import EffectDay, Funded, FundingPayment, HedgeLedger, HedgeReading, Parts
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Leg, Read

ZERO = Decimal(0)

KEPT = timedelta(days=3)
"""How long after a settlement its payments may still take the place of what was computed."""

NEAR = timedelta(minutes=20)
"""How far the time of a payment may be from that of its settlement: venues book some well after the hour."""


def with_settlements(day: EffectDay, ledger: HedgeLedger, new: Sequence[Funded]) -> tuple[EffectDay, HedgeLedger]:
    """The day and the ledger with the settlements of an interval whose parts are in the day already.

    One that is booked from elsewhere is taken back: its payment was read before anybody knew of it, or the clock was
    set back and this is the second time that it has passed.
    """
    funded = list(ledger.funded)
    for each in new:
        if _nearest(funded, each.instrument, each.at) is None:
            funded.append(each)
            day = replace(day, funding_settled=day.funding_settled + 1)
        else:
            day = _more_funding(day, ledger.reading, each.instrument, -each.amount)
    return day, replace(ledger, funded=tuple(funded))


def remembered(ledger: HedgeLedger, now: datetime) -> HedgeLedger:
    """Without what is too old to be corrected. Payments of a time from which on nothing is remembered are not taken:
    what was booked of it is not known any more.
    """
    newest = now + NEAR  # the first payments may be of a settlement just before the first reading
    since = newest if ledger.funded_since is None else min(max(ledger.funded_since, now - KEPT), newest)
    if since == ledger.funded_since:
        return ledger
    return replace(ledger, funded=tuple(each for each in ledger.funded if each.at > since - NEAR), funded_since=since)


def with_payments(
    day: EffectDay, ledger: HedgeLedger, payments: Iterable[FundingPayment], prices: Mapping[str, Leg[Decimal]]
) -> tuple[EffectDay, HedgeLedger]:
    """The day and the ledger with those of these payments that are new to it; the same where none is.

    One of a time that no interval has reached waits, and so does one in a coin without a price.
    """
    reading, since = ledger.reading, ledger.funded_since
    if reading is None or since is None:
        return day, ledger
    funded = list(ledger.funded)
    known = {(each.instrument, id_) for each in funded for id_ in each.ids}
    before = day
    for payment in payments:
        if (payment.instrument, payment.id) in known:
            continue
        place = _nearest(funded, payment.instrument, payment.at)
        old = funded[place] if place is not None else _unknown_of(payment, reading, since)
        new = _with(old, payment, prices) if old is not None else None
        if old is None or new is None:
            continue
        known.add((payment.instrument, payment.id))
        if place is None:
            funded.append(new)
        else:
            funded[place] = new
        day = replace(
            _more_funding(day, reading, payment.instrument, new.amount - old.amount),
            funding_settled=day.funding_settled + (place is None),
            funding_read=day.funding_read + (not old.ids),
        )
    return (day, replace(ledger, funded=tuple(funded))) if day is not before else (day, ledger)


def _more_funding(day: EffectDay, reading: HedgeReading | None, instrument: InstrumentId, more: Decimal) -> EffectDay:
    """Funding of a coin-margined contract changes the coins of its wallet: where these are exposure, what is known to
    be funding did not come or go otherwise, as in `decompose`.
    """
    coin = base_of(instrument)
    in_flows = reading is not None and coin == _settles_in(instrument) and coin in reading.assets
    return replace(day, parts=day.parts + Parts(funding=more), flows=day.flows - more if in_flows else day.flows)


def _unknown_of(payment: FundingPayment, reading: HedgeReading, since: datetime) -> Funded | None:
    """A settlement that nobody knew of, as nothing so far; None: it is not this ledger's, or not yet."""
    leg = reading.legs.get(payment.instrument)
    if leg is None or not since < payment.at <= reading.at:
        return None
    return Funded(payment.instrument, payment.at, ZERO, coin_worth(leg))


def _with(old: Funded, payment: FundingPayment, prices: Mapping[str, Leg[Decimal]]) -> Funded | None:
    """None: what it is worth is not known. The first payment replaces what was computed, further ones add to it."""
    worth: Decimal | None = old.worth
    if payment.currency != _settles_in(old.instrument):
        price = prices.get(payment.currency)
        worth = price.value if isinstance(price, Read) else None
    if worth is None:
        return None
    try:
        amount = money(payment.amount * worth)
    except ArithmeticError:  # no money can be counted in it
        return None
    return replace(old, amount=amount + old.amount if old.ids else amount, ids=(*old.ids, payment.id))


def _settles_in(instrument: InstrumentId) -> str:
    return instrument.rpartition(":")[2].partition("-")[0]


def _nearest(funded: Sequence[Funded], instrument: InstrumentId, at: datetime) -> int | None:
    """Which of these a payment of this time is of."""
    near = [
        (abs(each.at - at), n)
        for n, each in enumerate(funded)
        if each.instrument == instrument and abs(each.at - at) <= NEAR
    ]
    return min(near)[1] if near else None
