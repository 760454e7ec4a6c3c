"""Bytes from outside → a command, or why it is none."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.act.commands import AHEAD_MAX, LASTS_MAX, SIZE_MAX, parse
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
from tests.support import T0

LATER = T0 + timedelta(hours=1)
COMMON = {"request": "r-1", "nonce": "0f3a9c51", "expires": "2026-11-02T12:05:00Z"}
DIGEST = "ab" * 32
ANSWER = {"proposal": "0123abcd", "digest": DIGEST}

GOOD: list[tuple[str, dict[str, Any], Wish]] = [
    ("ack", {"alert": "drift/alts"}, Acknowledge("drift/alts")),
    ("ack", {"alert": "e1", "until": "2026-11-02T14:00:00+01:00"}, Acknowledge("e1", LATER)),
    ("silence", {"pattern": "drift/*", "until": "2026-11-02T13:00:00Z"}, SilenceAlerts("drift/*", LATER)),
    ("silence", {"pattern": "a", "until": "2026-11-02T13:00:00Z", "reason": "x"}, SilenceAlerts("a", LATER, "x")),
    ("pause", {}, PauseOrders()),
    ("pause", {"reason": "Prüfung"}, PauseOrders("Prüfung")),
    ("approve", ANSWER, Answer("0123abcd", DIGEST, approve=True)),
    ("reject", ANSWER, Answer("0123abcd", DIGEST, approve=False)),
    ("set-ratio", {"hedge": "alts", "ratio": 0.5, "until": "2026-11-02T13:00:00Z"}, SetRatio("alts", Decimal("0.5"), LATER)),
    ("set-ratio", {"hedge": "alts", "ratio": 1, "until": "2026-11-02T13:00:00Z"}, SetRatio("alts", Decimal(1), LATER)),
    ("set-ratio", {"hedge": "alts", "ratio": None}, SetRatio("alts", None)),
]  # fmt: skip


def given_to(verb: str, payload: bytes, *, retained: bool = False, allowed: Any = frozenset(Verb)) -> Command | Dropped:
    return parse(verb, payload, retained=retained, now=T0, allowed=allowed)


def made(verb: str, **fields: Any) -> bytes:
    """A command that is right but for `fields`; ... takes one out."""
    right = {**COMMON, **next(own for name, own, _ in GOOD if name == verb), **fields}
    return json.dumps({key: value for key, value in right.items() if value is not ...}).encode()


@pytest.mark.parametrize(("verb", "own", "wish"), GOOD)
def test_what_is_right_is_understood(verb: str, own: dict[str, Any], wish: Wish) -> None:
    """Each verb with what it needs and what it may have."""
    found = given_to(verb, json.dumps({**COMMON, **own}).encode())
    assert found == Command(Verb(verb), "r-1", "0f3a9c51", T0 + timedelta(minutes=5), wish)


BAD: list[tuple[str, bytes, Drop]] = [
    ("pause", b"", Drop.MISTYPED),
    ("pause", b"pause", Drop.MISTYPED),
    ("pause", b"\xff\xfe", Drop.MISTYPED),
    ("pause", b"[]", Drop.MISTYPED),
    ("pause", b"null", Drop.MISTYPED),
    ("pause", b"[" * 4000, Drop.MISTYPED),
    ("pause", b'{"nonce": NaN}', Drop.MISTYPED),
    ("pause", b'{"request": "a", ' + made("pause")[1:], Drop.MISTYPED),  # the key stands there twice
    ("pause", b" " * (SIZE_MAX + 1), Drop.OVERSIZED),
    ("pause", made("pause") + b" " * SIZE_MAX, Drop.OVERSIZED),
    ("resume", made("pause"), Drop.NOT_ALLOWED),
    ("Pause", made("pause"), Drop.NOT_ALLOWED),
    ("", made("pause"), Drop.NOT_ALLOWED),
    ("pause", made("pause", request=...), Drop.MISTYPED),
    ("pause", made("pause", request="a/b"), Drop.MISTYPED),
    ("pause", made("pause", request="#"), Drop.MISTYPED),
    ("pause", made("pause", request=1), Drop.MISTYPED),
    ("pause", made("pause", nonce=...), Drop.MISTYPED),
    ("pause", made("pause", nonce="short"), Drop.MISTYPED),
    ("pause", made("pause", nonce="a" * 129), Drop.MISTYPED),
    ("pause", made("pause", nonce=12345678), Drop.MISTYPED),
    ("pause", made("pause", expires=...), Drop.MISTYPED),
    ("pause", made("pause", expires="2026-11-02T12:05:00"), Drop.MISTYPED),  # no zone
    ("pause", made("pause", expires="0001-01-01T00:00:00+14:00"), Drop.MISTYPED),  # before all time in UTC
    ("pause", made("pause", expires="soon"), Drop.MISTYPED),
    ("pause", made("pause", expires=1793620000), Drop.MISTYPED),
    ("pause", made("pause", expires="2026-11-02T12:00:00Z"), Drop.EXPIRED),
    ("pause", made("pause", expires="2026-11-02T11:59:59Z"), Drop.EXPIRED),
    ("pause", made("pause", expires="2026-11-02T12:10:01Z"), Drop.TOO_FAR_AHEAD),
    ("pause", made("pause", expires="2999-01-01T00:00:00Z"), Drop.TOO_FAR_AHEAD),
    ("pause", made("pause", also=1), Drop.MISTYPED),
    ("pause", made("pause", reason="a\nb"), Drop.MISTYPED),
    ("pause", made("pause", reason="a" * 201), Drop.MISTYPED),
    ("pause", made("pause", reason=None), Drop.MISTYPED),
    ("ack", made("ack", alert=...), Drop.MISTYPED),
    ("ack", made("ack", alert=""), Drop.MISTYPED),
    ("ack", made("ack", alert=["e1"]), Drop.MISTYPED),
    ("ack", made("ack", until="2026-11-02T12:00:00Z"), Drop.MISTYPED),
    ("silence", made("silence", until=...), Drop.MISTYPED),
    ("silence", made("silence", until="2027-11-02T12:00:00Z"), Drop.MISTYPED),
    ("silence", made("silence", pattern="\u202edrift"), Drop.MISTYPED),
    ("approve", made("approve", digest=...), Drop.MISTYPED),
    ("approve", made("approve", digest="AB" * 32), Drop.MISTYPED),
    ("approve", made("approve", digest="ab" * 31), Drop.MISTYPED),
    ("approve", made("approve", proposal="0123abc"), Drop.MISTYPED),
    ("reject", made("reject", digest=None), Drop.MISTYPED),
    ("set-ratio", made("set-ratio", ratio=...), Drop.MISTYPED),
    ("set-ratio", made("set-ratio", ratio="0.5"), Drop.MISTYPED),
    ("set-ratio", made("set-ratio", ratio=True), Drop.MISTYPED),
    ("set-ratio", made("set-ratio", ratio=-0.1), Drop.MISTYPED),
    ("set-ratio", made("set-ratio", ratio=1.51), Drop.MISTYPED),
    ("set-ratio", made("set-ratio").replace(b"0.5", b"1e999999999"), Drop.MISTYPED),
    ("set-ratio", made("set-ratio").replace(b"0.5", b"9" * 2000), Drop.MISTYPED),
    ("set-ratio", made("set-ratio", until=...), Drop.MISTYPED),
    ("set-ratio", made("set-ratio", ratio=None), Drop.MISTYPED),  # there is an end, of what?
    ("set-ratio", made("set-ratio", hedge=""), Drop.MISTYPED),
]


@pytest.mark.parametrize(("verb", "payload", "drop"), BAD)
def test_what_is_not_exactly_right_is_dropped(verb: str, payload: bytes, drop: Drop) -> None:
    """Nothing is guessed, and the reason says what was expected."""
    found = given_to(verb, payload)
    assert isinstance(found, Dropped)
    assert found.drop is drop
    assert found.text
    assert found.text.isprintable()


@pytest.mark.parametrize("verb", Verb)
def test_what_is_retained_is_dropped(verb: Verb) -> None:
    """A broker hands it to whoever subscribes, for ever."""
    found = given_to(verb.value, made(verb.value), retained=True)
    assert isinstance(found, Dropped)
    assert found.drop is Drop.RETAINED


@pytest.mark.parametrize("verb", Verb)
def test_only_what_is_allowed_is_understood(verb: Verb) -> None:
    """Nothing is, unless the configuration names it."""
    for allowed in (frozenset(), frozenset(Verb) - {verb}):
        found = given_to(verb.value, made(verb.value), allowed=allowed)
        assert isinstance(found, Dropped)
        assert (found.drop, found.request, found.nonce) == (Drop.NOT_ALLOWED, "r-1", "0f3a9c51")


def test_there_is_no_word_to_resume() -> None:
    """That takes a person at the machine."""
    assert "resume" not in {each.value for each in Verb}


@settings(deadline=None)
@given(st.binary(max_size=300), st.sampled_from([*(each.value for each in Verb), "resume", "x"]))
def test_no_bytes_break_it(payload: bytes, verb: str) -> None:
    """Whatever comes is a command or dropped, and a command is always in time."""
    found = given_to(verb, payload)
    assert isinstance(found, Dropped) or T0 < found.expires <= T0 + AHEAD_MAX


KEYS = [
    "request",
    "nonce",
    "expires",
    "alert",
    "pattern",
    "until",
    "reason",
    "proposal",
    "digest",
    "hedge",
    "ratio",
    "x",
]
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20),
    st.sampled_from(["r-1", "0f3a9c51", "2026-11-02T12:05:00Z", "2026-11-03T12:00:00Z", "0123abcd", DIGEST, "alts"]),
    st.lists(st.integers(), max_size=2),
)  # fmt: skip


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), VALUES), st.sampled_from([each.value for each in Verb]))
def test_no_object_breaks_it(fields: dict[str, Any], verb: str) -> None:
    """Of whatever right and wrong values: bounds hold for all that is understood."""
    found = given_to(verb, json.dumps({**COMMON, **fields}).encode())
    if isinstance(found, Command):
        until = getattr(found.wish, "until", None)
        assert until is None or T0 < until <= T0 + LASTS_MAX
        ratio = getattr(found.wish, "ratio", None)
        assert ratio is None or 0 <= ratio <= Decimal("1.5")
