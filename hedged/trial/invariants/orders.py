"""About orders: each is written down first, is one, is no larger than it may be, and comes alone."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from hedged.model.order import Purpose
from hedged.trial.plan import (
    BAND,
    COLLAR,
    EVERY,
    HEDGES,
    ORDER_MAX,
    ORDERS_MINUTE_MAX,
    POSITION_MAX,
    TURNOVER_MAX,
    Hedge,
)
from hedged.trial.world import Violation, World

ZERO = Decimal(0)
STALE_AFTER = 3 * EVERY
CYCLE_MAX = 90.0  # seconds that a slow cycle takes from its first reading to its last order
_MINUTE = 60.0
_JUST_NOW = timedelta(hours=1)
_OUT = ("sent", "unknown", "acknowledged")


def invariant_09(world: World) -> Violation | None:
    """The intent row is committed before any order byte leaves."""
    leaving = world.sighting.leaving
    if leaving is None:
        return None
    row = world.journal.order(leaving.intent.client_order_id) if world.journal is not None else None
    if row is None:
        return Violation(9, f"{leaving.intent.client_order_id} leaves and is not in the journal")
    if row.state != "sent":
        return Violation(9, f"{leaving.intent.client_order_id} leaves and is {row.state} in the journal")
    if (row.intent.side, row.intent.quantity) != (leaving.intent.side, leaving.intent.quantity):
        return Violation(9, f"{leaving.intent.client_order_id} leaves as another order than in the journal")
    return None


def invariant_10(world: World) -> Violation | None:
    """At most one venue order per intent, under any drop, retry or restart."""
    placed = world.sighting.placed
    if placed is None or world.journal is None:
        return None
    row = world.journal.order(placed.ticket.client_order_id)
    if row is None:
        return Violation(10, f"the venue has {placed.ticket.client_order_id}, which is no intent's order")
    if placed.filled > max(row.intent.quantity, placed.ticket.quantity):
        return Violation(10, f"{placed.filled:f} contracts are filled for an intent of {row.intent.quantity:f}")
    return None


def invariant_11(world: World) -> Violation | None:
    """Filled + open + worst case of Unknown ≤ maximum position, at every step."""
    leaving, ticket = world.sighting.leaving, world.sighting.ticket
    if leaving is None or ticket is None or ticket.reduce_only:
        return None
    instrument = world.venue.instrument(ticket.symbol)
    if instrument is None:
        return None
    worst = worst_case(world, ticket.symbol, ticket.client_order_id) + ticket.signed
    notional = abs(worst) * instrument.multiplier * leaving.intent.price
    if notional > POSITION_MAX * (1 + COLLAR):
        return Violation(11, f"{ticket.symbol}: a position of {notional:,.0f} is possible, {POSITION_MAX:,} is allowed")
    return None


def worst_case(world: World, symbol: str, but: str) -> Decimal:
    """Signed contracts, with everything that may still be filled on the side of the order in question."""
    side = world.sighting.ticket.side.sign if world.sighting.ticket is not None else 1
    coming = [
        ticket.signed for name, ticket in world.seen.travelling.items() if ticket.symbol == symbol and name != but
    ]
    coming += [each.open for each in world.venue.resting if each.ticket.symbol == symbol]
    return world.venue.held(symbol) + sum((each for each in coming if each * side > 0), ZERO)


def invariant_12(world: World) -> Violation | None:
    """No order exceeds size, notional, price collar or rate, counting those in flight."""
    leaving, ticket = world.sighting.leaving, world.sighting.ticket
    if leaving is None or ticket is None:
        return None
    intent, instrument = leaving.intent, world.venue.instrument(ticket.symbol)
    if instrument is None or ticket.quantity % instrument.lot_size or ticket.quantity != intent.quantity:
        return Violation(12, f"{ticket.quantity:f} contracts of {ticket.symbol} are no order that was approved")
    notional = ticket.quantity * instrument.multiplier * intent.price
    if notional > ORDER_MAX:
        return Violation(12, f"an order of {notional:,.0f}, {ORDER_MAX:,} is allowed")
    if abs(leaving.price_limit / intent.price - 1) > COLLAR + Decimal("1e-9"):
        return Violation(12, f"the limit {leaving.price_limit} is more than {COLLAR:%} from {intent.price}")
    if intent.price not in _recent_marks(world, ticket.symbol):
        return Violation(12, f"{intent.price} was no mark of {ticket.symbol} within {STALE_AFTER:.0f} s")
    if world.elapsed - max(world.seen.jumps, default=-1e9) > 2 * _MINUTE:
        minute = sum(world.elapsed - at < _MINUTE for at, _, _ in world.seen.sent)
        if minute >= ORDERS_MINUTE_MAX:
            return Violation(12, f"{minute + 1} orders within a minute, {ORDERS_MINUTE_MAX} are allowed")
    today = [each.intent.notional for at, each, _ in world.seen.sent if world.elapsed - at < _since_midnight(world)]
    if not world.seen.jumps and sum(today, ZERO) > TURNOVER_MAX:
        return Violation(12, f"orders of {sum(today, ZERO):,.0f} today, {TURNOVER_MAX:,} are allowed")
    return None


def _recent_marks(world: World, symbol: str) -> set[Decimal]:
    """What the mark truly was while a reading of it may still have been fresh."""
    now, marks = world.true_now(), set()
    for minute in range(int((STALE_AFTER + CYCLE_MAX) // _MINUTE) + 1):
        quote = world.venue.market.quote(symbol, now - timedelta(minutes=minute))
        if quote is not None:
            marks.add(quote.mark)
    return marks


def _since_midnight(world: World) -> float:
    now = world.true_now()
    return (now - now.replace(hour=0, minute=0, second=0, microsecond=0)).total_seconds()


def invariant_13(world: World) -> Violation | None:
    """A reducing order never raises |position| or flips its sign."""
    leaving, ticket, placed = world.sighting.leaving, world.sighting.ticket, world.sighting.placed
    if leaving is not None and ticket is not None:
        held = leaving.intent.held
        reduces = held is not None and held * ticket.signed < 0 and abs(ticket.signed) <= abs(held)
        if reduces and not ticket.reduce_only:
            return Violation(13, f"{ticket.side} {ticket.quantity:f} of {held:f} held leaves without reduce-only")
    if placed is None or ticket is None or not ticket.reduce_only or not placed.filled:
        return None
    if abs(placed.after) > abs(placed.before) or placed.after * placed.before < 0:
        return Violation(13, f"a reducing order turned {placed.before:f} into {placed.after:f}")
    return None


def invariant_14(world: World) -> Violation | None:
    """While an intent is Unknown nothing new trades that instrument."""
    leaving, ticket = world.sighting.leaving, world.sighting.ticket
    if leaving is None or ticket is None:
        return None
    own = ticket.client_order_id
    for row in world.journal.open_orders() if world.journal is not None else ():
        other = row.intent.instrument == leaving.intent.instrument and row.intent.client_order_id != own
        if other and row.state in _OUT:
            return Violation(14, f"{own} leaves while {row.intent.client_order_id} is {row.state}")
    for name, late in world.seen.travelling.items():
        if late.symbol == ticket.symbol and name != own:
            return Violation(14, f"{own} leaves while {name} is still on its way to the venue")
    for each in world.venue.resting:
        if each.ticket.symbol == ticket.symbol and each.ticket.client_order_id != own:
            return Violation(14, f"{own} leaves while {each.ticket.client_order_id} rests in the book")
    return None


def invariant_21(world: World) -> Violation | None:
    """A hedge inside its band is left alone, and no order leads past the far edge of it."""
    leaving, ticket = world.sighting.leaving, world.sighting.ticket
    hedge = next((each for each in HEDGES if leaving is not None and each.name == leaving.intent.hedge), None)
    if leaving is None or ticket is None or hedge is None or leaving.intent.purpose is not Purpose.REBALANCE:
        return None
    low, high = targets(world, hedge)
    exposures = _exposures(world, hedge)
    least, most = min(exposures), max(exposures)
    held = _value(world, hedge, leaving.intent.price)
    if least <= 0 or held is None:
        return None
    # What was read may be a cycle old: it counts as outside where it was at any time since then.
    inside = high - BAND < held / most and held / least < low + BAND
    if inside and low == high:
        return Violation(21, f"{hedge.name} is traded at a ratio of {held / most:.4f}, inside its band")
    after = held - ticket.signed * _multiplier(world, ticket.symbol) * leaving.intent.price
    slack = _slack(world, ticket.symbol)
    if after > held and after - slack > most * (high + BAND):
        return Violation(21, f"{hedge.name} is led to a ratio of {after / most:.4f}, past its band")
    course = world.venue.courses.get(ticket.symbol)
    moved = course is not None and len(course.during(world.elapsed - CYCLE_MAX, world.elapsed)) > 1
    if not moved and after < held and after + slack < least * (low - BAND):
        return Violation(21, f"{hedge.name} is led to a ratio of {after / least:.4f}, short of its band")
    return None


def targets(world: World, hedge: Hedge) -> tuple[Decimal, Decimal]:
    """The lowest and the highest target ratio that may hold now."""
    now = world.machine_now() - _JUST_NOW
    ratios = [each.ratio for each in world.seen.targets.get(hedge.name, ()) if each.holds(now)]
    return min([Decimal(1), *ratios]), max([Decimal(1), *ratios])


def room(world: World, hedge: Hedge) -> Decimal:
    """How far a ratio may be off before somebody has to say so: a lot more than the band, where lots are large."""
    lot = max((_slack(world, symbol) for symbol in world.venue.courses if hedge.trades(symbol)), default=ZERO)
    exposure = world.exposure(hedge)
    return 2 * BAND + (lot / exposure if exposure > 0 else ZERO)


def _exposures(world: World, hedge: Hedge) -> list[Decimal]:
    """Every value of the coins that a reading of the last cycle may have given."""
    start = world.elapsed - CYCLE_MAX
    values = [ZERO]
    for asset in hedge.assets:
        coins = world.venue.courses[f"spot/{asset}"].during(start, world.elapsed)
        prices = [world.venue.market.price(asset, world.true_now() - timedelta(minutes=each)) for each in range(3)]
        values = [
            value + coin * price
            for value in (min(values), max(values))
            for coin in (min(coins), max(coins))
            for price in prices
            if price is not None
        ]
    return values


def _value(world: World, hedge: Hedge, price: Decimal) -> Decimal | None:
    """What the hedge is short at this price, contracts of its chain together."""
    held = [
        world.venue.held(symbol) * _multiplier(world, symbol) for symbol in world.venue.courses if hedge.trades(symbol)
    ]
    return -sum(held, ZERO) * price


def _multiplier(world: World, symbol: str) -> Decimal:
    instrument = world.venue.instrument(symbol)
    return instrument.multiplier if instrument is not None else ZERO


def _slack(world: World, symbol: str) -> Decimal:
    """What a lot or the smallest order is worth: an edge cannot be met more closely."""
    instrument, quote = world.venue.instrument(symbol), world.venue.market.quote(symbol, world.true_now())
    worth = instrument.lot_size * instrument.multiplier * quote.mark if instrument and quote else ZERO
    return 2 * max(worth, Decimal(50))
