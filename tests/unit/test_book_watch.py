"""Orders of somebody else that rest in a book: told once each, and never touched."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
import structlog

from hedged.adapters.store.memory import MemoryStore
from hedged.app import App, Exchanges
from hedged.daemon.book_watch import EVERY_CYCLES, BookWatch
from hedged.errors import Unreachable, VenueError
from hedged.model.instrument import InstrumentId
from hedged.model.order import Cancelled, OpenOrder, Side, Working
from hedged.model.policy import World
from tests.build import hedge, policy
from tests.fakes import BrokenStore, FakeVenue, wire
from tests.store_samples import ETH, intent
from tests.support import T0, HandClock, ManualClock

D = Decimal
MINUTE = timedelta(minutes=1)
PRICE = D(2900)
OURS = f"hd{7:024x}"


def order(number: int, client_order_id: str | None = None, price: Decimal | None = PRICE) -> OpenOrder:
    return OpenOrder(client_order_id, f"v{number}", Side.BUY, D(3), D(1), price)


class Book:
    """What rests in it; with `then` another answer for the second look."""

    def __init__(self, *orders: OpenOrder) -> None:
        self.orders = list(orders)
        self.then: list[OpenOrder] | None = None
        self.fails: VenueError | None = None
        self.asked: list[InstrumentId] = []

    async def open_orders(self, instrument: InstrumentId) -> tuple[OpenOrder, ...]:
        self.asked.append(instrument)
        if self.fails is not None:
            raise self.fails
        found = tuple(self.orders)
        if self.then is not None:
            self.orders, self.then = self.then, None
        return found


@pytest.fixture
async def store() -> BrokenStore:
    kept = BrokenStore()
    await kept.open("test", World.SIMULATED, T0)
    return kept


def watch(book: Book, store: MemoryStore) -> BookWatch:
    traded = [ETH, InstrumentId("broker:ETH/USD:USD")]
    return BookWatch({"main": book}, traded, store, ManualClock(), MINUTE)


async def told(books: BookWatch) -> list[str]:
    await books.look()
    return [finding.text for finding in books.findings()]


async def test_an_order_of_somebody_else_is_told_once(store: BrokenStore) -> None:
    """With what is left of it; the next one is told by itself; of accounts without a book nobody is asked."""
    book = Book(order(1))
    books = watch(book, store)
    (text,) = await told(books)
    assert text.startswith(f"{ETH}: orders rest in its book that are not hedged's: buy 2 at 2900 (")
    assert await told(books) == []
    book.orders.append(order(2, price=None))
    (text,) = await told(books)
    assert "buy 2 (the exchange's id v2)" in text
    assert set(book.asked) == {ETH}


async def test_ours_are_ours(store: BrokenStore) -> None:
    """As long as the journal knows them as open, whatever it knows of them besides."""
    await store.plan("c", [intent(OURS)], T0)
    books = watch(Book(order(1, OURS)), store)
    assert await told(books) == []
    await store.mark_sent(OURS, T0)
    assert await told(books) == []
    await store.record_outcome(Working(OURS, "v1"), T0)
    assert await told(books) == []


async def test_one_of_ours_that_should_have_ended_is_looked_at_twice(store: BrokenStore) -> None:
    """It may have come to its end between the two questions; what still rests after that is told by its id."""
    await store.plan("c", [intent(OURS)], T0)
    await store.mark_sent(OURS, T0)
    await store.record_outcome(Cancelled(OURS, "taken back"), T0)
    book = Book(order(1, OURS))
    book.then = []
    books = watch(book, store)
    assert await told(books) == []
    book.orders = [order(1, OURS)]
    (text,) = await told(books)
    assert f"with hedged's id {OURS}, which this journal does not know as open" in text


async def test_what_cannot_be_read_says_nothing(store: BrokenStore) -> None:
    """Neither that there is none nor that there is one; logged once until it can be read again."""
    book = Book(order(1))
    books = watch(book, store)
    with structlog.testing.capture_logs() as lines:
        book.fails = Unreachable("main", "open orders", "time-out")
        assert await told(books) == await told(books) == []
        book.fails = None
        store.broken = {"open_orders"}
        assert await told(books) == []
    assert [line["event"] for line in lines] == ["nobody knows what rests in the book"]
    store.broken = set()
    assert len(await told(books)) == 1


async def test_it_looks_at_the_start_and_every_tenth_cycle(store: BrokenStore) -> None:
    """No request more than that."""
    book, clock = Book(), HandClock()
    task = asyncio.create_task(BookWatch({"main": book}, [ETH], store, clock, MINUTE).run())
    try:
        await clock.move(1)
        assert len(book.asked) == 1
        await clock.move(EVERY_CYCLES * 60 - 2)
        assert len(book.asked) == 1
        await clock.move(2)
        assert len(book.asked) == 2
    finally:
        task.cancel()


async def test_the_next_cycle_tells_it() -> None:
    """As an order of somebody else on that contract."""
    clock = ManualClock()
    portfolio = await wire(policy(hedge("ETH")), clock, FakeVenue(clock))
    books = BookWatch({"main": Book(order(1))}, [ETH], portfolio.store, clock, MINUTE)
    app = App(portfolio, [], [], [], None, Exchanges(), books=books)
    await books.look()
    report = await app.cycle(clock.now(), ())
    assert f"foreign_order/{ETH}" in {message.key for message in report.messages}
