"""The store in RAM: the same port, nothing kept after the process. For replays, a demo without a file, and tests."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hedged.adapters.store.beliefs import alerts_after, distinct, doubts_meant, meant, newest_by_key
from hedged.adapters.store.memory_journal import MemoryJournal
from hedged.adapters.store.retention import Retention
from hedged.errors import StoreError
from hedged.model.alert import Acknowledgement, Alert, Delivery, Event, Message, OutboxRow, Silence
from hedged.model.command import CommandRow
from hedged.model.effect import EffectDay
from hedged.model.history import KEPT, Bar
from hedged.model.policy import World
from hedged.model.proposal import Verdict
from hedged.ports import CycleRecord, Memory
from hedged.tell.route import receivers


class MemoryStore(MemoryJournal):
    """`hedged.ports.Store` without durability. Of cycles only the newest is kept, so a replay of years stays small."""

    def __init__(self, *, retention: Retention | None = None) -> None:
        super().__init__()
        self._retention = retention or Retention()
        self._last: tuple[str, datetime] | None = None
        self._state: Mapping[str, object] | None = None
        self._memory = Memory()
        self._alerts: dict[str, Alert] = {}
        self._bars: dict[str, dict[datetime, Bar]] = {}
        self._effects: dict[tuple[datetime, str], EffectDay] = {}
        self._waiting: dict[int, OutboxRow] = {}
        self._deliveries: dict[int, Delivery] = {}
        self._messages: dict[int, Message] = {}  # of these deliveries
        self._rows = 0
        self._blobs: dict[str, str] = {}
        self._commands: dict[tuple[str, str], CommandRow] = {}  # by source and nonce, oldest first
        self._acknowledged: dict[str, Acknowledgement] = {}
        self._silences: dict[str, Silence] = {}

    async def open(self, portfolio: str, world: World, now: datetime) -> None:
        self._open = True

    async def close(self) -> None:
        self._open = False

    # who may send orders: nobody else can reach this one

    async def take_lease(self, holder: str, now: datetime, lasts: timedelta) -> None:
        self._require_open()

    async def renew_lease(self, until: datetime) -> None:
        self._require_open()

    async def release_lease(self) -> None:
        self._require_open()

    # the cycle

    async def memory(self) -> Memory:
        self._require_open()
        return self._memory

    async def alerts(self) -> Sequence[Alert]:
        self._require_open()
        return newest_by_key(self._alerts.values())

    async def event(self, event_id: str) -> Event | None:
        self._require_open()
        found = [each for each in self._alerts.values() if each.event_id == event_id]
        asked = {event_id, *(each for alert in found for each in (alert.told_in, *alert.told_before))}
        messages = distinct(each for _, each in sorted(self._messages.items()) if each.event_id in asked)
        if not found:
            told = {each.event_id for message in messages for each in message.alerts}
            found = [each for each in self._alerts.values() if each.event_id in told]
        return Event(tuple(found), messages) if found or messages else None

    async def record_cycle(self, record: CycleRecord, channels: Sequence[str], further: Sequence[str] = ()) -> None:
        self._require_open()
        if self._last is not None and self._last[0] == record.cycle_id:
            raise StoreError(f"cycle {record.cycle_id} is recorded already: an id is used once")
        self._last = (record.cycle_id, record.finished_at)
        self._state = self._state if record.state is None else record.state
        accepted = (record.memory.accepted | self._memory.accepted) & record.memory.polls.keys()
        self._memory = replace(record.memory, accepted=accepted)
        self._alerts = alerts_after(self._alerts, record.alerts, record.finished_at)
        self._effects.update({(row.day, row.hedge): row for row in record.effects})
        for proposal in record.proposals:
            if proposal.verdict is Verdict.OPEN:
                self._proposals.setdefault(proposal.id, proposal)
            else:
                self._step(proposal)
        for message in record.messages:
            for channel in receivers(message, channels, further):
                self._rows += 1
                self._waiting[self._rows] = OutboxRow(self._rows, channel, message, 0, record.finished_at)
                self._deliveries[self._rows] = Delivery(message.event_id, channel, message.kind, message.at, 0)
                self._messages[self._rows] = message
        asked = {each for alert in self._alerts.values() for each in (alert.event_id, alert.told_in)}
        self._deliveries = {
            row: each for row, each in self._deliveries.items() if row in self._waiting or each.message_id in asked
        }
        self._messages = {row: self._messages[row] for row in self._deliveries}

    async def last_cycle(self) -> tuple[str, datetime] | None:
        self._require_open()
        return self._last

    async def latest_state(self) -> Mapping[str, object] | None:
        self._require_open()
        return None if self._state is None else _copied(json.dumps(dict(self._state)))

    async def accept(self, subject: str, now: datetime) -> bool:
        self._require_open()
        meant = doubts_meant(subject, self._memory.polls)
        self._memory = replace(self._memory, accepted=self._memory.accepted.union(meant))
        return bool(meant)

    # what people say of alerts

    async def acknowledge(self, what: str, by: str, now: datetime, until: datetime | None = None) -> bool:
        self._require_open()
        events = meant(what, self._alerts.values())
        self._acknowledged.update({event: Acknowledgement(event, by, now, until) for event in events})
        return bool(events)

    async def acknowledgements(self) -> Sequence[Acknowledgement]:
        self._require_open()
        self._acknowledged = {event: ack for event, ack in self._acknowledged.items() if event in self._alerts}
        return list(self._acknowledged.values())

    async def silence(self, silence: Silence) -> None:
        self._require_open()
        self._silences[silence.id] = silence

    async def silences(self, now: datetime) -> Sequence[Silence]:
        self._require_open()
        return sorted((each for each in self._silences.values() if each.ends_at > now), key=lambda each: each.ends_at)

    async def unsilence(self, silence_id: str, now: datetime) -> bool:
        self._require_open()
        known = self._silences.get(silence_id)
        if known is None or known.ends_at <= now:
            return False
        del self._silences[silence_id]
        return True

    # prices of the past

    async def put_bars(self, subject: str, rows: Sequence[Bar]) -> None:
        self._require_open()
        kept = self._bars.setdefault(subject, {})
        kept.update({row.at: row for row in rows})

    async def bars(self, subject: str, since: datetime) -> Sequence[Bar]:
        self._require_open()
        kept = self._bars.get(subject, {})
        return [kept[at] for at in sorted(kept) if at > since]

    async def newest_bars(self) -> Mapping[str, datetime]:
        self._require_open()
        return {subject: max(kept) for subject, kept in self._bars.items() if kept}

    async def effects(self, since: datetime) -> Sequence[EffectDay]:
        self._require_open()
        return [self._effects[key] for key in sorted(self._effects) if key[0] >= since]

    # delivery

    async def due(self, channel: str, now: datetime, limit: int) -> Sequence[OutboxRow]:
        self._require_open()
        found = (row for row in self._waiting.values() if row.channel == channel and row.next_try_at <= now)
        return [row for row, _ in zip(found, range(limit), strict=False)]

    async def delivered(self, row_id: int, now: datetime) -> None:
        self._require_open()
        if self._waiting.pop(row_id, None) is not None:
            self._deliveries[row_id] = replace(self._deliveries[row_id], delivered_at=now, error=None)

    async def failed(self, row_id: int, next_try_at: datetime, error: str) -> None:
        self._require_open()
        row = self._waiting.get(row_id)
        if row is not None:
            self._waiting[row_id] = replace(row, attempts=row.attempts + 1, next_try_at=next_try_at)
            self._deliveries[row_id] = replace(self._deliveries[row_id], attempts=row.attempts + 1, error=error)

    async def deliveries(self, message_ids: Collection[str]) -> Sequence[Delivery]:
        self._require_open()
        return [each for _, each in sorted(self._deliveries.items()) if each.message_id in message_ids]

    async def backlog(self) -> Mapping[str, int]:
        self._require_open()
        return Counter(row.channel for row in self._waiting.values())

    # commands from outside

    async def claim_command(self, row: CommandRow) -> bool:
        self._require_open()
        key = row.source, row.nonce or f"#{len(self._commands)}"  # no nonce begins like this
        return self._commands.setdefault(key, row) is row

    async def end_command(self, row: CommandRow) -> None:
        self._require_open()
        key = row.source, row.nonce or ""
        self._commands[key] = replace(self._commands[key], outcome=row.outcome, data=row.data)

    async def note_command(self, row: CommandRow) -> None:
        if not await self.claim_command(row):
            await self.claim_command(replace(row, nonce=None))

    async def past_commands(self, limit: int) -> Sequence[CommandRow]:
        self._require_open()
        return [row for row, _ in zip(reversed(self._commands.values()), range(limit), strict=False)]

    # small facts

    async def get_blob(self, key: str) -> Mapping[str, object] | None:
        self._require_open()
        data = self._blobs.get(key)
        return None if data is None else _copied(data)

    async def put_blob(self, key: str, value: Mapping[str, object], now: datetime) -> None:
        self._require_open()
        self._blobs[key] = json.dumps(value)  # a copy, and what is not JSON fails here as it does on disk

    async def thin(self, now: datetime) -> int:
        """Ended orders and their fills, and old prices: all else here goes as soon as nothing can ask for it."""
        self._require_open()
        thinned = self._thin_journal(now - self._retention.orders_and_alerts, self._retention.rows_a_call)
        forgotten = 0
        for subject, kept in self._bars.items():
            fresh = {at: row for at, row in kept.items() if at >= now - KEPT}
            forgotten += len(kept) - len(fresh)
            self._bars[subject] = fresh
        ended = [key for key in self._effects if key[0] < now - KEPT]
        for key in ended:
            del self._effects[key]
        return thinned + forgotten + len(ended)


def _copied(data: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(data)
    return value
