"""One process of the daemon, from its start to its death."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hedged import app
from hedged.act.brake import Asked
from hedged.adapters.clock import SeededIds, SystemClock
from hedged.adapters.exchanges.live import LiveGateway
from hedged.adapters.store.lock import StoreLock
from hedged.adapters.systemd import Notifier
from hedged.daemon.background import Loop
from hedged.daemon.clock_watch import ClockWatch
from hedged.daemon.exchanges import Exchanges
from hedged.daemon.service import Wired, serve
from hedged.errors import HedgedError
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.policy import Mode
from hedged.ports import Channel, Clock, CommandTaker, Ids, StandingAlerts, Store
from hedged.settings import Settings, load
from hedged.trial.loop import Killed, VirtualLoop
from hedged.trial.outside import TrialChannel, TrialExchange, TrialLine
from hedged.trial.plan import CHANNELS
from hedged.trial.store import TrialStore

if TYPE_CHECKING:
    from hedged.trial.world import World

LOOK_EVERY = 20.0  # seconds between two looks at pauses; the daemon's own 1 s would be most of what a trial does
_STEPS_MAX = 200_000  # of a loop in one moment
_TELLING = ("store orders", "store cycles.write", "order", "deliver", "store outbox", "store proposals")


class Life:
    """The process's surroundings: its clock, its chances, and the moment it dies."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.host = world.host
        self.suspended = False  # asked to stand still, without noticing
        self.in_hand = False  # an order is marked as sent and has not left
        self.alive = True
        self._turns = SystemClock()  # it sleeps by the running loop, whose time is virtual
        self.draw = world.plan.stream(f"life {number}")
        self.clock = TrialClock(self)
        self.outside = _Outside(self)
        self.began = world.elapsed
        self.asked = Asked()
        self.clock_watch = ClockWatch(self.clock)
        self.loop = VirtualLoop(world.elapsed, self)
        self.exit: str = ""
        self.main: asyncio.Task[int] | None = None
        self._steps, self._moment = 0, -1.0
        fate = world.plan.stream(f"fate {number}")
        self._dies_from = world.elapsed + fate.expovariate(1 / 3600)
        self._dies_at = fate.choice(_TELLING) if fate.random() < 0.7 else ""
        self._dies_after = fate.randrange(1, 4) if self._dies_at else fate.randrange(1, 300)

    def live(self) -> None:
        """Until it is stopped, dies, stands still, or the world ends; called again, it goes on."""
        self.loop.elapsed = self.world.elapsed
        self.suspended = False
        self.main = self.main or self.loop.create_task(self._serve())
        try:
            self.loop.run_until_complete(self.main)
            self.exit = "stopped"
        except Killed:
            self.exit = "suspended" if self.alive else "killed"
        except HedgedError as error:
            self.exit = f"could not start: {error}"
        finally:
            asyncio.set_event_loop(None)
            if self.exit != "suspended":
                self.end()

    def end(self) -> None:
        """All that it had is gone."""
        self.alive = False
        self.outside.abandon()
        self.loop.bury()

    async def _serve(self) -> int:
        ids = SeededIds(hash_of(self.world.seed, self.number))

        async def build() -> Wired:
            made = await app.build(
                load(self.world.config, {}), self.clock, ids, self.asked, self.outside, clock_watch=self.clock_watch
            )
            made.look_every = LOOK_EVERY
            return made

        return await serve(build, self.clock, Notifier({}), lambda: self.asked.ask(self.clock.now()))

    def kill(self) -> None:
        self.alive = False

    # Surroundings

    def turn(self) -> None:
        self.world.elapsed = self.loop.elapsed
        if not self.alive or (self.suspended and not self.in_hand):
            raise Killed
        self._steps = self._steps + 1 if self._moment == self.loop.elapsed else 0
        self._moment = self.loop.elapsed
        if self._steps > _STEPS_MAX:
            raise RuntimeError("the daemon goes round and round without time passing")
        if not self._dies_at:
            self._nearer()

    def next_event(self) -> float:
        return self.world.next_event()

    def happen(self, until: float) -> None:
        self.world.elapsed = until
        self.world.happen(until)
        if not self.alive:
            raise Killed

    # what every call outside goes through

    async def passing(self, what: str) -> None:
        """A place where a process may die, and where others may go first."""
        self._check(what)
        for _ in range(self.draw.randrange(3)):
            await self._turns.sleep(0)
            self._check("")

    def _check(self, what: str) -> None:
        if not self.alive:
            raise Killed
        if self._dies_at and what.startswith(self._dies_at):
            self._nearer()

    def _nearer(self) -> None:
        if self.world.elapsed < self._dies_from or self.world.elapsed > self.world.plan.troubled_until:
            return
        self._dies_after -= 1
        if self._dies_after <= 0:
            self.alive = False
            self.count("crash")
            raise Killed

    # chances

    def fault(self, where: str, kinds: tuple[str, ...], *, storm: float, calm: float) -> str | None:
        """What goes wrong with this call; None: nothing."""
        plan, at = self.world.plan, self.world.elapsed
        if at >= plan.troubled_until:
            return None
        if self.draw.random() >= (storm if plan.stormy(at) else calm):
            return None
        kind = self.draw.choice(kinds)
        self.count(f"{where}: {kind}")
        return kind

    def down(self) -> bool:
        if self.world.plan.holding(self.world.elapsed, "venue_down") is None:
            return False
        self.count("venue down")
        return True

    def lies(self, kind: str) -> bool:
        if self.world.plan.holding(self.world.elapsed, kind) is None:
            return False
        self.count(kind.replace("_", " "))
        self.world.lied(kind)
        return True

    def disk_fault(self) -> str | None:
        kind = self.world.plan.holding(self.world.elapsed, "disk_full", "disk_locked")
        if kind is not None:
            self.count(kind.replace("_", " "))
        return kind

    def count(self, kind: str) -> None:
        self.world.plan.counts[kind] += 1
        self.world.trace.say("fault", kind)


