"""A field is what it should be, or says by name that it is not."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedged.adapters.exchanges import shapes
from hedged.adapters.exchanges.shapes import Columns, Lists, Misshapen, Record, Rows, Scalar

NUMBER_SHAPE = Rows({"a": Scalar.NUMBER}, at_least=1)


@pytest.mark.parametrize(
    ("value", "number"),
    [("0.10", "0.10"), ("-5", "-5"), (7, "7"), ("1.5E-7", "1.5E-7"), (10**25, str(10**25)), ("0.00000001", "1E-8")],
)
def test_numbers_keep_every_digit(value: Any, number: str) -> None:
    """Whole numbers and decimal text become the same decimal, digit for digit."""
    assert shapes.number({"x": value}, "x") == Decimal(number)


@pytest.mark.parametrize(
    "value", [None, True, "", " 1", "1_000", "NaN", "Infinity", "1e999", "0x10", "٣", [], {}, 1.5, "1" * 50, "--1"]
)
def test_what_is_no_number_says_so(value: Any) -> None:
    """Neither null nor true nor anything that Python would generously read is a number."""
    with pytest.raises(Misshapen, match="price is"):
        shapes.number({"price": value}, "price")


@pytest.mark.parametrize(
    ("read", "value", "says"),
    [
        (shapes.positive, "0", "not above zero"),
        (shapes.positive, "-1", "not above zero"),
        (shapes.not_negative, "-0.1", "below zero"),
        (shapes.positive_or_none, "-1", "below zero"),
        (shapes.positive_or_none, None, "null"),
        (shapes.positive_or_none, "", "not a finite number"),
        (shapes.text, "", "text"),
        (shapes.text, 5, "a number"),
        (shapes.moment, 0, "not a time"),
        (shapes.moment, 10**18, "not a time"),
    ],
)
def test_each_kind_of_field_has_its_bounds(read: Any, value: Any, says: str) -> None:
    """A price is above zero, coins are not below it, a time is within this calendar."""
    with pytest.raises(Misshapen, match=says):
        read({"x": value}, "x")


@pytest.mark.parametrize("value", [0, "0", "0.000"])
def test_a_price_of_zero_is_none(value: Any) -> None:
    """The venue's way to say that there is no such price."""
    assert shapes.positive_or_none({"x": value}, "x") is None


def test_times_survive_both_ways() -> None:
    """Milliseconds become aware UTC and back."""
    when = datetime(2026, 11, 2, 12, 0, 0, 5000, tzinfo=UTC)
    assert shapes.moment({"x": str(shapes.milliseconds(when))}, "x") == when


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-11-02T12:00:00Z", datetime(2026, 11, 2, 12, tzinfo=UTC)),
        ("2026-11-02T12:00:00.123456789Z", datetime(2026, 11, 2, 12, 0, 0, 123456, UTC)),
        ("2026-11-02T12:00:00+02:00", datetime(2026, 11, 2, 10, tzinfo=UTC)),
    ],
)
def test_written_times_are_utc(written: str, expected: datetime) -> None:
    """ISO 8601 with its offset, whichever it is."""
    assert shapes.iso_moment({"at": written}, "at") == expected


@pytest.mark.parametrize("written", [None, "", 12, "yesterday", "2026-11-02", "2026-11-02T12:00:00", "1793620800"])
def test_what_is_no_written_time_says_so(written: Any) -> None:
    """A time without its offset could be any hour of the day."""
    with pytest.raises(Misshapen, match="^at "):
        shapes.iso_moment({"at": written}, "at")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "empty"),
        ("  \n", "empty"),
        ("<html>", "an HTML page"),
        ('{"a": [1, 2', "truncated"),
        ('{"a": NaN}', "truncated"),
        ("[" * 100_000, "truncated"),
    ],
)
def test_what_is_not_strict_json_says_so(text: str, says: str) -> None:
    """Empty, HTML, cut off, NaN or nested beyond reason: each raises."""
    with pytest.raises(Misshapen, match=says):
        shapes.parse_json(text)


def test_json_keeps_decimals_as_text() -> None:
    """A price as a JSON number loses no digit on its way."""
    assert shapes.parse_json("[0.1000000000000000055, 12345678901234567890]") == [
        "0.1000000000000000055",
        12345678901234567890,
    ]


