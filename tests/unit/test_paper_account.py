"""The paper account: fills, accrual, restarts and what happens when the store or the market fails."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count

import pytest

from hedged.adapters.exchanges.paper import PaperAccount
from hedged.adapters.exchanges.paper_ledger import OUTCOMES_KEPT, from_blob
from hedged.adapters.store.memory import MemoryStore
from hedged.daemon.clock_watch import ClockWatch
from hedged.errors import Refused, StoreUnavailable, Unreachable, Unreadable, VenueError
from hedged.model.instrument import Instrument, InstrumentId, MarginTier
from hedged.model.order import GATE_SEAL, Absent, ApprovedIntent, Fill, Intent, Outcome, Rejected, Side, Unknown
from hedged.model.policy import PaperPolicy, World
from hedged.model.snapshot import Balance, Derivatives, Doubt, Position, Quote, Read
from tests.build import ETH_PERP, future, perp
from tests.store_samples import intent
from tests.support import T0, ManualClock

D = Decimal
HOUR = timedelta(hours=1)
FREE = PaperPolicy(cash=D(10_000), fee_taker=D("0.0005"), slippage_bps=D(0), spread_bps=D(0), leverage=D(5))
TIERED = replace(perp(), tiers=(MarginTier(D(0), D("0.02"), D(20)),))
_numbers = count()


class Board:
    """A market whose quotes are chalked up by hand; `error` makes it fail."""

    account = "main"

    def __init__(self, clock: ManualClock, *listed: Instrument) -> None:
        self.listed = {each.id: each for each in listed or (perp(),)}
        self.shown: dict[InstrumentId, Quote] = {}
        self.spot: dict[str, Decimal] = {}
        self.error: VenueError | None = None
        self._clock = clock

    async def instruments(self) -> Mapping[InstrumentId, Instrument]:
        return self.listed

    async def quotes(self, instruments: Collection[InstrumentId]) -> Mapping[InstrumentId, Read[Quote]]:
        if self.error:
            raise self.error
        return {i: Read(self.shown[i], self._clock.now()) for i in instruments if i in self.shown}

    async def prices(self, assets: Collection[str], quote: str) -> Mapping[str, Read[Decimal]]:
        return {a: Read(self.spot[a], self._clock.now()) for a in assets if a in self.spot}

    def mark(self, price: str, rate: str | None = None, due: datetime | None = None, name: str = ETH_PERP) -> None:
        known = None if rate is None else D(rate)
        self.shown[InstrumentId(name)] = Quote(D(price), funding_rate=known, funding_next=due)


class Counting(MemoryStore):
    """Counts writes, and fails before or after one when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0
        self.fails: str | None = None

    async def put_blob(self, key: str, value: Mapping[str, object], now: datetime) -> None:
        if self.fails == "before":
            raise StoreUnavailable("disk full")
        await super().put_blob(key, value, now)
        self.writes += 1
        if self.fails == "after":
            raise StoreUnavailable("no answer")


class RealAccount:
    """A real account with coins and a short of its own."""

    account = "main"
    wallets = ("spot", "margin", "swap")

    async def balances(self, wallet: str) -> Read[tuple[Balance, ...]]:
        return Read((Balance("UNI", D(7)),), T0)

    async def derivatives(self) -> Read[Derivatives]:
        return Read(Derivatives((Position(ETH_PERP, D(-9)),), None), T0)

    async def explain(self, doubt: Doubt, since: datetime) -> str | None:
        return "sold"


