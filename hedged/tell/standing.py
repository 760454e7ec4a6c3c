"""What still stands: told again, under the same event id, to a connection that may have missed it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hedged.model.alert import AlertState, Message, MessageKind
from hedged.model.policy import World
from hedged.ports import Clock, Store
from hedged.tell.message import compose
from hedged.tell.pipeline import addressed


class Standing:
    """`hedged.ports.StandingAlerts` over the store."""

    def __init__(self, store: Store, clock: Clock, portfolio: str, world: World) -> None:
        self._store = store
        self._clock = clock
        self._portfolio = portfolio
        self._world = world

    async def standing(self) -> Sequence[Message]:
        now = self._clock.now()
        said = await self._store.acknowledgements()
        acknowledged = {each.event_id for each in said if each.until is None or each.until > now}
        alerts = [
            alert
            for alert in await self._store.alerts()
            if alert.state is AlertState.FIRING and alert.told_at is not None and alert.event_id not in acknowledged
        ]
        alerts.sort(key=lambda alert: -alert.severity.rank)
        return [
            replace(addressed(compose(alert, MessageKind.REPEAT, now), self._portfolio, self._world), republished=True)
            for alert in alerts
        ]