@pytest.mark.parametrize(
    ("value", "shape", "says"),
    [
        ({}, NUMBER_SHAPE, "the reply is an object, expected a list"),
        (None, NUMBER_SHAPE, "the reply is null, expected a list"),
        ([], NUMBER_SHAPE, "the reply is empty"),
        ([1], NUMBER_SHAPE, "the reply row 0 is a number, expected an object"),
        ([{"a": 1}, {}], NUMBER_SHAPE, "the reply row 1 lacks a"),
        ([{"a": "x"}], NUMBER_SHAPE, "a is not a finite number"),
        ([], Record({}), "the reply is a list, expected an object"),
        ({"rows": {}}, Record({"rows": NUMBER_SHAPE}), "the reply: rows is an object, expected a list"),
        ({"b": ""}, Record({"b": Scalar.TEXT}), "b is text, expected a word"),
        ({}, Record({"b": Scalar.PRESENT}), "lacks b"),
    ],
)
def test_a_reply_of_another_shape_says_where(value: Any, shape: shapes.Shape, says: str) -> None:
    """The message names the place and what is there instead."""
    with pytest.raises(Misshapen, match=says):
        shapes.check(value, shape)


@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_any_json_fits_or_is_misshapen(value: Any) -> None:
    """No reply makes the check itself fail."""
    try:
        shapes.check(value, NUMBER_SHAPE)
    except Misshapen:
        return
    assert value
    assert all(isinstance(shapes.number(row, "a"), Decimal) for row in value)


@pytest.mark.parametrize(
    ("reply", "says"),
    [
        ([{"a": 1}, "word"], None),
        ([{"a": 1}], "a list of 1, expected 2"),
        ([{"a": 1}, "word", 3], "a list of 3, expected 2"),
        ([{"a": "x"}, "word"], "a is not a finite number"),
        ([{"a": 1}, ""], "part 1 is text, expected a word"),
        ({"a": 1}, "the reply is an object, expected a list"),
    ],
)
def test_a_reply_may_be_a_list_of_different_things(reply: Any, says: str | None) -> None:
    """Each part has its own shape, and there are exactly as many."""
    shape = shapes.Several((Record({"a": Scalar.NUMBER}), Scalar.TEXT))
    if says is None:
        shapes.check(reply, shape)
        return
    with pytest.raises(Misshapen, match=says):
        shapes.check(reply, shape)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({}, "expected a list"),
        ([{}], "row 0 is not a list"),
        ([[1, "2"], [1]], "row 1 is not a list of at least 2"),
        ([[1, None]], "row 0 is null"),
        ([[1, "NaN"]], "not a finite number"),
    ],
)
def test_a_list_of_lists_has_numbers_in_front(value: Any, says: str) -> None:
    """Each row has as many numbers as are read, whatever follows; no row at all is an answer."""
    shapes.check([], Lists(2))
    shapes.check([[1, "2", None, "more"]], Lists(2))
    with pytest.raises(Misshapen, match=says):
        shapes.check(value, Lists(2))


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ([], "expected an object"),
        ({"t": [1]}, "x is not a list"),
        ({"t": [1, 2], "x": ["5"]}, "x is not a list of at least 2"),
        ({"t": [1], "x": ["5", "6"]}, "x is longer than t"),
        ({"t": [1], "x": [""]}, "not a finite number"),
        ({"t": None, "x": []}, "t is not a list"),
    ],
)
def test_columns_are_of_one_length(value: Any, says: str) -> None:
    """Columns that do not fit would put prices to other times."""
    shapes.check({"t": [], "x": [], "more": 1}, Columns(("t", "x")))
    shapes.check({"t": [1, 2], "x": ["5", 6]}, Columns(("t", "x")))
    with pytest.raises(Misshapen, match=says):
        shapes.check(value, Columns(("t", "x")))


@pytest.mark.parametrize("value", [None, "", "NaN", "1e999", [], "0", "-3", True])
def test_a_hint_that_says_nothing_is_none(value: Any) -> None:
    """A volume or a size that no venue should tell holds nothing up, and is never taken for zero."""
    assert shapes.hint({"x": value}, "x") is None
    assert shapes.hint({}, "x") is None
    assert shapes.hint(None, "x") is None
    assert shapes.hint({"x": "2.5"}, "x") == Decimal("2.5")
