"""A mark that jumps is read again before an order rests on it: one wrong figure is common, two alike are the market.

In a crash this costs one cycle, whatever the market does in between; and a mark that was last believed minutes ago is
no measure any more, so that nothing is held up for longer than that.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from hedged.model.guard import MarkSeen
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Read, Snapshot

COMPARED_FOR = timedelta(minutes=5)
"""How long a mark says where the next one may be."""


def marks_after(
    before: Mapping[InstrumentId, MarkSeen], snapshot: Snapshot, collar: Decimal
) -> dict[InstrumentId, MarkSeen]:
    """What is believed after a look. `collar`: the furthest from the last that a mark is believed at once, a fraction.

    One that was not read stays as it was, for as long as it says something.
    """
    after = {name: seen for name, seen in before.items() if abs(snapshot.now - seen.at) <= COMPARED_FOR}
    for name, leg in snapshot.quotes.items():
        if isinstance(leg, Read) and leg.value.mark.is_finite() and leg.value.mark > 0:
            after[name] = _after(after.get(name), leg.value.mark, leg.as_of, collar)
    return after


def _after(seen: MarkSeen | None, mark: Decimal, at: datetime, collar: Decimal) -> MarkSeen:
    if seen is None or abs(at - seen.at) > COMPARED_FOR or abs(mark / seen.price - 1) <= collar:
        return MarkSeen(mark, at)
    if at <= (seen.jumped_at or seen.at):
        return seen  # the same reading once more
    if seen.jumped_to is not None and _agree(seen.price, seen.jumped_to, mark, collar):
        return MarkSeen(mark, at)
    return MarkSeen(seen.price, seen.at, jumped_to=mark, jumped_at=at)


def _agree(price: Decimal, first: Decimal, second: Decimal, collar: Decimal) -> bool:
    """Whether two readings in a row left `price` the same way; a crash that goes on may go on as fast as it began."""
    same_way = (first > price) is (second > price)
    return same_way and abs(second / first - 1) <= max(collar, abs(first / price - 1))