class Desk:
    """One paper account with its market, clock and store; `restart` opens another over the same store."""

    def __init__(self, *listed: Instrument, policy: PaperPolicy = FREE, real: RealAccount | None = None) -> None:
        self.clock = ManualClock()
        self.board = Board(self.clock, *listed)
        self.store = Counting()
        self._policy, self._real = policy, real
        self.paper = self.restart()

    def restart(self) -> PaperAccount:
        self.paper = PaperAccount(
            "main",
            self.board,
            real=self._real,
            store=self.store,
            policy=self._policy,
            quote="USDT",
            clock=self.clock,
        )
        return self.paper

    async def trade(
        self,
        side: Side,
        quantity: str,
        *,
        name: str = ETH_PERP,
        limit: str | None = None,
        reduce_only: bool = False,
        client_order_id: str | None = None,
    ) -> Outcome:
        worst = D(limit) if limit else (D(10**9) if side is Side.BUY else D(0))
        intent = Intent(
            client_order_id=client_order_id or f"hd{next(_numbers):024x}",
            hedge="alts",
            instrument=InstrumentId(name),
            side=side,
            quantity=D(quantity),
            price=D(1),
            notional=D(1),
            reduce_only=reduce_only,
            reason="test",
        )
        return await self.paper.submit(ApprovedIntent(intent=intent, price_limit=worst, seal=GATE_SEAL))

    async def wallet(self) -> Decimal:
        (cash,) = (await self.paper.balances("swap")).value
        return cash.free

    async def contracts(self) -> Decimal:
        positions = (await self.paper.derivatives()).value.positions
        return positions[0].contracts if positions else D(0)


@pytest.fixture
async def desk() -> Desk:
    made = Desk()
    await made.store.open("test", World.PAPER, T0)
    made.board.mark("3000")
    return made


async def opened(desk: Desk) -> Desk:
    await desk.store.open("test", World.PAPER, T0)
    return desk


def the(outcome: Outcome) -> Fill:
    assert isinstance(outcome, Fill), outcome
    return outcome


async def test_no_time_passes_on_paper_while_the_clock_is_in_doubt(desk: Desk) -> None:
    """A jump of a month books no funding, also before a cycle has seen it; the hours that really pass count after it."""
    watch = ClockWatch(desk.clock, {})
    desk.paper = PaperAccount(
        "main",
        desk.board,
        real=None,
        store=desk.store,
        policy=FREE,
        quote="USDT",
        clock=desk.clock,
        in_doubt=lambda: watch.in_doubt,
    )
    await watch.look(None, {})
    await desk.trade(Side.SELL, "3")
    before, month = await desk.wallet(), timedelta(days=30)
    desk.board.mark("3000", "0.0001", T0 + 4 * HOUR)
    desk.clock.set(T0 + month)
    for _ in range(2):
        await desk.paper.derivatives()
        assert await desk.wallet() == before
        await watch.look(None, {})
    desk.clock.advance(5 * HOUR.total_seconds())
    desk.clock.set(T0 + 5 * HOUR)
    await watch.look(None, {})
    await watch.look(T0, {})
    await desk.paper.derivatives()
    assert await desk.wallet() == before + D("0.9"), "one funding: 9,000 × 0.01 %"


async def test_a_ledger_of_three_days_worked_by_hand() -> None:
    """Fills, four fundings, a partial close, an average and a liquidation, each to the last digit."""
    desk = await opened(Desk(TIERED))
    board, clock = desk.board, desk.clock

    async def funded(mark: str, rate: str) -> Decimal:
        at = clock.now()
        board.mark(mark, rate, at)
        await desk.paper.derivatives()
        return await desk.wallet()

    board.mark("3000")
    assert the(await desk.trade(Side.SELL, "3")).fee == D("4.5")
    assert await desk.wallet() == D("9995.5")
    clock.set(T0 + 4 * HOUR)  # 16:00: a short receives 9,030 × 0.01 %
    assert await funded("3010", "0.0001") == D("9996.403")
    clock.set(T0 + 12 * HOUR)  # 00:00: at a negative rate it pays 8,970 × 0.02 %
    assert await funded("2990", "-0.0002") == D("9994.609")
    clock.set(T0 + 20 * HOUR)  # 08:00
    assert await funded("2950", "0.00005") == D("9995.0515")
    board.mark("2900")
    await desk.trade(Side.BUY, "1", reduce_only=True)  # realises 100, costs 1.45
    assert await desk.wallet() == D("10093.6015")
    board.mark("3100")
    await desk.trade(Side.SELL, "1")  # costs 1.55; entry (2 × 3,000 + 3,100) / 3
    (position,) = (await desk.paper.derivatives()).value.positions
    assert position.entry_price == D("3033.33333333")
    clock.set(T0 + 28 * HOUR)  # 16:00
    assert await funded("3100", "0.0001") == D("10092.9815")

    clock.set(T0 + 30 * HOUR)
    board.mark("6270")  # maintenance 376.2 < equity 382.98
    read = (await desk.paper.derivatives()).value
    assert read.margin is not None
    assert (read.margin.equity, read.margin.maintenance) == (D("382.9815"), D("376.2"))
    assert read.positions[0].liquidation_price == D("6272.21617647")
    board.mark("6275")  # 376.5 ≥ 367.98: closed, fee 1.25 % of 18,825
    assert (await desk.paper.derivatives()).value.positions == ()
    assert await desk.wallet() == D("132.669")

    totals = await desk.paper.totals()
    assert totals.realised == D(100) - D(9725)
    assert totals.fees == D("4.5") + D("1.45") + D("1.55") + D("235.3125")
    assert totals.funding == D("-0.903") + D("1.794") - D("0.4425") - D("0.93")
    assert totals.liquidations == 1
    assert await desk.wallet() == D(10_000) + totals.realised - totals.fees - totals.funding + totals.shortfall


