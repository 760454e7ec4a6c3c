"""A week of a paper account beside a ledger computed by hand: fills from the book, funding, a roll, a liquidation.

Every figure on the right is arithmetic on prices, sizes and rates that stand here; none is taken from the account.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

from hedged.adapters.exchanges.paper import PaperAccount
from hedged.adapters.exchanges.paper_ledger import Totals
from hedged.adapters.store.memory import MemoryStore
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.order import GATE_SEAL, ApprovedIntent, Fill, Outcome, Side
from hedged.model.policy import PaperPolicy, World
from hedged.model.snapshot import Derivatives, Quote, Read
from tests.build import ETH_PERP, future, perp
from tests.store_samples import intent
from tests.support import T0, ManualClock

D = Decimal
PERP = InstrumentId(ETH_PERP)
NEAR, FAR = InstrumentId("main:ETH/USDT:USDT-261204"), InstrumentId("main:ETH/USDT:USDT-270326")
# A fee of 5 bp of what is traded, 10 bp of slippage behind the touch, margin at 10 times.
POLICY = PaperPolicy(cash=D(5000), fee_taker=D("0.0005"), slippage_bps=D(10), leverage=D(10))


@dataclass
class Board:
    """A market whose quotes are chalked up by hand."""

    clock: ManualClock
    shown: Mapping[InstrumentId, Quote]
    account: str = "main"

    async def instruments(self) -> Mapping[InstrumentId, Instrument]:
        near, far = T0 + timedelta(days=10), T0 + timedelta(days=100)
        listed = perp(), future(NEAR, near, multiplier="0.1", lot=1), future(FAR, far, multiplier="0.1", lot=1)
        return {each.id: each for each in listed}

    async def quotes(self, instruments: Collection[InstrumentId]) -> Mapping[InstrumentId, Read[Quote]]:
        return {name: Read(self.shown[name], self.clock.now()) for name in instruments if name in self.shown}

    async def prices(self, assets: Collection[str], quote: str) -> Mapping[str, Read[Decimal]]:
        return {}


class Week:
    """The account, opened anew over its store for every single look and order."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.store = MemoryStore()
        self.board = Board(self.clock, {})
        self._orders = 0

    async def open(self) -> PaperAccount:
        await self.store.open("test", World.PAPER, T0)
        return PaperAccount(
            "main", self.board, real=None, store=self.store, policy=POLICY, quote="USDT", clock=self.clock
        )

    def at(self, hours: float, **quotes: Quote) -> None:
        """The time since the beginning, and what is quoted there."""
        self.clock.advance((T0 + timedelta(hours=hours) - self.clock.now()).total_seconds())
        names = {"perp": PERP, "near": NEAR, "far": FAR}
        self.board.shown = {names[name]: quote for name, quote in quotes.items()}

    async def look(self) -> Derivatives:
        return (await (await self.open()).derivatives()).value

    async def order(
        self, name: InstrumentId, side: Side, quantity: str, limit: str, *, reduces: bool = False
    ) -> Outcome:
        self._orders += 1
        wanted = replace(
            intent(f"hd{self._orders}"), instrument=name, side=side, quantity=D(quantity), reduce_only=reduces
        )
        return await (await self.open()).submit(ApprovedIntent(wanted, D(limit), GATE_SEAL))

    async def cash(self) -> Decimal:
        return (await (await self.open()).balances("swap")).value[0].free


def funding(number: int) -> datetime:
    """The funding times are 4, 12, 20, 28 … hours after the beginning."""
    return T0 + timedelta(hours=4 + 8 * (number - 1))


def quoted(mark: str, rate: str, following: int, **book: Decimal) -> Quote:
    return Quote(D(mark), funding_rate=D(rate), funding_next=funding(following), **book)


def filled(outcome: Outcome) -> tuple[Decimal, Decimal, Decimal, Decimal]:
    assert isinstance(outcome, Fill), outcome
    return outcome.quantity, outcome.price, outcome.fee, outcome.slippage


