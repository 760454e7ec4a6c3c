"""The people and the market around the daemon: coins come and go, commands are given, clocks are set, processes killed.

A person goes by the machine's clock and by the database, as the commands do, and by the venue's own page.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from functools import partial
from typing import TYPE_CHECKING, Any

from hedged.act.brake import keep_pause, keep_resumed
from hedged.act.overrides import set_override
from hedged.act.proposals import decide
from hedged.adapters.pause_file import PauseFile
from hedged.errors import HedgedError, ProposalError
from hedged.model.finding import Kind
from hedged.model.order import Absent, Fill, OrderStatus
from hedged.model.policy import World as Worlds
from hedged.model.proposal import Proposal
from hedged.model.stop import Stop
from hedged.model.timing import Override
from hedged.trial.loop import run_now
from hedged.trial.plan import CASH, COINS, HEDGES
from hedged.trial.store import StoreAtOnce

if TYPE_CHECKING:
    from hedged.trial.world import World

ATTENDS_EVERY = 150.0  # seconds
MISCHIEF_EVERY = 420.0  # on average
FORBIDDEN = "1.31"  # a ratio that is asked for with a flaw, and must never be in force
_SOON = timedelta(minutes=5)
_STEP = Decimal("0.001")
_JUMPS = (2_592_000.7, -2_592_000.3, 7_211.9, -431.3, 40.1)  # seconds: ±30 days, and less


class Operator:
    """Everything that happens and that no fault of a line explains."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._draw = world.plan.stream("operator")
        self._waiting: dict[str, float] = {}  # what a person has seen to be in doubt → since when
        self._mischief: tuple[tuple[Callable[[], None], int], ...] = (
            (self._coins, 30),
            (self._cash, 4),
            (self._deleverage, 6),
            (self._liquidate, 1),
            (self._jump, 4),
            (self._pause, 3),
            (self._signal_pause, 2),
            (self._pause_file, 2),
            (self._set_ratio, 5),
            (self._reload, 2),
            (self._restart, 2),
            (self._kill, 4),
            (self._message, 8),
            (self._suspend, 2),
        )

    def begin(self) -> None:
        self._world.at(ATTENDS_EVERY, self._attend)
        self._world.at(self._draw.expovariate(1 / MISCHIEF_EVERY), self._next)

    def _next(self) -> None:
        world, draw = self._world, self._draw
        if world.elapsed >= world.plan.troubled_until:
            return
        happening = draw.choices([each for each, _ in self._mischief], [weight for _, weight in self._mischief])[0]
        world.plan.counts[f"event: {happening.__name__.strip('_').replace('_', ' ')}"] += 1
        happening()
        world.after(draw.expovariate(1 / MISCHIEF_EVERY), self._next)

    # the market and the account

    def _coins(self) -> None:
        """A deposit, or a withdrawal that leaves something."""
        asset = self._draw.choice(sorted(COINS))
        share = Decimal(self._draw.randrange(-25, 26)) / 100
        quantity = (COINS[asset] * share).quantize(_STEP, ROUND_DOWN)
        after = self._world.venue.coins(asset) + quantity
        if quantity and COINS[asset] / 3 <= after <= COINS[asset] * Decimal("1.3"):
            self._world.venue.transfer("spot", asset, quantity)
            self._world.look()
            self._world.trace.say("account", f"{quantity:+f} {asset}, {after:f} now")

    def _cash(self) -> None:
        held = self._world.venue.balances("swap")[0].free
        if held < CASH:
            self._world.venue.transfer("swap", "USDT", CASH - held)
            self._world.trace.say("account", f"{CASH - held:+f} USDT")

    def _deleverage(self) -> None:
        world = self._world
        symbol = self._draw.choice([each.symbol for each in HEDGES])
        world.look()
        instrument, held = world.venue.instrument(symbol), world.venue.held(symbol)
        if instrument is None or not held:
            return
        lots = abs(held) * self._draw.choice((Decimal("0.3"), Decimal("0.7"), Decimal(1))) // instrument.lot_size
        if lots:
            world.venue.deleverage(symbol, lots * instrument.lot_size / abs(held))
            world.look()
            world.trace.say("account", f"auto-deleveraged {symbol}: {held:f} → {world.venue.held(symbol):f}")

    def _liquidate(self) -> None:
        world = self._world
        world.venue.liquidate(world.elapsed)
        world.trace.say("account", "liquidated")
        world.after(600, self._cash)

    def _jump(self) -> None:
        """Somebody sets the clock, and sets it right again after a while."""
        world, by = self._world, timedelta(seconds=self._draw.choice(_JUMPS))
        if world.jumped:
            return
        self._set_clock(by)
        back = world.elapsed + self._draw.uniform(90, 1800)
        world.at(min(back, world.plan.troubled_until), lambda: self._set_clock(timedelta(0)))

    def _set_clock(self, by: timedelta) -> None:
        self._world.jumped = by
        self._world.seen.jumps.append(self._world.elapsed)
        self._world.trace.say("clock", f"is set to {by.total_seconds():+g} s")

    # the process

    def _reload(self) -> None:
        if self._world.life is not None:
            self._world.life.loop.signal(signal.SIGHUP)

    def _restart(self) -> None:
        if self._world.life is not None:
            self._world.life.loop.signal(signal.SIGTERM)

    def _kill(self) -> None:
        if self._world.life is not None:
            self._world.life.count("crash")
            self._world.life.kill()

    # commands

    def _pause(self) -> None:
        stop = Stop(self._world.machine_now(), "`hedged pause`", "trial")
        if self._command(lambda store: keep_pause(store, stop)):
            self._world.trace.say("command", "pause")
            self._world.after(self._draw.uniform(120, 1500), self._resume)

    def _signal_pause(self) -> None:
        if self._world.life is not None and self._world.life.loop.signal(signal.SIGUSR1):
            self._world.after(self._draw.uniform(120, 1500), self._resume)

    def _pause_file(self) -> None:
        PauseFile(self._world.store_path).write("trial")
        self._world.trace.say("command", "PAUSED")
        self._world.after(self._draw.uniform(120, 1500), self._resume)

    def _resume(self) -> None:
        PauseFile(self._world.store_path).remove()
        world = self._world
        if not self._command(lambda store: keep_resumed(store, world.machine_now())):
            world.after(60, self._resume)
            return
        world.seen.stopped = None
        world.trace.say("command", "resume")

    def _set_ratio(self) -> None:
        world = self._world
        hedge = self._draw.choice(HEDGES).name
        ratio = Decimal(self._draw.choice(("0.8", "0.9", "1.1")))
        until = world.machine_now() + timedelta(hours=1)
        override = Override(ratio, until)
        if self._command(lambda store: set_override(store, hedge, override, world.machine_now())):
            world.seen.targets.setdefault(hedge, []).append(override)
            world.trace.say("command", f"set-ratio {hedge} {ratio}")

    # commands from a phone

    def _message(self) -> None:
        """A command over a channel: as it should be, or with a flaw, for which nothing may come of it."""
        world, draw = self._world, self._draw
        now, nonce = world.machine_now(), f"{draw.getrandbits(64):016x}"
        flaw = draw.choice((None, None, "retained", "expired", "far ahead", "mistyped", "not allowed"))
        expires = now + {"expired": -timedelta(seconds=1), "far ahead": timedelta(hours=1)}.get(flaw or "", _SOON)
        fields: dict[str, str] = {"request": nonce[:8], "nonce": nonce, "expires": _utc(expires)}
        verb = "set-ratio" if flaw is not None else draw.choice(("set-ratio", "pause", "silence"))
        if verb == "set-ratio":
            hedge, ratio = draw.choice(HEDGES).name, FORBIDDEN if flaw is not None else "0.95"
            until = now + timedelta(hours=1)
            fields |= {"hedge": hedge, "ratio": ratio, "until": _utc(until)}
            if flaw is None:
                world.seen.targets.setdefault(hedge, []).append(Override(Decimal(ratio), until))
        elif verb == "silence":
            fields |= {"pattern": "*", "until": _utc(now + timedelta(minutes=30))}
        if flaw == "mistyped":
            fields["more"] = "than is known"
        payload = json.dumps(fields).replace(f'"{FORBIDDEN}"', FORBIDDEN).replace('"0.95"', "0.95").encode()
        verb = "resume" if flaw == "not allowed" else verb
        self._sent(verb, payload, flaw)
        if verb == "pause":
            world.after(draw.uniform(120, 1500), self._resume)

    def _sent(self, verb: str, payload: bytes, flaw: str | None) -> None:
        world, life = self._world, self._world.life
        if life is None or life.outside.commands is None:
            return
        commands = life.outside.commands

        async def take() -> None:
            reply = await commands.take("mqtt", verb, payload, retained=flaw == "retained")
            done = reply is not None and reply.ok
            world.trace.say("command", f"{verb} from outside, {flaw or 'as it should be'}: {reply and reply.text}")
            if flaw is not None and done:
                world.seen.wrongly_answered.append(f"{verb}, {flaw}")
            if flaw is None and done:  # whoever has overheard it sends it once more
                world.after(self._draw.uniform(1, 400), lambda: self._sent(verb, payload, "replayed"))

        life.loop.create_task(take())

    def _suspend(self) -> None:
        """The machine hangs; another one takes over, and then the first is back."""
        world = self._world
        if world.life is not None and world.zombie is None and not world.life.in_hand:
            world.life.suspended = True
            world.after(self._draw.uniform(600, 1800), self._wake)

    def _wake(self) -> None:
        if self._world.life is None:
            self._world.after(30, self._wake)
        elif self._world.zombie is not None:
            self._world.life.suspended = True

    # looking after it

    def _attend(self) -> None:
        """A person looks: answers what is proposed, accepts what has really gone, ends a halt, starts anew what another
        process took over from, once that one is gone.
        """
        world = self._world
        if world.life is not None and world.life.number == world.seen.fenced and world.zombie is None:
            self._restart()
        if world.journal is not None and world.elapsed < world.plan.seconds:
            for proposal in world.journal.open_proposals():
                self._answer(proposal)
            self._accept()
            self._settle()
            stops = world.journal.stops()
            if "halt" in stops and self._since("halt") > 600:
                self._waiting.pop("halt", None)
                self._resume()
            if world.elapsed >= world.plan.troubled_until and stops:
                self._resume()
        world.after(ATTENDS_EVERY, self._attend)

    def _answer(self, proposal: Proposal) -> None:
        world, luck = self._world, self._draw.random()
        late = world.elapsed >= world.plan.troubled_until
        if luck < 0.15 and not late:
            return
        digest = proposal.digest
        if luck < 0.25 and not late:  # what was approved had other numbers: nothing may come of it
            self._decide(proposal, "0" * 64, approve=True, allowed=False)
            return
        approve = luck < 0.9 or late
        if self._decide(proposal, digest, approve=approve) and approve and luck < 0.5:
            self._decide(proposal, digest, approve=True, allowed=False)  # and once more

    def _decide(self, proposal: Proposal, digest: str, *, approve: bool, allowed: bool = True) -> bool:
        world, now = self._world, self._world.machine_now()

        async def answer(store: StoreAtOnce) -> bool:
            try:
                await decide(store, proposal.id, digest=digest, approve=approve, by="cli", now=now)
            except ProposalError as error:
                world.trace.say("command", f"refused: {error}")
                return False
            return True

        done = bool(self._command(answer))
        if done and not allowed:
            world.seen.wrongly_answered.append(proposal.id)
        if done and approve and allowed:
            world.seen.approvals[proposal.id] = proposal
            world.trace.say("command", f"approve {proposal.id}")
        return done

    def _accept(self) -> None:
        """What the venue's own page shows to be gone, and no history explains."""
        world = self._world
        if world.journal is None or world.plan.holding(world.elapsed, "positions_empty", "balances_empty"):
            return
        for kind, subject in sorted(world.journal.firing()):
            if kind != Kind.POSITION_VANISHED.value or world.venue.held(subject.partition(":")[2]):
                continue  # it is there after all
            if self._since(subject) > 400 and self._command(partial(_accepts, subject, world.machine_now())):
                self._waiting.pop(subject, None)
                world.trace.say("command", f"accept {subject}")

    def _settle(self) -> None:
        """An order that nobody knows the end of: a person looks at the venue's page."""
        world = self._world
        for row in world.journal.open_orders() if world.journal is not None else ():
            intent, now = row.intent, world.machine_now()
            if row.state not in {"unknown", "sent", "acknowledged"} or self._since(intent.client_order_id) < 1500:
                continue
            placed = world.venue.placed.get(intent.client_order_id)
            if placed is not None and placed.status is OrderStatus.OPEN:
                continue
            end: Fill | Absent = Absent(intent.client_order_id)
            if placed is not None and placed.filled:
                end = Fill(
                    intent.client_order_id, intent.instrument, intent.side, placed.filled,
                    price=intent.price, fee=Decimal(0), at=now, estimated=True,
                )  # fmt: skip
            if self._command(partial(_ended, end, now)):
                world.trace.say("command", f"accept-order {intent.client_order_id}")

    def _since(self, what: str) -> float:
        """For how long this has been seen; 0 at first."""
        return self._world.elapsed - self._waiting.setdefault(what, self._world.elapsed)

    def _command(self, work: Callable[[StoreAtOnce], Awaitable[Any]]) -> Any:
        """What a command does, in a process of its own. None: the database cannot be used, and the person was told."""
        world = self._world
        if world.plan.holding(world.elapsed, "disk_full", "disk_locked") or world.journal is None:
            return None

        async def command() -> Any:
            store = StoreAtOnce(world.store_path)
            await store.open("trial", Worlds.SIMULATED, world.machine_now())
            try:
                done = await work(store)
            finally:
                await store.close()
            return True if done is None else done

        try:
            return run_now(command())
        except HedgedError as error:
            world.trace.say("command", f"failed: {error}")
            return None


def _utc(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


async def _accepts(subject: str, now: datetime, store: StoreAtOnce) -> bool:
    return await store.accept(subject, now)


async def _ended(end: Fill | Absent, now: datetime, store: StoreAtOnce) -> None:
    await store.record_outcome(end, now)
