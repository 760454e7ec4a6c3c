"""A price that jumps is read again before an order rests on it: one wrong figure is common, two alike are the market.

Said of the mark of a contract that is traded, and of the prices of the coins that say how much of it.

A crash costs one cycle: once a second reading has confirmed it, it may go on about as fast as it began. A market that
goes up and down costs two: the third reading is believed wherever it lies, unless it is further off than anything
before and no book confirms it. And a mark that was last believed minutes ago is no measure any more, so that nothing
is ever held up for longer than that.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TypeVar

from hedged.model.finding import Exposure
from hedged.model.guard import MarkSeen
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Quote, Read, Snapshot

COMPARED_FOR = timedelta(minutes=5)
"""How long a mark says where the next one may be."""

PACE_MAX = 2
"""Times as fast as before a crash may go on and be believed at once; as wide as before a market may swing."""

_PATIENCE = 2  # readings in a row that are refused, whatever the market does

PRICE_JUMP = Decimal("0.1")
"""How far a coin's price may move from one reading to the next and be believed at once, a fraction."""

Name = TypeVar("Name", bound=str)


UNCONFIRMED = "which a second reading has to confirm"
"""How the refusal of an order ends that waits for one: the daemon then reads again soon, however long its interval."""


def marks_after(
    before: Mapping[InstrumentId, MarkSeen], snapshot: Snapshot, collar: Decimal
) -> dict[InstrumentId, MarkSeen]:
    """What is believed of marks after a look. `collar`: the furthest from the last that one is believed at once.

    One that was not read stays as it was, for as long as it says something.
    """
    quotes = {name: leg for name, leg in snapshot.quotes.items() if isinstance(leg, Read)}
    read = {name: Read(leg.value.mark, leg.as_of) for name, leg in quotes.items()}
    confirmed = {name for name, leg in quotes.items() if book_agrees(leg.value, collar)}
    return _believed(before, read, snapshot.now, collar, confirmed)


def book_agrees(quote: Quote, collar: Decimal) -> bool:
    """Whether both sides of the book, read by themselves, lie within `collar` of the mark."""
    prices = (quote.mark, quote.bid, quote.ask)
    known = [price for price in prices if price is not None and price.is_finite() and price > 0]
    return len(known) == len(prices) and all(abs(price / quote.mark - 1) <= collar for price in known)


def prices_after(before: Mapping[str, MarkSeen], snapshot: Snapshot) -> dict[str, MarkSeen]:
    """The same of the prices of coins, by asset."""
    read = {asset: leg for asset, leg in snapshot.prices.items() if isinstance(leg, Read)}
    return _believed(before, read, snapshot.now, PRICE_JUMP)


def price_jumps(
    exposures: Iterable[Exposure], snapshot: Snapshot, believed: Mapping[str, Decimal], aliases: Mapping[str, str]
) -> dict[str, str]:
    """By hedge, why its size may be wrong: the price of a coin that it covers jumped, and nobody has confirmed it.

    An alias of the coin has a price that says how much of it there is.
    """
    found: dict[str, str] = {}
    hedge_of = {exposure.asset: exposure.hedge for exposure in exposures}
    for asset in (*hedge_of, *aliases):
        hedge = hedge_of.get(aliases.get(asset, asset))
        price, last = snapshot.prices.get(asset), believed.get(asset)
        if hedge is None or last is None or not isinstance(price, Read) or price.value == last:
            continue
        away = price.value / last - 1
        found.setdefault(
            hedge,
            f"the price of {asset} jumped by {away:+.2%} from {last:f} to {price.value:f}, {UNCONFIRMED}",
        )
    return found


def _believed(
    before: Mapping[Name, MarkSeen],
    read: Mapping[Name, Read[Decimal]],
    now: datetime,
    collar: Decimal,
    confirmed: Collection[Name] = (),
) -> dict[Name, MarkSeen]:
    after = {name: seen for name, seen in before.items() if abs(now - seen.at) <= COMPARED_FOR}
    for name, leg in read.items():
        if leg.value.is_finite() and leg.value > 0:
            after[name] = _after(after.get(name), leg.value, leg.as_of, collar, confirmed=name in confirmed)
    return after


def _after(seen: MarkSeen | None, mark: Decimal, at: datetime, collar: Decimal, *, confirmed: bool) -> MarkSeen:
    """`confirmed`: by a book. That may be as wrong as the mark is, and is asked only where readings contradict."""
    if seen is None or abs(at - seen.at) > COMPARED_FOR:
        return MarkSeen(mark, at)
    moved = abs(mark / seen.price - 1)
    if moved <= max(collar, PACE_MAX * seen.pace):
        return MarkSeen(mark, at, pace=moved if moved > collar else Decimal(0))
    if at <= (seen.jumped_at or seen.at):
        return seen  # the same reading once more
    last = seen.price if seen.jumped_to is None else seen.jumped_to
    step = _step(last, mark)
    same_way = seen.jumped_to is not None and (seen.jumped_to > seen.price) is (mark > seen.price)
    patient = seen.refused < _PATIENCE
    if (same_way or not patient) and step <= max(collar, PACE_MAX * seen.swing):
        return MarkSeen(mark, at, pace=max(seen.swing, step))
    if not patient and confirmed:
        return MarkSeen(mark, at, pace=step)
    return replace(seen, jumped_to=mark, jumped_at=at, swing=max(seen.swing, step), refused=seen.refused + 1)


def _step(one: Decimal, other: Decimal) -> Decimal:
    """From the lower to the higher: there and back are as far."""
    return max(one / other, other / one) - 1
