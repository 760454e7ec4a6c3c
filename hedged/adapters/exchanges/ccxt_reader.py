"""One account at a venue through ccxt: balances, positions, margin, and what explains a change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from hedged.adapters.exchanges.ccxt_connection import VenueLine
from hedged.model.snapshot import Balance, Derivatives, Doubt, Read


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
            return await line.signed(lambda: line.dialect.derivatives(line.connection, markets))

    async def explain(self, doubt: Doubt, since: datetime) -> str | None:
        line = self._line
        wallet = "" if doubt.instrument else doubt.subject.rsplit("/", 2)[1]
        held = sorted(self._held.get(wallet, ()))
        async with line.reading(f"what became of {doubt.subject}"):
            markets = await line.markets()
            return await line.signed(lambda: line.dialect.explain(line.connection, markets, doubt, since, held))
