"""The store in RAM: the same port, nothing kept after the process. For replays, a demo without a file, and tests."""

from __future__ import annotations

import json
from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hedged.adapters.store import journal
from hedged.adapters.store.beliefs import alerts_after, distinct, doubts_meant, meant, newest_by_key
from hedged.adapters.store.retention import Retention
from hedged.errors import StoreError, StoreUnavailable
from hedged.model.alert import Acknowledgement, Alert, Delivery, Event, Message, OutboxRow, Silence
from hedged.model.command import CommandRow
from hedged.model.effect import EffectDay
from hedged.model.history import KEPT, Bar
from hedged.model.order import ABSENT, Absent, Fill, Intent, OrderRow, OrderState, Outcome, PastOrder, Working
from hedged.model.policy import World
from hedged.model.proposal import Proposal, Verdict
from hedged.ports import CycleRecord, Memory, Turnover
from hedged.tell.route import receivers


@dataclass(slots=True)
class _Order:
    intent: Intent
    cycle_id: str
    planned_at: datetime
    state: str = OrderState.PLANNED.value
    ended_at: datetime | None = None
    fill: Fill | None = None
    sent_at: datetime | None = None
    sends: int = 0
    absences: int = 0
    venue_order_id: str | None = None
    reason: str | None = None


class MemoryStore:
    """`hedged.ports.Store` without durability. Of cycles only the newest is kept, so a replay of years stays small."""

    def __init__(self, *, retention: Retention | None = None) -> None:
        self._retention = retention or Retention()
        self._open = False
        self._last: tuple[str, datetime] | None = None
        self._state: Mapping[str, object] | None = None
        self._memory = Memory()
        self._alerts: dict[str, Alert] = {}
        self._orders: dict[str, _Order] = {}
        self._unfinished: dict[str, _Order] = {}
        self._fills: list[Fill] = []  # oldest first
        self._bars: dict[str, dict[datetime, Bar]] = {}
        self._effects: dict[tuple[datetime, str], EffectDay] = {}
        self._proposals: dict[str, Proposal] = {}
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

    def _require_open(self) -> None:
        if not self._open:
            raise StoreUnavailable("the store in memory is not open")

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

    # orders

    async def plan(self, cycle_id: str, intents: Sequence[Intent], now: datetime) -> None:
        self._require_open()
        ids = [intent.client_order_id for intent in intents]
        known = {each: self._orders[each] for each in ids if each in self._orders}
        if len(set(ids)) < len(ids) or any(order.state != ABSENT for order in known.values()):
            raise journal.already_planned(", ".join(ids))
        self._use_approvals(intents)
        for intent in intents:
            order = _Order(intent, cycle_id, now)
            if (before := self._orders.pop(intent.client_order_id, None)) is not None:  # sent again, with the same id
                order.sent_at, order.sends, order.absences = before.sent_at, before.sends, before.absences
            self._orders[intent.client_order_id] = self._unfinished[intent.client_order_id] = order

    async def mark_sent(self, client_order_id: str, now: datetime) -> None:
        order = self._find(client_order_id)
        sent = OrderState.SENT.value
        if order.state not in journal.COMES_FROM[sent]:
            raise journal.no_such_step(client_order_id, order.state, sent)
        order.state, order.sent_at = sent, now
        order.sends, order.absences = order.sends + 1, 0

    async def record_outcome(self, outcome: Outcome | Absent, now: datetime) -> None:
        wanted, after = outcome.client_order_id, journal.state_after(outcome)
        order = self._find(wanted)
        if order.state not in journal.COMES_FROM[after]:
            if order.state != after:
                raise journal.no_such_step(wanted, order.state, after)
            if isinstance(outcome, Fill) and outcome != order.fill:
                raise journal.contradicts(wanted)
            return
        order.state, order.reason = after, journal.reason_of(outcome)
        if isinstance(outcome, Working):
            order.venue_order_id = outcome.venue_order_id
        if isinstance(outcome, Fill):
            order.fill = outcome
            insort(self._fills, outcome, key=_by_time)
        if after not in journal.OPEN:
            order.ended_at = now
            del self._unfinished[wanted]

    async def record_absence(self, client_order_id: str, now: datetime) -> None:
        order = self._find(client_order_id)
        if order.state not in journal.OPEN:
            raise journal.no_such_step(client_order_id, order.state, ABSENT)
        order.absences += 1

    def _find(self, client_order_id: str) -> _Order:
        self._require_open()
        order = self._orders.get(client_order_id)
        if order is None:
            raise journal.not_in_journal(client_order_id)
        return order

    async def open_orders(self) -> Sequence[OrderRow]:
        self._require_open()
        return [
            OrderRow(
                intent=order.intent,
                state=OrderState(order.state),
                planned_at=order.planned_at,
                cycle_id=order.cycle_id,
                sent_at=order.sent_at,
                sends=order.sends,
                absences=order.absences,
                venue_order_id=order.venue_order_id,
            )
            for order in sorted(
                self._unfinished.values(), key=lambda order: (order.planned_at, order.intent.client_order_id)
            )
        ]

    async def past_orders(self, since: datetime) -> Sequence[PastOrder]:
        self._require_open()
        found: list[PastOrder] = []
        for order in reversed(self._orders.values()):  # newest first
            if order.planned_at < since or len(found) == journal.PAST_ORDERS_MAX:
                break
            found.append(
                PastOrder(
                    intent=order.intent,
                    state=order.state,
                    planned_at=order.planned_at,
                    sent=order.sent_at is not None,
                    filled=order.fill.quantity if order.fill is not None else Decimal(0),
                    reason=order.reason,
                    sends=order.sends,
                )
            )
        return found

    async def turnover(self, since: datetime) -> Turnover:
        self._require_open()
        notionals = [
            journal.fill_notional(fill, self._orders[fill.client_order_id].intent) for fill in self._filled(since)
        ]
        notionals += [order.intent.notional for order in self._unfinished.values()]
        return Turnover(notional=sum(notionals, Decimal(0)), orders=len(notionals))

    async def fills(self, since: datetime) -> Sequence[Fill]:
        self._require_open()
        return self._filled(since)

    def _filled(self, since: datetime) -> list[Fill]:
        return self._fills[bisect_left(self._fills, (since, ""), key=_by_time) :]

    # proposals

    async def proposal(self, proposal_id: str) -> Proposal | None:
        self._require_open()
        return self._proposals.get(proposal_id)

    async def proposals(self, since: datetime) -> Sequence[Proposal]:
        self._require_open()
        wanted = [each for each in self._proposals.values() if each.verdict in journal.UNENDED or each.made_at >= since]
        wanted.sort(key=lambda each: each.id)
        return sorted(wanted, key=lambda each: each.made_at, reverse=True)[: journal.PROPOSALS_MAX]

    async def answer(self, proposal: Proposal) -> bool:
        self._require_open()
        kept = self._proposals.get(proposal.id)
        return kept is not None and kept.digest == proposal.digest and self._step(proposal)

    def _step(self, proposal: Proposal) -> bool:
        kept = self._proposals.get(proposal.id)
        if kept is None or kept.verdict not in journal.VERDICT_FROM[proposal.verdict]:
            return False
        self._proposals[proposal.id] = proposal
        return True

    def _use_approvals(self, intents: Sequence[Intent]) -> None:
        """All or none."""
        used = dict(self._proposals)
        for intent in intents:
            if intent.approval is None:
                continue
            kept = used.get(intent.approval)
            if kept is None or kept.verdict not in journal.VERDICT_FROM[Verdict.USED]:
                raise journal.not_approved(intent.approval, None if kept is None else kept.verdict)
            used[kept.id] = replace(kept, verdict=Verdict.USED, client_order_id=intent.client_order_id)
        self._proposals = used

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
        oldest = now - self._retention.orders_and_alerts
        gone = [each for each, order in self._orders.items() if order.ended_at is not None and order.ended_at < oldest]
        del gone[self._retention.rows_a_call :]
        for each in gone:
            fill = self._orders.pop(each).fill
            if fill is not None:
                self._fills.remove(fill)
        forgotten = 0
        for subject, kept in self._bars.items():
            fresh = {at: row for at, row in kept.items() if at >= now - KEPT}
            forgotten += len(kept) - len(fresh)
            self._bars[subject] = fresh
        ended = [key for key in self._effects if key[0] < now - KEPT]
        for key in ended:
            del self._effects[key]
        over = [
            each.id
            for each in self._proposals.values()
            if each.verdict not in journal.UNENDED and each.made_at < oldest
        ]
        for each in over:
            del self._proposals[each]
        return len(gone) + forgotten + len(ended) + len(over)


def _by_time(fill: Fill) -> tuple[datetime, str]:
    return fill.at, fill.client_order_id


def _copied(data: str) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(data)
    return value
