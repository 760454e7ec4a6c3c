"""What `hedged alerts` and its pages show, as the store has it. Every function raises `StoreError`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hedged.model.alert import Alert, AlertState, Delivery, Event, Message, MessageKind
from hedged.model.policy import World
from hedged.ports import Store
from hedged.tell.message import compose, message_object, value_objects
from hedged.tell.overview import SCHEMA, alert_objects, delivery_object, silence_object
from hedged.tell.quiet import Attention
from hedged.tell.state import time

EVENT_SCHEMA = "hedged.event/1"


@dataclass(frozen=True, slots=True)
class Listing:
    """Reads one portfolio's store."""

    store: Store
    portfolio: str
    world: World

    async def all(self, now: datetime, *, over: bool = False) -> dict[str, Any]:
        """What is pending or fires, and with `over` what ended within the last day."""
        known = await self.store.alerts()
        ids = {each for alert in known for each in (alert.event_id, alert.told_in) if each is not None}
        attention = await self._attention(now)
        deliveries = await self.store.deliveries(ids)
        shown = [each for each in known if over or each.state is not AlertState.RESOLVED]
        last = await self.store.last_cycle()
        return {
            "schema": SCHEMA,
            **self._who(now),
            "last_cycle_at": time(last[1]) if last is not None else None,
            "alerts": alert_objects(shown, attention, deliveries, now),
            "silences": [silence_object(each) for each in attention.silences],
            "waiting": dict(await self.store.backlog()),
        }

    async def one(self, what: str, now: datetime) -> dict[str, Any] | None:
        """All of an event, by its id or that of a message about several, or by an alert's key; None: nothing."""
        event, known = await self.store.event(what), await self.store.alerts()
        if event is None:
            ids = [each.event_id for each in known if each.key == what]
            event = await self.store.event(ids[0]) if ids else None
        if event is None:
            return None
        told = {each.event_id for each in event.messages}
        deliveries = await self.store.deliveries(told | {each.event_id for each in event.alerts})
        listed = alert_objects(event.alerts, await self._attention(now), deliveries, now, among=known)
        by_id = {each.event_id: each for each in event.alerts}
        return {
            "schema": EVENT_SCHEMA,
            **self._who(now),
            "event_id": _id_of(what, event),
            "alerts": [{**each, **_whole(by_id[str(each["event_id"])], now)} for each in listed],
            "messages": [
                {
                    **message_object(each),
                    "deliveries": [delivery_object(found) for found in deliveries if _is_of(found, each)],
                }
                for each in event.messages
            ],
        }

    def _who(self, now: datetime) -> Mapping[str, object]:
        return {"portfolio": self.portfolio, "world": self.world.value, "now": time(now)}

    async def _attention(self, now: datetime) -> Attention:
        said = await self.store.acknowledgements()
        return Attention(await self.store.silences(now), {each.event_id: each for each in said})


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


def _is_of(delivery: Delivery, message: Message) -> bool:
    return (delivery.message_id, delivery.kind, delivery.at) == (message.event_id, message.kind, message.at)
