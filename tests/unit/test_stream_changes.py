"""What in a stream is a reason to read the account now."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedged.adapters.exchanges.stream_changes import _KNOWN_MAX, Changes

JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["symbol", "contracts", "side", "total", "free", "ETH", "id", "filled"]), inner, max_size=4
        )
    ),
    max_leaves=12,
)


def held(contracts: Any, side: str | None = "short", symbol: str = "ETH/USDT:USDT") -> dict[str, Any]:
    return {"symbol": symbol, "contracts": contracts, "side": side}


def test_a_jump_is_counted_from_the_last_cycle() -> None:
    """Many small steps since then add up; after a cycle they begin anew."""
    changes = Changes(0.01)
    assert [changes.mark("ETH", price) for price in (100, 100.6, 100.9)] == [None, None, None]
    assert changes.mark("ETH", 101.1) == "ETH moved by +1.10 %"
    changes.cycle_begins()
    assert changes.mark("ETH", 102) is None
    assert changes.mark("ETH", 99) == "ETH moved by -2.08 %"


def test_the_same_jump_is_a_reason_once() -> None:
    """While no cycle gets to read, ticks around the new price do not ask again and again."""
    changes = Changes(0.01)
    assert [bool(changes.mark("ETH", price)) for price in (100, 102, 102.1, 101.9, 104)] == [
        False, True, False, False, True,
    ]  # fmt: skip


@pytest.mark.parametrize("price", [None, 0, -1, "NaN", "abc", float("inf"), True, [3000], {}])
def test_a_price_that_is_none_is_no_reason(price: object) -> None:
    """It is not remembered either: the next good price is compared with the last good one."""
    changes = Changes(0.01)
    assert changes.mark("ETH", 100) is None
    assert changes.mark("ETH", price) is None
    assert changes.mark("ETH", 100.5) is None


def test_positions_are_their_sizes_and_sides() -> None:
    """Opened, changed, turned over, closed and opened again are news; told again with another profit is not."""
    changes = Changes(0.01)
    told = [held(2), held(2), held(1), held(1, "long"), held(0, None), held(0, "long"), held(1, "long")]
    news = [changes.positions("swap", [row | {"unrealizedPnl": n}]) is not None for n, row in enumerate(told)]
    assert news == [True, False, True, True, True, False, True]


def test_balances_are_compared_by_share() -> None:
    """Interest and funding trickle in all day; a trickle that adds up is noticed all the same."""
    changes = Changes(0.01)

    def told(total: float | None, free: float | None = None) -> bool:
        return changes.balances("spot", {"total": {"ETH": total}, "free": {"ETH": free}}) is not None

    assert [told(total) for total in (10, 10.05, 10.09, 10.11, 10.15, 0, 0, 5)] == [
        True, False, False, True, False, True, False, True,
    ]  # fmt: skip
    assert told(None, 7)  # a venue that tells what is free alone
    assert not told(None, None)


def test_a_fill_is_always_a_reason() -> None:
    """Two of the same size are two."""
    row = {"symbol": "ETH/USDT:USDT", "amount": 1}
    assert Changes.fills([row]) == Changes.fills([row, row]) == "filled in ETH/USDT:USDT"
    assert Changes.fills([]) is None


def test_of_orders_only_what_is_filled_is_a_reason() -> None:
    """More of it than was last heard of that order, the first time included; of many in one message each counts."""
    changes = Changes(0.01)

    def told(*rows: tuple[str, Any]) -> str | None:
        return changes.orders("account", [{"symbol": "ETH/USD", "id": name, "filled": filled} for name, filled in rows])

    assert told(("1", 0.0), ("2", None)) is None
    assert told(("1", 0.0), ("2", 1.0)) == "filled in ETH/USD"
    assert told(("1", 0.0), ("2", 1.0)) is None
    assert told(("1", 0.5), ("2", 1.0)) == "filled in ETH/USD"


def test_what_is_remembered_is_bounded() -> None:
    """A stream that names ever new symbols fills no memory; what was forgotten is news once more."""
    changes, names = Changes(0.01), [f"C{number}/USDT:USDT" for number in range(3 * _KNOWN_MAX)]
    for name in names:
        changes.positions("swap", [held(1, symbol=name)])
        changes.balances("spot", {"total": {name: 1}})
        changes.orders("account", [{"symbol": "ETH/USD", "id": name, "filled": 1}])
    assert 0 < len(changes._filled) <= _KNOWN_MAX
    assert 0 < len(changes._positions) <= _KNOWN_MAX
    assert 0 < len(changes._balances) <= _KNOWN_MAX
    assert changes.positions("swap", [held(1, symbol=names[-1])]) is None
    assert changes.positions("swap", [held(1, symbol=names[0])]) is not None


def test_words_from_outside_are_not_repeated() -> None:
    """A reason goes into the log and to people: a name that is not one is not in it."""
    changes = Changes(0.01)
    bad = "https://x/?signature=abc\nE"
    assert changes.positions("swap", [held(1, symbol=bad)]) == "position in ? changed"
    assert changes.balances("spot", {"total": {bad: 1}}) == "balance of ? changed (spot)"


@given(JUNK)
def test_junk_is_never_an_error(junk: Any) -> None:
    """Whatever ccxt makes of a venue's message."""
    changes = Changes(0.01)
    changes.mark("ETH", junk)
    changes.positions("swap", junk)
    changes.balances("spot", junk)
    Changes.fills(junk)
    changes.orders("account", junk)