async def test_without_a_real_account_there_is_only_the_paper_wallet(desk: Desk) -> None:
    """Wallets that nobody can read are not there, rather than empty."""
    assert tuple(desk.paper.wallets) == ("swap",)
    assert await desk.wallet() == D(10_000)
    with pytest.raises(Refused, match="only swap"):
        await desk.paper.balances("spot")


async def test_the_real_accounts_coins_pass_through_and_its_positions_are_only_shown() -> None:
    """Spot is the real one's, the futures wallet is paper's own, the real short counts nowhere."""
    desk = await opened(Desk(real=RealAccount()))
    assert tuple(desk.paper.wallets) == ("spot", "margin", "swap")
    assert (await desk.paper.balances("spot")).value == (Balance("UNI", D(7)),)
    assert (await desk.paper.derivatives()).value.positions == ()
    assert [position.contracts for position in desk.paper.shown_only] == [D(-9)]
    gone = Doubt("main/spot/UNI", "main", "UNI", None, D(7), D(0), 1)
    assert await desk.paper.explain(gone, T0) == "sold"


async def test_the_instruments_own_fee_goes_before_the_policys() -> None:
    """What the venue lists is what trading there costs."""
    desk = await opened(Desk(replace(perp(), fee_taker=D("0.001"))))
    desk.board.mark("3000")
    assert the(await desk.trade(Side.SELL, "1")).fee == D(3)


async def test_spread_and_slippage_of_the_policy_are_paid(desk: Desk) -> None:
    """Without a book: mark − 1 bp − 2 bp, told as slippage in the quote currency."""
    costly = await opened(Desk(policy=PaperPolicy(spread_bps=D(2), slippage_bps=D(2))))
    costly.board.mark("3000")
    fill = the(await costly.trade(Side.SELL, "1"))
    assert fill.price == D("2999.10006")
    assert fill.slippage == D("0.89994")


@pytest.mark.parametrize(
    ("order", "reason"),
    [
        ({"side": Side.SELL, "quantity": "1", "limit": "3001"}, "worse than the limit"),
        ({"side": Side.SELL, "quantity": "17"}, "insufficient margin: needs 10225.50 USDT at 5x leverage"),
        ({"side": Side.BUY, "quantity": "1", "reduce_only": True}, "nothing to reduce"),
        ({"side": Side.SELL, "quantity": "1.0005"}, "not a multiple of the lot"),
        ({"side": Side.SELL, "quantity": "1", "name": "main:SOL/USDT:USDT"}, "is not trading"),
    ],
)
async def test_a_rejection_names_its_numbers_and_changes_nothing(
    desk: Desk, order: dict[str, object], reason: str
) -> None:
    """Nothing is placed, the wallet is untouched."""
    outcome = await desk.trade(**order)  # type: ignore[arg-type]
    assert isinstance(outcome, Rejected)
    assert reason in outcome.reason
    assert (await desk.wallet(), await desk.contracts()) == (D(10_000), D(0))


