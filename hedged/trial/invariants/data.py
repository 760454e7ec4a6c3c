"""About what is believed: nothing that is not known, nothing torn, nothing that only a clock says."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from hedged.model.alert import MessageKind
from hedged.model.finding import Kind
from hedged.model.order import OrderStatus
from hedged.model.policy import Mode
from hedged.model.snapshot import Read, Snapshot
from hedged.tell.rules import EVENTS
from hedged.trial.invariants.orders import CYCLE_MAX, STALE_AFTER, room, targets
from hedged.trial.plan import EVERY, HEDGES, Hedge
from hedged.trial.world import Recorded, Violation, World

SKEW_MAX = 10.0
REST = 5.0  # seconds between two cycles that are not on time
CYCLES_MAX = EVERY / REST + 1
SETTLING = 60.0 + EVERY  # seconds after the last fault, and a poll
_REPEAT = {"critical": 3600.0, "warning": 4 * 3600.0, "info": 24 * 3600.0}
_DEEMED = {"ok", "under", "over"}


def invariant_06(world: World) -> Violation | None:
    """Unknown, stale or unparsable data never counts as zero."""
    recorded = world.sighting.recorded
    if recorded is None:
        return None
    start = recorded.at - STALE_AFTER - CYCLE_MAX
    judged = {state["name"]: state for state in recorded.state.get("hedges", ()) if state["state"] in _DEEMED}
    for hedge in HEDGES:
        state = judged.get(hedge.name)
        if state is None:
            continue
        for leg in state["legs"] if world.plan.modes[hedge.name] is not Mode.PAPER else ():
            course = world.venue.courses.get(leg["instrument"].partition(":")[2])
            true = course.during(start, recorded.at) if course is not None else {Decimal(0)}
            if leg["contracts"] is not None and Decimal(leg["contracts"]) not in true:
                return Violation(6, f"{leg['instrument']}: {leg['contracts']} contracts are believed, held were {true}")
        for row in recorded.state.get("exposures", ()):
            if row["asset"] in hedge.assets and row["quantity"] is not None:
                true = world.venue.courses[f"spot/{row['asset']}"].during(start, recorded.at)
                if Decimal(row["quantity"]) not in true:
                    return Violation(6, f"{row['quantity']} {row['asset']} are believed, there were {true}")
    return None


def invariant_07(world: World) -> Violation | None:
    """Drift uses legs read within the maximum skew; otherwise the state is not told."""
    recorded = world.sighting.recorded
    if recorded is None or recorded.record.snapshot is None:
        return None
    for state in recorded.state.get("hedges", ()):
        if state["state"] not in _DEEMED or state["state"] == "no_exposure":
            continue
        hedge = next(each for each in HEDGES if each.name == state["name"])
        times = list(_readings(recorded.record.snapshot, hedge, state))
        skew = (max(times) - min(times)).total_seconds() if times else 0.0
        if skew > SKEW_MAX and (not world.seen.jumps or recorded.at - world.seen.jumps[-1] > CYCLE_MAX):
            return Violation(7, f"{hedge.name} has a drift from readings {skew:.0f} s apart")
    return None


def _readings(snapshot: Snapshot, hedge: Hedge, state: dict[str, object]) -> Iterator[datetime]:
    account = snapshot.accounts["sim"]
    legs = state["legs"]
    for leg in (account.derivatives, account.wallets.get("spot"), *(snapshot.prices.get(a) for a in hedge.assets)):
        if isinstance(leg, Read):
            yield leg.as_of
    for row in legs if isinstance(legs, list) else ():
        quote = snapshot.quotes.get(row["instrument"])
        if isinstance(quote, Read) and row["contracts"] not in {None, "0"}:
            yield quote.as_of


def invariant_19(world: World) -> Violation | None:
    """Wall-clock jumps (±30 d) fire nothing early, skip no expiry alert, reuse no nonce, shorten no cool-down."""
    recorded = world.sighting.recorded
    if recorded is None:
        return None
    world.seen.cycle_times.append(recorded.at)
    minute = sum(recorded.at - at < EVERY for at in world.seen.cycle_times)
    if minute > CYCLES_MAX:
        return Violation(19, f"{minute} cycles within {EVERY:.0f} s")
    for message in recorded.record.messages:
        for told in message.alerts:
            last = world.seen.repeats.get(told.event_id)
            world.seen.repeats[told.event_id] = recorded.at
            kind = Kind(told.key.partition("/")[0])
            if told.kind is not MessageKind.REPEAT or last is None or kind in EVENTS:
                continue
            early = recorded.at - last < _REPEAT[told.severity.value] - CYCLE_MAX
            if early and not any(jump >= last - EVERY for jump in world.seen.jumps):
                return Violation(19, f"{told.key} is told again after {recorded.at - last:.0f} s")
    return _expiry(world, recorded)


def _expiry(world: World, recorded: Recorded) -> Violation | None:
    """A contract that is held and ends within a day is always among the alerts, once the clock has been right again."""
    if world.journal is None or world.jumped or recorded.at - max(world.seen.jumps, default=-1e9) < 4 * EVERY:
        return None
    firing = world.journal.firing()
    for symbol in world.venue.courses:
        instrument = world.venue.instrument(symbol) if "-" in symbol else None
        if instrument is None or instrument.expiry is None or not world.venue.held(symbol):
            world.seen.expiring.pop(symbol, None)
            continue
        left = (instrument.expiry - world.true_now()).total_seconds()
        if left < 86_400 and world.plan.modes["eth"] is not Mode.PAPER:
            cycles = world.seen.expiring[symbol] = world.seen.expiring.get(symbol, 0) + 1
            told = any(kind == Kind.EXPIRY.value and subject.endswith(symbol) for kind, subject in firing)
            blind = any(kind in {"account_unreachable", "data_missing", "data_stale"} for kind, _ in firing)
            if cycles > 3 and not told and not blind:
                return Violation(19, f"{symbol} ends in {left / 3600:.1f} h and no alert says so")
    return None


def invariant_20(world: World) -> Violation | None:
    """Within 60 s after the faults stop: local state equals venue truth, queues are drained, readiness is honest."""
    last, journal = world.seen.last, world.journal
    if not world.sighting.final or world.elapsed - world.plan.troubled_until < SETTLING or journal is None:
        return None
    if last is None or world.elapsed - last.at > 2 * EVERY + REST:
        return Violation(20, "no cycle was kept since the faults are over")
    waiting = [row for row, (_, _, since) in world.seen.undelivered.items() if world.elapsed - since > SETTLING]
    if waiting:
        return Violation(20, f"{len(waiting)} messages still wait")
    return _same_orders(world) or _same_positions(world, last) or _hedged(world, last)


def _same_orders(world: World) -> Violation | None:
    if world.journal is None:
        return None
    fills = world.journal.fills()
    for row in world.journal.orders():
        name = row.intent.client_order_id
        placed = world.venue.placed.get(name)
        if placed is not None and world.elapsed - placed.at < SETTLING:
            continue
        if not row.ended:
            if placed is None or placed.status is not OrderStatus.OPEN:
                return Violation(20, f"{name} is still {row.state} in the journal")
            continue
        filled = placed.filled if placed is not None else Decimal(0)
        known = fills[name].quantity if name in fills else Decimal(0)
        if filled != known and not world.plan.paper:
            return Violation(20, f"{name}: {known:f} contracts are filled by the journal, {filled:f} by the venue")
    return None


def _same_positions(world: World, last: Recorded) -> Violation | None:
    for state in last.state.get("hedges", ()):
        if world.plan.paper:
            continue
        for leg in state["legs"]:
            symbol = leg["instrument"].partition(":")[2]
            course = world.venue.courses.get(symbol)
            true = course.during(last.at - CYCLE_MAX, last.at) if course is not None else {Decimal(0)}
            if leg["contracts"] is None or Decimal(leg["contracts"]) not in true:
                return Violation(20, f"{symbol}: {leg['contracts']} contracts are shown, {true} are held")
    return None


def _hedged(world: World, last: Recorded) -> Violation | None:
    """And what may trade is hedged."""
    if world.seen.stopped is not None or last.state.get("paused") or last.state.get("halted"):
        return None
    for hedge in HEDGES:
        ratio = world.true_ratio(hedge)
        low, high = targets(world, hedge)
        if world.plan.modes[hedge.name] is not Mode.LIVE or ratio is None:
            continue
        if not low - room(world, hedge) <= ratio <= high + room(world, hedge):
            return Violation(20, f"{hedge.name} has a ratio of {ratio:.3f}, and nothing is in the way")
    return None
