"""A venue that keeps the truth: one account's balances, debt, margin account and orders over a simulated market.

Nothing runs in the background: each call first lives through what has happened since the last one, minute by minute
(funding, expiry, liquidation), up to the clock. A clock that goes back changes nothing. Symbols are ccxt's unified
ones; quantities are contracts, money is in USDT.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from hedged.errors import VenueError
from hedged.estimate.margin_account import LIQUIDATION_FEE, MarginAccount, Marks, Tiers, money
from hedged.estimate.taker import TakerOrder, TakerTerms, TurnedDown, take
from hedged.model.instrument import Instrument, InstrumentId, instrument_id
from hedged.model.order import Side
from hedged.model.snapshot import Balance, Quote
from hedged.ports import Clock
from hedged.simulation.coins import FEE_TAKER, QUOTE, TIERS, expiry_of, list_instruments, listed_symbols
from hedged.simulation.history import Event, VenueOrder, rejected
from hedged.simulation.market import SimulatedMarket, funding_times
from hedged.simulation.paths import Floats

_TERMS = TakerTerms(fee_rate=FEE_TAKER, slippage=Decimal(0), spread=Decimal("0.0002"), leverage=Decimal(20))
_MINUTE = timedelta(minutes=1)
_ORDERS_KEPT = 10_000
_EVENTS_KEPT = 10_000
_ZERO = Decimal(0)

Fault = Callable[[str], VenueError | None]
"""Asked with the name of each call before it is answered, and with `place:reply` after an order took effect; an error
that it returns is raised in place of the answer."""


class SimulatedVenue:
    """`balances`: wallet name → its balances (debt included); `cash`: USDT in the derivatives wallet."""

    def __init__(
        self,
        market: SimulatedMarket,
        clock: Clock,
        *,
        account: str = "sim",
        balances: Mapping[str, Sequence[Balance]] | None = None,
        cash: Decimal = _ZERO,
        fault: Fault | None = None,
    ) -> None:
        self.market = market
        self.account = account
        self.fault = fault
        self._clock = clock
        self._wallets = {w: {b.asset: b for b in held} for w, held in (balances or {}).items()}
        self._margin = MarginAccount(cash)
        self._orders: OrderedDict[str, VenueOrder] = OrderedDict()
        self._events: deque[Event] = deque(maxlen=_EVENTS_KEPT)
        self._lived_until = max(clock.now(), market.anchor)

    @property
    def wallets(self) -> tuple[str, ...]:
        """Spot-like wallets that exist, and the derivatives wallet `swap`."""
        return (*self._wallets, "swap")

    # reading

    def instruments(self) -> tuple[Instrument, ...]:
        """The contracts listed now, under this account's name."""
        self._fail("instruments")
        return list_instruments(self.account, self._clock.now())

    def quote(self, symbol: str) -> Quote | None:
        self._fail("quote")
        return self.market.quote(symbol, self._clock.now())

    def price(self, asset: str) -> Decimal | None:
        self._fail("price")
        return self.market.price(asset, self._clock.now())

    def minutes(self, subject: str, first: int, last: int) -> Floats | None:
        """Prices in USDT of the minutes `first` ≤ m < `last` since the anchor, of a listed contract or a coin.

        None: no such market.
        """
        self._fail("minutes")
        if subject in listed_symbols(self._clock.now()):
            return self.market.marks(subject, first, last)
        return self.market.index(subject, first, last)

    def balances(self, wallet: str) -> tuple[Balance, ...]:
        """One wallet; `swap` holds the margin account's cash. `KeyError` for a wallet that does not exist."""
        self._fail("balances")
        self._live()
        if wallet == "swap":
            return (Balance(QUOTE, self._margin.wallet),)
        return tuple(self._wallets[wallet].values())

    def margin_account(self) -> tuple[MarginAccount, Marks, Tiers]:
        """The derivatives account as it is now, with the mark and tiers of each position."""
        self._fail("positions")
        self._live()
        return self._margin, self._marks(self._clock.now()), self._tiers(self._margin)

    def order(self, client_order_id: str) -> VenueOrder | None:
        self._fail("order")
        return self._orders.get(client_order_id)

    def events(self, since: datetime) -> tuple[Event, ...]:
        """History from `since` on, oldest first; the newest 10,000 are kept."""
        self._fail("events")
        self._live()
        return tuple(event for event in self._events if event.at >= since)

    # acting

    def place(
        self,
        client_order_id: str,
        symbol: str,
        side: Side,
        *,
        quantity: Decimal,
        price_limit: Decimal,
        reduce_only: bool = False,
    ) -> VenueOrder:
        """Fill or reject at once. A client order id that was used before answers with its order and does nothing."""
        self._fail("place")
        if client_order_id not in self._orders:
            self._live()
            order = self._execute(
                client_order_id, symbol, side, quantity=quantity, price_limit=price_limit, reduce_only=reduce_only
            )
            self._orders[client_order_id] = order
            if len(self._orders) > _ORDERS_KEPT:
                self._orders.popitem(last=False)
        self._fail("place:reply")
        return self._orders[client_order_id]

    def transfer(self, wallet: str, asset: str, quantity: Decimal) -> None:
        """Coins arriving from outside (> 0) or leaving (< 0): how a test or a story changes the holdings."""
        self._live()
        if wallet == "swap":
            self._margin = self._margin.charge(-quantity)
        else:
            held = self._wallets.setdefault(wallet, {}).get(asset, Balance(asset, _ZERO))
            if held.free + quantity < 0:
                raise ValueError(f"{wallet}: only {held.free} {asset} free, {-quantity} asked")
            self._wallets[wallet][asset] = Balance(asset, held.free + quantity, held.locked, held.debt)
        self._note(self._clock.now(), "transfer", f"{wallet}/{asset}", quantity, f"transfer of {quantity} {asset}")

    def deleverage(self, symbol: str, share: Decimal) -> None:
        """Auto-deleveraging: the venue closes `share` (0 … 1) of a position at its mark, without asking."""
        self._live()
        instrument, now = self._id(symbol), self._clock.now()
        held = self._margin.positions[instrument]
        contracts = -held.contracts * share
        mark = self._marks(now)[instrument]
        self._margin, realised = self._margin.fill(instrument, contracts, mark, held.multiplier)
        self._note(now, "adl", symbol, realised, f"auto-deleveraged {-contracts} contracts at {mark}")

    # time

    def _live(self) -> None:
        """Live through everything between the last call and now, in order of time."""
        now = self._clock.now()
        if now <= self._lived_until:
            return
        start = self._lived_until
        for at in self._stops(start, now):
            self._watch_margin(start, at)
            self._pay_funding(at)
            self._settle_expired(at)
            start = at
        self._lived_until = now

    def _stops(self, start: datetime, now: datetime) -> list[datetime]:
        """Funding times (a dated future expires at one of them), then now itself."""
        if not self._margin.positions:
            return [now]
        return [*(at for at in funding_times(start, now) if at < now), now]

    def _watch_margin(self, start: datetime, end: datetime) -> None:
        """Liquidate at the first minute in start < m ≤ end at which maintenance reaches equity.

        The minutes are searched with floats in one sweep; the exact rule is then applied at the minutes that are near.
        """
        if not self._margin.positions:
            return
        first, last = self.market.minute(start) + 1, self.market.minute(end) + 1
        if first >= last:
            return
        for minute in np.flatnonzero(self._equity_over_maintenance(first, last) <= 1e-3 * self._scale()):
            at = self.market.anchor + (first + int(minute)) * _MINUTE
            marks = self._marks(at)
            if self._margin.must_liquidate(marks, self._tiers(self._margin)):
                self._liquidate(at, marks)
                return

    def _equity_over_maintenance(self, first: int, last: int) -> Floats:
        """Equity − maintenance at each minute, as floats."""
        left: Floats = np.full(last - first, float(self._margin.wallet))
        for instrument, held in self._margin.positions.items():
            marks = self.market.marks(_symbol(instrument), first, last)
            value = float(held.base_quantity) * marks
            # Each bracket's line lies below the true maintenance outside its bracket: the highest line is the true one.
            lines, amount, rate = [], 0.0, 0.0
            for tier in TIERS:
                amount += float(tier.notional_floor) * (float(tier.maintenance_margin_rate) - rate)
                rate = float(tier.maintenance_margin_rate)
                lines.append(np.abs(value) * rate - amount)
            left += value - float(held.entry_value) - np.max(lines, axis=0)
        return left

    def _scale(self) -> float:
        return float(sum((abs(held.entry_value) for held in self._margin.positions.values()), _ZERO))

    def _liquidate(self, at: datetime, marks: Marks) -> None:
        closed = self._margin.positions
        result = self._margin.liquidate(marks, LIQUIDATION_FEE)
        gained = result.account.wallet - self._margin.wallet
        self._margin = result.account
        for instrument, held in closed.items():
            text = f"liquidated {held.contracts} contracts at {marks[instrument]}"
            self._note(at, "liquidation", _symbol(instrument), gained, text)
            gained = _ZERO  # the account's loss is told once

    def _pay_funding(self, at: datetime) -> None:
        if at not in funding_times(at - _MINUTE, at):
            return
        for instrument, held in self._margin.positions.items():
            rate = self.market.funding_rate(_symbol(instrument), at)
            if rate is None:
                continue
            payment = held.funding_payment(self._marks(at)[instrument], rate)
            self._margin = self._margin.charge(payment)
            self._note(at, "funding", _symbol(instrument), -payment, f"funding at {rate}")

    def _settle_expired(self, at: datetime) -> None:
        for instrument, held in tuple(self._margin.positions.items()):
            symbol = _symbol(instrument)
            expiry = expiry_of(symbol)
            if expiry is not None and expiry <= at:
                price = self.market.settlement_price(symbol)
                self._margin, realised = self._margin.settle(instrument, price)
                self._note(at, "settlement", symbol, realised, f"{held.contracts} contracts settled at {price}")

    # parts

    def _execute(
        self,
        client_order_id: str,
        symbol: str,
        side: Side,
        *,
        quantity: Decimal,
        price_limit: Decimal,
        reduce_only: bool,
    ) -> VenueOrder:
        now = self._clock.now()
        listed = {instrument.symbol: instrument for instrument in list_instruments(self.account, now)}
        quote = self.market.quote(symbol, now)
        if quote is None or symbol not in listed:
            return rejected(client_order_id, symbol, side, now, f"{symbol} is not listed")
        instrument = listed[symbol]
        order = TakerOrder(instrument, side, quantity, reduce_only, price_limit)
        taken = take(
            self._margin,
            order,
            quote=quote,
            marks={**self._marks(now), instrument.id: quote.mark},
            tiers={**self._tiers(self._margin), instrument.id: TIERS},
            terms=_TERMS,
        )
        if isinstance(taken, TurnedDown):
            return rejected(client_order_id, symbol, side, now, taken.reason)
        self._margin = taken.account
        gained = taken.realised - taken.fee
        self._note(now, "trade", symbol, gained, f"{side.value} {taken.quantity} at {taken.price} ({client_order_id})")
        return VenueOrder(client_order_id, symbol, side, taken.quantity, taken.price, taken.fee, taken.slippage, now)

    def _marks(self, at: datetime) -> dict[InstrumentId, Decimal]:
        marks = {}
        for instrument in self._margin.positions:
            symbol = _symbol(instrument)
            quote = self.market.quote(symbol, at)
            # At its expiry a future is not quoted any more, and worth what it is settled at.
            marks[instrument] = quote.mark if quote else self.market.settlement_price(symbol)
        return marks

    def _tiers(self, margin: MarginAccount) -> Tiers:
        return dict.fromkeys(margin.positions, TIERS)

    def _id(self, symbol: str) -> InstrumentId:
        return instrument_id(self.account, symbol)

    def _note(self, at: datetime, kind: str, what: str, amount: Decimal, text: str) -> None:
        self._events.append(Event(at, kind, what, money(amount), text))

    def _fail(self, call: str) -> None:
        error = self.fault(call) if self.fault else None
        if error is not None:
            raise error


def _symbol(instrument: InstrumentId) -> str:
    return instrument.partition(":")[2]
