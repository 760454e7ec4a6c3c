"""That everything was in order for live trading: kept in the store, and good for the configuration it was asked of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import cast

from hedged.errors import StoreError
from hedged.model.codec import decode, encode
from hedged.ports import Store

_KEY = "go-live"


@dataclass(frozen=True, slots=True)
class GoLive:
    """When all checks were green, for which trading configuration, and by which version."""

    at: datetime
    digest: str
    version: str


async def kept(store: Store) -> GoLive | None:
    """Raises `StoreError`, also for what cannot be understood."""
    data = await store.get_blob(_KEY)
    try:
        return None if data is None else decode(GoLive, data)
    except (ValueError, ArithmeticError, TypeError) as error:
        raise StoreError(
            f"what is kept of go-live cannot be understood ({error}): `hedged go-live --check` makes it anew"
        ) from error


async def keep(store: Store, passed: GoLive) -> None:
    """Durable before it returns. Raises `StoreError`."""
    await store.put_blob(_KEY, cast("dict[str, object]", encode(passed)), passed.at)


def stands_in_the_way(passed: GoLive | None, digest: str) -> str | None:
    """Why this configuration may not trade live yet; None: it may."""
    if passed is None:
        return "`hedged go-live --check` has not been green yet"
    if passed.digest != digest:
        return (
            "hedges, limits or something else that orders come of have changed since `hedged go-live --check` was "
            f"green on {passed.at:%Y-%m-%d %H:%M} UTC: ask it again"
        )
    return None
