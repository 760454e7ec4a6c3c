"""One account at a venue through ccxt: balances, positions, margin, and what explains a change."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal

from hedged.adapters.exchanges import own_margin
from hedged.adapters.exchanges.ccxt_connection import SAME_CYCLE, VenueLine
from hedged.adapters.exchanges.dialects.base import Markets
from hedged.adapters.exchanges.tier_book import Tiers
from hedged.errors import VenueError
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Balance, Derivatives, Doubt, Read

_PATIENCE = 1 / 3  # of a read's time, for what only a computed margin needs


class CcxtAccountReader:
    """An `AccountReader`. Needs a key that may read; one that may do more changes nothing here."""

    def __init__(self, line: VenueLine, wallets: Sequence[str]) -> None:
        self.account = line.connection.account
        self.wallets: Sequence[str] = tuple(dict.fromkeys(line.dialect.pool(wallet) for wallet in wallets))
        self._line = line
        self._held: dict[str, frozenset[str]] = {}  # wallet → assets seen in its last read

    async def balances(self, wallet: str) -> Read[tuple[Balance, ...]]:
        line = self._line
        async with line.reading(f"balances {wallet}"):
            read = await line.signed(lambda: line.dialect.balances(line.connection, wallet))
        self._held[wallet] = frozenset(balance.asset for balance in read.value)
        return read

    async def derivatives(self) -> Read[Derivatives]:
        line = self._line
        async with line.reading("derivatives"):
            markets = await line.markets()
            read = await line.signed(lambda: line.dialect.derivatives(line.connection, markets))
        return Read(await self._with_own_margin(read.value, markets), read.as_of)

    async def _with_own_margin(self, told: Derivatives, markets: Markets) -> Derivatives:
        """With what the venue leaves out computed from tiers and this cycle's marks; what cannot be stays unknown.

        The positions are there already: marks or tiers that do not come within a third of a read's time, which is on
        top of it, do not make them unknown.
        """
        line = self._line
        held = [position.instrument for position in told.positions if position.contracts]
        if not line.dialect.may_estimate(told) or not own_margin.is_lacking(told):
            if held:
                line.start_tiers(held)
            return told
        tiers, marks = await asyncio.gather(self._tiers(held), self._marks(held))
        return own_margin.fill_margin(told, markets.instruments, marks, tiers)

    async def _tiers(self, held: Sequence[InstrumentId]) -> Tiers:
        with suppress(VenueError):
            async with self._line.reading("margin tiers", share=_PATIENCE):
                return await self._line.tiers(held)
        return {}

    async def _marks(self, held: Sequence[InstrumentId]) -> Mapping[InstrumentId, Decimal]:
        with suppress(VenueError):
            async with self._line.reading("marks", share=_PATIENCE):
                quotes = await self._line.quotes(held, age_max=SAME_CYCLE)
                return {name: quote.value.mark for name, quote in quotes.items()}
        return {}

    async def explain(self, doubt: Doubt, since: datetime) -> str | None:
        line = self._line
        wallet = "" if doubt.instrument else doubt.subject.rsplit("/", 2)[1]
        held = sorted(self._held.get(wallet, ()))
        async with line.reading(f"what became of {doubt.subject}"):
            markets = await line.markets()
            return await line.signed(lambda: line.dialect.explain(line.connection, markets, doubt, since, held))
