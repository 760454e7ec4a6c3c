"""About what people are told: in time, at least once, hardly ever twice, and never the wrong way round."""

from __future__ import annotations

from hedged.model.alert import AlertState, MessageKind, Told
from hedged.model.finding import Kind, Severity
from hedged.model.policy import Mode
from hedged.model.snapshot import Read
from hedged.tell.route import receivers
from hedged.tell.rules import EVENTS
from hedged.trial.invariants.orders import room, targets
from hedged.trial.plan import CHANNELS, EVERY, HEDGES, Hedge
from hedged.trial.world import Violation, World, identity

GRACE = 5.0  # seconds
SLOW = 75.0  # seconds that a cycle may take whose every call times out
BACKOFF, ATTEMPT = 30.0, 10.0  # seconds between two tries of a courier, and for one
DRIFT_CYCLES = 2
MARGIN_CRITICAL = 0.75

_BLINDING = frozenset({Kind.ACCOUNT_UNREACHABLE.value, Kind.DATA_MISSING.value, Kind.DATA_STALE.value})
_ON = {MessageKind.FIRING, MessageKind.REPEAT, MessageKind.ESCALATED, MessageKind.UNCONFIRMED}
_OFF = {MessageKind.RESOLVED, MessageKind.REMOVED}
_FROM_VENUE = {
    *(Kind.DRIFT, Kind.MARGIN, Kind.LIQUIDATION_NEAR, Kind.POSITION_VANISHED, Kind.ACCOUNT_UNREACHABLE),
    *(Kind.ORDER_REFUSED, Kind.ORDER_REJECTED),
}


def invariant_01(world: World) -> Violation | None:
    """Every alert-worthy state of the venue appears as a committed alert within 2 polls + 5 s + the rule's `for`."""
    recorded, before = world.sighting.recorded, world.seen.last
    if recorded is None or world.journal is None:
        return None
    if before is not None and before.life == recorded.life and world.seen.failed_at < before.at:
        gap = recorded.at - before.at
        if gap > 2 * EVERY + GRACE + SLOW:
            return Violation(1, f"nothing was looked at for {gap:.0f} s")
    firing = world.journal.firing()
    blind = any(kind in _BLINDING for kind, _ in firing)
    ratio = world.venue.margin_ratio()
    world.seen.squeezed = world.seen.squeezed + 1 if ratio is not None and ratio >= MARGIN_CRITICAL else 0
    squeezed = {Kind.MARGIN.value, Kind.LIQUIDATION_NEAR.value, Kind.MARGIN_ODDS.value}
    if world.seen.squeezed > DRIFT_CYCLES and not blind and not any(kind in squeezed for kind, _ in firing):
        return Violation(1, f"the margin ratio is {ratio:.2f} and nothing fires")
    return _drift(world, firing)


def _drift(world: World, firing: set[tuple[str, str]]) -> Violation | None:
    """A hedge that is truly off by more than its band is somewhere among the alerts.

    Counted are the cycles in which nothing told of it: what begins while nothing can be read is told as that, and the
    first good reading may have to be confirmed by a second.
    """
    for hedge in HEDGES:
        if world.plan.modes[hedge.name] is Mode.PAPER:
            continue
        ratio = world.true_ratio(hedge)
        low, high = targets(world, hedge)
        off = ratio is not None and not low - room(world, hedge) <= ratio <= high + room(world, hedge)
        told = any(kind in _BLINDING or _concerns(subject, hedge) for kind, subject in firing)
        untold = off and not told
        cycles = world.seen.drifting[hedge.name] = world.seen.drifting.get(hedge.name, 0) + 1 if untold else 0
        if cycles > DRIFT_CYCLES:
            return Violation(1, f"{hedge.name} has a ratio of {ratio:.3f} for {cycles} cycles and nothing fires")
    return None


def _concerns(subject: str, hedge: Hedge) -> bool:
    """The hedge itself, its contract, or a coin of it."""
    asset = subject.rpartition("/")[2]
    return subject == hedge.name or hedge.trades(subject.removeprefix("sim:")) or asset in hedge.assets


