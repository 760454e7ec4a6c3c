"""Whether hedged should stop itself: what was sent against what was meant, and what the account made of it. Pure.

Each rule names the limit under `[limits]` that it goes by. What happened before the last `hedged resume` has been
looked at by a person and is no reason any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from hedged.model.finding import MarginStatus
from hedged.model.guard import UNFOLLOWED_KEPT, EquitySample, Expected, GuardMemory
from hedged.model.instrument import InstrumentId
from hedged.model.order import Absent, Fill, Intent, OrderState, Outcome, PastOrder
from hedged.model.policy import Limits
from hedged.model.snapshot import Read, Snapshot

ZERO = Decimal(0)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
LOOKS_MAX = 3  # readings in which a venue may show a fill late; a position that has not followed by then never did
_RESUMED_MEANWHILE = timedelta(minutes=5)  # since the cycle read its `now`
_FOLLOWED = Decimal("0.5")  # of what was filled: fees in coins and roundings are less, another's order rarely matters


def runaway(
    guard: GuardMemory, orders: Sequence[PastOrder], limits: Limits, now: datetime, resumed_at: datetime | None
) -> str | None:
    """Why to halt, with the numbers; None: nothing looks wrong. `orders`: of the last day, in any order."""
    if resumed_at is not None and resumed_at - now > _RESUMED_MEANWHILE:
        resumed_at = None  # by a clock that was ahead: it does not tell what was before
    recent = [each for each in orders if resumed_at is None or each.planned_at > resumed_at]
    reasons = (
        *_overfilled(recent),
        *_too_many(recent, limits, now),
        *_rejected(recent, limits),
        *_unfollowed(guard, limits, resumed_at),
        *_equity(guard, limits, now, resumed_at),
    )
    return "; ".join(reasons) or None


def _overfilled(orders: Iterable[PastOrder]) -> Iterator[str]:
    for order in orders:
        intent = order.intent
        if order.filled > intent.quantity:
            yield f"{order.filled:f} contracts of {intent.instrument} were filled for an order of {intent.quantity:f}"


def _too_many(orders: Iterable[PastOrder], limits: Limits, now: datetime) -> Iterator[str]:
    sent = [each.planned_at for each in orders if each.sent]
    for name, word, span, most in (
        ("orders_hour_max", "hour", HOUR, limits.orders_hour_max),
        ("orders_day_max", "day", DAY, limits.orders_day_max),
    ):
        number = sum(abs(now - at) < span for at in sent)  # the clock may have been ahead when it was sent
        if number >= most:
            yield f"{number} orders were sent within a {word}, {name} is {most}"


def _rejected(orders: Iterable[PastOrder], limits: Limits) -> Iterator[str]:
    """What was held back by ourselves is no rejection; what is not known yet neither is one nor ends a row."""
    rows: dict[InstrumentId, list[PastOrder]] = {}
    for order in sorted(orders, key=lambda each: each.planned_at):
        row = rows.setdefault(order.intent.instrument, [])
        if order.state == OrderState.FILLED.value:
            row.clear()
        elif order.state == OrderState.REJECTED.value and order.sent:
            row.append(order)
    for instrument, row in rows.items():
        if len(row) >= limits.rejections_max:
            yield (
                f"{len(row)} orders in a row on {instrument} were rejected, rejections_max is {limits.rejections_max}; "
                f"the last because {row[-1].reason or 'nobody said why'}"
            )


def _unfollowed(guard: GuardMemory, limits: Limits, resumed_at: datetime | None) -> Iterator[str]:
    for instrument, moments in guard.unfollowed.items():
        times = sum(resumed_at is None or at > resumed_at for at in moments)
        if times >= limits.unfollowed_max:
            yield (
                f"the position in {instrument} did not move after {times} filled orders in a row, "
                f"unfollowed_max is {limits.unfollowed_max}"
            )


def _equity(guard: GuardMemory, limits: Limits, now: datetime, resumed_at: datetime | None) -> Iterator[str]:
    most = limits.equity_drop_day_max
    for account, samples in guard.equity.items() if most is not None else ():
        known = [each for each in samples if now - each.at < DAY and (resumed_at is None or each.at >= resumed_at)]
        peak = max((each.equity for each in known), default=ZERO)
        if peak <= 0:
            continue
        last = samples[-1].equity
        drop = 1 - last / peak
        if most is not None and drop > most:
            yield (
                f"the equity of {account} fell by {drop:.0%} within a day, from {peak:,.2f} to {last:,.2f}, "
                f"equity_drop_day_max is {most:.0%}"
            )


# what is remembered


def seen(guard: GuardMemory, snapshot: Snapshot, margin: Iterable[MarginStatus]) -> GuardMemory:
    """After a look: positions that did or did not follow what was filled, and equity, an hour apart and the newest.

    A position that was not read since, or is in doubt, is judged at the next look. What is still `expected` afterwards
    may be there and not shown yet, so that nothing else is traded there; for `LOOKS_MAX` readings at most.
    """
    expected, unfollowed = dict(guard.expected), dict(guard.unfollowed)
    doubted = {doubt.subject for doubt in snapshot.doubts}
    for instrument, due in guard.expected.items():
        # A clock that was put back does not make every reading an old one.
        held = _held_after(snapshot, instrument, due.at if due.at <= snapshot.now else None)
        if held is None or instrument in doubted:
            continue
        followed = (held - due.before) * due.by / (due.by * due.by)
        if followed < (_FOLLOWED if due.looks else 1) and due.looks + 1 < LOOKS_MAX:  # a part may be shown before all
            expected[instrument] = replace(due, looks=due.looks + 1)
            continue
        del expected[instrument]
        if followed >= _FOLLOWED:
            unfollowed.pop(instrument, None)
        else:
            unfollowed[instrument] = (*unfollowed.get(instrument, ()), snapshot.now)[-UNFOLLOWED_KEPT:]
    equity = dict(guard.equity)
    for row in margin:
        if row.equity is not None:
            equity[row.account] = _sampled(equity.get(row.account, ()), EquitySample(snapshot.now, row.equity))
    return GuardMemory(expected, unfollowed, equity)


def filled(guard: GuardMemory, snapshot: Snapshot, fills: Iterable[Fill]) -> GuardMemory:
    """After this cycle's orders: what their positions, as this cycle read them, should have become at the next look."""
    return _expecting(guard, ((fill, _held_after(snapshot, fill.instrument, None), fill.at) for fill in fills))


