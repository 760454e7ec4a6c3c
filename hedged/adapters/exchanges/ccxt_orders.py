"""One account's orders at an exchange, through ccxt behind a guard that lets nothing but orders and look-ups through.

The line for orders is its own from end to end: instance, connections, rate limit. An order never waits behind polling,
and what reads cannot trade. Only what `hedged.decide.gate` has approved gets in, once, as a limit order that does not
wait in the book (IOC), or as one that only ever waits there (post-only); never as a market order.

What comes back is one of three, and which of them is decided by what is *known*, not by what is likely:

    Accepted   the venue repeats our id and gives its own
    Rejected   nothing was sent; or the venue refused by a code on the white list, and a look-up found no such order,
               or shows it as refused
    Unknown    everything else: to be looked up by its id before anything else trades there
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import aiohttp

from hedged.adapters.exchanges.ccxt_account import CcxtVenue, connect, find_dialect, instance
from hedged.adapters.exchanges.dialects import order_dialects
from hedged.adapters.exchanges.dialects.base import Markets
from hedged.adapters.exchanges.dialects.orders import (
    CLIENT_ID,
    Countdown,
    Duplicate,
    MarketKey,
    NotLetIn,
    NotPlaced,
    OrderDialect,
    OrderKey,
    Ticket,
)
from hedged.adapters.exchanges.guard import ClockSkew, NotAllowed, Resting, departures, reading
from hedged.adapters.exchanges.limiter import Meter
from hedged.adapters.exchanges.shapes import Misshapen
from hedged.errors import ConfigurationError, VenueError
from hedged.model.instrument import InstrumentId
from hedged.model.order import Absent, Accepted, ApprovedIntent, Found, OpenOrder, OrderStatus, Rejected, Side, Unknown
from hedged.ports import Clock

T = TypeVar("T")

MEASURE_CLOCK_EVERY = 600.0  # seconds


class CcxtOrders:
    """Writing calls of one account. Every method is bounded in time; those about one order never raise.

    A cancelled call leaves its caller knowing nothing: the order may have been placed, and has to be looked up.
    """

    def __init__(
        self,
        account: str,
        exchange: Any,  # ccxt's, behind a guard of its own
        dialect: OrderDialect,
        markets: Callable[[], Awaitable[Markets]],
        errors: Any,  # ccxt.base.errors
        *,
        clock: Clock,
        session: aiohttp.ClientSession,
        time_limit: float,
        meter: Meter | None = None,
    ) -> None:
        self.account = account
        self._exchange = exchange
        self._dialect = dialect
        self._markets = markets
        self._errors = errors
        self._clock = clock
        self._session = session
        self._time_limit = time_limit
        self._meter = meter or Meter()
        self._measured_at: float | None = None  # monotonic; None: the venue's time is not known

    @property
    def valid_for(self) -> float:
        """Seconds after `submit` has ended for which an order that is Unknown may still be taken by the venue.

        `Absent` counts only after that.
        """
        return self._dialect.valid_for

    @property
    def weight(self) -> float:
        """Request weight spent since the start by this line alone, in ccxt's units of the venue."""
        return self._meter.weight

    @property
    def post_only(self) -> bool:
        """Whether this venue has orders that only ever wait in the book."""
        return self._dialect.post_only

    @property
    def countdown(self) -> Countdown | None:
        """What the venue's own countdown can do; None: it has none, and what is open when we die stays open."""
        return self._dialect.countdown

    async def submit(
        self, approved: ApprovedIntent, *, rest_at: Decimal | None = None
    ) -> Accepted | Rejected | Unknown:
        """Send an order, once. Raises nothing but `CancelledError`, after which nobody knows whether it is placed.

        `rest_at`: wait in the book at this price, which must be within the limit, and never be filled at once. Where
        it would have been, it is Rejected at some venues, and at others Accepted and then found cancelled.
        Rejected speaks of this call: who repeats an id whose order is Unknown may be told that nothing was sent now.
        Whatever is not an `ApprovedIntent` is a `TypeError`: the gate is the only way in.
        """
        if not isinstance(approved, ApprovedIntent):
            raise TypeError("only an intent that the gate has approved can be sent")
        client_order_id = approved.intent.client_order_id
        try:
            ticket = await self._ready("order", lambda: self._ticket(approved, rest_at))
            backing = await self._asked("position", lambda: self._dialect.backing(self._exchange, ticket.key))
            ticket = replace(ticket, backing=backing)
            known = await self._asked("order look-up", lambda: self._dialect.is_known(self._exchange, ticket.key))
        except Exception as error:  # noqa: BLE001  nothing has left yet, whatever it is
            return Rejected(client_order_id, f"nothing was sent: {_said(error)}", sent=False)
        if known:
            twice = Duplicate(self.account, "order", "nothing was sent: the venue has an order of this id")
            return await self._settle(ticket.key, twice)
        with departures() as left:
            try:
                async with self._reading("order"):
                    given = await self._dialect.place(self._exchange, ticket)
                return Accepted(client_order_id, given)
            except Exception as error:  # noqa: BLE001  whatever it is, the order may be there
                return await self._refused(ticket.key, error, left)

    async def find_by_client_id(self, client_order_id: str, instrument: InstrumentId) -> Found | Absent | Unknown:
        """Look an order up by our id. Raises nothing but `CancelledError`.

        `Absent`: every place where it could be was read, and none has it. One place that could not be read, a market
        that is no longer listed, a reply that is not understood: `Unknown`. An order of which nothing was filled is
        forgotten by the venues after some time (OKX: 2 hours, Binance: 3 days): ask before.
        """
        try:
            key = await self._ready("order look-up", lambda: self._key(client_order_id, instrument))
            return await self._look_up(key)
        except Exception as error:  # noqa: BLE001  a look-up that fails says nothing
            return Unknown(client_order_id, _said(error))

    async def cancel(self, client_order_id: str, instrument: InstrumentId) -> Found | Absent | Unknown:
        """Ask the venue to cancel an order, once, then look up what has become of it: only that is believed.

        Raises nothing but `CancelledError`. `Found` may still be open: the venue refused, or has not got to it.
        """
        try:
            key = await self._ready("cancelling", lambda: self._key(client_order_id, instrument))
            try:
                async with self._reading("cancelling"):
                    await self._dialect.cancel(self._exchange, key)
            except VenueError:
                pass  # also 'no such order': the look-up tells
            return await self._look_up(key)
        except Exception as error:  # noqa: BLE001  see above
            return Unknown(client_order_id, _said(error))

    async def open_orders(self, instrument: InstrumentId) -> tuple[OpenOrder, ...]:
        """All orders that wait in the instrument's book, also those that are not ours. Raises `VenueError`.

        Never some of them: where not every page was read and understood, it raises.
        """
        market = await self._ready("open orders", lambda: self._market(instrument))
        return await self._asked("open orders", lambda: self._dialect.open_orders(self._exchange, market))

    async def arm_countdown(self, seconds: int, instruments: Collection[InstrumentId]) -> frozenset[InstrumentId]:
        """Have the venue cancel what is open of these so many seconds from now, unless armed again; 0: not any more.

        Gives those for which the venue confirms it; the others have no countdown. Which orders it cancels beside ours
        is in `countdown`. Raises `VenueError` (it may be armed or not), `ValueError` for seconds beyond its limits.
        """
        limits = self._dialect.countdown
        if limits is None:
            return frozenset()
        if seconds and not limits.seconds_min <= seconds <= limits.seconds_max:
            raise ValueError(f"{seconds} s are not within {limits.seconds_min} to {limits.seconds_max} s")

        async def known() -> list[MarketKey]:
            return [await self._market(instrument) for instrument in sorted(instruments)]

        markets = await self._ready("countdown", known)
        armed = await self._asked("countdown", lambda: self._dialect.arm(self._exchange, seconds, markets))
        return frozenset(market.contract.id for market in armed)

    async def close(self) -> None:
        await self._exchange.close()
        await self._session.close()

    async def _refused(self, key: OrderKey, error: Exception, left: Sequence[str]) -> Accepted | Rejected | Unknown:
        """What an error says of the order, whose request is the first that leaves; what comes after says nothing."""
        if isinstance(error, NotAllowed | Resting) and not left:
            return Rejected(key.client_order_id, f"nothing was sent: {_said(error)}", sent=False)
        if len(left) == 1 and isinstance(error, NotLetIn):
            return Rejected(key.client_order_id, _said(error))
        if len(left) == 1 and isinstance(error, NotPlaced | Duplicate):
            return await self._settle(key, error)
        return Unknown(key.client_order_id, _said(error))

    async def _settle(self, key: OrderKey, error: NotPlaced | Duplicate) -> Accepted | Rejected | Unknown:
        """One look after a refusal: it is final only if the order is nowhere; a duplicate is never final."""
        try:
            found = await self._look_up(key)
        except Exception as failure:  # noqa: BLE001  see `find_by_client_id`
            return Unknown(key.client_order_id, f"{_said(error)}; then {_said(failure)}")
        if isinstance(found, Found):
            kept = found.status is OrderStatus.REJECTED and not found.filled  # some venues show what they refused
            if not kept or isinstance(error, Duplicate):
                return Accepted(key.client_order_id, found.venue_order_id)
            return Rejected(key.client_order_id, _said(error))
        if isinstance(error, Duplicate):
            return Unknown(key.client_order_id, f"{_said(error)}; the look-up does not show that order")
        return Rejected(key.client_order_id, _said(error))

    async def _look_up(self, key: OrderKey) -> Found | Absent:
        found = await self._asked(
            "order look-up", lambda: self._dialect.find(self._exchange, key, int(self._exchange.nonce()))
        )
        return Absent(key.client_order_id) if found is None else found

    async def _asked(self, call: str, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` gives, asked once more if the venue did not accept our time: for what may be asked twice."""
        try:
            async with self._reading(call):
                return await ask()
        except ClockSkew:
            await self._measure_clock()
            async with self._reading(call):
                return await ask()

    async def _ready(self, call: str, make: Callable[[], Awaitable[T]]) -> T:
        """What `make` gives, once the venue's time is known. Sends no order."""
        async with self._reading(call):
            made = await make()
            if self._measured_at is None or self._clock.monotonic() - self._measured_at > MEASURE_CLOCK_EVERY:
                await self._measure_clock()
            return made

    async def _measure_clock(self) -> None:
        await self._exchange.load_time_difference()
        self._measured_at = self._clock.monotonic()

    def _reading(self, call: str) -> Any:
        return reading(self.account, call, self._errors, self._time_limit)

    async def _market(self, instrument: InstrumentId) -> MarketKey:
        markets = await self._markets()
        contract = markets.instruments.get(instrument)
        if contract is None:
            raise Misshapen(f"{instrument} is not listed")
        return MarketKey(markets.market_ids[instrument], contract)

    async def _key(self, client_order_id: str, instrument: InstrumentId) -> OrderKey:
        market = await self._market(instrument)
        if not CLIENT_ID.fullmatch(client_order_id):
            raise Misshapen(f"the id {client_order_id[:40]!r} is not one of ours")
        return OrderKey(market.market_id, market.contract, client_order_id)

    async def _ticket(self, approved: ApprovedIntent, rest_at: Decimal | None) -> Ticket:
        intent = approved.intent
        key = await self._key(intent.client_order_id, intent.instrument)
        contract = key.contract
        wanted = approved.price_limit if rest_at is None else rest_at
        for name, value in (("quantity", intent.quantity), ("price limit", approved.price_limit), ("price", wanted)):
            if not value.is_finite() or value <= 0:
                raise Misshapen(f"the {name} {value} is not a positive number")
        try:
            whole = not intent.quantity % contract.lot_size
            price = within(wanted, contract.tick_size, intent.side)
        except ArithmeticError:
            raise Misshapen(f"the quantity {intent.quantity} or the price limit has too many digits") from None
        if not whole:
            raise Misshapen(f"{intent.quantity:f} contracts are not whole lots of {contract.lot_size:f}")
        if not price:
            raise Misshapen(f"the price limit {wanted:f} is below the first tick")
        if rest_at is not None:
            if not self._dialect.post_only:
                raise Misshapen("this venue has no order that only waits in the book")
            if (rest_at - approved.price_limit) * intent.side.sign > 0:
                raise Misshapen(f"to wait at {rest_at:f} is worse than the price limit {approved.price_limit:f}")
        return Ticket(key, intent.side, intent.quantity, price, intent.reduce_only, post_only=rest_at is not None)


def within(limit: Decimal, tick: Decimal, side: Side) -> Decimal:
    """The limit on a tick, never worse than it: down for a buy, up for a sale.

    By whole division, which is exact; dividing first and rounding after can pass the limit in the last digit.
    """
    ticks, rest = divmod(limit, tick)
    if rest and side is Side.SELL:
        ticks += 1
    return ticks * tick


async def open_ccxt_orders(
    reader: CcxtVenue,
    account: str,
    exchange: str,
    wallets: Sequence[str],
    credentials: Mapping[str, str],
    *,
    clock: Clock,
    sandbox: bool = False,
    connect_to: str | None = None,
    ca_file: Path | None = None,
    time_limit: float = 10.0,
) -> CcxtOrders:
    """The line for orders of an account that is read by `reader`, whose list of markets it shares. Sends nothing.

    The other arguments are those of `open_ccxt`. Raises `ConfigurationError`, also for an exchange or a test system
    at which an order could not be looked up by our id.
    """
    orders = find_orders(account, exchange, wallets, sandbox=sandbox)
    wire = connect(
        account,
        find_dialect(account, exchange, wallets),
        orders,
        credentials,
        clock=clock,
        sandbox=sandbox,
        connect_to=connect_to,
        ca_file=ca_file,
        time_limit=time_limit,
    )
    for name, key in wire.keys.items():
        setattr(wire.exchange, name, key)  # also what the dialect for reading keeps from ccxt
    try:
        orders.prepare(wire.exchange)
    except ConfigurationError:
        await wire.exchange.close()
        await wire.session.close()
        raise
    return CcxtOrders(
        account,
        wire.exchange,
        orders,
        reader.markets,
        wire.errors,
        clock=clock,
        session=wire.session,
        time_limit=time_limit,
        meter=wire.meter,
    )


def check_orders(
    account: str, exchange: str, wallets: Sequence[str], credentials: Mapping[str, str], *, sandbox: bool
) -> None:
    """Whether `open_ccxt_orders` would take this account and its keys. Opens nothing. Raises `ConfigurationError`."""
    orders = find_orders(account, exchange, wallets, sandbox=sandbox)
    venue, keys = instance(account, find_dialect(account, exchange, wallets), credentials, sandbox=sandbox)
    for name, key in keys.items():
        setattr(venue, name, key)
    orders.prepare(venue)


def find_orders(account: str, exchange: str, wallets: Sequence[str], *, sandbox: bool) -> OrderDialect:
    trading = order_dialects().get(exchange)
    if trading is None:
        raise ConfigurationError(f"account {account}: exchange = {exchange}  orders cannot be sent there")
    orders = trading(wallets)
    if sandbox and not orders.sandbox:
        problem = (
            f"account {account}: sandbox = true  orders of {exchange}'s test system cannot be looked up by their id"
        )
        raise ConfigurationError(problem)
    return orders


def _said(error: Exception) -> str:
    """An error's own words where it is one of ours; of any other its kind alone, for its text may hold an address."""
    if isinstance(error, VenueError):
        return f"{error.call}: {error.detail}"
    return str(error) if isinstance(error, Misshapen) else type(error).__name__
