"""The truth: a simulated venue that also fills in part, shows orders late, and remembers what it held and when."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field, replace
from decimal import ROUND_FLOOR, Decimal

from hedged.estimate.sizing import order_min
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
    rests: bool = False  # waits in the book at its limit, and is turned down where it would take

    @classmethod
    def of(cls, approved: ApprovedIntent, instrument: Instrument, rest_at: Decimal | None = None) -> Ticket:
        intent, tick = approved.intent, instrument.tick_size
        ticks, rest = divmod(approved.price_limit if rest_at is None else rest_at, tick)
        price = (ticks + (1 if rest and intent.side is Side.SELL else 0)) * tick
        return cls(
            intent.client_order_id,
            instrument.symbol,
            intent.side,
            intent.quantity,
            price,
            intent.reduce_only,
            rests=rest_at is not None,
        )

    @property
    def signed(self) -> Decimal:
        return self.quantity * self.side.sign


@dataclass(frozen=True, slots=True)
class Placed:
    """An order that has arrived, and what it did to the position. `at` is its last change; times in seconds."""

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

    @property
    def open(self) -> Decimal:
        """Contracts, signed, that may still be filled."""
        left = self.ticket.quantity - self.filled if self.status is OrderStatus.OPEN else ZERO
        return left * self.ticket.side.sign

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
        """The order reaches the matching engine. None: it has been there before, and nothing comes of it.

        One that takes fills `share` at once, and the rest is gone; one that rests does so whole.
        """
        self.look(at)
        if ticket.client_order_id in self.placed:
            self.twice.append(ticket.client_order_id)
            return None
        before = self.held(ticket.symbol)
        placed = Placed(ticket, at, OrderStatus.OPEN, ZERO, None, ZERO, before, before, shown_from=shown_from)
        if not ticket.rests:
            placed = self._fill(placed, at, share)
        elif self._would_take(ticket):
            placed = replace(placed, status=OrderStatus.REJECTED, refused="post-only, and it would take")
        self.placed[ticket.client_order_id] = placed
        return placed

    def match(self, at: float, share: Decimal) -> list[Placed]:
        """Fill so much of what rests where the market has come to it; what changed."""
        changed = []
        for client_order_id, placed in self.placed.items():
            if placed.status is OrderStatus.OPEN and self._would_take(placed.ticket):
                self.look(at)
                changed.append(self._fill(placed, at, share))
                self.placed[client_order_id] = changed[-1]
        return changed

    def cancel(self, client_order_id: str) -> None:
        placed = self.placed.get(client_order_id)
        if placed is not None and placed.status is OrderStatus.OPEN:
            self.placed[client_order_id] = replace(placed, status=OrderStatus.CANCELLED)

    @property
    def resting(self) -> list[Placed]:
        return [placed for placed in self.placed.values() if placed.status is OrderStatus.OPEN]

    def _would_take(self, ticket: Ticket) -> bool:
        quote = self.market.quote(ticket.symbol, self._clock.now())
        if quote is None:
            return False
        touch = quote.ask if ticket.side is Side.BUY else quote.bid
        return touch is not None and (ticket.price_limit - touch) * ticket.side.sign >= 0

    def _fill(self, placed: Placed, at: float, share: Decimal) -> Placed:
        ticket, before = placed.ticket, self.held(placed.ticket.symbol)
        instrument, left = self.instrument(ticket.symbol), ticket.quantity - placed.filled
        quantity = left
        if instrument is not None and share < 1:
            lots = (left * share / instrument.lot_size).to_integral_value(ROUND_FLOOR)
            least = instrument.lot_size if ticket.reduce_only else order_min(instrument, ticket.price_limit, ZERO)
            quantity = min(max(lots * instrument.lot_size, least), left)
        order = self.place(
            f"{ticket.client_order_id}/{placed.filled}",
            ticket.symbol,
            ticket.side,
            quantity=quantity,
            price_limit=ticket.price_limit,
            reduce_only=ticket.reduce_only,
        )
        self.look(at)
        filled, after = placed.filled + order.quantity, self.held(ticket.symbol)
        refused = order.rejected if order.rejected is not None and _NOT_WORTH_IT not in order.rejected else None
        if order.rejected is not None:
            status = OrderStatus.REJECTED if refused and not placed.filled else OrderStatus.EXPIRED
        elif filled >= ticket.quantity:
            status = OrderStatus.FILLED
        else:
            status = OrderStatus.OPEN if ticket.rests and not ticket.reduce_only else OrderStatus.CANCELLED
        worth = (placed.price or ZERO) * placed.filled + order.price * order.quantity
        return replace(
            placed,
            at=at,
            status=status,
            filled=filled,
            price=worth / filled if filled else None,
            fee=placed.fee + order.fee,
            before=before,
            after=after,
            refused=refused if status is OrderStatus.REJECTED else None,
        )

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