@pytest.mark.parametrize(
    "listed",
    [
        replace(perp(), trading=False),
        replace(perp(), delisting=T0),
        replace(perp(), linear=False),
        replace(perp(), settle="ETH"),
    ],
)
async def test_what_paper_cannot_trade_is_rejected(listed: Instrument) -> None:
    """Halted, ended, inverse or settled in another coin."""
    desk = await opened(Desk(listed))
    desk.board.mark("3000")
    assert isinstance(await desk.trade(Side.SELL, "1"), Rejected)


async def test_the_same_order_id_fills_once(desk: Desk) -> None:
    """Submitted again, also after a restart, it answers what happened the first time."""
    first = await desk.trade(Side.SELL, "1", client_order_id="hd1")
    refused = await desk.trade(Side.SELL, "99", client_order_id="hd2")
    desk.board.mark("2000")
    desk.restart()
    assert await desk.trade(Side.SELL, "1", client_order_id="hd1") == first
    assert await desk.trade(Side.SELL, "1", client_order_id="hd2") == refused
    assert await desk.contracts() == D(-1)
    assert await desk.paper.find(intent("hd1")) == first
    assert await desk.paper.find(intent("hd3")) == Absent("hd3")


async def test_a_restart_finds_everything_again(desk: Desk) -> None:
    """Wallet, position, totals and history are the store's, not the process's."""
    await desk.trade(Side.SELL, "2")
    before = (await desk.wallet(), (await desk.paper.derivatives()).value, await desk.paper.totals())
    desk.restart()
    assert (await desk.wallet(), (await desk.paper.derivatives()).value, await desk.paper.totals()) == before


async def test_funding_is_paid_once_also_across_a_restart(desk: Desk) -> None:
    """Looking twice, or again after a restart, pays nothing twice."""
    await desk.trade(Side.SELL, "1")
    cash = await desk.wallet()
    desk.board.mark("3000", "0.0001", T0 + 12 * HOUR)
    desk.clock.set(T0 + 5 * HOUR)
    for _ in range(3):
        await desk.paper.derivatives()
        assert await desk.wallet() == cash + D("0.3")
        desk.restart()


async def test_funding_missed_while_stopped_is_caught_up(desk: Desk) -> None:
    """Three funding times passed; the first at the rate announced for it, the others at the last one known."""
    await desk.trade(Side.SELL, "1")
    cash = await desk.wallet()
    desk.board.mark("3000", "0.0003", T0 + 4 * HOUR)
    await desk.paper.derivatives()
    desk.board.mark("3000", "0.0001", T0 + 28 * HOUR)
    desk.clock.set(T0 + 21 * HOUR)
    await desk.paper.derivatives()
    assert await desk.wallet() == cash + D("0.9") + D("0.3") + D("0.3")


async def test_the_account_tells_the_funding_of_each_contract(desk: Desk) -> None:
    """So far, also after a restart and once the position is closed; it begins with nothing, as in an older ledger."""
    assert (await desk.paper.derivatives()).value.funding_paid == {}
    await desk.trade(Side.SELL, "1")
    desk.board.mark("3000", "0.0001", T0 + 12 * HOUR)
    desk.clock.set(T0 + 5 * HOUR)
    paid = {ETH_PERP: D("-0.3")}
    assert (await desk.paper.derivatives()).value.funding_paid == paid
    await desk.trade(Side.BUY, "1", reduce_only=True)
    desk.restart()
    assert (await desk.paper.derivatives()).value.funding_paid == paid
    assert (await desk.paper.totals()).funding == D("-0.3")
    blob = dict(await desk.store.get_blob("paper/main") or {})
    del blob["funding_paid"]
    assert from_blob(blob).funding_paid == {}


async def test_funding_follows_the_interval_told(desk: Desk) -> None:
    """Hourly funding is paid every hour; a position opened at a funding time does not pay that one."""
    desk.board.shown[ETH_PERP] = Quote(
        D(3000), funding_rate=D("0.0001"), funding_interval_hours=D(1), funding_next=T0 + HOUR
    )
    await desk.trade(Side.SELL, "1")
    cash = await desk.wallet()
    desk.clock.set(T0 + 3 * HOUR)
    await desk.paper.derivatives()
    assert await desk.wallet() == cash + D("0.9")


