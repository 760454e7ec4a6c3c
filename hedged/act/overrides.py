"""Target ratios that a person has set, kept in the store so that the daemon finds them in its next cycle."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from hedged.errors import StoreError
from hedged.model.codec import decode, encode
from hedged.model.timing import Override
from hedged.ports import Store

_KEY = "overrides"


async def overrides(store: Store) -> Mapping[str, Override]:
    """By hedge, expired ones included. Raises `StoreError`, also for what cannot be read."""
    kept = await store.get_blob(_KEY)
    try:
        return {} if kept is None else {name: decode(Override, data) for name, data in kept.items()}
    except (ValueError, ArithmeticError, TypeError) as error:
        raise StoreError(f"what was set by hand cannot be read: {error}") from error


async def set_override(store: Store, hedge: str, override: Override | None, now: datetime) -> None:
    """Keep it until it expires; None takes it back. Durable before it returns. Raises `StoreError`."""
    kept = {name: each for name, each in (await overrides(store)).items() if each.holds(now) and name != hedge}
    if override is not None:
        kept[hedge] = override
    await store.put_blob(_KEY, {name: encode(each) for name, each in kept.items()}, now)