def invariant_02(world: World) -> Violation | None:
    """A committed alert reaches a channel once that channel is up."""
    recorded = world.sighting.recorded
    if recorded is None or world.journal is None or world.life is None:
        return None
    waiting = world.journal.undelivered()
    for row, (channel, message) in waiting.items():
        world.seen.undelivered.setdefault(row, (channel, message, world.elapsed))
    for row, (channel, _, since) in world.seen.undelivered.items():
        if row not in waiting:
            continue
        up = max(since, world.life.began, world.plan.up_since(world.elapsed, channel), world.seen.failed_at)
        patience = (BACKOFF + ATTEMPT) * (4 if world.plan.stormy(world.elapsed) or world.plan.stormy(up) else 2) + EVERY
        if world.elapsed - up > patience * 2:
            return Violation(2, f"row {row} waits for {channel}, which is up since {up:.0f} s")
    return None


def invariant_03(world: World) -> Violation | None:
    """Outbox rows never vanish; they count as sent only after the channel's acknowledgement."""
    recorded = world.sighting.recorded
    if recorded is None or world.journal is None:
        return None
    wanted = sum(len(receivers(message, CHANNELS, ())) for message in recorded.record.messages)
    rows = world.journal.messages_of(recorded.record.cycle_id)
    if rows != wanted:
        return Violation(3, f"{rows} rows in the outbox for messages with {wanted} receivers that were committed")
    for alert in recorded.record.alerts:
        if alert.told_in is None or alert.told_at != recorded.record.started_at:
            continue
        if not world.journal.messages_with(alert.told_in):
            return Violation(3, f"{alert.key} counts as told, and its message is not in the outbox")
    waiting = world.journal.undelivered()
    for row, (channel, text, _) in list(world.seen.undelivered.items()):
        if row in waiting:
            continue
        del world.seen.undelivered[row]
        if not world.seen.taken[identity(channel, world.journal.message(text))]:
            word = "vanished" if world.journal.is_delivered(row) is None else "counts as sent"
            return Violation(3, f"row {row} {word}, and {channel} never took it")
    return None


def invariant_04(world: World) -> Violation | None:
    """Duplicates carry the same event id; at most one a crash, or a reload while the store can note nothing."""
    if world.sighting.message is None:
        return None
    channel, message = world.sighting.message
    key = identity(channel, message)
    seen = world.seen
    if seen.taken[key] - seen.lost[key] > len(seen.taken_in[key]):
        return Violation(4, f"{channel} got {message.kind} of {message.key} {seen.taken[key]} times")
    return None


def invariant_05(world: World) -> Violation | None:
    """Firing and resolved alternate per fingerprint, and nothing resolves without a fresh good observation."""
    recorded = world.sighting.recorded
    if recorded is None:
        return None
    snapshot = recorded.record.snapshot
    view = snapshot.accounts.get("sim") if snapshot is not None else None
    for alert in recorded.record.alerts:
        ended_now = alert.state is AlertState.RESOLVED and alert.resolved_at == recorded.record.started_at
        ended_now = ended_now and alert.kind in _FROM_VENUE and alert.closed_as == "resolved"
        if ended_now and (view is None or not isinstance(view.derivatives, Read)):
            return Violation(5, f"{alert.key} is over, and the account was not read")
    for message in recorded.record.messages:
        for told in message.alerts or (Told(message.event_id, message.key, message.kind, message.severity),):
            kind = Kind(told.key.partition("/")[0])
            last = world.seen.told.get(told.key)
            world.seen.told[told.key] = told.kind
            if told.key in world.seen.lenient or kind in EVENTS:
                world.seen.lenient.discard(told.key)
                continue
            if told.kind is MessageKind.FIRING and last in _ON:
                return Violation(5, f"{told.key} fires, and people were told so before")
            if told.kind in _OFF and last not in _ON:
                return Violation(5, f"{told.key} is over, and nobody was told that it fires")
    return None


def invariant_08(world: World) -> Violation | None:
    """Silence or inhibition never hides pause, halt, margin-critical, data-stale."""
    recorded = world.sighting.recorded
    if recorded is None:
        return None
    for alert in recorded.record.alerts:
        loud = alert.kind in {Kind.PAUSED, Kind.HALTED, Kind.DATA_STALE} or (
            alert.kind is Kind.MARGIN and alert.severity is Severity.CRITICAL
        )
        if not loud or alert.state is not AlertState.FIRING:
            continue
        quiet = world.seen.untold[alert.event_id] = world.seen.untold.get(alert.event_id, 0) + 1
        if alert.told_severity is not None:
            world.seen.untold[alert.event_id] = 0
        elif quiet > DRIFT_CYCLES:
            return Violation(8, f"{alert.key} fires and nobody is told")
    return None