class TrialClock:
    """The machine's time, which may be set; what it measures by never jumps."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._turns = SystemClock()

    def now(self) -> datetime:
        return self._life.world.machine_now()

    def monotonic(self) -> float:
        return self._life.loop.elapsed

    async def sleep(self, seconds: float) -> None:
        await self._turns.sleep(max(seconds, 0.0))
        if not self._life.alive:
            raise Killed


class _Outside(app.Outside):
    """Everything that this life has open."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._locks: list[StoreLock] = []
        self._stores: list[TrialStore] = []
        self.commands: CommandTaker | None = None
        self.built = 0

    def lock(self, store: Path) -> StoreLock:
        lock = StoreLock(store)
        self._locks.append(lock)
        return lock

    async def store(self, settings: Settings, clock: Clock) -> Store:
        store = TrialStore(self._life, settings.store_path(), retention=settings.retention())
        self._stores.append(store)
        await store.open(settings.name, settings.world, clock.now())
        return store

    async def exchanges(self, settings: Settings, store: Store, clock: Clock) -> Exchanges:
        exchange = TrialExchange(self._life)
        exchanges = Exchanges()
        exchanges.markets["sim"] = exchanges.readers["sim"] = exchanges.candles["sim"] = exchange
        exchanges.clocks["sim"] = exchange
        return exchanges

    async def gateways(self, settings: Settings, exchanges: Exchanges, clock: Clock) -> None:
        if not any(hedge.mode in {Mode.APPROVE, Mode.LIVE} for hedge in settings.policy().hedges):
            return
        venue = self._life.world.venue

        async def listed(instrument: InstrumentId) -> Instrument | None:
            return venue.instrument(instrument.partition(":")[2])

        exchanges.gateways["sim"] = LiveGateway(TrialLine(self._life), listed, clock)

    def process_name(self) -> str:
        self.built += 1  # as the real one: another name with every reload
        return f"{self.machine}{self.built}"

    @property
    def machine(self) -> str:
        return f"host{self._life.host}:{self._life.number}:"

    def channels(
        self, settings: Settings, clock: Clock, ids: Ids, standing: StandingAlerts, commands: CommandTaker
    ) -> tuple[list[Channel], list[Loop]]:
        self.commands = commands
        return [TrialChannel(name, self._life) for name in CHANNELS], []

    def abandon(self) -> None:
        """As the kernel does with what a dead process had open."""
        for store in self._stores:
            store.abandon()
        for lock in self._locks:
            with suppress(KeyError, OSError):  # let go of in an orderly way already
                lock.release()


def hash_of(*parts: Any) -> int:
    """The same number for the same parts in every process."""
    from hashlib import sha256  # noqa: PLC0415

    return int.from_bytes(sha256("/".join(map(str, parts)).encode()).digest()[:8])


STOP = signal.SIGTERM
