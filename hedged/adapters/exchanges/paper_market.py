"""What a paper account sees of its market, and what passing time makes of a ledger: funding, expiry, liquidation."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from hedged.adapters.exchanges.paper_ledger import Ledger
from hedged.adapters.exchanges.paper_view import View, ended
from hedged.errors import Unreadable, VenueError
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Read
from hedged.ports import Clock, MarketReader

_RATES_KEPT = 8


class PaperMarket:
    """While the clock is `in_doubt`, no time passes on paper."""

    def __init__(
        self, account: str, market: MarketReader, *, quote: str, clock: Clock, in_doubt: Callable[[], bool]
    ) -> None:
        self._account = account
        self._market = market
        self._quote = quote
        self._clock = clock
        self._in_doubt = in_doubt
        self._rates: dict[InstrumentId, dict[datetime, Decimal]] = {}  # announced, by funding time
        self._last: dict[InstrumentId, Read[Decimal]] = {}  # index (or mark) of contracts that end, before they did

    async def look(self, instruments: Collection[InstrumentId]) -> View:
        listed = await self._market.instruments()
        quotes = await self._market.quotes(instruments) if instruments else {}
        for instrument, read in quotes.items():
            announced, rate = read.value.funding_next, read.value.funding_rate
            if announced is not None and rate is not None:
                rates = self._rates.setdefault(instrument, {})
                rates[announced] = rate
                if len(rates) > _RATES_KEPT:
                    del rates[min(rates)]
        return View(self._account, self._clock.now(), listed, quotes)

    async def up_to_now(self, ledger: Ledger, view: View) -> Ledger:
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

    @property
    def in_doubt(self) -> bool:
        return self._in_doubt()

    def forget(self, gone: Iterable[InstrumentId]) -> None:
        """Contracts of which nothing is held any more: once their settlement is stored, and not before."""
        for instrument in gone:
            self._last.pop(instrument, None)

    async def coin_prices(self, ledgers: Mapping[str, Ledger]) -> dict[str, Decimal]:
        """What each currency is worth in the quote; a coin that backs nothing may be without a price."""
        coins = [currency for currency in ledgers if currency != self._quote]
        needed = [coin for coin in coins if ledgers[coin].account.positions]
        told: Mapping[str, Read[Decimal]] = {}
        try:
            told = await self._market.prices(coins, self._quote) if coins else {}
        except VenueError:
            if needed:
                raise
        lacking = [coin for coin in needed if coin not in told]
        if lacking:
            raise Unreadable(self._account, "paper margin", f"no price of {', '.join(lacking)} in {self._quote}")
        return {self._quote: Decimal(1), **{coin: read.value for coin, read in told.items()}}

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
                    self._account, "paper settlement", f"{instrument} expired and {terms.base} has no price"
                )
            found[instrument] = min(seen, key=lambda read: abs(read.as_of - end)).value
        return found
