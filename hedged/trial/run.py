"""Runs seeds: each its own world, judged at every step."""

from __future__ import annotations

import logging
import tempfile
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import apscheduler.schedulers.base
import structlog

from hedged.trial.invariants import INVARIANTS
from hedged.trial.life import Life
from hedged.trial.operator import Operator
from hedged.trial.plan import Plan
from hedged.trial.world import Judge, Violation, World

_MEMORY = Path("/dev/shm")  # noqa: S108  a disk that costs nothing, where there is one


BACK_FOR = 200.0  # seconds that one which was taken for dead has until it is killed for good


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one seed."""

    seed: int
    hours: float
    faults: Counter[str]
    lives: int
    crashes: int
    cycles: int
    orders: int
    alerts: int
    messages: int
    digest: str
    violation: Violation | None


def run_seed(seed: int, hours: float, judges: Sequence[Judge] = INVARIANTS) -> Result:
    """One seed from its beginning to its end or its first violation: the same every time."""
    base = _MEMORY if _MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="hedged-trial-", dir=base) as folder, _silence():
        world = World(Plan(seed, hours), Path(folder), tuple(judges))
        operator = Operator(world)
        operator.begin()
        crashes = 0
        with _scheduler_reads(world):
            while not world.over:
                world.lives += 1
                life = Life(world, world.lives)
                world.trace.say("process", f"starts ({life.number})")
                _live(world, life)
                crashes += life.exit == "killed" and not world.over
                if not world.over:
                    world.pass_by(world.plan.stream(f"gap {world.lives}").uniform(1, 90))
            if world.zombie is not None:
                world.zombie.end()
        if world.journal is not None:
            world.journal.close()
    return Result(
        seed=seed,
        hours=hours,
        faults=Counter(dict(sorted(world.plan.counts.items()))),
        lives=world.lives,
        crashes=crashes,
        cycles=world.seen.cycles,
        orders=world.seen.orders,
        alerts=world.seen.alerts,
        messages=world.seen.messages,
        digest=world.trace.digest,
        violation=world.violation,
    )


def _live(world: World, life: Life) -> None:
    """One life to its end, or until it stands still and is taken for dead."""
    while True:
        world.life = life
        life.live()
        world.life = None
        world.trace.say("process", f"{life.exit} ({life.number})")
        if life.exit != "suspended":
            return
        if world.zombie is None:
            world.zombie, world.host = life, world.host + 1
            return
        back, world.zombie = world.zombie, None
        world.trace.say("process", f"is back ({back.number})")
        world.life = back
        world.after(BACK_FOR, back.kill)
        back.live()
        if back.exit == "suspended":
            back.end()
        world.trace.say("process", f"{back.exit} ({back.number})")
        if world.over:
            life.end()
            return


def run_seeds(seeds: Sequence[int], hours: float, processes: int) -> Iterator[Result]:
    """Each seed in one of so many processes, as they end."""
    if processes < 2:
        yield from (run_seed(seed, hours) for seed in seeds)
        return
    with ProcessPoolExecutor(processes) as pool:
        for done in as_completed([pool.submit(run_seed, seed, hours) for seed in seeds]):
            yield done.result()


@contextmanager
def _scheduler_reads(world: World) -> Generator[None, None, None]:
    """APScheduler asks `datetime.now` by itself, and has to be told the machine's time of this world."""

    class Now(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
            return world.machine_now().astimezone(tz)

    module: Any = apscheduler.schedulers.base
    before, module.datetime = module.datetime, Now
    try:
        yield
    finally:
        module.datetime = before


@contextmanager
def _silence() -> Generator[None, None, None]:
    """What the daemon logs is not read here: it would be most of what a run does."""
    before, disabled = structlog.get_config(), logging.root.manager.disable
    structlog.configure(processors=[_drop], cache_logger_on_first_use=False)
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(disabled)
        structlog.configure(**before)


def _drop(_logger: Any, _name: str, _event: Any) -> Any:
    raise structlog.DropEvent
