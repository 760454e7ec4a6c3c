"""A venue, its account and a gateway whose answers a test sets by hand."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hedged.adapters.store.memory import MemoryStore
from hedged.cycle import Portfolio
from hedged.errors import StoreUnavailable, VenueError
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.order import Absent, ApprovedIntent, Fill, Intent, Outcome
from hedged.model.policy import PortfolioPolicy
from hedged.model.snapshot import Balance, Derivatives, Doubt, Margin, Position, Quote, Read
from hedged.tell.rules import AlertRules
from tests.build import ETH_PERP, Number, dec, perp
from tests.support import CountingIds, ManualClock


class FakeVenue:
    """MarketReader, AccountReader and OrderGateway in one. `faults` maps a call's name to what it raises."""

    absent_after = timedelta(0)

    def __init__(self, clock: ManualClock, account: str = "main") -> None:
        self.clock = clock
        self.account = account
        self.wallets = ("spot",)
        self.listed: dict[InstrumentId, Instrument] = {InstrumentId(ETH_PERP): perp()}
        self.marks: dict[str, Decimal] = {ETH_PERP: Decimal(3000)}
        self.price: dict[str, Decimal] = {"ETH": Decimal(3000)}
        self.funding: dict[str, Any] = {}  # of every quote, by the names of its fields
        self.spot: dict[str, Decimal] = {"ETH": Decimal(10)}
        self.contracts: dict[str, Decimal] = {ETH_PERP: Decimal(-10)}
        self.margin: Margin | None = None
        self.explanation: str | None = None
        self.faults: dict[str, Exception] = {}
        self.submitted: list[ApprovedIntent] = []
        self.outcome: Outcome | None = None
        self.known: dict[str, Outcome] = {}
        self.calls: list[str] = []
        self.guarded: list[frozenset[InstrumentId]] = []

    def _answer(self, call: str) -> None:
        self.calls.append(call)
        if call in self.faults:
            raise self.faults[call]

    async def instruments(self) -> Mapping[InstrumentId, Instrument]:
        self._answer("instruments")
        return self.listed

    async def quotes(self, instruments: Collection[InstrumentId]) -> Mapping[InstrumentId, Read[Quote]]:
        self._answer("quotes")
        now = self.clock.now()
        return {
            name: Read(Quote(mark=self.marks[name], **self.funding), now) for name in instruments if name in self.marks
        }

    async def prices(self, assets: Collection[str], quote: str) -> Mapping[str, Read[Decimal]]:
        self._answer("prices")
        return {asset: Read(self.price[asset], self.clock.now()) for asset in assets if asset in self.price}

    async def balances(self, wallet: str) -> Read[tuple[Balance, ...]]:
        self._answer(f"balances {wallet}")
        return Read(tuple(Balance(asset, held) for asset, held in self.spot.items()), self.clock.now())

    async def derivatives(self) -> Read[Derivatives]:
        self._answer("derivatives")
        held = tuple(Position(InstrumentId(name), contracts) for name, contracts in self.contracts.items() if contracts)
        return Read(Derivatives(held, self.margin), self.clock.now())

    async def explain(self, doubt: Doubt, since: datetime) -> str | None:
        self._answer("explain")
        return self.explanation

    async def submit(self, approved: ApprovedIntent) -> Outcome:
        self.submitted.append(approved)
        intent = approved.intent
        if self.outcome is not None:
            return replace(self.outcome, client_order_id=intent.client_order_id)
        self.contracts[intent.instrument] = self.contracts.get(intent.instrument, Decimal(0)) + intent.signed_quantity
        fill = Fill(
            client_order_id=intent.client_order_id,
            instrument=intent.instrument,
            side=intent.side,
            quantity=intent.quantity,
            price=intent.price,
            fee=Decimal(0),
            at=self.clock.now(),
        )
        self.known[intent.client_order_id] = fill
        return fill

    async def find(self, intent: Intent) -> Outcome | Absent:
        self._answer("find")
        return self.known.get(intent.client_order_id, Absent(intent.client_order_id))

    async def cancel(self, intent: Intent) -> Outcome | Absent:
        self._answer("cancel")
        return await self.find(intent)

    async def guard(self, resting: Collection[InstrumentId], within: timedelta) -> None:
        self.guarded.append(frozenset(resting))

    def hold(self, **spot: Number) -> None:
        self.spot = {asset: dec(amount) for asset, amount in spot.items()}


class BrokenStore(MemoryStore):
    """A store whose disk fails on the calls named."""

    def __init__(self) -> None:
        super().__init__()
        self.broken: set[str] = set()

    def __getattribute__(self, name: str):
        if name != "broken" and name in object.__getattribute__(self, "broken"):
            raise StoreUnavailable("disk full")
        return object.__getattribute__(self, name)


async def wire(
    policy: PortfolioPolicy, clock: ManualClock, *venues: FakeVenue, store: MemoryStore | None = None
) -> Portfolio:
    """A portfolio over these venues, with a store in memory that is open."""
    kept = store or MemoryStore()
    await kept.open(policy.name, policy.world, clock.now())
    by_name = {venue.account: venue for venue in venues}
    return Portfolio(
        policy=policy,
        markets=by_name,
        accounts=by_name,
        gateways=by_name,
        store=kept,
        channels=("log",),
        rules=AlertRules(),
        clock=clock,
        ids=CountingIds(),
    )


def fault(kind: type[VenueError], call: str = "fetch_balance spot", detail: str = "an HTML page") -> VenueError:
    return kind("main", call, detail)
