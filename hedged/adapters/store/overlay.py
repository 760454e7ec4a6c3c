"""A store that reads what another one holds and keeps every change to itself: for looking without touching."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from hedged.adapters.store.memory import MemoryStore
from hedged.model.alert import Alert
from hedged.model.order import OrderRow, PastOrder
from hedged.ports import Memory, Store, Turnover


class OverlayStore(MemoryStore):
    """What `once` runs on: the daemon's memory, alerts, orders and paper accounts, none of which it can change."""

    def __init__(self, base: Store) -> None:
        super().__init__()
        self._base = base

    async def memory(self) -> Memory:
        return await self._base.memory()

    async def alerts(self) -> Sequence[Alert]:
        return await self._base.alerts()

    async def open_orders(self) -> Sequence[OrderRow]:
        return await self._base.open_orders()

    async def past_orders(self, since: datetime) -> Sequence[PastOrder]:
        return await self._base.past_orders(since)

    async def turnover(self, since: datetime) -> Turnover:
        return await self._base.turnover(since)

    async def get_blob(self, key: str) -> Mapping[str, object] | None:
        own = await super().get_blob(key)
        return own if own is not None else await self._base.get_blob(key)
