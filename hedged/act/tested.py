"""When each channel last took a test message, kept in the store: going live asks for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from hedged.ports import Store

_KEY = "tested"


async def tested(store: Store) -> Mapping[str, datetime]:
    """By channel. What cannot be understood is no test. Raises `StoreError`."""
    found: dict[str, datetime] = {}
    for name, value in (await store.get_blob(_KEY) or {}).items():
        try:
            at = datetime.fromisoformat(str(value))
        except ValueError:
            continue
        if at.tzinfo is not None:
            found[name] = at
    return found


async def keep_tested(store: Store, channels: Iterable[str], now: datetime) -> None:
    """These took one now. Durable before it returns. Raises `StoreError`."""
    kept = {**await tested(store), **dict.fromkeys(channels, now)}
    await store.put_blob(_KEY, {name: at.isoformat() for name, at in kept.items()}, now)
