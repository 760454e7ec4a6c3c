"""What a cycle has to know of people: silences, acknowledgements, and whether what is critical has reached anybody."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime

from hedged.model.alert import Alert, AlertState
from hedged.model.finding import Severity
from hedged.ports import Store
from hedged.tell.quiet import Attention
from hedged.tell.rules import AlertRules


async def attention(
    store: Store, alerts: Sequence[Alert], rules: AlertRules, confirming: Collection[str], now: datetime
) -> Attention:
    """As the store knows it now. Raises `StoreError`.

    `confirming`: channels whose acknowledgement counts; those of all others say nothing about people.
    """
    firing = [alert for alert in alerts if alert.state is AlertState.FIRING]
    acknowledgements = await store.acknowledgements() if firing else ()
    critical = (each for each in firing if each.severity is Severity.CRITICAL and each.further_at is None)
    waiting = {each.told_in for each in critical if each.told_in is not None}
    deliveries = await store.deliveries(waiting) if rules.confirm_within is not None and waiting else ()
    return Attention(
        silences=await store.silences(now),
        acknowledgements={each.event_id: each for each in acknowledgements},
        reached=frozenset(
            each.message_id for each in deliveries if each.delivered_at is not None and each.channel in confirming
        ),
    )
