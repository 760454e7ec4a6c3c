"""What a replay went through bar by bar, as lines short enough to be drawn."""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from hedged.cycle import CycleReport
from hedged.estimate.effectiveness import Floats
from hedged.model.order import Fill, Purpose, Side
from hedged.replay.report import Costs
from hedged.replay.samples import Samples

POINTS_MAX = 2_000  # of a line; more cannot be seen
MARKS_MAX = 2_000
ROWS = 13  # of a table of a line's values
NAN = float("nan")


@dataclass(frozen=True, slots=True)
class Line:
    """A value over time: epoch seconds and values, shape (n,), n ≤ `POINTS_MAX`; NaN where it is not known."""

    times: NDArray[np.int64]
    values: Floats


@dataclass(frozen=True, slots=True)
class Mark:
    """An order that was filled. `hedge_value` is what the hedge was worth when it was decided on."""

    epoch: int
    hedge_value: float
    more: bool  # there is more hedge after it; else less
    roll: bool  # it was part of a roll, which changes the contract and not the size


@dataclass(frozen=True, slots=True)
class Course:
    """Lines by name (see `LINES`), in the quote currency but for drawdowns, which are fractions ≤ 0.

    `rows` are the same values at a few bars, first and last among them, to be read rather than seen. `trades` counts
    all of them; `marks` are as many as can be told apart. `samples` are those that effectiveness was measured on.
    """

    lines: Mapping[str, Line]
    rows: Mapping[str, Line]
    marks: tuple[Mark, ...]
    trades: int
    samples: Samples


LINES = (
    *("exposure", "target", "hedge", "band_low", "band_high"),
    *("fees", "slippage", "funding", "roll", "costs"),
    *("unhedged", "hedged", "drawdown_unhedged", "drawdown_hedged"),
)
"""`hedge` and `hedged` are as read at the bar, before it traded; costs are those up to and with it."""


@dataclass(slots=True)
class Recorder:
    """Takes down one replay: `cycle` at every bar, `end` once, then `course`."""

    _times: array[int] = field(default_factory=lambda: array("q"))
    _columns: dict[str, array[float]] = field(default_factory=dict)
    _marks: list[Mark] = field(default_factory=list)
    _values: Floats = field(default_factory=lambda: np.empty(0))
    _samples: Samples | None = None

    def cycle(self, report: CycleReport, costs: Costs, made: float | None) -> None:
        """`costs`: all since the start; `made`: as `Wallets.made` has it."""
        groups = report.assessment.groups
        hedge = _total([group.hedge_value for group in groups])
        target = _total([group.target_value for group in groups])
        width = _total([None if g.beta_exposure is None else g.band * g.beta_exposure for g in groups])
        row = {
            "exposure": _total([state.exposure_value for state in report.assessment.hedges]),
            "target": target,
            "hedge": hedge,
            "band_low": target - width,
            "band_high": target + width,
            "fees": float(costs.fees),
            "slippage": float(costs.slippage),
            "funding": float(costs.funding),
            "roll": float(costs.roll),
            "costs": float(costs.total),
            "equity": NAN if made is None else made,
        }
        epoch = int(report.assessment.now.timestamp())
        self._times.append(epoch)
        for name, value in row.items():
            self._columns.setdefault(name, array("d")).append(value)
        if report.outcomes:
            purposes = {each.intent.client_order_id: each.intent.purpose for each in report.decision.intents}
            shorted = {leg.instrument: leg.direction > 0 for group in groups for leg in group.legs}
            self._marks += [
                Mark(
                    epoch=epoch,
                    hedge_value=hedge,
                    more=(fill.side is Side.SELL) is shorted[fill.instrument],
                    roll=purposes[fill.client_order_id] is Purpose.ROLL,
                )
                for fill in report.outcomes
                if isinstance(fill, Fill)
            ]

    def end(self, values: Floats, samples: Samples) -> None:
        """`values`: of the holdings at every bar, NaN where a price is missing."""
        self._values, self._samples = values, samples

    def course(self) -> Course:
        """Raises `ValueError` before the replay has ended."""
        if self._samples is None:
            raise ValueError("the replay has not ended")
        times = np.array(self._times, dtype=np.int64)
        columns = {name: np.array(column, dtype=np.float64) for name, column in self._columns.items()}
        equity = columns.pop("equity")
        known = equity[np.isfinite(equity)]
        hedged = self._values + (equity - (known[0] if len(known) else NAN))
        columns |= {
            "unhedged": self._values,
            "hedged": hedged,
            "drawdown_unhedged": drawdown(self._values),
            "drawdown_hedged": drawdown(hedged),
        }
        few = np.unique(np.linspace(0, len(times) - 1, ROWS).astype(np.int64))
        return Course(
            lines={name: thinned(times, columns[name]) for name in LINES},
            rows={name: Line(times[few], columns[name][few]) for name in LINES},
            marks=_apart(self._marks, times),
            trades=len(self._marks),
            samples=self._samples,
        )


def drawdown(values: Floats) -> Floats:
    """The loss since the highest value so far, as a fraction ≤ 0 of it; NaN where a value is missing."""
    peaks = np.fmax.accumulate(values)
    return np.asarray(values / peaks - 1, dtype=np.float64)


def thinned(times: NDArray[np.int64], values: Floats, most: int = POINTS_MAX) -> Line:
    """At most `most` (≥ 4) of these points: of every stretch its lowest and its highest; first and last stay.

    So no spike is lost. A stretch without any value is a gap; a hole inside one is too short to be seen.
    """
    count = len(times)
    if count <= most:
        return Line(times, values)
    width = -(-count // ((most - 2) // 2))
    padded = np.full(-(-count // width) * width, NAN)
    padded[:count] = values
    stretches = padded.reshape(-1, width)
    begins = np.arange(len(stretches)) * width
    lowest = begins + np.where(np.isnan(stretches), np.inf, stretches).argmin(axis=1)
    highest = begins + np.where(np.isnan(stretches), -np.inf, stretches).argmax(axis=1)
    rows = np.unique(np.concatenate(([0], lowest, highest, [count - 1])))
    return Line(times[rows], values[rows])


def _apart(marks: Sequence[Mark], times: NDArray[np.int64]) -> tuple[Mark, ...]:
    """The first of those that would be drawn upon one another."""
    if len(marks) <= MARKS_MAX:
        return tuple(marks)
    width = int(times[-1] - times[0]) // (MARKS_MAX // 4 - 1) + 1  # seconds; four kinds fit into each
    first: dict[tuple[int, bool, bool], Mark] = {}
    for mark in marks:
        first.setdefault((mark.epoch // width, mark.more, mark.roll), mark)
    return tuple(first.values())


def _total(values: Sequence[Decimal | None]) -> float:
    """Their sum; NaN if any is not known."""
    known = [value for value in values if value is not None]
    return float(sum(known, Decimal(0))) if len(known) == len(values) else NAN
