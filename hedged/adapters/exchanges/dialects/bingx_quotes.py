"""BingX's bulk replies of marks and books as quotes."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from hedged.adapters.exchanges.dialects.base import Connection
from hedged.adapters.exchanges.shapes import Row, moment, number, positive, positive_or_none
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.snapshot import Quote, Read

_EPOCH_MIN = 10**12  # milliseconds; a smaller `nextFundingTime` is no date (the venue's pages also call it a duration)


def told(row: Row, name: str, arrived: datetime) -> datetime:
    """A time that the venue may leave out or write as 0: then that of the answer's arrival."""
    return moment(row, name) if name in row and number(row, name) else arrived


async def quotes_of(
    connection: Connection, wanted: Mapping[str, Instrument], kind: str, ask_marks: Any, ask_books: Any
) -> dict[InstrumentId, Read[Quote]]:
    """Every contract of a kind is in one reply: whoever asks for others of it meanwhile shares that."""
    if not wanted:
        return {}
    (marks, arrived), books = await asyncio.gather(
        connection.shared.ask(f"{kind} marks", lambda: connection.timed(ask_marks())),
        connection.shared.ask(f"{kind} books", ask_books),
    )
    book_of = {row["symbol"]: row for row in books["data"] if row["symbol"] in wanted}
    as_of = told(marks, "timestamp", arrived)
    return {
        wanted[row["symbol"]].id: Read(_quote(row, book_of.get(row["symbol"])), as_of)
        for row in marks["data"]
        if row["symbol"] in wanted
    }


def _quote(mark: Row, book: Row | None) -> Quote:
    """One row of each bulk reply. `updateTime` is the last funding's, not the mark's."""
    bid = positive_or_none(book, "bidPrice") if book else None
    ask = positive_or_none(book, "askPrice") if book else None
    if bid is not None and ask is not None and bid > ask:
        bid = ask = None  # a crossed book is torn
    return Quote(
        mark=positive(mark, "markPrice"),
        bid=bid,
        ask=ask,
        index=positive_or_none(mark, "indexPrice"),
        funding_rate=number(mark, "lastFundingRate"),
        funding_interval_hours=positive(mark, "fundingIntervalHours") if "fundingIntervalHours" in mark else None,
        funding_next=moment(mark, "nextFundingTime") if number(mark, "nextFundingTime") >= _EPOCH_MIN else None,
    )
