"""The rules of a look-up that hold for every venue, without one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, ClassVar

import pytest

from hedged.adapters.exchanges.dialects.order_rows import PAGES_MAX, Names, every_page, paid, venue_id, written
from hedged.adapters.exchanges.dialects.orders import (
    MarketKey,
    NoSuchOrder,
    OrderDialect,
    OrderKey,
    Place,
    Ticket,
    codes,
)
from hedged.adapters.exchanges.shapes import Misshapen, Row
from hedged.errors import Unreachable
from hedged.model.order import Found, OpenOrder, OrderStatus, Side
from tests.build import perp

D = Decimal
OURS = "hd" + "0" * 24
KEY = OrderKey("ETHUSDT", perp(), OURS)
ROW: dict[str, Any] = {"cid": OURS, "id": 7, "symbol": "ETHUSDT", "state": "done", "filled": "2", "average": "3000"}
NO_SUCH = NoSuchOrder("main", "order by id", "no")
NO_ANSWER = Unreachable("main", "open orders", "no answer")


class Shown(OrderDialect):
    """A venue whose places hold these rows, or raise."""

    exchange: ClassVar[str] = "none"
    endpoints: ClassVar[Mapping[tuple[str, str], Any]] = {}
    complaints: ClassVar[Mapping[str, Any]] = codes({})
    names: ClassVar[Names] = Names(
        *("cid", "id", "symbol", "state", "filled", "average"),
        {"done": OrderStatus.FILLED, "new": OrderStatus.OPEN},
        *("size", "price"),
    )

    def __init__(self, *shown: Sequence[Row] | Exception, exact: bool = False) -> None:
        super().__init__()
        self.shown, self.exact, self.read = shown, exact, 0

    async def place(self, exchange: Any, ticket: Ticket) -> str:
        raise NotImplementedError

    def places(self, exchange: Any, key: OrderKey, now: int) -> Iterable[Place]:
        async def ask(what: Sequence[Row] | Exception) -> Sequence[Row]:
            self.read += 1
            if isinstance(what, Exception):
                raise what
            return what

        return [Place(lambda what=what: ask(what), exact=self.exact) for what in self.shown]  # type: ignore[misc]

    async def waiting(self, exchange: Any, market: MarketKey) -> Sequence[Row]:
        (rows,) = self.shown
        assert not isinstance(rows, Exception)
        return rows

    async def cancel(self, exchange: Any, key: OrderKey) -> None:
        raise NotImplementedError

    async def fee(self, exchange: Any, key: OrderKey, row: Row) -> tuple[Decimal | None, str | None]:
        return D("0.5"), "USDT"


def find(*shown: Sequence[Row] | Exception, exact: bool = False) -> Found | None:
    return asyncio.run(Shown(*shown, exact=exact).find(None, KEY, 0))


RIGHT = Found(OURS, "7", OrderStatus.FILLED, D(2), D(3000), D("0.5"), "USDT")


def test_an_order_is_found_wherever_it_is() -> None:
    """In the first place or the last, also behind a place that says no or nothing; who is found is not sought on."""
    assert find([ROW]) == RIGHT
    assert find([], NO_SUCH, [{**ROW, "cid": "another"}, ROW]) == RIGHT
    assert find(NO_ANSWER, [ROW]) == RIGHT
    dialect = Shown([ROW], NO_ANSWER)
    assert asyncio.run(dialect.find(None, KEY, 0)) == RIGHT
    assert dialect.read == 1


def test_an_order_is_absent_only_if_every_place_was_read() -> None:
    """Empty, another's, or 'no such order' everywhere: None; one place that was not read: its error."""
    assert find([], NO_SUCH, [{**ROW, "cid": "another"}, {**ROW, "cid": ""}]) is None
    for places in ((NO_ANSWER, [], []), ([], [], NO_ANSWER), (NO_SUCH, NO_ANSWER)):
        with pytest.raises(Unreachable):
            find(*places)


@pytest.mark.parametrize(
    "rows",
    [
        [{**ROW, "symbol": "BTCUSDT"}],  # our id in another market
        [ROW, {**ROW, "id": 8}],  # twice
        [{**ROW, "cid": None}],  # whose?
        [{**ROW, "state": "what"}],
        [{**ROW, "filled": "0"}],  # filled, and nothing is
        [{**ROW, "filled": "-1"}],
        [{**ROW, "filled": "NaN"}],
        [{**ROW, "filled": ""}],
        [{**ROW, "average": "-3000"}],
        [{**ROW, "id": ""}],
        [{**ROW, "id": 0}],
        [{**ROW, "id": True}],
    ],
)
def test_a_row_that_cannot_be_ours_or_be_right_is_an_error(rows: list[Row]) -> None:
    """What contradicts itself is neither found nor absent."""
    with pytest.raises(Misshapen):
        find(rows)


def test_a_place_that_is_asked_by_our_id_shows_ours_or_nothing() -> None:
    """Another order in answer to our id is garbage, not 'absent'."""
    with pytest.raises(Misshapen, match="another order"):
        find([{**ROW, "cid": "another"}], exact=True)
    assert find([], exact=True) is None