def found_filled(guard: GuardMemory, orders: Iterable[tuple[Intent, Outcome | Absent]], now: datetime) -> GuardMemory:
    """Before a look: the same of earlier orders whose fill was found out about just now. Whatever is read from `now` on
    was read after it.
    """
    begun = now - timedelta.resolution
    fills = ((intent, end) for intent, end in orders if isinstance(end, Fill))
    return _expecting(guard, ((fill, intent.held, min(fill.at, begun)) for intent, fill in fills))


def _expecting(guard: GuardMemory, fills: Iterable[tuple[Fill, Decimal | None, datetime]]) -> GuardMemory:
    """With these fills, each with what was held before its order (None: not known) and since when it has to show."""
    expected = dict(guard.expected)
    for fill, before, at in fills:
        by, first = fill.quantity * fill.side.sign, expected.get(fill.instrument)
        if first is not None:
            expected[fill.instrument] = replace(first, by=first.by + by, at=max(first.at, at), looks=0)
        elif before is not None:
            expected[fill.instrument] = Expected(before, by, at)
    return replace(guard, expected={name: each for name, each in expected.items() if each.by})


def without(guard: GuardMemory, account: str) -> GuardMemory:
    """Nothing of that account any more."""

    def others(by_instrument: Mapping[InstrumentId, object]) -> list[InstrumentId]:
        return [name for name in by_instrument if name.partition(":")[0] != account]

    return GuardMemory(
        {name: guard.expected[name] for name in others(guard.expected)},
        {name: guard.unfollowed[name] for name in others(guard.unfollowed)},
        {name: samples for name, samples in guard.equity.items() if name != account},
        guard.marks,
        guard.prices,
    )


def _held_after(snapshot: Snapshot, instrument: InstrumentId, at: datetime | None) -> Decimal | None:
    """Signed contracts as read later than `at`; None: not read."""
    view = snapshot.accounts.get(instrument.partition(":")[0])
    if view is None or not isinstance(view.derivatives, Read) or (at is not None and view.derivatives.as_of <= at):
        return None
    return sum((p.contracts for p in view.derivatives.value.positions if p.instrument == instrument), ZERO)


def _sampled(samples: tuple[EquitySample, ...], newest: EquitySample) -> tuple[EquitySample, ...]:
    """A day of samples an hour apart, and the newest behind them in place of the one before it."""
    kept = [each for each in samples if newest.at - each.at < DAY]
    if len(kept) > 1 and kept[-1].at - kept[-2].at < HOUR:
        kept.pop()
    return (*kept, newest)
