"""Which of a stream's messages is a reason to read the account now. Pure.

A stream is compared with itself alone: a mark with what the same stream showed when the last cycle began, a position
with what it last said. Nothing of it goes into a decision; the cycle that it starts reads everything anew.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

_KNOWN_MAX = 5000  # positions and balances remembered; a venue has fewer
_NAME = re.compile(r"[\w/:.-]{1,40}")


class Changes:
    """What one account's streams have said, and what of it was new. `jump` is a share: 0.01 is one per cent."""

    def __init__(self, jump: float) -> None:
        self._jump = jump
        self._seen: dict[str, float] = {}  # symbol → mark as last seen
        self._base: dict[str, float] = {}  # symbol → mark when the last cycle began
        self._positions: dict[tuple[str, str], float] = {}
        self._balances: dict[tuple[str, str], float] = {}
        self._filled: dict[tuple[str, str], float] = {}

    def cycle_begins(self) -> None:
        """Jumps are counted from the marks of now."""
        self._base = dict(self._seen)

    def mark(self, symbol: str, price: object) -> str | None:
        """A reason, if the price is further from the last cycle's than a jump."""
        mark = _number(price)
        if mark is None or mark <= 0:
            return None
        self._seen[symbol] = mark
        base = self._base.setdefault(symbol, mark)
        if abs(mark / base - 1) <= self._jump:
            return None
        self._base[symbol] = mark  # a cycle that cannot read is not started again by the very same jump
        return f"{symbol} moved by {100 * (mark / base - 1):+.2f} %"

    def positions(self, line: str, rows: object) -> str | None:
        """A reason, if a position is not what was last heard of it; entry, margin and profit are not looked at."""
        changed = None
        for row in rows if isinstance(rows, Iterable) else ():
            if not isinstance(row, Mapping):
                continue
            contracts, name = _number(row.get("contracts")), _name(row.get("symbol"))
            if contracts is None:
                continue  # told with every push of a venue that tells no size: left to polling
            signed = -contracts if row.get("side") == "short" else contracts
            if _put(self._positions, (line, name), signed):
                changed = name
        return f"position in {changed} changed" if changed else None

    def balances(self, line: str, balance: object) -> str | None:
        """A reason, if an asset's total is new or differs from what was last heard by more than a jump.

        Less than that does not take a hedge out of its band, and interest and funding trickle in all day.
        """
        said: Mapping[str, Any] = balance if isinstance(balance, Mapping) else {}
        totals, free = said.get("total"), said.get("free")
        changed = []
        for asset, value in totals.items() if isinstance(totals, Mapping) else ():
            total = _number(value)
            if total is None:  # some venues tell what is free alone
                total = _number(free.get(asset)) if isinstance(free, Mapping) else None
            if total is not None and _put(self._balances, (line, asset), total, self._jump):
                changed.append(_name(asset))
        return f"balance of {', '.join(changed[:3])} changed ({line})" if changed else None

    @staticmethod
    def fills(rows: object) -> str | None:
        """An own fill is always a reason."""
        listed = rows if isinstance(rows, Iterable) else ()
        symbols = {_name(row.get("symbol")) for row in listed if isinstance(row, Mapping)}
        return f"filled in {', '.join(sorted(symbols)[:3])}" if symbols else None

    def orders(self, line: str, rows: object) -> str | None:
        """A reason, if of an own order more is filled than was last heard; placing and cancelling are none."""
        symbols = set()
        for row in rows if isinstance(rows, Iterable) else ():
            if not isinstance(row, Mapping):
                continue
            key, filled = (line, _name(row.get("id"))), _number(row.get("filled"))
            if filled is not None and _put(self._filled, key, filled) and filled > 0:
                symbols.add(_name(row.get("symbol")))
        return self.fills([{"symbol": symbol} for symbol in symbols])


def _put(known: dict[tuple[str, str], float], key: tuple[str, str], value: float, tolerance: float = 0.0) -> bool:
    """Whether this is news by more than `tolerance` times what was known; only news replaces it."""
    before = known.get(key)
    if before is not None and abs(value - before) <= tolerance * abs(before):
        return False
    if len(known) >= _KNOWN_MAX:
        known.clear()
    known[key] = value
    return True


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _name(value: object) -> str:
    """A symbol or an asset as the venue spells it, if it looks like one: what a stream says goes into the log."""
    return value if isinstance(value, str) and _NAME.fullmatch(value) else "?"
