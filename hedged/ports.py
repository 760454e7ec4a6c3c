"""What the core needs of the outside, as small Protocols. Adapters fill them; tests and replays fill them too.

Every method may raise only what its docstring names. Quantities of contracts are in *contracts*, signed where
said so; an adapter converts (some venues count in coins). Times are aware UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from hedged.model.alert import Acknowledgement, Alert, Delivery, Event, Message, OutboxRow, Silence
from hedged.model.command import Command, CommandRow, Dropped, Reply
from hedged.model.effect import EffectDay, FundingPayment, HedgeLedger
from hedged.model.guard import GuardMemory
from hedged.model.history import Bar, Settlement
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.order import Absent, ApprovedIntent, Decision, Fill, Intent, OpenOrder, OrderRow, Outcome, PastOrder
from hedged.model.policy import World
from hedged.model.proposal import Proposal
from hedged.model.snapshot import Balance, Derivatives, Doubt, Quote, Read, Snapshot
from hedged.model.statistics import MarginOdds
from hedged.model.stream import StreamState
from hedged.model.timing import SignalState


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """Wall-clock time, aware UTC."""

    def monotonic(self) -> float:
        """Seconds that never jump, for measuring durations and time-outs."""

    async def sleep(self, seconds: float) -> None: ...


class Ids(Protocol):
    """The only source of randomness outside the simulated market."""

    def new(self) -> str:
        """24 lowercase hex digits, never repeated."""


class MarketReader(Protocol):
    """Public data of one account's venue. Raises `VenueError` and nothing else."""

    @property
    def account(self) -> str: ...

    async def instruments(self) -> Mapping[InstrumentId, Instrument]:
        """Every derivative the venue lists, also those not trading. Cached by the adapter; cheap to call."""

    async def quotes(self, instruments: Collection[InstrumentId]) -> Mapping[InstrumentId, Read[Quote]]:
        """Mark, book and funding of these. One that the venue does not answer for is absent, never zero."""

    async def prices(self, assets: Collection[str], quote: str) -> Mapping[str, Read[Decimal]]:
        """Price of one unit of each asset in `quote`. One without a market is absent."""


class CandleReader(Protocol):
    """Past prices of one account's venue. Raises `VenueError` and nothing else."""

    @property
    def account(self) -> str: ...

    async def bars(self, subject: str, quote: str, since: datetime) -> Sequence[Bar] | None:
        """The bars of length `STEP` that ended after `since` and have ended, oldest first; a page, not all.

        `subject` is a contract of this account, or a coin whose spot price is in `quote`. Bars end on the full hour,
        UTC. An empty answer: nothing since then; None: the venue has no such market.
        """

    async def funding(self, instrument: InstrumentId, since: datetime) -> Sequence[Settlement] | None:
        """What was settled after `since` on a perpetual of this account, oldest first; all, or the newest of it.

        None: the venue does not tell, or has no such market.
        """


class AccountReader(Protocol):
    """Private reading of one account. Raises `VenueError` and nothing else; an empty answer means *empty*."""

    @property
    def account(self) -> str: ...

    @property
    def wallets(self) -> Sequence[str]: ...

    async def balances(self, wallet: str) -> Read[tuple[Balance, ...]]:
        """All assets of one wallet (spot, margin, swap, funding, earn), debt included."""

    async def derivatives(self) -> Read[Derivatives]:
        """Open positions of every segment, and the margin that backs them. All or nothing."""

    async def explain(self, doubt: Doubt, since: datetime) -> str | None:
        """What accounts for what went missing since then (fills, closed orders, income, transfers), in words.

        None where the venue shows nothing that does.
        """


class PaymentReader(Protocol):
    """What one account's venue settled on its positions. Raises `VenueError` and nothing else."""

    async def funding_payments(
        self, instruments: Collection[InstrumentId], since: datetime
    ) -> Read[tuple[FundingPayment, ...]] | None:
        """All on these since then, oldest first, as of the time up to which there is no other.

        None: the venue does not tell.
        """


