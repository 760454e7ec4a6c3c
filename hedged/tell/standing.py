"""What still stands: told again, under the same event id, to a connection that may have missed it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hedged.model.alert import AlertState, Message, MessageKind
from hedged.model.policy import World
from hedged.ports import Clock, Store
from hedged.tell.message import compose
from hedged.tell.pipeline import addressed
from hedged.tell.quiet import acknowledged, silenced_by


class Standing:
    """`hedged.ports.StandingAlerts` over the store."""

    def __init__(self, store: Store, clock: Clock, portfolio: str, world: World, url: str | None = None) -> None:
        self._store = store
        self._clock = clock
        self._portfolio = portfolio
        self._world = world
        self._url = url

    async def standing(self) -> Sequence[Message]:
        now = self._clock.now()
        seen = {each.event_id: each for each in await self._store.acknowledgements()}
        silences = await self._store.silences(now)
        alerts = [
            alert
            for alert in await self._store.alerts()
            if alert.state is AlertState.FIRING and alert.told_at is not None and alert.closed_as is None
            if acknowledged(alert, seen, now) is None and silenced_by(alert, silences, now) is None
        ]
        alerts.sort(key=lambda alert: -alert.severity.rank)
        return [
            replace(addressed(message, self._portfolio, self._world, self._url), republished=True)
            for message in (compose(alert, MessageKind.REPEAT, now, later=True) for alert in alerts)
        ]
