"""Random intents through the gate: how many it approves, and that none of those is over a limit.

    python -m tests.benchmarks.gate --orders 1000000

A plain seeded generator, hostile on purpose: prices that are missing, zero, negative or no number, positions nobody
knows, quantities off the lot, sides that would turn a position around, limits set and not set. What is approved is
checked anew from the numbers alone, in floats, by rules written down a second time.
"""

from __future__ import annotations

import argparse
import random
import time
from dataclasses import dataclass, field
from decimal import Decimal

from hedged.decide.gate import GateContext, approve
from hedged.model.instrument import Instrument
from hedged.model.order import ApprovedIntent, Intent, Side
from hedged.model.policy import Limits, Mode
from hedged.model.snapshot import Quote
from tests.build import ETH_PERP, perp

ODD = (Decimal("NaN"), Decimal("Infinity"), Decimal("-Infinity"), Decimal(0), Decimal(-3000))
LOTS = ("0.001", "0.1", "1")
SLACK = 1e-9  # relative: floats beside exact decimals


@dataclass
class Tally:
    approved: int = 0
    over: list[str] = field(default_factory=list)


def price(random_: random.Random, near: float, odd: float = 0.02) -> Decimal:
    if random_.random() < odd:
        return random_.choice(ODD)
    return Decimal(repr(round(near * random_.uniform(0.95, 1.05), 2)))


def maybe(random_: random.Random, value: float) -> Decimal | None:
    return Decimal(repr(round(value, 2))) if random_.random() < 0.7 else None


def case(random_: random.Random, instruments: list[Instrument]) -> tuple[Intent, GateContext, Limits]:
    """One intent, where it lands, and what it must keep to."""
    instrument = random_.choice(instruments)
    lot = float(instrument.lot_size)
    held = random_.choice((-1, -1, 1)) * random_.choice((0, 1, 5, 50, 500)) * lot
    size = random_.choice((0, 1, 5, 50, 500, 0.5)) * lot * random_.choice((1, 1, 2))
    quantity = Decimal(repr(round(size, 6))) if random_.random() < 0.99 else random_.choice(ODD)
    side = random_.choice((Side.BUY, Side.SELL))
    reduces = held * side.sign < 0
    mark = price(random_, 3000)
    near = 3000 if random_.random() < 0.3 or not mark.is_finite() else float(mark)
    quote = Quote(
        mark=mark,
        bid=price(random_, near) if random_.random() < 0.5 else None,
        ask=price(random_, near) if random_.random() < 0.5 else None,
    )
    intent = Intent(
        client_order_id="hd" + "0" * 24,
        hedge="alts",
        instrument=instrument.id,
        side=side,
        quantity=quantity,
        price=mark if random_.random() < 0.7 else price(random_, 3000),
        notional=Decimal(repr(random_.uniform(0, 100))),  # a lie: the gate reckons for itself
        reduce_only=reduces if random_.random() < 0.9 else not reduces,
        reason="",
    )
    context = GateContext(
        instrument=instrument if random_.random() < 0.99 else None,
        quote=quote if random_.random() < 0.99 else None,
        contracts=Decimal(repr(round(held, 6))) if random_.random() < 0.98 else random_.choice((None, *ODD[:2])),
        turnover_day=Decimal(repr(round(random_.uniform(0, 50_000), 2))),
        orders_cycle=random_.randrange(12),
        in_flight=random_.random() < 0.02,
        orders_minute=random_.randrange(22),
        rate=Decimal(random_.choice(("1", "1", "0.99", "1.08"))),
    )
    limits = Limits(
        order_notional_max=maybe(random_, random_.choice((10, 5_000, 50_000))),
        position_notional_max=maybe(random_, random_.choice((5_000, 500_000))),
        turnover_day_max=maybe(random_, random_.choice((20_000, 500_000))),
        orders_cycle_max=random_.randrange(1, 12),
        orders_minute_max=random_.randrange(1, 22),
        price_collar=Decimal(repr(round(random_.uniform(0.001, 0.05), 4))),
    )
    return intent, context, limits


def over(approved: ApprovedIntent, context: GateContext, limits: Limits) -> str | None:
    """Which limit this approved order breaks; None: it keeps them all."""
    intent, quote, instrument = approved.intent, context.quote, context.instrument
    if quote is None or instrument is None or context.contracts is None or context.in_flight:
        return "made without knowing enough"
    mark, held, quantity = float(quote.mark), float(context.contracts), float(intent.quantity)
    touch = quote.ask if intent.side is Side.BUY else quote.bid
    if not 0 < mark < float("inf") or not 0 < quantity < float("inf") or not -float("inf") < held < float("inf"):
        return "impossible numbers"
    after = held + quantity * intent.side.sign
    notional = quantity * float(instrument.multiplier) * mark * float(context.rate)
    position = abs(after) * float(instrument.multiplier) * mark * float(context.rate)
    collar = float(limits.price_collar) + SLACK
    lots = quantity / float(instrument.lot_size)
    tests = {
        "turned around": after * held >= -SLACK,
        "reduce-only": intent.reduce_only is (abs(after) < abs(held) - SLACK),
        "whole lots": abs(lots - round(lots)) < 1e-6,
        "minimum": intent.reduce_only
        or quantity * float(instrument.multiplier) * mark >= float(instrument.notional_min) * (1 - SLACK),
        "order_notional_max": _within(notional, limits.order_notional_max),
        "position_notional_max": intent.reduce_only or _within(position, limits.position_notional_max),
        "turnover_day_max": _within(notional + float(context.turnover_day), limits.turnover_day_max),
        "orders_cycle_max": context.orders_cycle < limits.orders_cycle_max,
        "orders_minute_max": context.orders_minute < limits.orders_minute_max,
        "decision price": abs(float(intent.price) / mark - 1) <= collar,
        "book": touch is None or abs(float(touch) / mark - 1) <= collar,
        "worst price": abs(float(approved.price_limit) / mark - 1) <= collar,
    }
    return next((name for name, kept in tests.items() if not kept), None)


def _within(value: float, most: Decimal | None) -> bool:
    return most is None or value <= float(most) * (1 + SLACK)


def run(orders: int, seed: int) -> Tally:
    random_ = random.Random(seed)
    instruments = [
        perp(ETH_PERP, lot=lot, multiplier=size, notional_min=least)
        for lot in LOTS
        for size in (1, "0.01")
        for least in (0, 100)
    ]
    tally = Tally()
    for _ in range(orders):
        intent, context, limits = case(random_, instruments)
        verdict = approve(intent, context, limits, Mode.PAPER)
        if isinstance(verdict, ApprovedIntent):
            tally.approved += 1
            if broken := over(verdict, context, limits):
                tally.over.append(f"{broken}: {verdict} {context} {limits}")
    return tally


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--orders", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    began = time.monotonic()
    tally = run(options.orders, options.seed)
    print(
        f"{options.orders:,} random intents, seed {options.seed}, {time.monotonic() - began:.0f} s: "
        f"{tally.approved:,} approved, {len(tally.over)} over a limit"
    )
    for line in tally.over[:10]:
        print(line)
    raise SystemExit(bool(tally.over))


if __name__ == "__main__":
    main()
