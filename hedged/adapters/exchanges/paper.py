"""A paper account: real prices, and where a key is given the real account's coins and debt, but a futures wallet and
positions of its own, at stake for nobody.

Every change is stored before it is believed. What is in memory is therefore always what is in the store: when storing
is interrupted, memory is dropped and the store asked again. An order whose fill could not be stored is `Unknown`, and
looking it up says whether it happened.

Contracts that are settled in the quote currency share its cash. Those settled in a coin (inverse) share the coins that
`[paper] coins` put in the wallet, which are exposure like any others; each currency has a ledger of its own, liquidated
by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from hedged.adapters.exchanges.margin_view import derivatives_of, in_quote, tightest
from hedged.adapters.exchanges.paper_ledger import Ended, Ledger, Resting, Totals, from_blob, to_blob
from hedged.adapters.exchanges.paper_view import View, ended
from hedged.errors import Refused, StoreError, Unreachable, Unreadable, VenueError
from hedged.estimate.margin_account import MarginAccount
from hedged.estimate.taker import Taken, TakerOrder, TakerTerms, TurnedDown, take
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.order import Absent, ApprovedIntent, Cancelled, Fill, Intent, Outcome, Rejected, Unknown, Working
from hedged.model.policy import PaperPolicy
from hedged.model.snapshot import Balance, Derivatives, Doubt, Position, Quote, Read
from hedged.ports import AccountReader, Clock, MarketReader

_SWAP = "swap"
_BASIS_POINT = Decimal("0.0001")
_RATES_KEPT = 8


class BlobStore(Protocol):
    """The part of the store that a paper account needs."""

    async def get_blob(self, key: str) -> Mapping[str, object] | None: ...
    async def put_blob(self, key: str, value: Mapping[str, object], now: datetime) -> None: ...


@dataclass(slots=True, eq=False)
class _Pool:
    """What one currency backs. `ledger` None: not read from the store yet."""

    currency: str
    key: str
    opened_with: Decimal
    ledger: Ledger | None = None


class PaperAccount:
    """AccountReader and OrderGateway over any market's quotes. Ledgers are stored as `paper/<account>`, those of
    coins as `paper/<account>/<coin>`.

    Without `real` there is one wallet, `swap`. With it its other wallets pass through; its derivatives count nowhere
    and are shown in `shown_only`, as last read. While the clock is `in_doubt`, no time passes on paper.
    """

    def __init__(
        self,
        account: str,
        market: MarketReader,
        *,
        real: AccountReader | None,
        store: BlobStore | None,
        policy: PaperPolicy,
        quote: str,
        clock: Clock,
        in_doubt: Callable[[], bool] = lambda: False,
    ) -> None:
        self._in_doubt = in_doubt
        self.account = account
        self.cash = policy.cash  # what it was opened with
        self.wallets: Sequence[str] = (*(w for w in real.wallets if w != _SWAP), _SWAP) if real else (_SWAP,)
        self.shown_only: tuple[Position, ...] = ()
        self._market = market
        self._real = real
        self._store = store
        self._policy = policy
        self._quote = quote
        self._clock = clock
        self._pools = (
            _Pool(quote, f"paper/{account}", policy.cash),
            *(_Pool(coin, f"paper/{account}/{coin}", amount) for coin, amount in policy.coins.items()),
        )
        self._lock = asyncio.Lock()  # a change is read, worked out and stored by one task at a time
        self._rates: dict[InstrumentId, dict[datetime, Decimal]] = {}  # announced, by funding time
        self._last: dict[InstrumentId, Read[Decimal]] = {}  # index (or mark) of contracts that end, before they did

    # AccountReader

    async def balances(self, wallet: str) -> Read[tuple[Balance, ...]]:
        """`swap` is the paper cash and coins without unrealised PnL, as of the last look at the positions."""
        if wallet == _SWAP:
            async with self._lock:
                held = [Balance(pool.currency, (await self._load(pool)).account.wallet) for pool in self._pools]
            return Read(tuple(held), self._clock.now())
        if self._real is None or wallet not in self.wallets:
            raise Refused(self.account, f"balances {wallet}", f"this account has only {', '.join(self.wallets)}")
        return await self._real.balances(wallet)

    async def derivatives(self) -> Read[Derivatives]:
        """Brings the account up to now, stores it if that changed it, and values it.

        A change that cannot be stored is shown all the same, and worked out again at the next look: watching goes on.
        """
        if self._real is not None:
            await self._read_shown(self._real)
        async with self._lock:
            ledgers = {pool: await self._load(pool) for pool in self._pools}
            view = await self._look([name for each in ledgers.values() for name in each.account.positions])
            prices = await self._coin_prices(ledgers)
            shown = []
            for pool, before in ledgers.items():
                ledger = await self._up_to_now(before, view)
                account = ledger.account
                of_pool = derivatives_of(
                    account,
                    view.marks(account),
                    view.tiers(account),
                    leverage=self._policy.leverage,
                    estimated=view.estimated(account),
                    funding_paid=ledger.funding_paid,
                )
                if pool.currency in prices:
                    shown.append(in_quote(of_pool, pool.currency, prices[pool.currency]))
                with contextlib.suppress(StoreError):
                    await self._keep(pool, ledger, view.now)
        return Read(tightest(shown), view.now)

    async def explain(self, doubt: Doubt, since: datetime) -> str | None:
        """From this account's own history, or the real account's for a wallet that passes through."""
        place = doubt.subject.removeprefix(f"{self.account}/")
        if doubt.instrument is None and not place.startswith(f"{_SWAP}/"):
            return await self._real.explain(doubt, since) if self._real else None
        async with self._lock:
            ledgers = [await self._load(pool) for pool in self._pools]
        events = sorted((event for ledger in ledgers for event in ledger.events), key=lambda event: event.at)
        lines = [event.text for event in events if event.at >= since and doubt.instrument in {None, event.instrument}]
        return "; ".join(lines) or None

    async def totals(self) -> Totals:
        """What its cash has realised and paid since it was opened. Raises `VenueError` if it cannot be loaded."""
        async with self._lock:
            return (await self._load(self._pools[0])).totals

    # OrderGateway

    absent_after = timedelta(0)  # the ledger is ours: what is not in it is nowhere

    async def submit(self, approved: ApprovedIntent) -> Outcome:
        """Fill at once at the book's side, let it rest, or reject with the numbers; the same id is answered again.

        Stored before it is answered, a rejection too. What could not be stored is `Unknown`: the database may have
        failed before or after it wrote.
        """
        client_order_id = approved.intent.client_order_id
        async with self._lock:
            try:
                pool = self._pool_of(approved.intent.instrument)
                known = await self._known(client_order_id)
                if known is not None:
                    return known
                if client_order_id in (await self._load(pool)).resting:
                    return Working(client_order_id, client_order_id)
                execute = self._execute if approved.rest_at is None else self._rest
                outcome, ledger = await execute(await self._load(pool), approved)
                await self._keep(pool, ledger, self._clock.now())
            except (VenueError, StoreError) as error:
                return Unknown(client_order_id, f"the paper ledger cannot be used: {error}")
        return outcome

    async def find(self, intent: Intent) -> Outcome | Absent:
        return await self._sought(intent, cancel=False)

    async def cancel(self, intent: Intent) -> Outcome | Absent:
        return await self._sought(intent, cancel=True)

    async def guard(self, resting: Collection[InstrumentId], within: timedelta) -> None:
        """See above."""

    # parts

    async def _sought(self, intent: Intent, *, cancel: bool) -> Outcome | Absent:
        """What has become of an order. One at rest is filled where the market has gone through its price since.

        Only here and not with every look at the positions: who finds these changed has been told of the fill before.
        """
        client_order_id = intent.client_order_id
        async with self._lock:
            try:
                pool = self._pool_of(intent.instrument)
                ledger, known = await self._load(pool), await self._known(client_order_id)
                order = ledger.resting.get(client_order_id)
                if known is not None or order is None:
                    return known or Absent(client_order_id)
                outcome: Ended | None
                outcome, ledger = await self._reached(ledger, client_order_id, order)
                if outcome is None and cancel:
                    outcome = Cancelled(client_order_id, "it was taken back before anything of it was filled")
                    ledger = ledger.with_outcome(outcome)
                await self._keep(pool, ledger, self._clock.now())
            except (VenueError, StoreError) as error:
                return Unknown(client_order_id, f"the paper ledger cannot be used: {error}")
        return outcome or Working(client_order_id, client_order_id)

    async def _rest(self, ledger: Ledger, approved: ApprovedIntent) -> tuple[Working | Rejected, Ledger]:
        """An order put into the book, where it only waits."""
        intent, client_order_id = approved.intent, approved.intent.client_order_id
        price = approved.rest_at or approved.price_limit
        order = Resting(intent.instrument, intent.side, intent.quantity, price, intent.reduce_only)
        try:
            view = await self._look({*ledger.account.positions, intent.instrument})
            why = self._turned_down(intent.instrument, view)
        except VenueError as error:
            why = f"nothing was placed: {error}"
        else:
            if why is None and order.would_take(view.quotes[intent.instrument].value):
                why = f"at {price} it would have been filled at once, and was only to wait"
        if why is not None:
            rejected = Rejected(client_order_id, why)
            return rejected, ledger.with_outcome(rejected)
        return Working(client_order_id, client_order_id), ledger.with_resting(client_order_id, order)

    async def _reached(
        self, ledger: Ledger, client_order_id: str, order: Resting
    ) -> tuple[Fill | Rejected | None, Ledger]:
        """The fill of an order at rest, at its own price and the maker's fee; None: it waits on."""
        try:
            view = await self._look({*ledger.account.positions, order.instrument})
        except VenueError:
            return None, ledger
        quoted = view.quotes.get(order.instrument)
        if self._in_doubt() or quoted is None or self._turned_down(order.instrument, view):
            return None, ledger
        if not order.is_reached(quoted.value):
            return None, ledger
        ledger = await self._up_to_now(ledger, view)
        at_price = replace(quoted.value, bid=order.price, ask=order.price, bid_size=None, ask_size=None)
        terms = TakerTerms(
            fee_rate=self._policy.fee_maker, slippage=Decimal(0), spread=Decimal(0), leverage=self._policy.leverage
        )
        instrument = view.instruments[order.instrument]
        wanted = TakerOrder(instrument, order.side, order.quantity, order.reduce_only, order.price)
        return self._settled(ledger, client_order_id, self._taken(ledger, wanted, at_price, view, terms), wanted, view)

    async def _known(self, client_order_id: str) -> Ended | None:
        outcomes = [(await self._load(pool)).outcome(client_order_id) for pool in self._pools]
        return next((outcome for outcome in outcomes if outcome is not None), None)

    def _pool_of(self, instrument: InstrumentId) -> _Pool:
        """That of what settles it, by its symbol; the cash where there is none, which turns the order down."""
        settle = instrument.rpartition(":")[2].partition("-")[0]
        return next((pool for pool in self._pools if pool.currency == settle), self._pools[0])

    async def _coin_prices(self, ledgers: Mapping[_Pool, Ledger]) -> dict[str, Decimal]:
        """What each coin is worth in the quote currency; one that backs nothing may be without a price."""
        coins = [pool.currency for pool in ledgers if pool.currency != self._quote]
        needed = [pool.currency for pool, each in ledgers.items() if each.account.positions and pool.currency in coins]
        told: Mapping[str, Read[Decimal]] = {}
        try:
            told = await self._market.prices(coins, self._quote) if coins else {}
        except VenueError:
            if needed:
                raise
        lacking = [coin for coin in needed if coin not in told]
        if lacking:
            raise Unreadable(self.account, "paper margin", f"no price of {', '.join(lacking)} in {self._quote}")
        return {self._quote: Decimal(1), **{coin: read.value for coin, read in told.items()}}

    async def _execute(self, ledger: Ledger, approved: ApprovedIntent) -> tuple[Fill | Rejected, Ledger]:
        """The outcome, and the ledger that holds it."""
        intent = approved.intent
        try:
            view = await self._look({*ledger.account.positions, intent.instrument})
            ledger = await self._up_to_now(ledger, view)
            why = self._turned_down(intent.instrument, view)
            if why is None:
                return self._take(ledger, approved, view)
        except VenueError as error:
            why = f"nothing was placed: {error}"
        rejected = Rejected(intent.client_order_id, why)
        return rejected, ledger.with_outcome(rejected)

    def _settled(
        self, ledger: Ledger, client_order_id: str, result: Taken | TurnedDown, order: TakerOrder, view: View
    ) -> tuple[Fill | Rejected, Ledger]:
        """What taking came to, as the outcome of an order, in the ledger."""
        if isinstance(result, TurnedDown):
            rejected = Rejected(client_order_id, result.reason)
            return rejected, ledger.with_outcome(rejected)
        instrument = order.instrument
        unit = Decimal(1) if instrument.linear else result.price  # what is paid in coins is told in quote currency
        fill = Fill(
            client_order_id=client_order_id,
            instrument=instrument.id,
            side=order.side,
            quantity=result.quantity,
            price=result.price,
            fee=result.fee * unit,
            at=view.now,
            slippage=result.slippage * unit,
        )
        ledger = ledger.filled(fill, result, instrument)
        return fill, ledger.announcing({id_: read.value for id_, read in view.quotes.items()})

    def _turned_down(self, name: InstrumentId, view: View) -> str | None:
        """Why no order can be placed there at all."""
        instrument = view.instruments.get(name)
        if instrument is None or not instrument.trading or ended(instrument.ends(), view.now):
            return f"{name} is not trading"
        if not self._takes(instrument):
            return self._why_not(instrument)
        return f"no quote for {name}" if name not in view.quotes else None

    def _take(self, ledger: Ledger, approved: ApprovedIntent, view: View) -> tuple[Fill | Rejected, Ledger]:
        """Fill what the book offers; `view` has the instrument and its quote."""
        intent, policy = approved.intent, self._policy
        instrument = view.instruments[intent.instrument]
        terms = TakerTerms(
            fee_rate=policy.fee_taker if instrument.fee_taker is None else instrument.fee_taker,
            slippage=policy.slippage_bps * _BASIS_POINT,
            spread=policy.spread_bps * _BASIS_POINT,
            leverage=policy.leverage,
        )
        order = TakerOrder(instrument, intent.side, intent.quantity, intent.reduce_only, approved.price_limit)
        taken = self._taken(ledger, order, view.quotes[intent.instrument].value, view, terms)
        return self._settled(ledger, intent.client_order_id, taken, order, view)

    def _taken(
        self, ledger: Ledger, order: TakerOrder, quote: Quote, view: View, terms: TakerTerms
    ) -> Taken | TurnedDown:
        marks = {id_: read.value.mark for id_, read in view.quotes.items()}
        if not order.reduce_only:
            view.marks(ledger.account)  # the margin left is known only with all of them
        tiers = {**view.tiers(ledger.account), order.instrument.id: view.tiers_of(order.instrument.id)}
        return take(ledger.account, order, quote=quote, marks=marks, tiers=tiers, terms=terms)

    def _takes(self, instrument: Instrument) -> bool:
        if instrument.linear:
            return instrument.settle == self._quote
        return instrument.settle == instrument.base and instrument.settle in self._policy.coins

    def _why_not(self, instrument: Instrument) -> str:
        if not instrument.linear and instrument.settle == instrument.base:
            return (
                f"{instrument.id} is margined in {instrument.settle}, and the paper wallet has none: "
                f"put some in, [paper] coins = {{ {instrument.settle} = 1 }}"
            )
        return f"{instrument.id}: paper accounts trade contracts settled in {self._quote}, or in the coin they are on"

    async def _look(self, instruments: Collection[InstrumentId]) -> View:
        listed = await self._market.instruments()
        quotes = await self._market.quotes(instruments) if instruments else {}
        for instrument, read in quotes.items():
            announced, rate = read.value.funding_next, read.value.funding_rate
            if announced is not None and rate is not None:
                rates = self._rates.setdefault(instrument, {})
                rates[announced] = rate
                if len(rates) > _RATES_KEPT:
                    del rates[min(rates)]
        return View(self.account, self._clock.now(), listed, quotes)

    async def _up_to_now(self, ledger: Ledger, view: View) -> Ledger:
        """Funding, expiries and liquidation since the last look; the same ledger if there was nothing of it."""
        if self._in_doubt():
            return ledger
        quotes = {id_: read.value for id_, read in view.quotes.items()}
        ledger = ledger.relisted(view.instruments).funded(view.now, quotes, self._rates).announcing(quotes)
        expired = [id_ for id_, terms in ledger.terms.items() if ended(terms.ends, view.now)]
        if expired:
            ledger = ledger.settled(view.now, await self._settlement_prices(ledger, expired, view))
        for instrument, terms in ledger.terms.items():
            if terms.ends is not None and instrument in view.quotes:
                self._last[instrument] = view.index(instrument)
        if all(instrument in view.quotes for instrument in ledger.account.positions):
            ledger = ledger.liquidated(view.now, view.marks(ledger.account), view.tiers(ledger.account))
        return ledger

    async def _settlement_prices(
        self, ledger: Ledger, expired: Iterable[InstrumentId], view: View
    ) -> dict[InstrumentId, Decimal]:
        """For each the price seen nearest to its end: the contract's own index or mark, or the coin's price now."""
        found = {}
        for instrument in expired:
            terms = ledger.terms[instrument]
            end = terms.ends or view.now
            seen = [self._last[instrument]] if instrument in self._last else []
            if instrument in view.quotes:
                seen.append(view.index(instrument))
            seen.extend((await self._market.prices((terms.base,), self._quote)).values())
            if not seen:
                raise Unreadable(
                    self.account, "paper settlement", f"{instrument} expired and {terms.base} has no price"
                )
            found[instrument] = min(seen, key=lambda read: abs(read.as_of - end)).value
        return found

    async def _read_shown(self, real: AccountReader) -> None:
        with contextlib.suppress(VenueError):  # for display only: the last good ones stay
            self.shown_only = (await real.derivatives()).value.positions

    async def _load(self, pool: _Pool) -> Ledger:
        if pool.ledger is None:
            try:
                blob = await self._store.get_blob(pool.key) if self._store is not None else None
                pool.ledger = Ledger(MarginAccount(pool.opened_with)) if blob is None else from_blob(blob)
            except StoreError as error:
                raise Unreachable(self.account, "paper ledger", str(error)) from error
            except (KeyError, TypeError, ValueError, ArithmeticError) as error:
                raise Unreadable(
                    self.account, "paper ledger", f"{pool.key} in the store is damaged: {error!r}"
                ) from error
        return pool.ledger

    async def _keep(self, pool: _Pool, ledger: Ledger, now: datetime) -> None:
        if ledger is pool.ledger:
            return
        before = pool.ledger
        if self._store is not None:
            pool.ledger = None  # whatever interrupts the writing, the store then knows best
            await self._store.put_blob(pool.key, to_blob(ledger), now)
        pool.ledger = ledger
        for gone in (before.terms.keys() if before is not None else set()) - ledger.terms.keys():
            self._last.pop(gone, None)
