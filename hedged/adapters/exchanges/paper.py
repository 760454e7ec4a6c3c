"""A paper account: real prices, and where a key is given the real account's coins and debt, but a futures wallet and
positions of its own, at stake for nobody.

An order whose fill could not be stored is `Unknown`, and looking it up says whether it happened.

Contracts that are settled in the quote currency share its cash. Those settled in a coin (inverse) share the coins that
`[paper] coins` put in the wallet, which are exposure like any others; each currency has a ledger of its own, liquidated
by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta

from hedged.adapters.exchanges.margin_view import derivatives_of, in_quote, tightest
from hedged.adapters.exchanges.paper_books import BlobStore, Books, Pool
from hedged.adapters.exchanges.paper_ledger import Ended, Ledger, Totals
from hedged.adapters.exchanges.paper_market import PaperMarket
from hedged.adapters.exchanges.paper_orders import PaperOrders
from hedged.adapters.exchanges.paper_view import View
from hedged.errors import Refused, StoreError, VenueError
from hedged.model.instrument import InstrumentId
from hedged.model.order import Absent, ApprovedIntent, Cancelled, Intent, Outcome, Unknown, Working
from hedged.model.policy import PaperPolicy
from hedged.model.snapshot import Balance, Derivatives, Doubt, Position, Read
from hedged.ports import AccountReader, Clock, MarketReader

_SWAP = "swap"


class PaperAccount:
    """AccountReader and OrderGateway over any market's quotes.

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
        self.account = account
        self.cash = policy.cash  # what it was opened with
        self.wallets: Sequence[str] = (*(w for w in real.wallets if w != _SWAP), _SWAP) if real else (_SWAP,)
        self.shown_only: tuple[Position, ...] = ()
        self._real = real
        self._policy = policy
        self._clock = clock
        self._market = PaperMarket(account, market, quote=quote, clock=clock, in_doubt=in_doubt)
        self._orders = PaperOrders(self._market, policy, quote)
        self._books = Books(account, policy, quote, store)
        self._lock = asyncio.Lock()  # a change is read, worked out and stored by one task at a time

    # AccountReader

    async def balances(self, wallet: str) -> Read[tuple[Balance, ...]]:
        """`swap` is the paper cash and coins without unrealised PnL.

        Coins are exposure, so they are brought up to now as the positions that they back are, where that is possible.
        """
        if wallet == _SWAP:
            async with self._lock:
                ledgers = {pool: await self._books.load(pool) for pool in self._books.pools}
                if len(ledgers) > 1:
                    with contextlib.suppress(VenueError):
                        ledgers = (await self._advanced())[1]
            held = [Balance(pool.currency, ledger.account.wallet) for pool, ledger in ledgers.items()]
            return Read(tuple(held), self._clock.now())
        if self._real is None or wallet not in self.wallets:
            raise Refused(self.account, f"balances {wallet}", f"this account has only {', '.join(self.wallets)}")
        return await self._real.balances(wallet)

    async def derivatives(self) -> Read[Derivatives]:
        """Brings the account up to now, stores it if that changed it, and values it."""
        if self._real is not None:
            await self._read_shown(self._real)
        async with self._lock:
            view, ledgers = await self._advanced()
            prices = await self._market.coin_prices({pool.currency: each for pool, each in ledgers.items()})
        shown = []
        for pool, ledger in ledgers.items():
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
        return Read(tightest(shown), view.now)

    async def explain(self, doubt: Doubt, since: datetime) -> str | None:
        """From this account's own history, or the real account's for a wallet that passes through."""
        place = doubt.subject.removeprefix(f"{self.account}/")
        if doubt.instrument is None and not place.startswith(f"{_SWAP}/"):
            return await self._real.explain(doubt, since) if self._real else None
        async with self._lock:
            ledgers = [await self._books.load(pool) for pool in self._books.pools]
        events = sorted((event for ledger in ledgers for event in ledger.events), key=lambda event: event.at)
        lines = [event.text for event in events if event.at >= since and doubt.instrument in {None, event.instrument}]
        return "; ".join(lines) or None

    async def totals(self) -> Totals:
        """What its cash has realised and paid since it was opened. Raises `VenueError` if it cannot be loaded."""
        async with self._lock:
            return (await self._books.load(self._books.pools[0])).totals

    async def ledgers(self) -> dict[str, Ledger]:
        """By currency, as they are stored. Raises `VenueError` if one cannot be loaded."""
        async with self._lock:
            return {pool.currency: await self._books.load(pool) for pool in self._books.pools}

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
                pool = self._books.pool_of(approved.intent.instrument)
                known = await self._books.outcome(client_order_id)
                if known is not None:
                    return known
                if client_order_id in (await self._books.load(pool)).resting:
                    return Working(client_order_id, client_order_id)
                execute = self._orders.execute if approved.rest_at is None else self._orders.rest
                outcome, ledger = await execute(await self._books.load(pool), approved)
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

    async def _advanced(self) -> tuple[View, dict[Pool, Ledger]]:
        """What the market shows, and the ledgers as of now.

        A change that cannot be stored is shown all the same, and worked out again at the next look: watching goes on.
        """
        before = {pool: await self._books.load(pool) for pool in self._books.pools}
        view = await self._market.look([name for each in before.values() for name in each.account.positions])
        after = {pool: await self._market.up_to_now(ledger, view) for pool, ledger in before.items()}
        for pool, ledger in after.items():
            with contextlib.suppress(StoreError):
                await self._keep(pool, ledger, view.now)
        return view, after

    async def _sought(self, intent: Intent, *, cancel: bool) -> Outcome | Absent:
        """What has become of an order. One at rest is filled where the market has gone through its price since.

        Only here and not with every look at the positions: who finds these changed has been told of the fill before.
        """
        client_order_id = intent.client_order_id
        async with self._lock:
            try:
                pool = self._books.pool_of(intent.instrument)
                ledger, known = await self._books.load(pool), await self._books.outcome(client_order_id)
                order = ledger.resting.get(client_order_id)
                if known is not None or order is None:
                    return known or Absent(client_order_id)
                outcome: Ended | None
                outcome, ledger = await self._orders.reached(ledger, client_order_id, order)
                if outcome is None and cancel:
                    outcome = Cancelled(client_order_id, "it was taken back before anything of it was filled")
                    ledger = ledger.with_outcome(outcome)
                await self._keep(pool, ledger, self._clock.now())
            except (VenueError, StoreError) as error:
                return Unknown(client_order_id, f"the paper ledger cannot be used: {error}")
        return outcome or Working(client_order_id, client_order_id)

    async def _read_shown(self, real: AccountReader) -> None:
        with contextlib.suppress(VenueError):  # for display only: the last good ones stay
            self.shown_only = (await real.derivatives()).value.positions

    async def _keep(self, pool: Pool, ledger: Ledger, now: datetime) -> None:
        self._market.forget(await self._books.keep(pool, ledger, now))
