"""Whether channels that hang make cycles longer: two daemons side by side, one of them with three dead channels.

    python -m tests.benchmarks.hung_channels --hours 1

Cycles of both alternate, every 10 s of virtual time, each with something new to tell, over a real database. What is
measured is the machine's time from a cycle's beginning until its end, with all that is done after it. The ratio of the
medians is the figure; other work on the machine hits both alike.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import mmap
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median, quantiles

import structlog

from hedged.adapters.store.sql import SqlStore
from hedged.app import App, Exchanges
from hedged.cycle import Portfolio
from hedged.model.alert import Message
from hedged.model.finding import Finding, Kind, Severity
from hedged.tell.outbox import Courier
from hedged.tell.rules import AlertRules
from tests.build import hedge, policy
from tests.fakes import FakeVenue
from tests.simulation.alert_crashes import Loop, Store
from tests.support import CountingIds
from tests.virtual_time import WallClock

EVERY = 10.0  # seconds
CHANNELS = ("phone", "mail", "mqtt")


class Channel:
    """Takes each message at once, or never answers."""

    confirms = True

    def __init__(self, name: str, *, hangs: bool) -> None:
        self.name, self._hangs, self.tried, self.taken = name, hangs, 0, 0

    async def deliver(self, message: Message) -> None:
        self.tried += 1
        if self._hangs:
            await asyncio.Event().wait()
        self.taken += 1

    async def publish_state(self, state: Mapping[str, object]) -> None: ...
    async def close(self) -> None: ...


async def daemon(clock: WallClock, store: SqlStore, *, hangs: bool) -> tuple[App, list[Channel]]:
    rules = policy(hedge("ETH"))
    await store.open(rules.name, rules.world, clock.now())
    venue = FakeVenue(clock)  # type: ignore[arg-type]  # reads the time alone
    by_name = {"main": venue}
    portfolio = Portfolio(
        policy=rules, markets=by_name, accounts=by_name, gateways=by_name, store=store, channels=CHANNELS,
        rules=AlertRules(), clock=clock, ids=CountingIds(),
    )  # fmt: skip
    channels = [Channel(name, hangs=hangs) for name in CHANNELS]
    app = App(portfolio, channels, [Courier(store, each, clock) for each in channels], [], None, Exchanges())
    return app, channels


async def measure(folder: Path, hours: float) -> dict[str, object]:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, Loop)
    clock = WallClock(loop)
    daemons = {
        name: await daemon(clock, Store(folder / f"{name}.sqlite"), hangs=name == "hung") for name in ("well", "hung")
    }
    tasks = [asyncio.create_task(courier.run()) for app, _ in daemons.values() for courier in app.couriers]
    seconds: dict[str, list[float]] = {name: [] for name in daemons}
    for number in range(round(hours * 3600 / EVERY)):
        order = list(daemons.items())
        for name, (app, _) in order if number % 2 else reversed(order):
            news = Finding(
                Kind.POSITION_CLOSED, f"main:C{number}/USDT:USDT", Severity.CRITICAL, f"C{number} was closed."
            )
            began = time.perf_counter()
            report = await app.cycle(clock.now(), [news])
            await app.after_cycle(report)
            seconds[name].append(time.perf_counter() - began)
            assert report.store_error is None
            await clock.sleep(EVERY / 2)
    for task in tasks:
        task.cancel()
    medians = {name: median(found) for name, found in seconds.items()}
    waiting = await daemons["hung"][0].portfolio.store.backlog()
    return {
        "cycles": len(seconds["well"]),
        "median_ms": {name: round(1000 * found, 3) for name, found in medians.items()},
        "p90_ms": {name: round(1000 * quantiles(found, n=10)[-1], 3) for name, found in seconds.items()},
        "ratio_of_medians": round(medians["hung"] / medians["well"], 3),
        "messages_waiting": dict(waiting),
        "tried_in_vain": sum(channel.tried for channel in daemons["hung"][1]),
        "delivered_beside_it": sum(channel.taken for channel in daemons["well"][1]),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=1.0)
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(0.0, mmap.mmap(-1, 8), None)
        with asyncio.Runner(loop_factory=lambda: loop) as runner:
            print(json.dumps(runner.run(measure(Path(folder), options.hours))))


if __name__ == "__main__":
    main()