class Streams(Protocol):
    """Between polls, what may have changed in one account. A reason to read it now, and never what is read."""

    @property
    def account(self) -> str: ...

    async def run(self, wake: Callable[[str], None]) -> None:
        """Watch until cancelled; calls `wake` with a reason in words. Reconnects by itself and raises nothing."""

    def cycle_begins(self) -> None:
        """A cycle is about to read everything: jumps are counted from here."""

    def states(self) -> Sequence[StreamState]:
        """Each connection; none before `run`."""


class RiskModel(Protocol):
    """How likely each account is liquidated."""

    async def odds(self, snapshot: Snapshot) -> Mapping[str, MarginOdds]:
        """By account, of those whose derivatives were asked for; alarms are not set. Raises nothing."""


class BarSource(Protocol):
    """The part of the store that risk rests on."""

    async def bars(self, subject: str, since: datetime) -> Sequence[Bar]:
        """Those known after `since`, oldest first. Raises `StoreError`."""


class OrderGateway(Protocol):
    """Where approved intents go. Paper, approve and live differ in which one is wired."""

    @property
    def account(self) -> str: ...

    @property
    def absent_after(self) -> timedelta:
        """How long after sending a look-up in vain says something: until then the order may be on its way."""

    async def submit(self, approved: ApprovedIntent) -> Outcome:
        """Send it, once. Never raises: what is not certain is `Unknown`."""

    async def find(self, intent: Intent) -> Outcome | Absent:
        """Look an order up by our id. `Unknown` when the venue could not be asked."""

    async def cancel(self, intent: Intent) -> Outcome | Absent:
        """Ask for its end, then look it up: only that is believed. `Working`: not ended yet."""

    async def guard(self, resting: Collection[InstrumentId], within: timedelta) -> None:
        """Have the venue cancel by itself what rests on these unless this is called again `within`; none: no more.

        What a venue cannot do, and a failure to reach it, is logged: an order is no safer for not being sent.
        """


class OpenOrders(Protocol):
    """A gateway that can show a whole book's worth of its account's orders."""

    async def open_orders(self, instrument: InstrumentId) -> Sequence[OpenOrder]:
        """All that wait there, whoever placed them. Raises `VenueError` rather than leave one out."""


class Channel(Protocol):
    """Somewhere messages go."""

    @property
    def name(self) -> str: ...

    @property
    def confirms(self) -> bool:
        """Whether what it acknowledges is with a service that tells people. A log, a program and a broker are none."""

    async def deliver(self, message: Message) -> None:
        """Returns once the other side has acknowledged. Raises `DeliveryError`."""

    async def publish_state(self, state: Mapping[str, object]) -> None:
        """Show the current state (the object of `once --json`) to those who watch, for example as retained topics.

        Best effort, never waits for a broken connection; channels that only carry messages do nothing.
        """

    async def close(self) -> None: ...


class CommandTaker(Protocol):
    """Where a transport takes what it was asked."""

    async def take(self, source: str, verb: str, payload: bytes, *, retained: bool = False) -> Reply | None:
        """Do it, or drop it; what to answer, None where nobody waits for an answer. Raises nothing."""


class CommandRunner(Protocol):
    """Where a transport that parses for itself hands in what it was asked."""

    async def run(self, command: Command, *, source: str, by: str) -> Reply:
        """Do it, unless its nonce was used before. `by`: who is said to have asked. Raises nothing."""

    async def drop(self, source: str, verb: str, dropped: Dropped) -> None:
        """Keep and tell that something was asked and not considered. Raises nothing."""


class StandingAlerts(Protocol):
    """What a connection that comes back has to tell again."""

    async def standing(self) -> Sequence[Message]:
        """All that fires, was told and nobody has acknowledged, most severe first, each marked as republished.

        Event ids are those it was told under. Raises `StoreError`.
        """


