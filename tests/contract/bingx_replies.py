"""Random replies, and right ones with one field that is not what it should be."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as st

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=10,
)
UNFIT = [None, True, "", [1], {"a": 1}, {}, float("nan")]
UNFIT_NUMBER = [*UNFIT, [], "NaN", "1e999", "abc", "0x10", "1_000", "٣", " 1"]


@st.composite
def one_field_unfit(draw: st.DrawFn, reply: Any) -> Any:
    """The reply with one field taken out or made into what it cannot be."""
    mutated = copy.deepcopy(reply)
    nodes = list(_nodes(mutated))
    if not nodes:
        return draw(JSON)
    parent, key = draw(st.sampled_from(nodes))
    if isinstance(parent, dict) and draw(st.booleans()):
        del parent[key]
    else:
        is_number = isinstance(parent[key], int) or str(parent[key]).replace(".", "").replace("-", "").isdigit()
        parent[key] = draw(st.sampled_from(UNFIT_NUMBER if is_number else UNFIT))
    return mutated


def _nodes(value: Any) -> Iterator[tuple[Any, Any]]:
    for key, inner in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield value, key
        yield from _nodes(inner)
