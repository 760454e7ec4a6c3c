"""What a person asks of alerts, by command line, MQTT or Telegram: kept in the store for the next cycle."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

from hedged.model.alert import Silence
from hedged.ports import Store

PATTERN_MAX = 200  # characters
SAID_MAX = 200


async def acknowledge(store: Store, what: str, by: str, now: datetime, until: datetime | None = None) -> bool:
    """Whoever `by` names has seen what fires under this event id or key; False: nothing does.

    It is repeated no more, or with `until` not before then. Raises `StoreError`.
    """
    return await store.acknowledge(what, _line(by), now, until)


async def silence(  # noqa: PLR0917 - one sentence: this, until then, says who and why
    store: Store, pattern: str, until: datetime, by: str, reason: str, now: datetime
) -> Silence:
    """Keep quiet about alerts whose key `pattern` covers. Raises `ValueError` for what cannot be, and `StoreError`."""
    pattern = pattern.strip()
    if not pattern.isprintable() or not 1 <= len(pattern) <= PATTERN_MAX:
        raise ValueError(f"must be a key such as drift/alts, or a pattern such as drift/*, of at most {PATTERN_MAX}")
    if until <= now:
        raise ValueError("must end in the future")
    name = sha256(f"{pattern}\n{by}\n{now.isoformat()}".encode()).hexdigest()[:8]
    made = Silence(name, pattern, now, until, _line(by), _line(reason))
    await store.silence(made)
    return made


async def unsilence(store: Store, silence_id: str, now: datetime) -> bool:
    """End a silence before its time; False: there is none of this id. Raises `StoreError`."""
    return await store.unsilence(silence_id, now)


def _line(text: str) -> str:
    """Untrusted text on one line, bounded."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())[:SAID_MAX]