@dataclass(frozen=True, slots=True)
class Memory:
    """What the last completed cycle believed, so that the next can see what vanished. All JSON-able."""

    at: datetime | None = None
    positions: Mapping[InstrumentId, Decimal] = field(default_factory=dict)  # signed contracts
    balances: Mapping[str, Decimal] = field(default_factory=dict)  # "account/wallet/asset" → free + locked
    polls: Mapping[str, int] = field(default_factory=dict)  # doubt subject → cycles unexplained
    accepted: frozenset[str] = frozenset()  # subjects a person has accepted as gone
    positions_of: str = ""  # whose: "venue" or "paper"; another's are not what vanished
    debts: Mapping[str, Decimal] = field(default_factory=dict)  # "account/wallet/asset" → borrowed, with interest
    priced: frozenset[str] = frozenset()  # assets that have had a price: without one now, it is missing
    read_at: Mapping[str, datetime] = field(default_factory=dict)  # account or account/wallet → last read and believed
    signals: Mapping[str, SignalState] = field(default_factory=dict)  # by hedge, of those that go by one
    ledgers: Mapping[str, HedgeLedger] = field(default_factory=dict)  # by group of hedges
    guard: GuardMemory = field(default_factory=GuardMemory)
    proven: frozenset[InstrumentId] = frozenset()  # where a real order has been filled
    margin_alarms: Mapping[str, str] = field(default_factory=dict)  # account → "warning" or "critical"
    digest_at: datetime | None = None  # when a digest was due last


@dataclass(frozen=True, slots=True)
class Turnover:
    """What has been traded since midnight UTC, in the quote currency, fills only, plus open intents."""

    notional: Decimal = Decimal(0)
    orders: int = 0


@dataclass(frozen=True, slots=True)
class CycleRecord:
    """Everything one cycle leaves behind, written in one transaction."""

    cycle_id: str
    started_at: datetime
    finished_at: datetime
    snapshot: Snapshot | None  # None: observing itself failed
    state: Mapping[str, object] | None  # the object of `once --json`
    decision: Decision | None
    memory: Memory
    alerts: Sequence[Alert]  # all that are pending or firing after this cycle, and those that ended in it
    messages: Sequence[Message]  # to go into the outbox, once per channel
    effects: Sequence[EffectDay] = ()  # days of hedges as they stand now; each replaces the one that is kept
    proposals: Sequence[Proposal] = ()  # made or ended in this cycle; one that a person was quicker with stays his


