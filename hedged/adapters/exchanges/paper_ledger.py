"""What a paper account owns of one currency and has done with it, as one frozen value that is stored whole: its blob
is its truth. Contracts that the quote currency settles have one such ledger, those of each coin another.

Pure: accrual and filling take the quotes that were seen and give a new ledger, or the very same one when nothing
changed, which is how its keeper knows that there is nothing to store.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

from hedged.estimate.margin_account import LIQUIDATION_FEE, MarginAccount, Marks, OpenPosition, Tiers
from hedged.estimate.taker import Taken
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.order import Cancelled, Fill, Rejected, Side
from hedged.model.snapshot import Quote

OUTCOMES_KEPT = 1_000
EVENTS_KEPT = 200
FUNDED_KEPT = 100  # instruments
_FORMAT = 1
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FUNDING_HOURS = Decimal(8)  # where the venue does not tell its interval
_ZERO = Decimal(0)

_CANCELLED = "cancelled"

Ended = Fill | Cancelled | Rejected

Rates = Mapping[InstrumentId, Mapping[datetime, Decimal]]
"""Funding rates seen beforehand, by the time they were announced for."""


@dataclass(frozen=True, slots=True)
class Totals:
    """Since the account was opened, in the ledger's currency; costs > 0 are paid.

    wallet = cash at the start + realised − fees − funding + shortfall.
    """

    realised: Decimal = _ZERO
    fees: Decimal = _ZERO  # liquidation fees included
    funding: Decimal = _ZERO
    slippage: Decimal = _ZERO  # against the mark; it is part of `realised` and of what is open, not beside them
    shortfall: Decimal = _ZERO  # losses beyond the wallet that a liquidation left to the venue
    liquidations: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """What must be known of an open position's contract even when the venue lists it no more."""

    base: str
    ends: datetime | None
    funded_until: datetime  # funding times up to this one are accounted for
    announced: tuple[datetime, Decimal] | None = None  # the next funding time, and its rate as first seen


@dataclass(frozen=True, slots=True)
class Resting:
    """An order that waits in the book at its price; nothing of it is filled yet."""

    instrument: InstrumentId
    side: Side
    quantity: Decimal
    price: Decimal
    reduce_only: bool

    def would_take(self, quote: Quote) -> bool:
        """Whether the other side of the book is at its price already."""
        other = quote.ask if self.side is Side.BUY else quote.bid
        return (self.price - (quote.mark if other is None else other)) * self.side.sign >= 0

    def is_reached(self, quote: Quote) -> bool:
        """Whether the market has gone through its price: at the price itself others are in front of it."""
        other = quote.ask if self.side is Side.BUY else quote.bid
        return (self.price - (quote.mark if other is None else other)) * self.side.sign > 0


@dataclass(frozen=True, slots=True)
class Event:
    """Something that changed a position."""

    at: datetime
    instrument: InstrumentId
    text: str