def test_an_open_order_that_is_not_filled_has_no_price_and_no_fee() -> None:
    """None is not zero."""
    found = find([{**ROW, "state": "new", "filled": "0", "average": "0"}])
    assert found == Found(OURS, "7", OrderStatus.OPEN, D(0))
    assert found is not None
    assert not found.ended


def test_a_fee_is_the_sum_of_fills_that_are_all_of_the_order() -> None:
    """Fills that lack a part, or fees in two assets, have no sum."""
    fills = [{"q": "1", "f": "0.2", "a": "USDT"}, {"q": "1", "f": "-0.1", "a": "USDT"}]
    assert paid(fills, D(2), quantity="q", fee="f", asset="a") == (D("0.1"), "USDT")
    assert paid(fills, D(3), quantity="q", fee="f", asset="a") == (None, None)
    assert paid([], D(2), quantity="q", fee="f", asset="a") == (None, None)
    assert paid([fills[0], {**fills[1], "a": "BNB"}], D(2), quantity="q", fee="f", asset="a") == (None, None)


@pytest.mark.parametrize(
    ("value", "digits"), [("1E+2", "100"), ("0.10", "0.1"), ("100", "100"), ("1e-8", "0.00000001")]
)
def test_numbers_are_written_with_all_their_digits(value: str, digits: str) -> None:
    """No exponent, no digit lost, no zero at the end behind the point."""
    assert written(D(value)) == digits


def test_a_venues_id_keeps_all_its_digits() -> None:
    """As a number or as text; beyond what a float holds."""
    assert venue_id({"id": 1809841379603398656}, "id") == venue_id({"id": "1809841379603398656"}, "id")
    for bad in ("", "0", "null", "0x10", "1e9", "-5", "٣", 1.5, None, True, [1]):
        with pytest.raises(Misshapen):
            venue_id({"id": bad}, "id")


WAITING: dict[str, Any] = {**ROW, "state": "new", "filled": "0.5", "side": "SELL", "size": "2", "price": "3010"}


def waiting(*rows: Row) -> tuple[OpenOrder, ...]:
    return asyncio.run(Shown(rows).open_orders(None, KEY))


def test_open_orders_are_ours_by_their_id_and_all_the_others_are_not() -> None:
    """An id that is not of our form, or blank, is somebody else's; what has just ended does not wait any more."""
    by_hand = {**WAITING, "cid": "", "id": 8, "side": "BUY", "price": "0", "filled": "0"}
    another = {**WAITING, "cid": f"{OURS}0", "id": 9}
    assert waiting(WAITING, by_hand, another, {**ROW, "id": 10}) == (
        OpenOrder(OURS, "7", Side.SELL, D(2), D("0.5"), D(3010)),
        OpenOrder(None, "8", Side.BUY, D(2), D(0), None),
        OpenOrder(None, "9", Side.SELL, D(2), D("0.5"), D(3010)),
    )


@pytest.mark.parametrize(
    "rows",
    [
        [WAITING, WAITING],
        [{**WAITING, "symbol": "BTCUSDT"}],
        [{**WAITING, "cid": None}],
        [{**WAITING, "id": "x"}],
        [{**WAITING, "side": "LONG"}],
        [{**WAITING, "size": "-2"}],
        [{**WAITING, "filled": ""}],
        [{**WAITING, "price": "NaN"}],
    ],
)
def test_open_orders_are_all_or_nothing(rows: list[Row]) -> None:
    """A row that cannot be right makes the list an error, and is never left out of it."""
    with pytest.raises(Misshapen):
        waiting(*rows)


class Book:
    """Orders 1 to `count` in pages of two; before the request of that number order 1 ends."""

    def __init__(self, count: int, ends_before: int | None = None, *, pages: bool = True) -> None:
        self.rows, self.asked, self.ends_before, self.pages = list(range(1, count + 1)), 0, ends_before, pages

    async def ask(self, page: int) -> list[Row]:
        self.asked += 1
        if self.asked == self.ends_before:
            self.rows.remove(1)
        start = 2 * page if self.pages else 0
        return [{"id": each} for each in self.rows[start : start + 2]]


def read(book: Book) -> list[int]:
    return [row["id"] for row in asyncio.run(every_page(book.ask, 2, "id"))]


def test_a_list_of_pages_is_read_to_its_end() -> None:
    """A page that is not full is the last; one page is read once, more are read twice."""
    for count, asked in ((0, 1), (1, 1), (2, 4), (3, 4), (5, 6)):
        book = Book(count)
        assert read(book) == list(range(1, count + 1))
        assert book.asked == asked


@pytest.mark.parametrize(
    "book",
    [
        Book(5, 2),  # order 3 moves up to the first page while the second is read
        Book(5, 3),
        Book(5, 4),  # between the two readings
        Book(5, pages=False),  # the venue does not know of pages, and shows the first one again
        Book(2 * PAGES_MAX),
    ],
)
def test_a_list_that_changes_or_does_not_end_is_an_error(book: Book) -> None:
    """No order may slip through between two pages."""
    with pytest.raises(Misshapen):
        read(book)