class Store(Protocol):
    """Durable memory. Raises `StoreError` (`WrongStore` on opening, `StoreUnavailable` otherwise)."""

    async def open(self, portfolio: str, world: World, now: datetime) -> None:
        """Create or migrate, then check the stamp: another application's or world's database is refused."""

    async def close(self) -> None: ...

    # who may send orders
    async def take_lease(self, holder: str, now: datetime, lasts: timedelta) -> None:
        """Become the one process whose cycles and orders are kept. `holder` is `host:pid:random`, one a process.

        Raises `StoreError` naming the holder while another machine's process may send orders. From then on `plan`,
        `mark_sent`, `record_cycle` and `due` raise `Fenced` in a process that has been taken over from.
        """

    async def renew_lease(self, until: datetime) -> None:
        """Raises `Fenced`."""

    async def release_lease(self) -> None:
        """Another machine need not wait until it has run out."""

    # the cycle
    async def memory(self) -> Memory: ...
    async def alerts(self) -> Sequence[Alert]:
        """Those pending or firing, and those resolved that may still reopen quietly (last day's)."""

    async def event(self, event_id: str) -> Event | None:
        """All that is kept of it, however long it is over; None: nothing. Messages go before their alerts do."""

    async def record_cycle(self, record: CycleRecord, channels: Sequence[str], further: Sequence[str] = ()) -> None:
        """The whole record in one transaction; an outbox row for each message and channel that is to get it.

        `further`: channels that get those messages alone that ask for it.
        """

    async def last_cycle(self) -> tuple[str, datetime] | None:
        """Id and finishing time of the newest completed cycle."""

    async def latest_state(self) -> Mapping[str, object] | None:
        """The newest completed cycle as the JSON object that `once --json` prints."""

    async def accept(self, subject: str, now: datetime) -> bool:
        """A person accepts that a position or an account's balances are gone; False: nothing was in doubt."""

    # what people say of alerts, from whatever process
    async def acknowledge(self, what: str, by: str, now: datetime, until: datetime | None = None) -> bool:
        """A person has seen what fires under this event id or key; False: nothing does. `until`: and asks for rest."""

    async def acknowledgements(self) -> Sequence[Acknowledgement]:
        """The latest of each event that is pending, firing or may still reopen."""

    async def silence(self, silence: Silence) -> None:
        """Keep it; one of the same id is replaced."""

    async def silences(self, now: datetime) -> Sequence[Silence]:
        """Those that have not ended, the one that ends first before the others."""

    async def unsilence(self, silence_id: str, now: datetime) -> bool:
        """End it now; False: there is none of this id in force."""

    # orders
    async def plan(self, cycle_id: str, intents: Sequence[Intent], now: datetime) -> None:
        """Durable before it returns (synchronous=FULL): nothing is sent that is not here first.

        An id is used once, except that of an order that was found absent: the same id again cannot become two orders.
        The proposal that an intent names as its approval is used up with it; raises `StoreError` where that is not
        approved, or was used by another order.
        """

    async def mark_sent(self, client_order_id: str, now: datetime) -> None: ...
    async def record_outcome(self, outcome: Outcome | Absent, now: datetime) -> None: ...
    async def record_absence(self, client_order_id: str, now: datetime) -> None:
        """A look-up found nothing: counted in the row, which stays open."""

    async def open_orders(self) -> Sequence[OrderRow]:
        """Rows that have not come to an end: planned, sent, acknowledged or unknown."""

    async def past_orders(self, since: datetime) -> Sequence[PastOrder]:
        """Those planned since then, the newest thousand, whatever became of them."""

    async def turnover(self, since: datetime) -> Turnover: ...
    async def fills(self, since: datetime) -> Sequence[Fill]: ...

    # proposals: orders that wait for a person's word
    async def proposal(self, proposal_id: str) -> Proposal | None: ...
    async def proposals(self, since: datetime) -> Sequence[Proposal]:
        """Those open or approved, and those made since then: the newest thousand, newest first."""

    async def answer(self, proposal: Proposal) -> bool:
        """Replace what is kept of it, durably. False, and nothing is changed: its verdict cannot become this one."""

    # commands from outside
    async def claim_command(self, row: CommandRow) -> bool:
        """Use up its nonce, durable before it returns. False: it was used before, and nothing is changed."""

    async def end_command(self, row: CommandRow) -> None:
        """Outcome and data of the row with this source and nonce."""

    async def note_command(self, row: CommandRow) -> None:
        """One that was not considered; a nonce that it names is used up too."""

    async def past_commands(self, limit: int) -> Sequence[CommandRow]:
        """The newest first."""

    # delivery
    async def due(self, channel: str, now: datetime, limit: int) -> Sequence[OutboxRow]:
        """Undelivered rows whose time has come, oldest first."""

    async def delivered(self, row_id: int, now: datetime) -> None: ...
    async def failed(self, row_id: int, next_try_at: datetime, error: str) -> None: ...
    async def deliveries(self, message_ids: Collection[str]) -> Sequence[Delivery]:
        """What became of these messages, as far as it is still known; the newest at the end."""

    async def backlog(self) -> Mapping[str, int]:
        """How many messages wait, by channel; one for which none waits is absent."""

    # prices of the past
    async def put_bars(self, subject: str, rows: Sequence[Bar]) -> None:
        """Keep these; one for a time that is kept already replaces it."""

    async def bars(self, subject: str, since: datetime) -> Sequence[Bar]:
        """Those known after `since`, oldest first."""

    async def newest_bars(self) -> Mapping[str, datetime]:
        """When the newest bar of each subject was known."""

    async def effects(self, since: datetime) -> Sequence[EffectDay]:
        """What each hedge did on the days from this one's on, by day and name."""

    # paper accounts, and small facts such as the simulated market's anchor
    async def get_blob(self, key: str) -> Mapping[str, object] | None: ...
    async def put_blob(self, key: str, value: Mapping[str, object], now: datetime) -> None:
        """Durable before it returns."""

    async def thin(self, now: datetime) -> int:
        """Delete what is older than kept; the number of rows removed."""