@dataclass(frozen=True, slots=True)
class Ledger:
    """`outcomes`, `events` and `funding_paid` hold the newest, oldest first."""

    account: MarginAccount
    terms: Mapping[InstrumentId, Terms] = field(default_factory=dict)
    totals: Totals = field(default_factory=Totals)
    outcomes: Mapping[str, Sequence[str]] = field(default_factory=dict)  # by client order id, as stored
    events: tuple[Event, ...] = ()
    funding_paid: Mapping[InstrumentId, Decimal] = field(default_factory=dict)  # what `totals.funding` is made of
    resting: Mapping[str, Resting] = field(default_factory=dict)  # by client order id

    def outcome(self, client_order_id: str) -> Ended | None:
        stored = self.outcomes.get(client_order_id)
        return None if stored is None else _outcome_from(client_order_id, stored)

    def with_resting(self, client_order_id: str, order: Resting) -> Ledger:
        return replace(self, resting={**self.resting, client_order_id: order})

    def with_outcome(self, outcome: Ended) -> Ledger:
        excess = max(len(self.outcomes) + 1 - OUTCOMES_KEPT, 0)
        kept = dict(islice(self.outcomes.items(), excess, None))
        kept[outcome.client_order_id] = _outcome_to(outcome)
        resting = {id_: each for id_, each in self.resting.items() if id_ != outcome.client_order_id}
        return replace(self, outcomes=kept, resting=resting)

    def filled(self, fill: Fill, taken: Taken, instrument: Instrument) -> Ledger:
        """After `taken`; funding counts from the fill on for a position that it opened."""
        terms = dict(self.terms)
        if instrument.id not in taken.account.positions:
            terms.pop(instrument.id, None)
        elif instrument.id not in terms:
            terms[instrument.id] = Terms(instrument.base, instrument.ends(), fill.at)
        totals = replace(
            self.totals,
            realised=self.totals.realised + taken.realised,
            fees=self.totals.fees + taken.fee,
            slippage=self.totals.slippage + taken.slippage,
        )
        text = f"{fill.side.value} {fill.quantity} at {fill.price}, order {fill.client_order_id}"
        after = replace(self, account=taken.account, terms=terms, totals=totals)
        return after.noting(Event(fill.at, fill.instrument, text)).with_outcome(fill)

    def relisted(self, instruments: Mapping[InstrumentId, Instrument]) -> Ledger:
        """With the end dates as the venue tells them now: a delisting may be announced while a position is open."""
        changed = {
            id_: replace(terms, ends=instruments[id_].ends())
            for id_, terms in self.terms.items()
            if id_ in instruments and instruments[id_].ends() != terms.ends
        }
        return replace(self, terms={**self.terms, **changed}) if changed else self

    def funded(self, now: datetime, quotes: Mapping[InstrumentId, Quote], rates: Rates) -> Ledger:
        """After every funding time up to now (or the contract's end) that is not accounted for yet.

        Each at the rate announced for it if that was seen, else at the last one known, which is the quote's; at the
        present mark. A position without a quote waits.
        """
        account, terms, paid = self.account, None, dict(self.funding_paid)
        for instrument, held in self.account.positions.items():
            quote = quotes.get(instrument)
            if quote is None or quote.funding_rate is None:
                continue
            own = self.terms[instrument]
            known = {**dict([own.announced] if own.announced else []), **rates.get(instrument, {})}
            reached = own.funded_until
            for at in _funding_times(own, quote, now):
                payment = held.funding_payment(quote.mark, known.get(at, quote.funding_rate))
                account = account.charge(payment)
                paid[instrument] = paid.pop(instrument, _ZERO) + payment
                reached = at
            if reached != own.funded_until:
                terms = {**(terms or self.terms), instrument: replace(own, funded_until=reached)}
        if terms is None:
            return self
        totals = replace(self.totals, funding=self.totals.funding + self.account.wallet - account.wallet)
        excess = max(len(paid) - FUNDED_KEPT, 0)
        return replace(
            self, account=account, terms=terms, totals=totals, funding_paid=dict(islice(paid.items(), excess, None))
        )

    def announcing(self, quotes: Mapping[InstrumentId, Quote]) -> Ledger:
        """With the rate of every funding time that is newly announced: after a restart it would not be known any more.

        As first seen, so that a rate which changes by the minute is not written by the minute.
        """
        changed = {}
        for instrument, terms in self.terms.items():
            quote = quotes.get(instrument)
            if quote is None or quote.funding_next is None or quote.funding_rate is None:
                continue
            if terms.announced is None or terms.announced[0] != quote.funding_next:
                changed[instrument] = replace(terms, announced=(quote.funding_next, quote.funding_rate))
        return replace(self, terms={**self.terms, **changed}) if changed else self

    def settled(self, now: datetime, prices: Mapping[InstrumentId, Decimal]) -> Ledger:
        """After cash delivery, without a fee, of the positions in `prices`."""
        ledger = self
        for instrument, price in prices.items():
            contracts = ledger.account.contracts(instrument)
            account, realised = ledger.account.settle(instrument, price)
            ledger = replace(
                ledger,
                account=account,
                terms={id_: terms for id_, terms in ledger.terms.items() if id_ != instrument},
                totals=replace(ledger.totals, realised=ledger.totals.realised + realised),
            ).noting(Event(now, instrument, f"{contracts} contracts expired and were settled at {price}"))
        return ledger

    def liquidated(self, now: datetime, marks: Marks, tiers: Tiers) -> Ledger:
        """After a liquidation at these marks, if maintenance has reached equity; else the same ledger."""
        if not self.account.must_liquidate(marks, tiers):
            return self
        result = self.account.liquidate(marks, LIQUIDATION_FEE)
        totals = replace(
            self.totals,
            realised=self.totals.realised + result.realised,
            fees=self.totals.fees + result.fee,
            shortfall=self.totals.shortfall + result.shortfall,
            liquidations=self.totals.liquidations + 1,
        )
        ledger = replace(self, account=result.account, terms={}, totals=totals)
        for instrument, held in self.account.positions.items():
            text = (
                f"liquidated {held.contracts} contracts at {marks[instrument]}, fee {_short(result.fee, held)},"
                f" shortfall {_short(result.shortfall, held)}"
            )
            ledger = ledger.noting(Event(now, instrument, text))
        return ledger

    def restarted(self, cash: Decimal, now: datetime) -> Ledger:
        """With this cash and nothing else. What its orders came to stays, so that none is ever placed twice."""
        ledger = replace(self, account=MarginAccount(cash), terms={}, totals=Totals(), resting={})
        for instrument, held in self.account.positions.items():
            text = f"{held.contracts} contracts dropped: the paper account was reset"
            ledger = ledger.noting(Event(now, instrument, text))
        return ledger

    def noting(self, event: Event) -> Ledger:
        """With one more line of history."""
        return replace(self, events=(*self.events, event)[-EVENTS_KEPT:])


def _short(amount: Decimal, held: OpenPosition) -> str:
    return f"{amount:.{8 if held.inverse else 2}f}"


