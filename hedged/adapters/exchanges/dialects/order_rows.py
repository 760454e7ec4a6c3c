"""What the rows of orders are called and how they are read: ids, sides, amounts, fees, pages. Pure but for asking."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeAlias

from hedged.adapters.exchanges.shapes import Fields, Misshapen, Row, Scalar, not_negative, number, text
from hedged.model.order import OrderStatus, Side

PAGES_MAX = 10

_NUMBERED = re.compile(r"[1-9][0-9]{0,39}", re.ASCII)

CAPITALS: Mapping[str, Side] = {"BUY": Side.BUY, "SELL": Side.SELL}


@dataclass(frozen=True, slots=True)
class Names:
    """What the fields of an order's row are called.

    `statuses` and `sides` are the venue's words for how an order stands and what it does.
    """

    client_id: str
    venue_id: str
    market: str
    status: str
    filled: str
    average: str
    statuses: Mapping[str, OrderStatus]
    quantity: str
    price: str
    side: str = "side"
    sides: Mapping[str, Side] = field(default_factory=lambda: CAPITALS)
    venue_id_form: re.Pattern[str] = _NUMBERED


def venue_id(row: Row, name: str, form: re.Pattern[str] = _NUMBERED) -> str:
    """The venue's id of an order, as text: a number unless another form is given. Anything else is `Misshapen`."""
    value = row.get(name)
    if isinstance(value, bool) or not isinstance(value, int | str) or not form.fullmatch(str(value)):
        raise Misshapen(f"{name} is no id")
    return str(value)


def echoed(row: Row, name: str, client_order_id: str) -> None:
    """Raise `Misshapen` unless an acknowledgement repeats our id: one that does not may be another's."""
    if row.get(name) != client_order_id:
        raise Misshapen(f"{name} does not repeat the order's id")


def price_or_none(row: Row, name: str) -> Decimal | None:
    """A price; blank, left out and zero mean that there is none."""
    return None if row.get(name) in (None, "") else not_negative(row, name) or None


def written(value: Decimal) -> str:
    """As digits, without exponent and without zeros at the end; every digit of the value."""
    digits = f"{value:f}"
    return digits.rstrip("0").rstrip(".") if "." in digits else digits


def row_shape(names: Names) -> Fields:
    """What every row of an order must have; the amounts are looked at in our own rows only."""
    return {names.client_id: Scalar.PRESENT, names.venue_id: Scalar.PRESENT, names.market: Scalar.TEXT}


def paid(
    rows: Sequence[Row], filled: Decimal, *, quantity: str, fee: str, asset: str
) -> tuple[Decimal | None, str | None]:
    """The sum of the fees of an order's fills, in the venue's units; None unless the fills are all of it.

    Fees in more than one asset have no sum.
    """
    assets = {text(row, asset) for row in rows}
    if len(assets) != 1 or sum((number(row, quantity) for row in rows), Decimal(0)) != filled:
        return None, None
    return sum((number(row, fee) for row in rows), Decimal(0)), assets.pop()


Page: TypeAlias = Callable[[int], Awaitable[Sequence[Row]]]


def _never(_: Sequence[Row]) -> bool:
    return False


async def every_page(ask: Page, size: int, name: str, last: Callable[[Sequence[Row]], bool] = _never) -> Sequence[Row]:
    """All rows of a list that is asked for by the number of a page of `size` rows, 0 the first; `name`: the id's field.

    `last`: a full page behind which nothing is wanted. An order that ends while the list is read moves those behind it
    up, and one could slip through between two pages. So what is longer than a page is read twice, and counts only if
    nothing has changed.
    """
    rows = await _pages(ask, size, name, last)
    if len(rows) > size or (len(rows) == size and not last(rows)):
        again = await _pages(ask, size, name, last)
        if [row[name] for row in rows] != [row[name] for row in again]:
            raise Misshapen("the list of orders changed while it was read")
    return rows


async def _pages(ask: Page, size: int, name: str, last: Callable[[Sequence[Row]], bool]) -> Sequence[Row]:
    rows: list[Row] = []
    for number_of_page in range(PAGES_MAX):
        page = await ask(number_of_page)
        rows += page
        if len({str(row[name]) for row in rows}) != len(rows):
            raise Misshapen("an order is listed twice")
        if len(page) < size or last(page):
            return rows
    raise Misshapen(f"there are more than {PAGES_MAX} pages of orders")
