"""A seeded market on minutes: index prices, perpetuals with a premium and funding, dated futures that converge.

The same seed, anchor and scenario give the same prices at the same minute, whatever was asked before. Between two
minutes the market stands still; before the anchor it shows its first minute.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from functools import lru_cache
from typing import Literal, TypeAlias

import numpy as np

from hedged.model.snapshot import Quote
from hedged.simulation.coins import COINS, COLUMN, QUOTE, base_of, expiry_of, listed_symbols
from hedged.simulation.paths import MINUTES, Day, Floats, Paths

Scenario: TypeAlias = Literal["calm", "story"]

FUNDING_INTERVAL = timedelta(hours=8)  # at 00:00, 08:00 and 16:00 UTC
_INTEREST = 1e-4  # per interval
_CLAMP = 5e-4
_HALF_SPREAD = Decimal("0.0001")
_BASIS_YEAR = 0.06
_MINUTES_YEAR = 365 * MINUTES
_CONVERGENCE_MINUTES = 7 * MINUTES  # a future's own premium fades over its last week
_SETTLEMENT_MINUTES = 30  # a future is delivered at the index's average over these
_MINUTE = timedelta(minutes=1)

_OfDay: TypeAlias = Callable[[str, int, Day], Floats]  # a symbol's minutes of one numbered day


class SimulatedMarket:
    """Prices in USDT of every coin in `coins.COINS`, by symbol and time. `seed` ≥ 0, `anchor` aware UTC."""

    def __init__(self, seed: int, anchor: datetime, scenario: Scenario = "calm") -> None:
        self.anchor = anchor.astimezone(UTC).replace(second=0, microsecond=0)
        self.scenario = scenario
        self._paths = Paths(seed, story=scenario == "story")
        self._quote_at = lru_cache(maxsize=256)(self._make_quote)
        self._rate_at = lru_cache(maxsize=256)(self._make_rate)

    def minute(self, at: datetime) -> int:
        """Whole minutes since the anchor, 0 before it."""
        return max((at - self.anchor) // _MINUTE, 0)

    def price(self, asset: str, at: datetime) -> Decimal | None:
        """Index price of one coin in USDT; None where there is no market for it."""
        if asset == QUOTE:
            return Decimal(1)
        if asset not in COLUMN:
            return None
        day, row = divmod(self.minute(at), MINUTES)
        return _to_tick(asset, float(np.exp(self._paths.day(day).log_index[row, COLUMN[asset]])))

    def quote(self, symbol: str, at: datetime) -> Quote | None:
        """The book of one contract; None for one that is not listed, for example past its expiry.

        Its funding rate is the one that will be settled at the next funding time.
        """
        return self._quote_at(symbol, self.minute(at)) if symbol in listed_symbols(at) else None

    def marks(self, symbol: str, first: int, last: int) -> Floats:
        """Unrounded marks of the minutes `first` ≤ m < `last` since the anchor."""
        return self._over_days(symbol, first, last, self._day_marks)

    def index(self, asset: str, first: int, last: int) -> Floats | None:
        """Unrounded index prices of the minutes `first` ≤ m < `last` since the anchor; None: no market for it."""
        return self._over_days(asset, first, last, self._day_index) if asset in COLUMN else None

    def funding_rate(self, symbol: str, at: datetime) -> Decimal | None:
        """The rate settled at funding time `at` (> 0: longs pay); None for a dated future, which pays none."""
        return None if expiry_of(symbol) else self._rate_at(symbol, self.minute(at))

    def settlement_price(self, symbol: str) -> Decimal:
        """Cash delivery of a dated future: the index's average over the half hour before its expiry."""
        expiry = expiry_of(symbol)
        if expiry is None:
            raise ValueError(f"{symbol} is not dated: it is never settled")
        end = max(self.minute(expiry), 1)
        window = self._over_days(symbol, max(end - _SETTLEMENT_MINUTES, 0), end, self._day_index)
        return _to_tick(base_of(symbol), float(window.mean()))

    def _make_quote(self, symbol: str, minute: int) -> Quote:
        asset = base_of(symbol)
        mark = _to_tick(asset, float(self.marks(symbol, minute, minute + 1)[0]))
        at = self.anchor + minute * _MINUTE
        dated = expiry_of(symbol) is not None
        following = next(funding_times(at, at + FUNDING_INTERVAL))
        tick = COINS[COLUMN[asset]].tick
        return Quote(
            mark=mark,
            bid=(mark * (1 - _HALF_SPREAD) / tick).to_integral_value(ROUND_FLOOR) * tick,
            ask=(mark * (1 + _HALF_SPREAD) / tick).to_integral_value(ROUND_CEILING) * tick,
            index=self.price(asset, at),
            funding_rate=None if dated else self.funding_rate(symbol, following),
            funding_interval_hours=None if dated else Decimal(8),
            funding_next=None if dated else following,
        )

    def _make_rate(self, symbol: str, minute: int) -> Decimal:
        """Average premium of the interval before, pulled towards the interest rate: P + clamp(I − P, ±0.05 %)."""
        first = max(minute - FUNDING_INTERVAL // _MINUTE, 0)
        premium = float(self._over_days(symbol, first, max(minute, first + 1), self._day_premium).mean())
        rate = premium + min(max(_INTEREST - premium, -_CLAMP), _CLAMP)
        return Decimal(f"{rate:.8f}")

    def _over_days(self, symbol: str, first: int, last: int, of_day: _OfDay) -> Floats:
        parts = []
        for number in range(first // MINUTES, (last - 1) // MINUTES + 1):
            start = number * MINUTES
            values = of_day(symbol, number, self._paths.day(number))
            parts.append(values[max(first - start, 0) : last - start])
        return np.concatenate(parts)

    def _day_index(self, symbol: str, number: int, day: Day) -> Floats:
        index: Floats = np.exp(day.log_index[:, COLUMN[base_of(symbol)]])
        return index

    def _day_premium(self, symbol: str, number: int, day: Day) -> Floats:
        return day.premium[:, COLUMN[base_of(symbol)]]

    def _day_marks(self, symbol: str, number: int, day: Day) -> Floats:
        index, premium = self._day_index(symbol, number, day), self._day_premium(symbol, number, day)
        expiry = expiry_of(symbol)
        if expiry is None:
            return index * (1 + premium)
        minutes = np.arange(number * MINUTES, (number + 1) * MINUTES)
        left = np.maximum((expiry - self.anchor) / _MINUTE - minutes, 0.0)
        basis: Floats = np.exp(_BASIS_YEAR * left / _MINUTES_YEAR) * (
            1 + premium * np.minimum(left / _CONVERGENCE_MINUTES, 1.0)
        )
        return index * basis


def funding_times(after: datetime, until: datetime) -> Iterator[datetime]:
    """The funding times of the venue with `after` < t ≤ `until`."""
    midnight = after.replace(hour=0, minute=0, second=0, microsecond=0)
    at = midnight + ((after - midnight) // FUNDING_INTERVAL + 1) * FUNDING_INTERVAL
    while at <= until:
        yield at
        at += FUNDING_INTERVAL


def _to_tick(asset: str, price: float) -> Decimal:
    """To the coin's tick, never below one of it."""
    tick = COINS[COLUMN[asset]].tick
    return max((Decimal(repr(price)) / tick).to_integral_value() * tick, tick)
