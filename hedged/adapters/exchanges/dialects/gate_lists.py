"""Gate's accounts of contracts, their positions, and lists that come in pages: what there is of them, all of it."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping, Sequence
from datetime import datetime
from typing import Any

from hedged.adapters.exchanges.dialects.base import Connection
from hedged.adapters.exchanges.dialects.gate_shapes import SEGMENTS, NoSuchAccount, Segment
from hedged.adapters.exchanges.shapes import Misshapen, Row

_PAGE = 100  # rows of a list that the venue gives in pages
_PAGES_MAX = 10


def is_testnet(connection: Connection) -> bool:
    return bool(connection.exchange.options.get("sandboxMode"))


def segments_of(connection: Connection) -> Sequence[Segment]:
    return SEGMENTS[:1] if is_testnet(connection) else SEGMENTS


async def read_account(connection: Connection, segment: Segment) -> Row | None:
    """One segment's account; None: it was never used, and the venue has none."""
    try:
        row: Row = await segment.ask(connection.exchange, "Accounts")({"settle": segment.settle})
    except NoSuchAccount:
        return None
    return row


async def read_positions(connection: Connection, segment: Segment) -> tuple[list[Row], datetime]:
    """Open positions. Delivery accounts list all contracts ever traded, and know no pages."""
    positions, settle = segment.ask(connection.exchange, "Positions"), {"settle": segment.settle}

    def ask(page: Mapping[str, Any]) -> Awaitable[list[Row]]:
        found: Awaitable[list[Row]] = positions({**settle, "holding": "true", **page})
        return found

    try:
        if segment.dated:
            return await connection.timed(positions(settle))
        return await read_pages(connection, ask, offset=True)
    except NoSuchAccount:
        return [], connection.clock.now()


async def read_pages(connection: Connection, ask: Any, *, offset: bool = False) -> tuple[list[Row], datetime]:
    """All rows of a list that comes in pages, and when the first arrived. Raises `Misshapen` for one without an end."""
    rows: list[Row] = []
    first: datetime | None = None
    for page in range(_PAGES_MAX):
        position = {"offset": len(rows)} if offset else {"page": page + 1}
        found, arrived = await connection.timed(ask({"limit": _PAGE, **position}))
        rows, first = [*rows, *found], first or arrived
        if len(found) < _PAGE:
            return rows, first
    raise Misshapen(f"more than {_PAGES_MAX * _PAGE} rows")
