"""A store that reads what another one holds and keeps every change to itself: for looking without touching."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from hedged.adapters.store.memory import MemoryStore
from hedged.model.alert import Acknowledgement, Alert, Delivery, Event, Silence
from hedged.model.effect import EffectDay
from hedged.model.history import Bar
from hedged.model.order import OrderRow, PastOrder
from hedged.model.proposal import Proposal
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

    async def event(self, event_id: str) -> Event | None:
        return await self._base.event(event_id)

    async def acknowledgements(self) -> Sequence[Acknowledgement]:
        return await self._base.acknowledgements()

    async def silences(self, now: datetime) -> Sequence[Silence]:
        return await self._base.silences(now)

    async def deliveries(self, message_ids: Collection[str]) -> Sequence[Delivery]:
        return await self._base.deliveries(message_ids)

    async def open_orders(self) -> Sequence[OrderRow]:
        return await self._base.open_orders()

    async def past_orders(self, since: datetime) -> Sequence[PastOrder]:
        return await self._base.past_orders(since)

    async def turnover(self, since: datetime) -> Turnover:
        return await self._base.turnover(since)

    async def proposal(self, proposal_id: str) -> Proposal | None:
        return await self._base.proposal(proposal_id)

    async def proposals(self, since: datetime) -> Sequence[Proposal]:
        return await self._base.proposals(since)

    async def effects(self, since: datetime) -> Sequence[EffectDay]:
        return await self._base.effects(since)

    async def get_blob(self, key: str) -> Mapping[str, object] | None:
        own = await super().get_blob(key)
        return own if own is not None else await self._base.get_blob(key)

    async def latest_state(self) -> Mapping[str, object] | None:
        return await self._base.latest_state()

    async def bars(self, subject: str, since: datetime) -> Sequence[Bar]:
        kept = {row.at: row for row in (*await self._base.bars(subject, since), *await super().bars(subject, since))}
        return [kept[at] for at in sorted(kept)]

    async def newest_bars(self) -> Mapping[str, datetime]:
        return {**await self._base.newest_bars(), **await super().newest_bars()}
