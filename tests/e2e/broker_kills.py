"""Alerts through deaths of the broker and of the daemon: each event reaches a subscriber that comes back.

In each round more assets lose their price, an alert each; the broker and the daemon are killed (SIGKILL) at moments
drawn from a seed, and started again. In every second round the subscriber is away. The broker saves nothing before it
is killed, so with it go the retained states, the messages it holds for others, and their sessions.

    python -m tests.e2e.broker_kills --rounds 10 --alerts 300
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.broker import Broker
from tests.e2e.mqtt_daemon import Daemon, Subscriber


@dataclass
class Tally:
    alerts: int = 0
    broker_kills: int = 0
    daemon_kills: int = 0
    messages: int = 0
    republished: int = 0
    seconds: float = 0.0


async def kills(folder: Path, rounds: int, alerts: int, seed: int, within: float = 180.0) -> Tally:
    """Asserts that nothing is lost and that each event kept its id; what there was of it."""
    draw = random.Random(seed)
    tally, began = Tally(), time.monotonic()
    broker = Broker(folder)
    daemon, phone = Daemon(folder, broker.port), Subscriber(broker.port)
    broker.start()
    try:
        for number in range(1, rounds + 1):
            daemon.configure(alerts * number // rounds)
            daemon.start()
            before = daemon.cycles
            await phone.be(there=number % 2 == 0)
            await daemon.until("it has begun", lambda before=before: daemon.cycles > before)
            await asyncio.sleep(draw.uniform(0.0, 2.0))
            broker.kill()
            tally.broker_kills += 1
            await asyncio.sleep(draw.uniform(0.0, 1.5))
            broker.start()
            await asyncio.sleep(draw.uniform(0.0, 2.0))
            daemon.kill()
            tally.daemon_kills += 1
        daemon.start()
        await phone.be(there=True)
        await daemon.until("all fire", lambda: len(priceless(daemon.firing())) == alerts, within)
        wanted = priceless(daemon.firing())
        await daemon.until("all have come", lambda: not phone.missing(wanted), within)
        changed = {key: ids for key, ids in phone.events.items() if key in wanted and ids != {wanted[key]}}
        assert not changed, f"an event changed its id: {changed}"
    finally:
        await phone.be(there=False)
        daemon.kill()
        broker.kill()
    tally.alerts = len(wanted)
    tally.messages = len(phone.messages)
    tally.republished = sum(each["republished"] for each in phone.messages)
    tally.seconds = time.monotonic() - began
    return tally


def priceless(firing: dict[str, str]) -> dict[str, str]:
    return {key: event_id for key, event_id in firing.items() if key.startswith("price_missing/")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--alerts", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = asyncio.run(kills(Path(folder), options.rounds, options.alerts, options.seed))
    print(
        f"{tally.seconds:.0f} s: {tally.alerts} alerts through {tally.broker_kills} broker and {tally.daemon_kills} daemon "
        f"kill -9: each id reached the subscriber, 0 lost, 0 under another id; {tally.messages} messages, "
        f"{tally.republished} of them marked as told again"
    )


if __name__ == "__main__":
    main()
