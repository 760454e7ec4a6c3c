"""ccxt's rounding, kept to itself: it sets the rounding and the traps of whatever decimal context it runs in."""

from __future__ import annotations

import decimal
import functools
from collections.abc import Callable
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def in_own_context(rounding: Callable[P, T]) -> Callable[P, T]:
    """The same function in a decimal context of its own, so that nobody's money is rounded otherwise after it."""

    @functools.wraps(rounding)
    def apart(*args: P.args, **kwargs: P.kwargs) -> T:
        with decimal.localcontext():
            return rounding(*args, **kwargs)

    return apart
