"""Random intents through the gate: how many it approves, and that none of those is over a limit.

    python -m tests.benchmarks.gate --orders 1000000

A plain seeded generator, hostile on purpose: prices that are missing, zero, negative or no number, positions nobody
knows, quantities off the lot, sides that would turn a position around, marks that jumped, accounts whose margin is
short or not known, numbers of forty digits, limits set and not set. What is approved is checked anew from the numbers
alone, in floats, by rules written down a second time.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from dataclasses import dataclass, field
from decimal import Decimal

from hedged.decide.account_room import AccountRoom
from hedged.decide.gate import GateContext, approve
from hedged.model.instrument import Instrument
from hedged.model.order import ApprovedIntent, Intent, Placement, Purpose, Side
from hedged.model.policy import Limits, Mode
from hedged.model.snapshot import Quote
from tests.build import ETH_PERP, perp

ODD = (
    Decimal("NaN"),
    Decimal("sNaN"),
    Decimal("Infinity"),
    Decimal("-Infinity"),
    Decimal(0),
    Decimal(-3000),
    Decimal("1e40"),
    Decimal("1e-40"),
    Decimal("3000." + "0" * 40 + "1"),
    Decimal("9" * 40),
)
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


def room(random_: random.Random) -> AccountRoom:
    def amount(most: float) -> Decimal | None:
        if random_.random() < 0.03:
            return random_.choice((None, *ODD))
        return Decimal(repr(round(random_.uniform(-0.05, 1) * most, 2)))

    return AccountRoom(
        "main", amount(100_000), amount(50_000), amount(60_000), Decimal(random_.choice(("0.05", "0.2")))
    )


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
        purpose=random_.choice((Purpose.REBALANCE, *Purpose)),
        placement=random_.choice((Placement.IOC, Placement.IOC, Placement.PASSIVE)),
    )
    context = GateContext(
        instrument=instrument if random_.random() < 0.99 else None,
        quote=quote if random_.random() < 0.99 else None,
        contracts=Decimal(repr(round(held, 6))) if random_.random() < 0.98 else random_.choice((None, *ODD)),
        turnover_day=Decimal(repr(round(random_.uniform(0, 50_000), 2))),
        orders_cycle=random_.randrange(6),
        in_flight=random_.random() < 0.02,
        unseen=random_.random() < 0.02,
        orders_minute=random_.randrange(10),
        rate=Decimal(random_.choice(("1", "1", "0.99", "1.08"))),
        doubt="its size may be wrong" if random_.random() < 0.02 else None,
        last_mark=None if random_.random() < 0.3 else price(random_, near * random_.choice((1, 1, 1, 0.9, 1.1))),
        orders_day=random_.randrange(20),
        exposed=None if random_.random() < 0.7 else Decimal(repr(round(held * 1.5, 6))),
        room=None if reduces or random_.random() < 0.2 else room(random_),
    )
    most = random_.choice((1, 1, 4))
    limits = Limits(
        order_notional_max=maybe(random_, random_.choice((10, 5_000, 50_000))),
        position_notional_max=maybe(random_, random_.choice((5_000, 500_000))),
        turnover_day_max=maybe(random_, random_.choice((20_000, 500_000))),
        orders_cycle_max=most * random_.randrange(1, 12),
        orders_minute_max=most * random_.randrange(1, 22),
        orders_day_max=most * random_.randrange(1, 60),
        leverage_max=None if random_.random() < 0.5 else Decimal(random_.choice(("0.5", "2", "10"))),
        free_margin_min=random_.choice((None, None, Decimal(0), Decimal("0.3"))),
        price_collar=Decimal(repr(round(random_.uniform(0.001, 0.1), 4))),
    )
    return intent, context, limits


def over(approved: ApprovedIntent, context: GateContext, limits: Limits) -> str | None:
    """Which limit this approved order breaks; None: it keeps them all."""
    intent, quote, instrument = approved.intent, context.quote, context.instrument
    if quote is None or instrument is None or context.contracts is None or context.in_flight or context.unseen:
        return "made without knowing enough"
    mark, held, quantity = _number(quote.mark), _number(context.contracts), _number(intent.quantity)
    passive, buys = intent.placement is Placement.PASSIVE, intent.side is Side.BUY
    touch = quote.ask if buys is not passive else quote.bid
    if not 0 < mark < float("inf") or not 0 < quantity < float("inf") or not -float("inf") < held < float("inf"):
        return "impossible numbers"
    after = held + quantity * intent.side.sign
    unit = _number(instrument.multiplier) * mark * _number(context.rate)
    exposed = held if context.exposed is None else _number(context.exposed)
    position = abs(exposed + quantity * intent.side.sign) * unit
    collar = _number(limits.price_collar) + SLACK
    lot = _number(instrument.lot_size)
    lets_go = intent.reduce_only and intent.purpose in {Purpose.REDUCE, Purpose.CLOSE}
    booked = all(side is not None and _is_near(_number(side), mark, collar) for side in (quote.bid, quote.ask))
    tests = {
        "turned around": after * held >= -SLACK,
        "reduce-only": intent.reduce_only is (abs(after) < abs(held) - SLACK),
        "whole lots": abs(quantity / lot - round(quantity / lot)) < 1e-6,
        "minimum": intent.reduce_only
        or quantity * _number(instrument.multiplier) * mark * float(1 - limits.price_collar)
        >= _number(instrument.notional_min) * (1 - SLACK),
        "dust": not _is_dust(intent, abs(after), instrument, mark, unit, limits),
        "order_notional_max": _within(quantity * unit, limits.order_notional_max),
        "position_notional_max": intent.reduce_only or _within(position, limits.position_notional_max),
        "turnover_day_max": lets_go
        or _within(quantity * unit + _number(context.turnover_day), limits.turnover_day_max),
        "orders_cycle_max": context.orders_cycle < limits.orders_cycle_max,
        "orders_minute_max": context.orders_minute < limits.orders_minute_max,
        "orders_day_max": lets_go or context.orders_day < limits.orders_day_max,
        "doubt": context.doubt is None or intent.purpose is Purpose.REDUCE,
        "jump": context.last_mark is None
        or (intent.purpose is Purpose.REDUCE and booked)
        or _is_near(mark, _number(context.last_mark), collar),
        "decision price": _is_near(_number(intent.price), mark, collar),
        "book": touch is None or _is_near(_number(touch), mark, collar),
        "worst price": _is_near(_number(approved.price_limit), mark, collar),
        "rests": (approved.rest_at is not None) is passive and (not passive or approved.rest_at == touch),
        "account": intent.reduce_only
        or context.room is None
        or _carries(context.room, position, max(position - abs(exposed) * unit, 0), limits),
    }
    return next((name for name, kept in tests.items() if not kept), None)


def _is_dust(intent: Intent, left: float, instrument: Instrument, mark: float, unit: float, limits: Limits) -> bool:
    """Less than could ever be opened, although it could have gone in one order of the size that is allowed."""
    lot, size = float(instrument.lot_size), float(instrument.multiplier) * mark
    at_worst = size * float(1 - limits.price_collar)
    least = max(lot, math.ceil(float(instrument.notional_min) / at_worst / lot - 1e-9) * lot)
    largest = limits.order_notional_max
    pinned = largest is not None and (least + lot) * unit > float(largest) * (1 - SLACK)
    dust = lot * (1 - 1e-6) <= left < least * (1 - 1e-6)
    return intent.reduce_only and intent.purpose is not Purpose.ROLL and dust and not pinned


def _carries(room: AccountRoom, position: float, added: float, limits: Limits) -> bool:
    """Leverage, and margin left free; what is not known keeps no limit that is set."""
    equity, notional, available = (
        None if value is None or not value.is_finite() else float(value)
        for value in (room.equity, room.notional, room.available)
    )
    if limits.leverage_max is not None and (
        equity is None or notional is None or notional + position > float(limits.leverage_max) * equity + 1e-6
    ):
        return False
    if equity is None or available is None:
        return not limits.free_margin_min
    least = 0.1 if limits.free_margin_min is None else float(limits.free_margin_min)
    return not least or (equity > 0 and available - added * float(room.margin_rate) >= least * equity - 1e-6)


def _is_near(value: float, measure: float, collar: float) -> bool:
    return abs(value - measure) <= collar * measure


def _number(value: Decimal) -> float:
    return float("nan") if value.is_nan() else float(value)


def _within(value: float, most: Decimal | None) -> bool:
    return most is None or value <= float(most) * (1 + SLACK)


def run(orders: int, seed: int, *, until_over: bool = False) -> Tally:
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
                if until_over:
                    break
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
