"""The envelope, pages and blank fields of Bybit's v5 replies. Pure but for asking for the next page."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.shapes import Fields, Misshapen, Record, Row, Rows, Scalar, not_negative, number

_PAGES_MAX = 20


def envelope(fields: Fields) -> Record:
    """What every reply has around its `result`, the venue's time included."""
    return Record({"retCode": Scalar.NUMBER, "result": Record(fields), "time": Scalar.NUMBER})


def paged(fields: Fields, name: str = "list") -> Record:
    """A reply that comes in pages; an empty page is the venue's way to say that there are none."""
    return envelope({name: Rows(fields), "nextPageCursor": Scalar.PRESENT})


async def all_pages(
    ask: Callable[[Mapping[str, Any]], Awaitable[Row]], request: Mapping[str, Any], name: str = "list"
) -> list[Row]:
    """The rows of every page. Raises `Misshapen` rather than leave any out.

    A cursor is followed also behind a page that is not full: the venue does not promise that it was the last. A page
    that comes again (rows have ids, so no two are alike) is the venue's last one.
    """
    rows: list[Row] = []
    page: list[Row] = []
    cursor = ""
    for _ in range(_PAGES_MAX):
        result = (await ask({**request, "cursor": cursor} if cursor else request))["result"]
        page, before = result[name], page
        if not page or page == before:
            return rows
        rows += page
        cursor = result["nextPageCursor"]
        if not isinstance(cursor, str):
            raise Misshapen("nextPageCursor is not text")
        if not cursor:
            return rows
    raise Misshapen(f"more than {_PAGES_MAX} pages")


def number_or_none(row: Row, name: str) -> Decimal | None:
    """None where the venue leaves the field out or blank, which is how it says that it has none."""
    return None if row.get(name, "") == "" else number(row, name)


def price_or_none(row: Row, name: str) -> Decimal | None:
    """A price; blank and `0` both mean that there is none."""
    return None if row.get(name, "") == "" else not_negative(row, name) or None
