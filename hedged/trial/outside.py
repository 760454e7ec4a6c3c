"""The venue and the channels as one life of the daemon meets them: over lines that lose, delay, repeat and garble."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar

from hedged.adapters.exchanges.dialects.orders import Countdown
from hedged.adapters.exchanges.simulated import SimulatedExchange
from hedged.errors import DeliveryError, Unreachable, Unreadable
from hedged.model.alert import Message
from hedged.model.history import Bar
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.order import Absent, Accepted, ApprovedIntent, Found, OpenOrder, Rejected, Unknown
from hedged.model.snapshot import Balance, Derivatives, Doubt, Quote, Read
from hedged.trial.venue import Ticket

if TYPE_CHECKING:
    from hedged.trial.life import Life

T = TypeVar("T")

TIME_LIMIT = 10.0  # seconds that a call waits for an answer
VALID_FOR = 20.0  # seconds in which the venue may take an order whose reply is lost
_OLD_KEPT = 12  # replies of a call that may come again

_READ_FAULTS = ("drop", "rate limit", "html", "truncated", "delay", "late", "stale")
_ORDER_FAULTS = ("lost", "reply lost", "late", "html", "rate limit", "refused", "twice", "partial", "shown late")


class TrialExchange(SimulatedExchange):
    """Readers of the venue, for one life."""

    def __init__(self, life: Life) -> None:
        super().__init__(life.world.venue, life.clock)
        self._life = life
        self._old: dict[str, deque[Any]] = {}
        self._frozen: dict[InstrumentId, Read[Quote]] = {}

    async def clock_skew(self) -> float | None:
        return await self._read("time", self._ahead, repeats=False)

    async def _ahead(self) -> float:
        return self._life.world.jumped.total_seconds()

    async def instruments(self) -> Mapping[InstrumentId, Instrument]:
        return await self._read("instruments", super().instruments)

    async def quotes(self, instruments: Collection[InstrumentId]) -> Mapping[InstrumentId, Read[Quote]]:
        asked, life = sorted(instruments), self._life
        found = await self._read("quotes", lambda: super(TrialExchange, self).quotes(asked), of=",".join(asked))
        if life.world.plan.holding(life.world.elapsed, "quotes_frozen") is None:
            self._frozen = {}
            return found
        life.count("quotes frozen")
        for instrument, quote in found.items():  # the first of the spell, again and again, with the time it is of
            self._frozen.setdefault(instrument, quote)
        return {instrument: self._frozen[instrument] for instrument in found}

    async def prices(self, assets: Collection[str], quote: str) -> Mapping[str, Read[Decimal]]:
        asked = sorted(assets)
        return await self._read("prices", lambda: super(TrialExchange, self).prices(asked, quote), of=",".join(asked))

    async def bars(self, subject: str, quote: str, since: datetime) -> Sequence[Bar] | None:
        return await self._read("bars", lambda: super(TrialExchange, self).bars(subject, quote, since), repeats=False)

    async def balances(self, wallet: str) -> Read[tuple[Balance, ...]]:
        found = await self._read("balances", lambda: super(TrialExchange, self).balances(wallet), of=wallet)
        if wallet != "swap" and self._life.lies("balances_empty"):
            return replace(found, value=())
        return found

    async def derivatives(self) -> Read[Derivatives]:
        found = await self._read("positions", super().derivatives)
        if found.value.positions and self._life.lies("positions_empty"):
            return replace(found, value=replace(found.value, positions=()))
        return found

    async def explain(self, doubt: Doubt, since: datetime) -> str | None:
        """Nothing, where the account only shows less than there is: no history explains what has not happened."""
        world = self._life.world
        subject = doubt.subject.partition(":")[2] or doubt.subject.partition("/")[2]
        course = world.venue.courses.get(subject)
        untrue = course is not None and doubt.now != course.values[-1]
        if untrue or self._life.lies("no_explanations"):
            return None
        since -= world.jumped  # the venue's history goes by the venue's clock
        return await self._read("history", lambda: super(TrialExchange, self).explain(doubt, since), repeats=False)

    async def _read(self, call: str, ask: Callable[[], Awaitable[T]], *, of: str = "", repeats: bool = True) -> T:
        life = self._life
        await life.passing(f"read {call}")
        life.world.look()
        fault = life.fault("read", _READ_FAULTS, storm=0.12, calm=0.004)
        if life.down():
            fault = "drop"
        match fault:
            case "drop":
                await life.clock.sleep(TIME_LIMIT)
                raise Unreachable(self.account, call, f"no answer within {TIME_LIMIT:g} s")
            case "rate limit":
                raise Unreachable(self.account, call, "too many requests")
            case "html" | "truncated":
                raise Unreadable(self.account, call, f"the reply is {fault}")
            case "delay":
                await life.clock.sleep(life.draw.uniform(0.2, TIME_LIMIT))
                life.world.look()
        found = await ask()
        old = self._old.setdefault(f"{call}/{of}/{life.world.jumped}", deque(maxlen=_OLD_KEPT))
        if fault == "late":
            await life.clock.sleep(life.draw.uniform(0.2, TIME_LIMIT))
        if repeats:
            old.append(found)
        return life.draw.choice(old) if fault == "stale" and repeats else found


class TrialLine:
    """The writing calls of the account, for one life; an `OrderLine` that looks as `CcxtOrders` does."""

    valid_for = VALID_FOR
    post_only = True
    countdown: Countdown | None = None

    def __init__(self, life: Life) -> None:
        self._life = life
        self.account = life.world.venue.account

    async def submit(
        self, approved: ApprovedIntent, *, rest_at: Decimal | None = None
    ) -> Accepted | Rejected | Unknown:
        if not isinstance(approved, ApprovedIntent):
            raise TypeError("only an intent that the gate has approved can be sent")
        life, intent = self._life, approved.intent
        world, client_order_id = life.world, intent.client_order_id
        await life.passing("order")
        instrument = world.venue.instrument(intent.instrument.partition(":")[2])
        if instrument is None:
            return Rejected(client_order_id, "nothing was sent: the venue does not trade that", sent=False)
        ticket = Ticket.of(approved, instrument, rest_at)
        fault = life.fault("order", _ORDER_FAULTS, storm=0.5, calm=0.06)
        if life.down():
            fault = life.draw.choice(("lost", "late", "reply lost"))
        world.leaves(approved, ticket)
        if fault == "rate limit":
            return Rejected(client_order_id, "too many requests: it was not let in")
        if fault == "refused":
            return Rejected(client_order_id, "the venue refused it (code 1001)")
        if fault == "late":
            world.travels(ticket, life.draw.uniform(0.5, VALID_FOR))
        elif fault != "lost":
            await life.clock.sleep(life.draw.uniform(0.02, 0.3))
            placed = world.arrives(ticket, partly=fault == "partial", shown_late=fault == "shown late")
            await life.passing("order arrived")
            if fault == "twice":
                world.arrives(ticket)
            if placed is not None and placed.refused is not None and fault not in {"reply lost", "html"}:
                return Rejected(client_order_id, placed.refused)
        if fault in {"lost", "late", "reply lost"}:
            await life.clock.sleep(TIME_LIMIT)
            return Unknown(client_order_id, f"order: no answer within {TIME_LIMIT:g} s")
        if fault == "html":
            return Unknown(client_order_id, "order: the reply is no JSON")
        await life.passing("order done")
        return Accepted(client_order_id, world.venue.placed[client_order_id].found().venue_order_id)

    async def find_by_client_id(self, client_order_id: str, instrument: InstrumentId) -> Found | Absent | Unknown:
        life = self._life
        await life.passing("look-up")
        if life.down() or life.fault("look-up", ("drop", "html"), storm=0.15, calm=0.01) is not None:
            return Unknown(client_order_id, "order look-up: no answer")
        life.world.look()
        return life.world.venue.find(client_order_id, life.world.elapsed) or Absent(client_order_id)

    async def cancel(self, client_order_id: str, instrument: InstrumentId) -> Found | Absent | Unknown:
        life = self._life
        await life.passing("cancel")
        if life.down():
            return Unknown(client_order_id, "cancelling: no answer")
        if life.fault("cancel", ("lost",), storm=0.3, calm=0.02) is None:
            life.world.venue.cancel(client_order_id)
            life.world.trace.say("venue", f"{client_order_id} is cancelled")
        return await self.find_by_client_id(client_order_id, instrument)

    async def open_orders(self, instrument: InstrumentId) -> tuple[OpenOrder, ...]:
        """Of a venue on which nobody else trades nobody asks."""
        return ()

    async def arm_countdown(self, seconds: int, instruments: Collection[InstrumentId]) -> frozenset[InstrumentId]:
        raise ValueError("there is none here")


class TrialChannel:
    """Somewhere people read messages."""

    confirms = True

    def __init__(self, name: str, life: Life) -> None:
        self.name = name
        self._life = life

    async def deliver(self, message: Message) -> None:
        life = self._life
        await life.passing(f"deliver {self.name}")
        if life.world.plan.holding(life.world.elapsed, f"{self.name}_hangs"):
            life.count("channel hangs")
            await asyncio.Event().wait()
        if life.world.plan.holding(life.world.elapsed, f"{self.name}_down"):
            life.count("channel down")
            raise DeliveryError("it takes no messages")
        fault = life.fault("channel", ("acknowledgement lost", "refused"), storm=0.2, calm=0.01)
        if fault == "refused":
            raise DeliveryError("it takes no messages now")
        life.world.delivered(self.name, message, lost=fault is not None)
        if fault is not None:
            raise DeliveryError("nobody knows whether it was taken")
        await life.passing(f"delivered {self.name}")

    async def publish_state(self, state: Mapping[str, object]) -> None:
        """Nobody looks at it here but the world, at each cycle that is kept."""

    async def close(self) -> None:
        """Nothing is open."""