def _funding_times(terms: Terms, quote: Quote, now: datetime) -> Iterator[datetime]:
    """Funding times after those accounted for, up to now or the contract's end, on the grid of the next one told."""
    step = timedelta(hours=float(quote.funding_interval_hours or _FUNDING_HOURS))
    grid = quote.funding_next or _EPOCH
    until = now if terms.ends is None else min(now, terms.ends)
    at = grid + ((terms.funded_until - grid) // step + 1) * step
    while at <= until:
        yield at
        at += step


def to_blob(ledger: Ledger) -> dict[str, object]:
    """The ledger as JSON-able values, decimals and times as text."""
    totals = ledger.totals
    return {
        "format": _FORMAT,
        "wallet": str(ledger.account.wallet),
        "positions": {
            instrument: {
                "contracts": str(held.contracts),
                "entry_value": str(held.entry_value),
                "multiplier": str(held.multiplier),
                "inverse": held.inverse,
                "base": ledger.terms[instrument].base,
                "ends": _time_to(ledger.terms[instrument].ends),
                "funded_until": ledger.terms[instrument].funded_until.isoformat(),
                "announced": _announced_to(ledger.terms[instrument].announced),
            }
            for instrument, held in ledger.account.positions.items()
        },
        "totals": {
            "realised": str(totals.realised),
            "fees": str(totals.fees),
            "funding": str(totals.funding),
            "slippage": str(totals.slippage),
            "shortfall": str(totals.shortfall),
            "liquidations": totals.liquidations,
        },
        "funding_paid": {instrument: str(paid) for instrument, paid in ledger.funding_paid.items()},
        "outcomes": dict(ledger.outcomes),
        "resting": {
            id_: [each.instrument, each.side.value, str(each.quantity), str(each.price), each.reduce_only]
            for id_, each in ledger.resting.items()
        },
        "events": [[event.at.isoformat(), event.instrument, event.text] for event in ledger.events],
    }


def from_blob(blob: Mapping[str, Any]) -> Ledger:
    """The ledger that was stored.

    Raises `KeyError`, `TypeError`, `ValueError`, `AttributeError` or `ArithmeticError` on anything else.
    """
    if blob["format"] != _FORMAT:
        raise ValueError(f"format {blob['format']} is not {_FORMAT}")
    positions, terms = {}, {}
    for name, stored in blob["positions"].items():
        instrument = InstrumentId(name)
        positions[instrument] = OpenPosition(
            Decimal(stored["contracts"]),
            Decimal(stored["entry_value"]),
            Decimal(stored["multiplier"]),
            stored.get("inverse", False) is True,  # not there in a ledger of an earlier version
        )
        ends, funded_until = stored["ends"], datetime.fromisoformat(stored["funded_until"])
        announced = stored.get("announced")  # not there in a ledger of an earlier version
        terms[instrument] = Terms(
            stored["base"],
            datetime.fromisoformat(ends) if ends else None,
            funded_until,
            (datetime.fromisoformat(announced[0]), Decimal(announced[1])) if announced else None,
        )
    totals = dict(blob["totals"])
    liquidations = totals.pop("liquidations")
    return Ledger(
        account=MarginAccount(Decimal(blob["wallet"]), positions),
        terms=terms,
        totals=Totals(**{name: Decimal(amount) for name, amount in totals.items()}, liquidations=liquidations),
        outcomes=dict(blob["outcomes"]),
        # not there in a ledger of an earlier version
        funding_paid={InstrumentId(name): Decimal(paid) for name, paid in blob.get("funding_paid", {}).items()},
        resting={
            id_: Resting(InstrumentId(name), Side(side), Decimal(quantity), Decimal(price), reduce_only is True)
            for id_, (name, side, quantity, price, reduce_only) in blob.get("resting", {}).items()
        },
        events=tuple(
            Event(datetime.fromisoformat(at), InstrumentId(instrument), text) for at, instrument, text in blob["events"]
        ),
    )


def _outcome_to(outcome: Ended) -> list[str]:
    """A short list, since a thousand of them are written with every change: seven texts for a fill, else the reason.

    A second text beside that says that the order had been there.
    """
    if not isinstance(outcome, Fill):
        return [outcome.reason] if isinstance(outcome, Rejected) else [outcome.reason, _CANCELLED]
    numbers = (outcome.quantity, outcome.price, outcome.fee, outcome.slippage)
    return [outcome.instrument, outcome.side.value, *map(str, numbers), outcome.at.isoformat()]


def _outcome_from(client_order_id: str, stored: Sequence[str]) -> Ended:
    if len(stored) == 1:
        return Rejected(client_order_id, stored[0])
    if len(stored) == 2:
        return Cancelled(client_order_id, stored[0])
    instrument, side, quantity, price, fee, slippage, at = stored
    return Fill(
        client_order_id=client_order_id,
        instrument=InstrumentId(instrument),
        side=Side(side),
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Decimal(fee),
        at=datetime.fromisoformat(at),
        slippage=Decimal(slippage),
    )


def _time_to(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def _announced_to(announced: tuple[datetime, Decimal] | None) -> list[str] | None:
    return [announced[0].isoformat(), str(announced[1])] if announced else None