async def test_nothing_is_written_when_nothing_changed(desk: Desk) -> None:
    """Looks at moving marks leave the store alone."""
    await desk.trade(Side.SELL, "1")
    assert desk.store.writes == 1
    for price in ("3001", "3002", "2950"):
        desk.board.mark(price)
        await desk.paper.derivatives()
    assert desk.store.writes == 1


EXPIRY = T0 + 6 * HOUR
DATED = "main:ETH/USDT:USDT-261102"


async def holding_a_future() -> Desk:
    desk = await opened(Desk(future(DATED, EXPIRY, multiplier="0.1", lot=1)))
    desk.board.mark("3000", name=DATED)
    the(await desk.trade(Side.SELL, "10", name=DATED))
    return desk


async def test_an_expired_contract_is_settled_at_the_last_index_seen() -> None:
    """The mark seen nearest to the expiry, although the venue has forgotten the contract."""
    desk = await holding_a_future()
    cash = await desk.wallet()
    desk.clock.set(EXPIRY - timedelta(minutes=1))
    desk.board.mark("2900", name=DATED)
    await desk.paper.derivatives()
    desk.clock.set(EXPIRY + HOUR)
    desk.board.shown.clear()
    desk.board.listed = {}
    desk.board.spot["ETH"] = D(2500)
    assert await desk.contracts() == 0
    assert await desk.wallet() == cash + D(100)
    doubt = Doubt(DATED, "main", "ETH", InstrumentId(DATED), D(-10), D(0), 1)
    assert await desk.paper.explain(doubt, T0) == (await desk.paper.explain(doubt, T0 - HOUR))
    assert "settled at 2900" in str(await desk.paper.explain(doubt, EXPIRY))


async def test_an_expiry_missed_while_stopped_is_settled_at_the_coins_price() -> None:
    """Nothing was seen of it since the start: the spot price now is nearest; without one it waits."""
    desk = await holding_a_future()
    cash = await desk.wallet()
    desk.restart()
    desk.board.shown.clear()
    desk.clock.set(EXPIRY + HOUR)
    with pytest.raises(Unreadable, match="expired and ETH has no price"):
        await desk.paper.derivatives()
    desk.board.spot["ETH"] = D(2800)
    assert await desk.contracts() == 0
    assert await desk.wallet() == cash + D(200)


async def test_an_announced_delisting_ends_the_position(desk: Desk) -> None:
    """A date announced while the position was open counts as its expiry, also after a restart."""
    await desk.trade(Side.SELL, "1")
    desk.board.listed = {ETH_PERP: replace(perp(), delisting=T0 + HOUR)}
    await desk.paper.derivatives()
    desk.board.listed = {}
    desk.restart()
    desk.clock.set(T0 + HOUR)
    assert await desk.contracts() == 0


async def test_margin_is_marked_estimated_only_where_tiers_are_assumed(desk: Desk) -> None:
    """Tiers that the venue told are not an estimate; the default of 0.5 % is."""
    await desk.trade(Side.SELL, "1")
    assumed = (await desk.paper.derivatives()).value.margin
    desk.board.listed = {ETH_PERP: TIERED}
    told = (await desk.paper.derivatives()).value.margin
    assert assumed is not None
    assert told is not None
    assert (assumed.maintenance, assumed.estimated) == (D(15), True)
    assert (told.maintenance, told.estimated) == (D(60), False)
    assert told.available == told.equity - D(600)


async def test_a_missing_mark_is_an_error_not_a_guess(desk: Desk) -> None:
    """Equity is unknown without the mark of an open position; opening more is rejected, reducing is not."""
    await desk.trade(Side.SELL, "1")
    desk.board.listed[InstrumentId("main:BTC/USDT:USDT")] = perp("main:BTC/USDT:USDT")
    desk.board.mark("60000", name="main:BTC/USDT:USDT")
    await desk.trade(Side.SELL, "0.1", name="main:BTC/USDT:USDT")
    del desk.board.shown[ETH_PERP]
    with pytest.raises(Unreadable, match=r"no mark price for main:ETH"):
        await desk.paper.derivatives()
    more = await desk.trade(Side.SELL, "0.1", name="main:BTC/USDT:USDT")
    assert isinstance(more, Rejected)
    assert "no mark price" in more.reason
    the(await desk.trade(Side.BUY, "0.1", name="main:BTC/USDT:USDT", reduce_only=True))


