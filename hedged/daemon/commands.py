"""Commands from outside, whatever carries them: judged, done once, kept for the audit, answered.

    take ─► parse ─► the nonce is used up in the store, durably ─► done or refused ─► the outcome is kept ─► reply
              └────► dropped: kept, a limited number a minute, and told as a finding

The order makes each at most once: a process that dies in between leaves a nonce that is used, and a row that says
`taken`. Nothing here resumes: that takes a person at the machine.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import replace
from datetime import datetime
from typing import assert_never

import structlog

from hedged.act import operator
from hedged.act.brake import Brake, keep_pause, kept
from hedged.act.commands import parse
from hedged.act.overrides import overrides, set_override
from hedged.act.proposals import decide
from hedged.errors import ProposalError, StoreError
from hedged.model.command import (
    Acknowledge,
    Answer,
    Command,
    CommandOutcome,
    CommandRow,
    Drop,
    Dropped,
    PauseOrders,
    Reply,
    SetRatio,
    SilenceAlerts,
    Verb,
    Wish,
)
from hedged.model.finding import Finding, Kind, Severity
from hedged.model.stop import Stop
from hedged.model.timing import Override
from hedged.ports import Clock, Store

log = structlog.get_logger(__name__)

AUDITED_A_MINUTE = 60  # dropped ones; what is beyond is counted
TELL_EVERY = 600.0  # seconds between two findings about dropped commands
_MINUTE = 60.0

HARMLESS = {Drop.EXPIRED}  # a command that came late is nobody's attack


class Commands:
    """`hedged.ports.CommandTaker` and `CommandRunner`.

    `brake`: the portfolio's, so that a pause holds before it is answered.
    """

    def __init__(
        self, store: Store, portfolio: str, hedges: Collection[str], allowed: Collection[Verb], clock: Clock
    ) -> None:
        self.brake: Brake | None = None
        self._store = store
        self._portfolio = portfolio
        self._hedges = frozenset(hedges)
        self._allowed = frozenset(allowed)
        self._clock = clock
        self._untold: Counter[str] = Counter()  # why dropped → how many, since the last finding
        self._last = ""  # what the newest of them was
        self._told_at: float | None = None
        self._minute = 0.0
        self._audited = 0  # dropped ones, since `_minute` began

    async def take(self, source: str, verb: str, payload: bytes, *, retained: bool = False) -> Reply | None:
        """Raises nothing. None: there is nobody to answer."""
        now = self._clock.now()
        parsed = parse(verb, payload, retained=retained, now=now, allowed=self._allowed)
        if isinstance(parsed, Command):
            return await self.run(parsed, source=source, by=source)
        await self._dropped(source, verb, parsed, now)
        if parsed.request is None:
            return None
        return Reply(parsed.request, verb, ok=False, text=f"dropped, {parsed.drop.value}: {parsed.text}", at=now)

    async def run(self, command: Command, *, source: str, by: str) -> Reply:
        """Do it, unless its nonce was used before. `by`: who is said to have asked. Raises nothing."""
        now = self._clock.now()
        verb = command.verb.value
        row = CommandRow(now, source, command.nonce, verb, CommandOutcome.TAKEN, {"request": command.request, "by": by})
        try:
            if not await self._store.claim_command(row):
                again = Dropped(Drop.REPLAYED, "its nonce was used before", command.request, command.nonce)
                await self._dropped(source, verb, again, now)
                return Reply(command.request, verb, ok=False, text=f"dropped, replayed: {again.text}", at=now)
            outcome, text = await self._outcome(command.wish, by, now)
        except StoreError as error:
            log.error("a command could not be carried out", verb=verb, by=by, error=str(error))
            return Reply(command.request, verb, ok=False, text=f"not done: {error}", at=now)
        log.warning("command", verb=verb, by=by, outcome=outcome.value, text=text)
        try:
            await self._store.end_command(replace(row, outcome=outcome, data={**row.data, "text": text}))
        except StoreError as error:
            log.error("a command's outcome could not be kept", verb=verb, error=str(error))
        return Reply(command.request, verb, ok=outcome is CommandOutcome.DONE, text=text, at=now)

    async def drop(self, source: str, verb: str, dropped: Dropped) -> None:
        """Raises nothing."""
        await self._dropped(source, verb, dropped, self._clock.now())

    def findings(self, now: datetime) -> Iterator[Finding]:
        """What was dropped since the last time, in one finding, and not often. `now` is when it is told."""
        tick = self._clock.monotonic()
        if not self._untold or (self._told_at is not None and tick - self._told_at < TELL_EVERY):
            return
        self._told_at = tick
        counts = ", ".join(f"{count} {why}" for why, count in sorted(self._untold.items()))
        text = f"{self._portfolio}: commands from outside were dropped: {counts}. The last was {self._last}."
        known = {drop.value for drop in HARMLESS}
        severity = Severity.INFO if self._untold.keys() <= known else Severity.WARNING
        values = {why.replace(" ", "_"): count for why, count in self._untold.items()}
        self._untold.clear()
        yield Finding(Kind.COMMANDS_DROPPED, self._portfolio, severity, text, values)

    async def _outcome(self, wish: Wish, by: str, now: datetime) -> tuple[CommandOutcome, str]:
        try:
            return CommandOutcome.DONE, await self._do(wish, by, now)
        except (_Refused, ProposalError, ValueError) as error:
            return CommandOutcome.REFUSED, str(error)

    async def _do(self, wish: Wish, by: str, now: datetime) -> str:
        """What was done, in words. Raises `_Refused`, `ProposalError`, `ValueError` with why not, and `StoreError`."""
        match wish:
            case Acknowledge(alert=alert, until=until):
                if not await operator.acknowledge(self._store, alert, by, now, until):
                    raise _Refused(f"nothing fires under {alert}")
                again = "it is repeated no more" if until is None else f"it is not repeated before {_moment(until)}"
                return f"{alert} is acknowledged: {again}"
            case SilenceAlerts(pattern=pattern, until=until, reason=reason):
                made = await operator.silence(self._store, pattern, until, by, reason, now)
                return f"silence {made.id}: nothing is told of {pattern} until {_moment(until)}"
            case PauseOrders(reason=reason):
                return await self._pause(reason, by, now)
            case Answer(proposal=proposal, digest=digest, approve=approve):
                return await decide(self._store, proposal, digest=digest, approve=approve, by=by, now=now)
            case SetRatio():
                return await self._set_ratio(wish, now)
        assert_never(wish)

    async def _pause(self, reason: str, by: str, now: datetime) -> str:
        before = (await kept(self._store)).paused
        if before is None:
            await keep_pause(self._store, Stop(now, f"a command ({by})", reason))
        if self.brake is not None:
            await self.brake.look(now)
            async with self.brake.in_hand:  # the order in hand has left; from here on none does
                pass
        if before is not None:
            return f"{self._portfolio} is paused already, {before.text}"
        return f"{self._portfolio} is paused: no new order until `hedged resume` on the machine where it runs"

    async def _set_ratio(self, wish: SetRatio, now: datetime) -> str:
        if wish.hedge not in self._hedges:
            raise _Refused(f"{wish.hedge!r} is not a hedge of {self._portfolio}")
        held = (await overrides(self._store)).get(wish.hedge)
        if held is not None and held.until is None:
            raise _Refused(f"{wish.hedge} was unwound on the machine where hedged runs: only there it is set again")
        if wish.ratio is None or wish.until is None:
            await set_override(self._store, wish.hedge, None, now)
            return f"{wish.hedge}: the configured ratio holds again, from the next cycle on"
        await set_override(self._store, wish.hedge, Override(wish.ratio, wish.until), now)
        return f"{wish.hedge}: {wish.ratio.normalize():f} until {_moment(wish.until)}, from the next cycle on"

    async def _dropped(self, source: str, verb: str, dropped: Dropped, now: datetime) -> None:
        self._untold[dropped.drop.value] += 1
        shown = verb if verb in {each.value for each in Verb} else "of an unknown verb"
        self._last = f"{shown} by {source} ({dropped.text})"
        tick = self._clock.monotonic()
        if tick - self._minute >= _MINUTE:
            self._minute, self._audited = tick, 0
        self._audited += 1
        if self._audited > AUDITED_A_MINUTE:
            return
        log.warning("command dropped", source=source, verb=shown, why=dropped.drop.value, text=dropped.text)
        data = {"why": dropped.drop.value, "text": dropped.text, "request": dropped.request}
        row = CommandRow(now, source, dropped.nonce, shown, CommandOutcome.DROPPED, data)
        try:
            await self._store.note_command(row)
        except StoreError as error:
            log.error("a dropped command could not be kept", error=str(error))


class _Refused(Exception):
    """With the reason."""


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
