"""Past closes, highs and lows of several subjects on one UTC clock."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hedged.estimate.effectiveness import Floats, returns
from hedged.estimate.returns import Times, without_frozen


@dataclass(frozen=True, slots=True)
class PastPrices:
    """`times` (n,): epoch seconds, `step` apart, at which closes became known. Columns (n,) by subject, NaN: no price.

    A subject is a coin, priced in the portfolio's quote, or the id of a contract. `high` and `low` have the columns of
    `close`; without them (a file of closes) the close stands for both.
    """

    times: Times
    step: int
    close: Mapping[str, Floats]
    high: Mapping[str, Floats]
    low: Mapping[str, Floats]

    def returns(self, *subjects: str) -> Floats:
        """(n − 1, len(subjects)); a column of NaN for one that has no prices."""
        nothing = np.full(len(self.times), np.nan)
        columns = [without_frozen(self.close.get(subject, nothing)) for subject in subjects]
        return returns(np.column_stack(columns)) if columns else np.empty((max(len(self.times) - 1, 0), 0))

    def days(self, subject: str) -> float:
        """How many days' worth of closes there are."""
        column = self.close.get(subject)
        return 0.0 if column is None else float(np.isfinite(column).sum()) * self.step / 86_400


def past_prices(
    series: Mapping[str, tuple[Times, Floats, Floats, Floats]], step: int, end: int, days: int
) -> PastPrices:
    """From times known, closes, highs and lows of each subject: the last `days` until `end`, at multiples of `step`."""
    last = end // step * step
    clock = np.arange(last - days * 86_400, last + 1, step, dtype=np.int64)
    tables: tuple[dict[str, Floats], ...] = ({}, {}, {})
    for subject, (times, *columns) in series.items():
        rows = np.searchsorted(clock, times)
        there = (rows < len(clock)) & np.isin(times, clock)
        for table, column in zip(tables, columns, strict=True):
            table[subject] = np.full(len(clock), np.nan)
            table[subject][rows[there]] = column[there]
    known = [np.isfinite(column) for column in tables[0].values()]
    first = int(np.argmax(np.logical_or.reduce(known))) if known and np.any(known) else len(clock)
    return PastPrices(
        clock[first:], step, *({name: column[first:] for name, column in each.items()} for each in tables)
    )
