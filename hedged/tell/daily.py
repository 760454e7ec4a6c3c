"""When the digest is due, and what the store has to say in it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time
from typing import Protocol

from hedged.errors import StoreError
from hedged.model.alert import Alert, Message
from hedged.model.effect import EffectDay
from hedged.model.policy import PortfolioPolicy
from hedged.ports import Ids, Store
from hedged.tell.digest import DAY, compose_digest, last_due
from hedged.tell.pipeline import Happened, addressed


class Teller(Protocol):
    """Whose digest it is: a `hedged.cycle.Portfolio`. `alerts`: as they were before this cycle."""

    @property
    def policy(self) -> PortfolioPolicy: ...
    @property
    def store(self) -> Store: ...
    @property
    def ids(self) -> Ids: ...
    @property
    def alerts(self) -> Sequence[Alert]: ...
    @property
    def url(self) -> str | None: ...


async def daily(
    at: time, last: datetime | None, happened: Happened, alerts: Sequence[Alert], teller: Teller
) -> tuple[datetime, tuple[Message, ...]]:
    """When a digest was due last, to be remembered, and the one that is due now, if any. Raises nothing.

    `last`: what was remembered; nothing at the first start, which makes none, nor does a clock that was set back.
    """
    now = happened.assessment.now
    due = last_due(at, now)
    if last is None or last > now or due <= last:
        return (due if last is None or last > now else last), ()
    known = {each.key: each for each in (*teller.alerts, *alerts)}
    days = await _yesterday(teller.store, now)
    message = compose_digest(happened.assessment, list(known.values()), days, teller.policy, teller.ids.new())
    return due, (addressed(message, teller.policy.name, teller.policy.world, teller.url),)


async def _yesterday(store: Store, now: datetime) -> list[EffectDay] | None:
    day = now.replace(hour=0, minute=0, second=0, microsecond=0) - DAY
    try:
        return [each for each in await store.effects(day) if each.day == day]
    except StoreError:
        return None
