"""The truth: a simulated venue that also fills in part, shows orders late, and remembers what it held and when."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from decimal import ROUND_FLOOR, Decimal

from hedged.model.instrument import Instrument, instrument_id
from hedged.model.order import ApprovedIntent, Found, OrderStatus, Side
from hedged.simulation.coins import QUOTE, list_instruments
from hedged.simulation.venue import SimulatedVenue

ZERO = Decimal(0)
_NOT_WORTH_IT = "would be worse than the limit"


@dataclass(frozen=True, slots=True)
class Ticket:
    """An order as it leaves the machine."""

    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price_limit: Decimal
    reduce_only: bool

    @classmethod
    def of(cls, approved: ApprovedIntent, instrument: Instrument) -> Ticket:
        intent, tick = approved.intent, instrument.tick_size
        ticks, rest = divmod(approved.price_limit, tick)
        price = (ticks + (1 if rest and intent.side is Side.SELL else 0)) * tick
        return cls(
            intent.client_order_id, instrument.symbol, intent.side, intent.quantity, price, intent.reduce_only
        )

    @property
    def signed(self) -> Decimal:
        return self.quantity * self.side.sign


@dataclass(frozen=True, slots=True)
class Placed:
    """An order that has arrived, and what it did to the position. `at` and `shown_from` in seconds."""

    ticket: Ticket
    at: float
    status: OrderStatus
    filled: Decimal
    price: Decimal | None
    fee: Decimal
    before: Decimal
    after: Decimal
    refused: str | None = None  # the venue's reason; it then counts as never placed
    shown_from: float = 0.0

    def found(self) -> Found:
        return Found(
            client_order_id=self.ticket.client_order_id,
            venue_order_id=f"v{self.ticket.client_order_id[2:14]}",
            status=self.status,
            filled=self.filled,
            average_price=self.price,
            fee=self.fee,
            fee_asset=QUOTE,
        )


@dataclass(slots=True)
class Course:
    """A quantity over time: what it was at every moment. `at` in seconds, rising."""

    at: list[float] = field(default_factory=list)
    values: list[Decimal] = field(default_factory=list)

    def note(self, at: float, value: Decimal) -> None:
        if not self.values or self.values[-1] != value:
            self.at.append(at)
            self.values.append(value)

    def during(self, start: float, end: float) -> set[Decimal]:
        """Every value that it had at some time in start ≤ t ≤ end; zero before the first."""
        first = bisect_left(self.at, start)
        held = {value for at, value in zip(self.at[first:], self.values[first:], strict=True) if at <= end}
        held.add(self.values[first - 1] if first else ZERO)
        return held


class TrialVenue(SimulatedVenue):
    """`SimulatedVenue` with orders that a live gateway looks up, and a memory for those who judge."""

    def begin(self) -> None:
        self.placed: dict[str, Placed] = {}
        self.courses: dict[str, Course] = {}  # symbol → signed contracts; "spot/ASSET" → coins
        self.twice: list[str] = []  # ids that arrived again

    def instrument(self, symbol: str) -> Instrument | None:
        listed = list_instruments(self.account, self._clock.now())
        return next((each for each in listed if each.symbol == symbol), None)

    def held(self, symbol: str) -> Decimal:
        """Signed contracts now."""
        return self._margin.contracts(instrument_id(self.account, symbol))

    def coins(self, asset: str) -> Decimal:
        balance = self._wallets["spot"].get(asset)
        return balance.net if balance is not None else ZERO

    def margin_ratio(self) -> Decimal | None:
        """Maintenance over equity; None without a position."""
        if not self._margin.positions:
            return None
        marks = self._marks(self._clock.now())
        equity = self._margin.equity(marks)
        maintenance = self._margin.maintenance(marks, self._tiers(self._margin))
        return maintenance / equity if equity > 0 else Decimal(99)

    def look(self, at: float) -> None:
        """Live up to now, and note what is held."""
        self._live()
        for instrument, position in self._margin.positions.items():
            self.courses.setdefault(instrument.partition(":")[2], Course()).note(at, position.contracts)
        for name, course in self.courses.items():
            if not name.startswith("spot/") and course.values[-1] and not self.held(name):
                course.note(at, ZERO)
        for asset in self._wallets["spot"]:
            self.courses.setdefault(f"spot/{asset}", Course()).note(at, self.coins(asset))

    def arrive(self, ticket: Ticket, at: float, *, share: Decimal, shown_from: float) -> Placed | None:
        """The order reaches the matching engine: `share` of it is filled at once, the rest is gone. None: a repeat."""
        self.look(at)
        if ticket.client_order_id in self.placed:
            self.twice.append(ticket.client_order_id)
            return None
        before = self.held(ticket.symbol)
        instrument = self.instrument(ticket.symbol)
        quantity = ticket.quantity
        if instrument is not None and share < 1:
            lots = (quantity * share / instrument.lot_size).to_integral_value(ROUND_FLOOR)
            least = instrument.lot_size if ticket.reduce_only else instrument.quantity_min
            quantity = max(lots * instrument.lot_size, least)
        order = self.place(
            ticket.client_order_id,
            ticket.symbol,
            ticket.side,
            quantity=min(quantity, ticket.quantity),
            price_limit=ticket.price_limit,
            reduce_only=ticket.reduce_only,
        )
        self.look(at)
        after = self.held(ticket.symbol)
        refused = order.rejected if order.rejected is not None and _NOT_WORTH_IT not in order.rejected else None
        status = OrderStatus.FILLED
        if order.rejected is not None:
            status = OrderStatus.REJECTED if refused else OrderStatus.EXPIRED
        elif order.quantity < ticket.quantity:
            status = OrderStatus.CANCELLED
        placed = Placed(
            ticket=ticket,
            at=at,
            status=status,
            filled=order.quantity,
            price=order.price if order.quantity else None,
            fee=order.fee,
            before=before,
            after=after,
            refused=refused,
            shown_from=shown_from,
        )
        self.placed[ticket.client_order_id] = placed
        return placed

    def find(self, client_order_id: str, at: float) -> Found | None:
        placed = self.placed.get(client_order_id)
        if placed is None or placed.refused is not None or placed.shown_from > at:
            return None
        return placed.found()

    def liquidate(self, at: float) -> None:
        """A squeeze between two minutes: the venue closes everything."""
        self.look(at)
        if self._margin.positions:
            now = self._clock.now()
            self._liquidate(now, self._marks(now))
        self.look(at)
