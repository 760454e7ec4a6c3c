"""The daemon trading for real at a local exchange, killed with -9 at random moments; afterwards both sides agree.

By command, as often as you like:

    python -m tests.e2e.live_crash --kills 300
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import sqlite3
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

from tests.e2e.rig import CONFIG, Rig

POSITION_MAX = 60_000  # in USDT; the target swings between 30,000 and about 35,000
LIVE = CONFIG.replace('mode = "paper"', 'mode = "live"').replace(
    "[paper]\ncash = 30000\n",
    f"[limits]\nposition_notional_max = {POSITION_MAX}\norders_hour_max = 1000\n"
    "orders_day_max = 1000\norders_minute_max = 100\n",
)


@dataclass
class Tally:
    kills: int = 0
    orders: int = 0
    cut_short: int = 0  # orders that were on their way, or not recorded yet, when the process died
    recoveries: list[float] = field(default_factory=list)  # seconds from start to the first completed cycle


def journal(rig: Rig) -> dict[str, dict[str, Any]]:
    """The orders in the store, by client order id, each with its state and what was filled of it."""
    with contextlib.closing(sqlite3.connect(f"file:{rig.store}?mode=ro", uri=True)) as database:
        rows = database.execute(
            "SELECT o.client_order_id, o.state, o.ended_at, f.data FROM orders o "
            "LEFT JOIN fills f ON f.client_order_id = o.client_order_id"
        ).fetchall()
    return {
        name: {
            "state": state,
            "open": ended is None,
            "filled": Decimal(json.loads(fill)["quantity"]) if fill is not None else Decimal(0),
        }
        for name, state, ended, fill in rows
    }


def compare(rig: Rig, seen: dict[str, dict[str, Any]]) -> int:
    """Venue against journal, once all is settled; the number of orders. `seen`: what was recorded before the kill."""
    venue = rig.told("orders")
    mine = journal(rig)
    times = Counter(order["id"] for order in venue["orders"])
    assert all(number == 1 for number in times.values()), f"more than one order of an intent: {times.most_common(3)}"
    filled = {order["id"]: Decimal(order["filled"]) for order in venue["orders"]}
    assert {name: row["filled"] for name, row in mine.items() if row["state"] == "filled"} == filled
    assert not any(row["open"] for row in mine.values()), "an order without an end"
    for name, row in seen.items():
        assert name in mine, f"the row of {name} is lost"
        assert row["open"] or row == mine[name], f"what was recorded of {name} has changed: {row} → {mine[name]}"
    position = sum(Decimal(amount) for amount in venue["positions"].values())
    assert abs(position) * 3000 <= POSITION_MAX, f"a position of {position} ETH"
    assert rig.integrity() == "ok"
    return len(filled)


def settled(rig: Rig) -> bool:
    return rig.state.get("state") == "ok" and not any(row["open"] for row in journal(rig).values())


async def crash(rig: Rig, chance: random.Random, number: int, tally: Tally) -> None:
    """The price moves so that an order is due; the process dies within seconds, or as the exchange takes the order."""
    before = len(rig.told("orders")["orders"])
    rig.control("price", {"asset": "UNI", "price": "12" if number % 2 == 0 else "8"})
    if chance.random() < 0.5:
        await asyncio.sleep(chance.uniform(0.0, 1.6))
    else:
        deadline = time.monotonic() + 20
        while len(rig.told("orders")["orders"]) == before and time.monotonic() < deadline:
            await asyncio.sleep(0.002)
        await asyncio.sleep(chance.uniform(0.0, 0.03))
    seen = journal(rig)
    rig.kill()
    rig.daemon = None
    tally.kills += 1
    tally.cut_short += any(row["open"] for row in journal(rig).values())
    rig.listener.retained.clear()
    rig.listener.states.clear()
    began = time.monotonic()
    rig.start()
    await rig.until("a completed cycle", lambda: bool(rig.listener.states), 20)
    tally.recoveries.append(time.monotonic() - began)
    await rig.until("all orders settled and the hedge in its band", lambda: settled(rig), 90)
    tally.orders = compare(rig, seen)


async def campaign(folder: Path, kills: int, seed: int) -> Tally:
    tally, chance = Tally(), random.Random(seed)
    async with Rig(folder, 1, LIVE) as rig:
        await rig.until("online", lambda: rig.status == "online")
        await rig.until("on target", lambda: settled(rig))
        for number in range(kills):
            await crash(rig, chance, number, tally)
        code, seconds = rig.stop()
        assert code == 0
        assert seconds < 10
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tally = asyncio.run(campaign(Path(folder), options.kills, options.seed))
    slowest, middle = max(tally.recoveries), sorted(tally.recoveries)[len(tally.recoveries) // 2]
    print(
        f"{tally.kills} kill -9 while trading, {tally.cut_short} with an order cut short: {tally.orders} orders at the "
        f"exchange, as many in the journal, each once; 0 recorded rows lost; back after {middle:.1f} s (median), "
        f"{slowest:.1f} s at the most"
    )


if __name__ == "__main__":
    main()
