"""The ledgers of a paper account, one for each currency, and their keeping.

Every change is stored before it is believed. What is in memory is therefore always what is in the store: when storing
is interrupted, memory is dropped and the store asked again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Protocol

from hedged.adapters.exchanges.paper_ledger import Ended, Ledger, from_blob, to_blob
from hedged.errors import StoreError, Unreachable, Unreadable
from hedged.estimate.margin_account import MarginAccount
from hedged.model.instrument import InstrumentId
from hedged.model.policy import PaperPolicy


class BlobStore(Protocol):
    """The part of the store that a paper account needs."""

    async def get_blob(self, key: str) -> Mapping[str, object] | None: ...
    async def put_blob(self, key: str, value: Mapping[str, object], now: datetime) -> None: ...


@dataclass(slots=True, eq=False)
class Pool:
    """What one currency backs. `ledger` None: not read from the store yet."""

    currency: str
    key: str
    opened_with: Decimal
    ledger: Ledger | None = None


class Books:
    """Stored as `paper/<account>`, those of coins as `paper/<account>/<coin>`. `pools`: the cash first."""

    def __init__(self, account: str, policy: PaperPolicy, quote: str, store: BlobStore | None) -> None:
        self._account = account
        self._store = store
        self.pools = (
            Pool(quote, f"paper/{account}", policy.cash),
            *(Pool(coin, f"paper/{account}/{coin}", amount) for coin, amount in policy.coins.items()),
        )

    def pool_of(self, instrument: InstrumentId) -> Pool:
        """That of what settles it, by its symbol; the cash where there is none, which turns the order down."""
        settle = instrument.rpartition(":")[2].partition("-")[0]
        return next((pool for pool in self.pools if pool.currency == settle), self.pools[0])

    async def outcome(self, client_order_id: str) -> Ended | None:
        """What an order came to, in whichever ledger it is."""
        outcomes = [(await self.load(pool)).outcome(client_order_id) for pool in self.pools]
        return next((outcome for outcome in outcomes if outcome is not None), None)

    async def load(self, pool: Pool) -> Ledger:
        if pool.ledger is None:
            try:
                blob = await self._store.get_blob(pool.key) if self._store is not None else None
                pool.ledger = Ledger(MarginAccount(pool.opened_with)) if blob is None else from_blob(blob)
            except StoreError as error:
                raise Unreachable(self._account, "paper ledger", str(error)) from error
            except (KeyError, TypeError, ValueError, ArithmeticError) as error:
                raise Unreadable(
                    self._account, "paper ledger", f"{pool.key} in the store is damaged: {error!r}"
                ) from error
        return pool.ledger

    async def keep(self, pool: Pool, ledger: Ledger, now: datetime) -> frozenset[InstrumentId]:
        """Store it if it changed. Returns the contracts of which nothing is held any more. Raises `StoreError`."""
        if ledger is pool.ledger:
            return frozenset()
        before = pool.ledger
        if self._store is not None:
            pool.ledger = None  # whatever interrupts the writing, the store then knows best
            await self._store.put_blob(pool.key, to_blob(ledger), now)
        pool.ledger = ledger
        return frozenset((before.terms.keys() if before is not None else set()) - ledger.terms.keys())
