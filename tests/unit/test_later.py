"""A mapping that is made when it is read."""

from __future__ import annotations

import json

from hedged.tell.later import Later


def test_it_is_made_once_and_only_for_a_reader() -> None:
    """Nobody reads it: nothing is made; two readers: made once."""
    made: list[int] = []

    def make() -> dict[str, object]:
        made.append(1)
        return {"schema": "x/1", "now": None}

    state = Later(make)
    assert made == []
    assert state["schema"] == "x/1"
    assert state.get("now", "absent") is None
    assert (list(state), len(state), "none" in state) == (["schema", "now"], 2, False)
    assert made == [1]


def test_it_is_what_it_was_made_of() -> None:
    """Equal to it, spread like it, and the same JSON."""
    state = Later(lambda: {"a": [1], "b": {"c": "d"}})
    assert state == {"a": [1], "b": {"c": "d"}}
    assert {**state, "a": 2} == {"a": 2, "b": {"c": "d"}}
    assert json.dumps(dict(state)) == '{"a": [1], "b": {"c": "d"}}'
