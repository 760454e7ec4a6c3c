"""Several policies over the same past, on as many processors as there are; the results are those of one."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import re
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing.reduction import ForkingPickler
from types import MappingProxyType
from typing import Any

from hedged.adapters.clock import SystemClock
from hedged.adapters.exchanges.price_table import History
from hedged.model.policy import PortfolioPolicy
from hedged.replay.course import Course, Recorder
from hedged.replay.report import ReplayReport
from hedged.replay.run import Window, bars_of, replay
from hedged.replay.variations import Variation
from hedged.tell.rules import AlertRules

BETWEEN_LOOKS = 0.2  # seconds
BARS_WORTH_A_PROCESS = 2_000  # fewer are replayed sooner than another process has started

Progress = Callable[[int, int, int], None]
"""Of the policy with this number: bars done, bars in all."""


@dataclass(frozen=True, slots=True)
class Past:
    """What all policies have in common."""

    history: History
    window: Window
    rules: AlertRules


@dataclass(frozen=True, slots=True)
class Compared:
    """One policy, and what came of it."""

    name: str
    words: str
    report: ReplayReport
    course: Course

    @property
    def key(self) -> str:
        """Its name as part of an id: letters, digits and dashes alone."""
        return re.sub(r"[^A-Za-z0-9]+", "-", self.name)

    def as_json(self) -> dict[str, object]:
        """The object of `replay --json`, and which policy it is of."""
        return {"policy": self.name, **self.report.as_json()}


def compare(
    policies: Sequence[tuple[Variation, PortfolioPolicy]],
    past: Past,
    *,
    workers: int | None = None,
    progress: Progress = lambda number, done, total: None,
) -> list[Compared]:
    """Replay each, in their order. `workers`: processes at most; None: as many as help; 1: in this one.

    Where processes cannot be had they are replayed one after the other. Raises what a replay raises.
    """
    own = [policy for _, policy in policies]
    if workers is None:
        bars = len(bars_of(past.history.spot, past.window)) * len(own)
        workers = min(processors(), bars // BARS_WORTH_A_PROCESS)
    workers = min(workers, len(own))
    results = _side_by_side(own, past, workers, progress) if workers > 1 else None
    if results is None:
        results = [_one_of(policy, past, number, progress) for number, policy in enumerate(own)]
    return [
        Compared(variation.name, variation.words, report, course)
        for (variation, _), (report, course) in zip(policies, results, strict=True)
    ]


def processors() -> int:
    """How many this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        return os.cpu_count() or 1


def _one_of(policy: PortfolioPolicy, past: Past, number: int, progress: Progress) -> tuple[ReplayReport, Course]:
    recorder = Recorder()
    report = asyncio.run(
        replay(
            policy,
            past.history,
            past.window,
            rules=past.rules,
            stopwatch=SystemClock(),
            progress=lambda done, total: progress(number, done, total),
            watch=recorder,
        )
    )
    return report, recorder.course()


def _side_by_side(
    policies: Sequence[PortfolioPolicy], past: Past, workers: int, progress: Progress
) -> list[tuple[ReplayReport, Course]] | None:
    """None: processes cannot be started here, or one was ended from outside."""
    context = multiprocessing.get_context("spawn")  # a fork would copy the locks of the threads that draw progress
    try:
        bars = context.Array("q", 2 * len(policies), lock=False)  # done and total of each; one writer to a cell
        with ProcessPoolExecutor(workers, context, _begin, (past, bars)) as pool:
            futures = [pool.submit(_work, policy, number) for number, policy in enumerate(policies)]
            try:
                _follow(futures, bars, progress)
                return [future.result() for future in futures]
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    except (BrokenProcessPool, OSError, ImportError):
        return None


def _follow(futures: Sequence[Future[Any]], bars: Any, progress: Progress) -> None:
    """Until all have ended, or one has failed."""
    pending = set(futures)
    while pending:
        done, pending = wait(pending, timeout=BETWEEN_LOOKS)
        for number in range(len(futures)):
            progress(number, bars[2 * number], bars[2 * number + 1])
        if any(future.exception() is not None for future in done):
            return


# In the processes beside this one


def _view(values: dict[Any, Any]) -> MappingProxyType[Any, Any]:
    return MappingProxyType(values)


# Policies and rules hold tables of the settings as read-only views, which pickle does not know by itself.
ForkingPickler.register(MappingProxyType, lambda view: (_view, (dict(view),)))

_here: dict[str, Any] = {}


def _begin(past: Past, bars: Any) -> None:
    """Once in each process: what all policies have in common is sent only once."""
    _here.update(past=past, bars=bars)


def _work(policy: PortfolioPolicy, number: int) -> tuple[ReplayReport, Course]:
    def note(number: int, done: int, total: int) -> None:
        _here["bars"][2 * number : 2 * number + 2] = [done, total]

    return _one_of(policy, _here["past"], number, note)
