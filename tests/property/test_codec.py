"""The codec gives back what it was given, to the last digit."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.model.alert import Alert, Message
from hedged.model.codec import decode, encode
from hedged.model.order import GATE_SEAL, Absent, ApprovedIntent, Decision, Fill, Outcome, Rejected, Unknown
from hedged.model.policy import Holding, Thresholds
from hedged.model.snapshot import Fault, Leg, Missing, Quote, Read, Snapshot
from hedged.ports import Memory
from tests.store_samples import ETH, fill, intent, snapshot
from tests.support import T0

_LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=8),
    bool: st.booleans(),
    int: st.integers(),
    float: st.floats(allow_nan=False, allow_infinity=False),
    timedelta: st.timedeltas(timedelta(0), timedelta(days=36_500)),
    type(None): st.none(),
    Decimal: st.decimals(allow_nan=False, allow_infinity=False)
    | st.sampled_from([Decimal("1.500"), Decimal("1E+30"), Decimal("1E-28"), Decimal("-0"), Decimal("0.00")]),
    datetime: st.datetimes(timezones=st.just(UTC)),
}


def values(tp: Any) -> st.SearchStrategy[Any]:
    """Any value of a type, built from its hints; an approved intent has none, as it cannot come back."""
    tp = getattr(tp, "__supertype__", tp)
    origin, args = get_origin(tp) or tp, get_args(tp)
    if tp in _LEAVES:
        return _LEAVES[tp]
    if origin in (Union, types.UnionType):
        return st.one_of([values(arg) for arg in args])
    if isinstance(tp, type) and issubclass(tp, Enum):
        return st.sampled_from(list(tp))
    if origin is tuple:
        return st.just(()) if args[0] is ApprovedIntent else st.lists(values(args[0]), max_size=2).map(tuple)
    if origin is frozenset:
        return st.frozensets(values(args[0]), max_size=3)
    if issubclass(origin, Mapping):
        return st.dictionaries(values(args[0]), values(args[1]), max_size=2)
    assert is_dataclass(origin)
    hints, filled = get_type_hints(origin), dict(zip(getattr(origin, "__parameters__", ()), args, strict=True))
    return st.builds(origin, **{field.name: values(_filled_in(hints[field.name], filled)) for field in fields(origin)})


def _filled_in(tp: Any, filled: dict[Any, Any]) -> Any:
    if isinstance(tp, TypeVar):
        return filled[tp]
    open_ones = getattr(tp, "__parameters__", ())
    return tp[tuple(filled[each] for each in open_ones)] if open_ones and filled else tp


@pytest.mark.parametrize("tp", [Snapshot, Decision, Alert, Message, Memory])
def test_what_is_stored_comes_back_exactly(tp: type) -> None:
    """Through JSON text and back: an equal value, and the same text again, so no digit of a Decimal is lost."""

    @settings(max_examples=60, deadline=None)
    @given(values(tp))
    def holds(value: Any) -> None:
        stored = json.dumps(encode(value))
        back: Any = decode(tp, json.loads(stored))
        assert back == value
        assert type(back) is tp
        assert json.dumps(encode(back)) == stored

    holds()


def test_the_form_on_disk() -> None:
    """Decimals are strings with every digit, times end in Z, unions say which they are, None is null."""
    legs: Any = encode(Read(Quote(Decimal("3000.10"), funding_next=T0), T0), Leg[Quote])
    assert legs == {
        "$": "Read",
        "as_of": "2026-11-02T12:00:00Z",
        "value": {
            "mark": "3000.10",
            "bid": None,
            "ask": None,
            "index": None,
            "funding_rate": None,
            "funding_interval_hours": None,
            "funding_next": "2026-11-02T12:00:00Z",
            "bid_size": None,
            "ask_size": None,
            "volume_day": None,
            "high_day": None,
            "low_day": None,
        },
    }
    missing: Any = encode(Missing(Fault.UNREADABLE, "fetch_balance", "HTML"), Leg[Decimal])
    assert (missing["$"], missing["fault"], missing["last"]) == ("Missing", "unreadable", None)


@pytest.mark.parametrize("outcome", [fill("hd1"), Rejected("hd1", "no"), Unknown("hd1", "time-out"), Absent("hd1")])
def test_outcomes_keep_their_kind(outcome: Outcome | Absent) -> None:
    """Rejected and Unknown have the same fields and mean opposite things: the tag tells them apart."""
    anything: Any = Outcome | Absent
    assert decode(anything, encode(outcome, anything)) == outcome


def test_an_approval_cannot_be_read_back() -> None:
    """A stored approval shows what was allowed, without the seal, and nothing can make it sendable again."""
    stored: Any = encode(Decision("drift", intents=(ApprovedIntent(intent("hd1"), Decimal("2940.0"), GATE_SEAL),)))
    assert stored["intents"] == [{"intent": encode(intent("hd1")), "price_limit": "2940.0", "rest_at": None}]
    with pytest.raises(TypeError, match="evidence"):
        decode(Decision, stored)


def test_other_zones_are_stored_as_utc_and_naive_times_are_refused() -> None:
    """A time is one instant; one without a zone is a mistake upstream."""
    there = T0.astimezone(timezone(timedelta(hours=9)))
    stored: Any = encode(Read(Decimal(1), there), Read[Decimal])
    assert stored["as_of"] == "2026-11-02T12:00:00Z"
    with pytest.raises(ValueError, match="time zone"):
        encode(Read(Decimal(1), T0.replace(tzinfo=None)), Read[Decimal])
    with pytest.raises(ValueError, match="time zone"):
        decode(Read[Decimal], {"value": "1", "as_of": "2026-11-02T12:00:00"})


def test_durations_are_seconds() -> None:
    """Whole and broken seconds come back the same."""
    value = Thresholds(stale_after=timedelta(milliseconds=1500), leg_skew_max=timedelta(days=400, seconds=1))
    stored: Any = encode(value)
    assert (stored["stale_after"], stored["leg_skew_max"]) == (1.5, 400 * 86_400 + 1)
    assert decode(Thresholds, stored) == value


def test_an_older_version_s_value_is_read() -> None:
    """A field it does not have takes the default; one that is gone is passed over; a missing one without is an error."""
    stored: Any = encode(Holding("ETH", Decimal(1), T0))
    del stored["note"]
    stored["colour"] = "blue"
    assert decode(Holding, stored) == Holding("ETH", Decimal(1), T0)
    del stored["quantity"]
    with pytest.raises(ValueError, match=r"Holding\.quantity: missing"):
        decode(Holding, stored)


@pytest.mark.parametrize(
    ("field", "bad"),
    [("mark", 3000.1), ("mark", "three"), ("funding_next", "soon"), ("bid", ["1"])],
)
def test_what_does_not_fit_is_named(field: str, bad: object) -> None:
    """A damaged value names the way to the field, and is never taken for zero."""
    stored: Any = encode(snapshot())
    stored["quotes"][ETH]["value"][field] = bad
    with pytest.raises(ValueError, match=rf"Snapshot\.quotes: Read\.value: Quote\.{field}: "):
        decode(Snapshot, stored)


def test_an_unknown_member_of_a_union_is_refused() -> None:
    """Neither a strange tag nor a value of another class slips through."""
    anything: Any = Leg[Decimal]
    with pytest.raises(ValueError, match="none of Missing, Read"):
        decode(anything, {"$": "Guess", "value": "1"})
    with pytest.raises(TypeError, match="Quote is none of"):
        encode(Quote(Decimal(1)), anything)
    with pytest.raises(TypeError, match="say of what"):
        encode(Read(Decimal(1), T0))
    with pytest.raises(TypeError, match="no JSON form"):
        encode(object())


def test_fills_are_plain_json() -> None:
    """What `json` would refuse never leaves the codec."""
    assert decode(Fill, json.loads(json.dumps(encode(fill("hd1"))))) == fill("hd1")