async def test_a_failing_market_is_told_as_it_is(desk: Desk) -> None:
    """Reading raises the venue's own error; an order is rejected, for nothing was placed."""
    await desk.trade(Side.SELL, "1")
    desk.board.error = Unreachable("main", "quotes", "time-out")
    with pytest.raises(Unreachable, match="time-out"):
        await desk.paper.derivatives()
    assert isinstance(await desk.trade(Side.SELL, "1"), Rejected)


@pytest.mark.parametrize(("fails", "there"), [("before", False), ("after", True)])
async def test_a_fill_that_could_not_be_stored_is_unknown_until_looked_up(desk: Desk, fails: str, there: bool) -> None:
    """The store may have failed before or after writing: memory follows what it holds, and `find` tells."""
    desk.store.fails = fails
    assert isinstance(await desk.trade(Side.SELL, "1", client_order_id="hd1"), Unknown)
    desk.store.fails = None
    assert isinstance(await desk.paper.find(intent("hd1")), Fill if there else Absent)
    assert await desk.contracts() == (D(-1) if there else D(0))


async def test_watching_goes_on_when_accrual_cannot_be_stored(desk: Desk) -> None:
    """The state is shown with its funding, and paid once when the store is back."""
    await desk.trade(Side.SELL, "1")
    cash = await desk.wallet()
    desk.board.mark("3000", "0.0001", T0 + 4 * HOUR)
    desk.clock.set(T0 + 4 * HOUR)
    desk.store.fails = "before"
    margin = (await desk.paper.derivatives()).value.margin
    assert margin is not None
    assert margin.equity == cash + D("0.3")
    desk.store.fails = None
    await desk.paper.derivatives()
    assert await desk.wallet() == cash + D("0.3")


async def test_a_damaged_or_unreadable_ledger_is_not_an_empty_account(desk: Desk) -> None:
    """Neither starts anew with fresh cash; orders are Unknown."""
    await desk.store.put_blob("paper/main", {"wallet": "lots"}, T0)
    with pytest.raises(Unreadable, match="damaged"):
        await desk.paper.derivatives()
    assert isinstance(await desk.trade(Side.SELL, "1"), Unknown)
    await desk.store.close()
    with pytest.raises(Unreachable, match="paper ledger"):
        await desk.paper.balances("swap")
    assert isinstance(await desk.paper.find(intent("hd1")), Unknown)


async def test_history_explains_what_went(desk: Desk) -> None:
    """A fill explains its position and the cash; nothing explains another instrument or an earlier time."""
    await desk.trade(Side.SELL, "1", client_order_id="hd1")
    position = Doubt(ETH_PERP, "main", "ETH", ETH_PERP, D(-1), D(0), 1)
    assert await desk.paper.explain(position, T0) == "sell 1 at 3000, order hd1"
    cash = Doubt("main/swap/USDT", "main", "USDT", None, D(9), D(1), 1)
    assert await desk.paper.explain(cash, T0) == "sell 1 at 3000, order hd1"
    assert await desk.paper.explain(position, T0 + HOUR) is None
    spot = Doubt("main/spot/UNI", "main", "UNI", None, D(9), D(1), 1)
    assert await desk.paper.explain(spot, T0) is None


async def test_the_stored_history_is_bounded(desk: Desk) -> None:
    """The newest thousand orders are remembered, older ones are gone."""
    for number in range(OUTCOMES_KEPT + 5):
        await desk.trade(Side.BUY, "1", reduce_only=True, client_order_id=f"hd{number}")
    assert isinstance(await desk.paper.find(intent("hd4")), Absent)
    assert isinstance(await desk.paper.find(intent("hd5")), Rejected)
