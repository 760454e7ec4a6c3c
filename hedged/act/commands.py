"""Bytes from outside → a command, or the reason why it is none. Pure.

    {"request": "r1", "nonce": "5f0c…", "expires": "2026-11-02T12:01:00Z", …the verb's own}

`request` names the reply, `nonce` is used once and never again, `expires` lies at most ten minutes ahead: a command
that waited somewhere is none any more, and the clock of whoever made it cannot be far off. What is not exactly as
written here is dropped; nothing is guessed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hedged.model.command import (
    Acknowledge,
    Answer,
    Command,
    Drop,
    Dropped,
    PauseOrders,
    SetRatio,
    SilenceAlerts,
    Verb,
    Wish,
)

SIZE_MAX = 4096  # bytes
AHEAD_MAX = timedelta(minutes=10)
LASTS_MAX = timedelta(days=30)  # of a silence, a snooze, a ratio
RATIO_MAX = Decimal("1.5")
TEXT_MAX = 200

_REQUEST = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_NONCE = re.compile(r"[A-Za-z0-9_.:-]{8,128}")
_PROPOSAL = re.compile(r"[0-9a-f]{8}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class _Mistyped(Exception):
    """With what was expected."""


def parse(verb: str, payload: bytes, *, retained: bool, now: datetime, allowed: Collection[Verb]) -> Command | Dropped:
    """What is asked, as far as can be told without a store: whether the nonce is new is left to that."""
    if retained:
        return Dropped(Drop.RETAINED, "it was retained: a broker hands such a message out again and again")
    if len(payload) > SIZE_MAX:
        return Dropped(Drop.OVERSIZED, f"{len(payload):,} bytes: at most {SIZE_MAX:,}")
    try:
        fields = _Fields(_object(payload))
    except _Mistyped as error:
        return Dropped(Drop.MISTYPED, str(error))
    request, nonce = fields.peek("request", _REQUEST), fields.peek("nonce", _NONCE)
    if verb not in {each.value for each in allowed}:
        return Dropped(Drop.NOT_ALLOWED, f"{_shown(verb)} is not allowed by `commands` under `[mqtt]`", request, nonce)
    try:
        return _command(Verb(verb), fields, now)
    except _Mistyped as error:
        return Dropped(Drop.MISTYPED, str(error), request, nonce)
    except _Expired as error:
        return Dropped(error.drop, str(error), request, nonce)


class _Expired(Exception):
    def __init__(self, drop: Drop, text: str) -> None:
        super().__init__(text)
        self.drop = drop


def _command(verb: Verb, fields: _Fields, now: datetime) -> Command:
    request = fields.text("request", _REQUEST)
    nonce = fields.text("nonce", _NONCE)
    expires = fields.time("expires")
    wish = _WISHES[verb](fields, now)
    fields.end()
    if expires <= now:
        raise _Expired(Drop.EXPIRED, f"it expired {_moment(expires)}")
    if expires > now + AHEAD_MAX:
        minutes = int(AHEAD_MAX.total_seconds()) // 60
        raise _Expired(Drop.TOO_FAR_AHEAD, f"it expires {_moment(expires)}, more than {minutes} minutes ahead")
    return Command(verb, request, nonce, expires, wish)


def _ack(fields: _Fields, now: datetime) -> Wish:
    until = fields.until(now) if "until" in fields else None
    return Acknowledge(fields.words("alert", least=1), until)


def _silence(fields: _Fields, now: datetime) -> Wish:
    reason = fields.words("reason") if "reason" in fields else ""
    return SilenceAlerts(fields.words("pattern", least=1), fields.until(now), reason)


def _pause(fields: _Fields, now: datetime) -> Wish:
    return PauseOrders(fields.words("reason") if "reason" in fields else "")


def _approve(fields: _Fields, now: datetime) -> Wish:
    return Answer(fields.text("proposal", _PROPOSAL), fields.text("digest", _DIGEST), approve=True)


def _reject(fields: _Fields, now: datetime) -> Wish:
    return Answer(fields.text("proposal", _PROPOSAL), fields.text("digest", _DIGEST), approve=False)


def _set_ratio(fields: _Fields, now: datetime) -> Wish:
    hedge = fields.words("hedge", least=1)
    if fields.is_null("ratio"):
        return SetRatio(hedge, None)
    return SetRatio(hedge, fields.number("ratio", RATIO_MAX), fields.until(now))


_WISHES: Mapping[Verb, Callable[[_Fields, datetime], Wish]] = {
    Verb.ACK: _ack,
    Verb.SILENCE: _silence,
    Verb.PAUSE: _pause,
    Verb.APPROVE: _approve,
    Verb.REJECT: _reject,
    Verb.SET_RATIO: _set_ratio,
}


class _Fields:
    """A JSON object that is read key by key; what nobody asked for is a mistake too."""

    def __init__(self, values: Mapping[str, object]) -> None:
        self._values = values
        self._read: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def peek(self, key: str, form: re.Pattern[str]) -> str | None:
        """The value where it is right, for an answer to what is wrong elsewhere."""
        value = self._values.get(key)
        return value if isinstance(value, str) and form.fullmatch(value) else None

    def text(self, key: str, form: re.Pattern[str]) -> str:
        value = self._take(key)
        if not isinstance(value, str) or not form.fullmatch(value):
            raise _Mistyped(f"{key} must be text of the form {form.pattern}")
        return value

    def words(self, key: str, *, least: int = 0) -> str:
        value = self._take(key)
        if not isinstance(value, str) or not least <= len(value) <= TEXT_MAX or not value.isprintable():
            raise _Mistyped(f"{key} must be text of {least} to {TEXT_MAX} printable characters")
        return value

    def number(self, key: str, most: Decimal) -> Decimal:
        value = self._take(key)
        if isinstance(value, bool) or not isinstance(value, int | Decimal) or not 0 <= value <= most:
            raise _Mistyped(f"{key} must be a number from 0 to {most}")
        return abs(round(Decimal(value), 9))

    def time(self, key: str) -> datetime:
        value = self._take(key)
        wanted = f"{key} must be a time with its zone, such as 2026-11-02T12:00:00Z"
        if not isinstance(value, str) or len(value) > 40:
            raise _Mistyped(wanted)
        try:
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                raise _Mistyped(wanted)
            return moment.astimezone(UTC)
        except (ValueError, OverflowError):
            raise _Mistyped(wanted) from None

    def until(self, now: datetime) -> datetime:
        """When something is to end: ahead, and not for ever."""
        until = self.time("until")
        if not now < until <= now + LASTS_MAX:
            raise _Mistyped(f"until must lie ahead, at most {LASTS_MAX.days} days")
        return until

    def is_null(self, key: str) -> bool:
        if key in self._values and self._values[key] is None:
            self._read.add(key)
            return True
        return False

    def end(self) -> None:
        if unknown := sorted(self._values.keys() - self._read):
            raise _Mistyped(f"unknown: {', '.join(map(_shown, unknown[:5]))}")

    def _take(self, key: str) -> object:
        if key not in self._values:
            raise _Mistyped(f"{key} is missing")
        self._read.add(key)
        return self._values[key]


def _object(payload: bytes) -> Mapping[str, object]:
    try:
        value = json.loads(
            payload.decode(), object_pairs_hook=_unique, parse_float=Decimal, parse_constant=_no_constant
        )
    except (ValueError, ArithmeticError, RecursionError):
        raise _Mistyped("not JSON") from None
    if not isinstance(value, dict):
        raise _Mistyped("must be a JSON object")
    return value


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Of a key that stands there twice nobody can tell which was meant."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _Mistyped("a key stands there twice")
    return found


def _no_constant(name: str) -> object:
    raise _Mistyped(f"{name} is not JSON")


def _shown(text: str) -> str:
    """Untrusted text for a line of a log."""
    line = "".join(char if char.isprintable() else "?" for char in text)
    return f"`{line}`" if len(line) <= 32 else f"`{line[:31]}…`"


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")
