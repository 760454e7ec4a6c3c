"""Channels that take no messages, told on the others."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from hedged.model.finding import Finding, Kind, Severity

if TYPE_CHECKING:
    from hedged.tell.outbox import Courier, Failing

DOWN_AFTER = timedelta(minutes=1)


def channels_down(
    couriers: Sequence[Courier], told: Collection[str], now: datetime, lost: Mapping[str, Failing] | None = None
) -> Iterator[Finding]:
    """Those that have taken nothing for a minute. `told`: keys of the alerts that fire.

    `lost`: by name, those that know by themselves that they could take nothing. One that was told so before a restart
    is down until something has been tried there.
    """
    for courier in couriers:
        name = courier.name
        failing = courier.failing or (lost or {}).get(name)
        if failing is not None and now - failing.since >= DOWN_AFTER:
            text = f"Channel {name} has taken no message since {failing.since:%Y-%m-%d %H:%M} UTC: {failing.why}."
        elif not courier.tried and f"{Kind.CHANNEL_DOWN.value}/{name}" in told:
            text = f"Channel {name} took no message when it was last tried, before the restart."
        else:
            continue
        yield Finding(Kind.CHANNEL_DOWN, name, Severity.WARNING, text)