async def test_a_week_on_paper_agrees_with_a_ledger_kept_by_hand() -> None:
    """Cash, positions, equity and every sum of costs, to the last digit, through a restart before every step."""
    week = Week()

    # Sell 2: the touch holds 1.5 at 2,999.5; the other 0.5 go at 2,999.5 · 0.999 = 2,996.5005.
    week.at(0, perp=quoted("3000", "0.0001", 1, bid=D("2999.5"), bid_size=D("1.5"), ask=D("3000.5")))
    sold = D("1.5") * D("2999.5") + D("0.5") * D("2996.5005")
    assert sold == D("5997.50025")
    fee = D("2.99875012")  # 5,997.50025 · 0.0005 = 2.998750125, to eight decimals
    assert filled(await week.order(PERP, Side.SELL, "2", "2940")) == (2, D("2998.750125"), fee, D("2.49975"))
    cash = D(5000) - fee
    assert await week.cash() == cash == D("4997.00124988")

    # Three funding times, each looked at: the short is paid at rates above 0 and pays below.
    week.at(4.1, perp=quoted("3010", "0.00025", 2))
    await week.look()
    week.at(12.1, perp=quoted("2990", "-0.0003", 3))
    await week.look()
    week.at(20.1, perp=quoted("3050", "0.0001", 4))
    seen = await week.look()
    cash += D("0.602") + D("1.495") - D("1.83")  # 2 · 3,010 · 0.0001, 2 · 2,990 · 0.00025, 2 · 3,050 · 0.0003
    assert await week.cash() == cash == D("4997.26824988")
    assert seen.margin is not None
    assert seen.margin.equity == cash + D("5997.50025") - 2 * 3050
    assert seen.margin.maintenance == 2 * 3050 * D("0.005")
    assert seen.margin.available == seen.margin.equity - D(2 * 3050) / 10

    # A day later: three more in the meantime, the first at the rate that was announced, the others at today's. Then
    # sell 4 at no less than 3,098: the touch holds 1.2 at 3,099, and 3,099 · 0.999 = 3,095.901 is too little.
    week.at(48, perp=quoted("3100", "0.0002", 7, bid=D(3099), bid_size=D("1.2"), ask=D(3101)))
    fee = D("1.8594")  # 3,718.8 · 0.0005
    assert filled(await week.order(PERP, Side.SELL, "4", "3098")) == (D("1.2"), 3099, fee, D("1.2"))
    cash += D("0.62") + 2 * D("1.24") - fee
    assert await week.cash() == cash == D("4998.50884988")
    entry = D("5997.50025") + D("3718.8")
    seen = await week.look()
    assert [(each.instrument, each.contracts) for each in seen.positions] == [(PERP, D("-3.2"))]
    assert seen.margin is not None
    assert seen.margin.equity == cash + entry - D("3.2") * 3100

    # A short of 30 contracts of a tenth in the near future; nobody tells what its book holds, so all at 3,085 · 0.999.
    week.at(
        72,
        perp=quoted("3080", "0.0001", 10),
        near=Quote(D(3090), bid=D(3085), ask=D(3095)),
    )
    fee = D("4.6228725")  # 3 · 3,081.915 = 9,245.745
    assert filled(await week.order(NEAR, Side.SELL, "30", "3023.3")) == (30, D("3081.915"), fee, D("24.255"))
    cash += D("1.9712") + 2 * D("0.9856") - fee  # 3.2 · 3,080 at 0.0002 once, at 0.0001 twice
    assert await week.cash() == cash == D("4997.82837738")

    # The roll: near bought back, all of it at the ask, which holds 50; far sold, 10 at 3,150 and 20 at 3,146.85.
    week.at(
        96,
        perp=quoted("3120", "0.0001", 13),
        near=Quote(D(3124), bid=D(3122), ask=D(3126), ask_size=D(50)),
        far=Quote(D(3155), bid=D(3150), ask=D(3160), bid_size=D(10)),
    )
    back = await week.order(NEAR, Side.BUY, "30", "3186", reduces=True)
    assert filled(back) == (30, 3126, D("4.689"), 6)
    far = await week.order(FAR, Side.SELL, "30", "3092")
    assert filled(far) == (30, D("3147.9"), D("4.72185"), D("21.3"))
    cash += 3 * D("0.9984")  # funding: 3.2 · 3,120 · 0.0001
    cash += D("9245.745") - 3 * 3126 - D("4.689") - D("4.72185")
    assert await week.cash() == cash == D("4859.15772738")

    # Part of the perpetual bought back: its share of the entry, 9,716.30025 / 3.2, is 3,036.343828125.
    week.at(
        120,
        perp=quoted("3150", "0.0001", 16, bid=D(3150), ask=D("3150.5")),
        far=Quote(D(3180)),
    )
    fee = D("1.57682525")  # 3,150.5 · 1.001 = 3,153.6505
    part = await week.order(PERP, Side.BUY, "1", "3213", reduces=True)
    assert filled(part) == (1, D("3153.6505"), fee, D("3.6505"))
    cash += 3 * D("1.008") + D("3036.34382812") - D("3153.6505") - fee
    assert await week.cash() == cash == D("4743.29823025")
    entry -= D("3036.34382812")

    # The seventh day: six fundings, and a price at which maintenance of 104.15 is more than what is left.
    week.at(168, perp=quoted("4000", "0.0005", 22), far=Quote(D(4010)))
    cash += D("0.88") + 5 * D("4.4")  # 2.2 · 4,000 at 0.0001 once, at 0.0005 five times
    left = cash + (entry - D("2.2") * 4000) + (D("9443.7") - 3 * 4010)
    assert left == D("59.83465213")
    assert left < (D("2.2") * 4000 + 3 * 4010) * D("0.005")
    seen = await week.look()
    assert seen.positions == ()
    assert await week.cash() == 0  # a fee of 1.25 % of 20,830 would be 260.375: it takes what is left

    fees = D("2.99875012") + D("1.8594") + D("4.6228725") + D("4.689") + D("4.72185") + D("1.57682525") + left
    received = D("0.267") + D("3.1") + D("3.9424") + D("2.9952") + D("3.024") + D("22.88")
    realised = D("-132.255") - D("117.30667188") + entry - 8800 + D("9443.7") - 12030
    assert await (await week.open()).totals() == Totals(
        realised=realised,
        fees=fees,
        funding=-received,
        slippage=D("2.49975") + D("1.2") + D("24.255") + 6 + D("21.3") + D("3.6505"),
        shortfall=D(0),
        liquidations=1,
    )
    assert 5000 + realised - fees + received == 0
