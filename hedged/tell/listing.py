"""What `hedged alerts` and its pages show, as the store has it. Every function raises `StoreError`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from hedged.model.alert import Alert, AlertState, Event, MessageKind
from hedged.model.policy import World
from hedged.ports import Store
from hedged.tell.lifecycle import newest_by_key
from hedged.tell.message import compose, message_object, value_objects
from hedged.tell.overview import SCHEMA, alert_objects, delivery_object, silence_object
from hedged.tell.quiet import Attention
from hedged.tell.state import time

EVENT_SCHEMA = "hedged.event/1"


@dataclass(frozen=True, slots=True)
class Unkept:
    """What the running process knows while it cannot record its cycles, which is more than its store does."""

    why: str
    alerts: Sequence[Alert]


@dataclass(frozen=True, slots=True)
class Listing:
    """Reads one portfolio's store. `not_recorded` says why that may be old, where the reader is told of it."""

    store: Store
    portfolio: str
    world: World

    async def all(self, now: datetime, *, over: bool = False, unkept: Unkept | None = None) -> dict[str, Any]:
        """What is pending or fires, and with `over` what ended within the last day."""
        known = await self._known(unkept)
        ids = {each for alert in known for each in (alert.event_id, alert.told_in) if each is not None}
        attention = await self._attention(now)
        deliveries = await self.store.deliveries(ids)
        shown = [each for each in known if over or each.state is not AlertState.RESOLVED]
        last = await self.store.last_cycle()
        return {
            "schema": SCHEMA,
            **self._who(now, unkept),
            "last_cycle_at": time(last[1]) if last is not None else None,
            "alerts": _as_far_as_known(alert_objects(shown, attention, deliveries, now), unkept),
            "silences": [silence_object(each) for each in attention.silences],
            "waiting": dict(await self.store.backlog()),
        }

    async def one(self, what: str, now: datetime, *, unkept: Unkept | None = None) -> dict[str, Any] | None:
        """All of an event, by its id or that of a message about several, or by an alert's key; None: nothing."""
        event, known = await self.store.event(what), await self._known(unkept)
        if event is None:
            ids = [each.event_id for each in known if each.key == what]
            event = await self.store.event(ids[0]) if ids else None
        if unkept is not None:
            event = _as_it_is_now(event, what, known, unkept)
        if event is None:
            return None
        told = {each.event_id for each in event.messages}
        deliveries = await self.store.deliveries(told | {each.event_id for each in event.alerts})
        listed = alert_objects(event.alerts, await self._attention(now), deliveries, now, among=known)
        listed = _as_far_as_known(listed, unkept)
        by_id = {each.event_id: each for each in event.alerts}
        of_message: dict[object, list[dict[str, object]]] = {}
        for each in deliveries:
            of_message.setdefault((each.message_id, each.kind, each.at), []).append(delivery_object(each))
        return {
            "schema": EVENT_SCHEMA,
            **self._who(now, unkept),
            "event_id": _id_of(what, event),
            "alerts": [{**each, **_whole(by_id[str(each["event_id"])], now)} for each in listed],
            "messages": [
                {**message_object(each), "deliveries": of_message.get((each.event_id, each.kind, each.at), [])}
                for each in event.messages
            ],
        }

    def _who(self, now: datetime, unkept: Unkept | None) -> Mapping[str, object]:
        old = {} if unkept is None else {"not_recorded": unkept.why}
        return {"portfolio": self.portfolio, "world": self.world.value, "now": time(now), **old}

    async def _known(self, unkept: Unkept | None) -> Sequence[Alert]:
        stored = await self.store.alerts()
        if unkept is None:
            return stored
        return list((newest_by_key(stored) | newest_by_key(unkept.alerts)).values())

    async def _attention(self, now: datetime) -> Attention:
        said = await self.store.acknowledgements()
        return Attention(await self.store.silences(now), {each.event_id: each for each in said})


def _as_it_is_now(event: Event | None, what: str, known: Sequence[Alert], unkept: Unkept) -> Event | None:
    """A stored event with what the process knows of it since; or one that is in no store, without its messages."""
    if event is not None:
        by_id = {each.event_id: each for each in unkept.alerts}
        return replace(event, alerts=tuple(by_id.get(each.event_id, each) for each in event.alerts))
    found = [each for each in unkept.alerts if what in {each.event_id, each.told_in, *each.told_before}]
    found = found or [each for each in known if each.key == what]
    return Event(tuple(found), ()) if found else None


def _as_far_as_known(listed: list[dict[str, object]], unkept: Unkept | None) -> list[dict[str, object]]:
    """What is told while nothing can be recorded may have reached people: then nobody knows that it did not."""
    if unkept is None:
        return listed
    return [{**each, "confirmed": each["confirmed"] or None} for each in listed]


def _id_of(what: str, event: Event) -> str:
    """The one that was asked for, where it is one."""
    ids = [*(each.event_id for each in event.alerts), *(each.event_id for each in event.messages)]
    return what if what in ids else ids[0]


def _whole(alert: Alert, now: datetime) -> dict[str, object]:
    """What is to be said of an alert as it stands, with its numbers."""
    kind = MessageKind.FIRING
    if alert.state is AlertState.RESOLVED:
        kind = MessageKind.REMOVED if alert.closed_as == "removed" else MessageKind.RESOLVED
    said = compose(alert, kind, now)
    return {"title": said.title, "body": said.body, "values": value_objects(alert.values)}
