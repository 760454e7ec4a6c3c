"""What the tests of orders need to know of each venue: a row of the table for each."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pytest

from hedged.adapters.exchanges.ccxt_orders import CcxtOrders, open_ccxt_orders
from hedged.model.instrument import InstrumentId
from hedged.model.order import GATE_SEAL, ApprovedIntent, Intent, Side
from tests.support import ManualClock
from tests.venues import (
    binance_bench,
    bingx_bench,
    bitget_bench,
    bitget_uta_bench,
    bybit_bench,
    gate_bench,
    hyperliquid_bench,
    kucoin_bench,
    mexc_bench,
    okx_bench,
    weex_bench,
)
from tests.venues.binance_bench import pki
from tests.venues.orders import OrderDesk, Placed
from tests.venues.server import VenueServer

D = Decimal
LIMIT = D(3015)  # half a percent over the mark
ETHER = InstrumentId("main:ETH/USDT:USDT")


@dataclass(frozen=True)
class OrderVenue:
    """`lot`: contracts worth 0.01 ETH. Codes are the venue's; `no` wraps one as the venue does."""

    exchange: str
    bench: Callable[[], AbstractAsyncContextManager[Any]]
    keys: Mapping[str, str]
    wallets: Sequence[str]
    market_id: str
    lot: Decimal
    create: str  # "METHOD /path"
    lookups: tuple[str, ...]  # each place where an order can be
    no: Callable[[str], Any]  # code → the venue's reply
    believed: str  # a code on the white list
    unbelieved: str  # one that says nothing
    duplicate: str | None
    shut_out: str  # the key is unknown
    fills: str | None = None  # where the fee is told, if not in the order
    inverse: tuple[InstrumentId, str, Decimal] | None = None  # instrument, market id, contracts worth 1,000 dollars
    no_status: int = 200
    asks_first: tuple[str, ...] = ()  # what is read before an order is sent
    waiting: str = ""  # where the open orders of a market are
    page: int | None = None  # rows of it; None: it comes in one
    post_only: bool = True
    countdown: str | None = None
    account: str = ""  # which kind, of a venue that has several
    by_hand: tuple[str, ...] = ('""',)  # what stands for our id, as JSON, in the row of an order that is not ours
    ether: InstrumentId = ETHER
    settle: str = "USDT"
    unnamed: tuple[str, ...] = ()  # places whose rows of such orders have nothing there

    @property
    def name(self) -> str:
        return f"{self.exchange} {self.account}".strip()


@dataclass
class Bench:
    venue: OrderVenue
    server: VenueServer
    desk: OrderDesk
    clock: ManualClock
    reader: Any  # CcxtVenue
    orders: CcxtOrders
    ids: int = 0

    @property
    def ether(self) -> InstrumentId:
        """The venue's perpetual on ETH."""
        return self.venue.ether

    def new_id(self) -> str:
        self.ids += 1
        return f"hd{self.ids:024x}"

    def intent(
        self,
        client_order_id: str | None = None,
        *,
        instrument: InstrumentId | None = None,
        side: Side = Side.BUY,
        quantity: Decimal | None = None,
        limit: Decimal = LIMIT,
        reduce_only: bool = True,
    ) -> ApprovedIntent:
        """0.01 ETH bought back of a short, half a percent over the mark, unless told otherwise."""
        contracts = self.venue.lot if quantity is None else quantity
        intent = Intent(
            client_order_id=client_order_id or self.new_id(),
            hedge="h",
            instrument=instrument or self.ether,
            side=side,
            quantity=contracts,
            price=D(3000),
            notional=D(30),
            reduce_only=reduce_only,
            reason="test",
        )
        return ApprovedIntent(intent, limit, GATE_SEAL)

    def strike(self, path: str, fault: str) -> None:
        """Have a path misbehave: one of the server's faults, or `code:` and a code of the venue's."""
        if fault.startswith("code:"):
            said = self.venue.no(fault.removeprefix("code:"))
            self.server.responses[path] = {
                "text": json.dumps(said),
                "status": self.venue.no_status,
                "content_type": "application/json",
            }
        else:
            self.server.faults[path] = fault

    def heal(self) -> None:
        """Nothing misbehaves any more, and what asked us to slow down has had its time."""
        for trouble in (self.server.faults, self.server.responses, self.server.replies):
            trouble.clear()
        self.server.first_done.clear()
        self.server.blind.clear()
        self.orders._exchange.fetch.__self__._rest_until.clear()

    def placed(self, client_order_id: str) -> list[Placed]:
        return self.desk.with_id(client_order_id)

    def patience(self, seconds: float) -> None:
        """How long a request of the trading line may take, as its guard has it."""
        self.orders._exchange.fetch.__self__._time_limit = seconds


@asynccontextmanager
async def trading(venue: OrderVenue) -> AsyncIterator[Bench]:
    """A venue that reads and trades, its markets listed and its time known."""
    async with venue.bench() as it:
        orders = await open_ccxt_orders(
            it.opened,
            "main",
            venue.exchange,
            venue.wallets,
            venue.keys,
            clock=it.clock,
            connect_to=it.server.connect_to,
            ca_file=pki()[0],
        )
        try:
            await it.opened.markets()
            yield Bench(venue, it.server, it.server.desk, it.clock, it.opened, orders)
        finally:
            await orders.close()


VENUES = (
    OrderVenue(
        exchange="binance",
        bench=binance_bench.bench,
        keys=binance_bench.KEYS,
        wallets=("spot", "margin", "swap"),
        market_id="ETHUSDT",
        lot=D("0.01"),
        create="POST /fapi/v1/order",
        lookups=("GET /fapi/v1/order", "GET /fapi/v1/openOrders", "GET /fapi/v1/allOrders"),
        fills="GET /fapi/v1/userTrades",
        no=lambda code: {"code": int(code), "msg": "no"},
        no_status=400,
        believed="-2019",
        unbelieved="-1000",
        duplicate="-4116",
        shut_out="-2015",
        inverse=(InstrumentId("main:ETH/USD:ETH"), "ETHUSD_PERP", D(100)),
        waiting="GET /fapi/v1/openOrders",
        countdown="POST /fapi/v1/countdownCancelAll",
    ),
    OrderVenue(
        exchange="okx",
        bench=okx_bench.bench,
        keys=okx_bench.KEYS,
        wallets=("spot",),
        market_id="ETH-USDT-SWAP",
        lot=D("0.1"),
        create="POST /api/v5/trade/order",
        lookups=(
            "GET /api/v5/trade/order",
            "GET /api/v5/trade/orders-pending",
            "GET /api/v5/trade/orders-history",
        ),
        no=lambda code: {"code": "1", "data": [{"clOrdId": "", "ordId": "", "sCode": code, "sMsg": "no"}], "msg": ""},
        believed="51008",
        unbelieved="50004",
        duplicate="51016",
        shut_out="50111",
        inverse=(InstrumentId("main:BTC/USD:BTC"), "BTC-USD-SWAP", D(10)),
        asks_first=("GET /api/v5/account/positions",),
        waiting="GET /api/v5/trade/orders-pending",
        page=100,
        countdown="POST /api/v5/trade/cancel-all-after",
    ),
    OrderVenue(
        exchange="bybit",
        bench=bybit_bench.bench,
        keys=bybit_bench.KEYS,
        wallets=("spot",),
        market_id="ETHUSDT",
        lot=D("0.01"),
        create="POST /v5/order/create",
        lookups=("GET /v5/order/realtime", "GET /v5/order/history", "GET /v5/execution/list"),
        no=lambda code: {"retCode": int(code), "retMsg": "no", "result": {}, "time": 1672211918471},
        believed="110007",
        unbelieved="10016",
        duplicate="110072",
        shut_out="10003",
        inverse=(InstrumentId("main:BTC/USD:BTC"), "BTCUSD", D(1000)),
        waiting="GET /v5/order/realtime",
        page=50,
    ),
    OrderVenue(
        exchange="bingx",
        bench=bingx_bench.bench,
        keys=bingx_bench.KEYS,
        wallets=("spot", "swap"),
        market_id="ETH-USDT",
        lot=D("0.01"),
        create="POST /openApi/swap/v2/trade/order",
        lookups=(
            "GET /openApi/swap/v2/trade/order",
            "GET /openApi/swap/v2/trade/openOrders",
            "GET /openApi/swap/v2/trade/allOrders",
        ),
        no=lambda code: {"code": int(code), "msg": "no", "data": {}},
        believed="101204",
        unbelieved="109500",
        duplicate="109201",
        shut_out="100413",
        inverse=(InstrumentId("main:ETH/USD:ETH"), "ETH-USD", D(100)),
        waiting="GET /openApi/swap/v2/trade/openOrders",
        countdown="POST /openApi/swap/v2/trade/cancelAllAfter",
    ),
    OrderVenue(
        exchange="bitget",
        bench=bitget_bench.bench,
        keys=bitget_bench.KEYS,
        wallets=bitget_bench.WALLETS,
        market_id="ETHUSDT",
        lot=D("0.01"),
        create="POST /api/v2/mix/order/place-order",
        lookups=(
            "GET /api/v2/mix/order/detail",
            "GET /api/v2/mix/order/orders-pending",
            "GET /api/v2/mix/order/orders-history",
        ),
        no=lambda code: {"code": code, "msg": "no", "requestTime": 1695806875837, "data": None},
        no_status=400,
        believed="40762",
        unbelieved="40725",
        duplicate="40786",
        shut_out="40037",
        inverse=(InstrumentId("main:ETH/USD:ETH"), "ETHUSD", D("0.4")),
        asks_first=("GET /api/v2/mix/position/all-position",),
        waiting="GET /api/v2/mix/order/orders-pending",
        page=100,
    ),
    OrderVenue(
        exchange="bitget",
        account="uta",
        bench=bitget_uta_bench.bench,
        keys=bitget_uta_bench.KEYS,
        wallets=bitget_uta_bench.WALLETS,
        market_id="ETHUSDT",
        lot=D("0.01"),
        create="POST /api/v3/trade/place-order",
        lookups=(
            "GET /api/v3/trade/order-info",
            "GET /api/v3/trade/unfilled-orders",
            "GET /api/v3/trade/history-orders",
        ),
        no=lambda code: {"code": code, "msg": "no", "requestTime": 1695806875837, "data": None},
        no_status=400,
        believed="25203",
        unbelieved="25001",
        duplicate="25212",
        shut_out="40037",
        inverse=(InstrumentId("main:ETH/USD:ETH"), "ETHUSD", D("0.4")),
        asks_first=(
            "GET /api/v3/position/current-position",
            "GET /api/v3/trade/order-info",
            "GET /api/v3/trade/history-orders",
        ),
        waiting="GET /api/v3/trade/unfilled-orders",
        page=100,
    ),
    OrderVenue(
        exchange="mexc",
        bench=mexc_bench.bench,
        keys=mexc_bench.KEYS,
        wallets=("spot", "swap"),
        market_id="ETH_USDT",
        lot=D(1),
        create="POST /api/v1/private/order/create",
        lookups=(
            "GET /api/v1/private/order/external",
            "GET /api/v1/private/order/list/open_orders",
            "GET /api/v1/private/order/list/history_orders",
        ),
        no=lambda code: {"success": False, "code": int(code), "message": "no"},
        believed="2005",
        unbelieved="500",
        duplicate="2042",
        shut_out="602",
        inverse=(InstrumentId("main:BTC/USD:BTC"), "BTC_USD", D(10)),
        asks_first=("GET /api/v1/private/position/open_positions",),
        waiting="GET /api/v1/private/order/list/open_orders",
        page=100,
    ),
    OrderVenue(
        exchange="gate",
        bench=gate_bench.rich,
        keys=gate_bench.KEYS,
        wallets=gate_bench.WALLETS,
        market_id="ETH_USDT",
        lot=D(1),
        create="POST /api/v4/futures/usdt/orders",
        lookups=(
            "GET /api/v4/futures/usdt/orders/id",
            "GET /api/v4/futures/usdt/orders",  # the open ones
            "GET /api/v4/futures/usdt/orders",  # the finished ones
            "GET /api/v4/futures/usdt/my_trades",
        ),
        fills="GET /api/v4/futures/usdt/my_trades",
        no=lambda code: {"label": code, "message": "no"},
        no_status=400,
        believed="INSUFFICIENT_AVAILABLE",
        unbelieved="INTERNAL",
        duplicate=None,
        shut_out="INVALID_KEY",
        inverse=(InstrumentId("main:BTC/USD:BTC"), "BTC_USD", D(1000)),
        asks_first=(
            "GET /api/v4/futures/usdt/orders/id",
            "GET /api/v4/futures/usdt/orders",
            "GET /api/v4/futures/usdt/my_trades",
        ),
        waiting="GET /api/v4/futures/usdt/orders",
        page=100,
        countdown="POST /api/v4/futures/usdt/countdown_cancel_all",
    ),
    OrderVenue(
        exchange="kucoin",
        bench=kucoin_bench.bench,
        keys=kucoin_bench.KEYS,
        wallets=("spot", "swap"),
        market_id="ETHUSDTM",
        lot=D(1),
        create="POST /api/v1/orders",
        lookups=("GET /api/v1/orders/byClientOid", "GET /api/v1/orders", "GET /api/v1/recentDoneOrders"),
        fills="GET /api/v1/recentFills",
        no=lambda code: {"code": code, "msg": "no"},
        believed="300003",
        unbelieved="500000",
        duplicate="300018",
        shut_out="400003",
        inverse=(InstrumentId("main:BTC/USD:BTC"), "XBTUSDM", D(1000)),
        asks_first=("GET /api/v1/positions",),
        waiting="GET /api/v1/orders",
        page=100,
        by_hand=('""', "null"),
    ),
    OrderVenue(
        exchange="weex",
        bench=weex_bench.bench,
        keys=weex_bench.KEYS,
        wallets=("spot", "swap"),
        market_id="ETHUSDT",
        lot=D("0.01"),
        create="POST /capi/v3/order",
        lookups=("GET /capi/v3/openOrders", "GET /capi/v3/order/history"),
        fills="GET /capi/v3/userTrades",
        no=lambda code: {"code": int(code), "msg": "no"},
        no_status=400,
        believed="-1142",
        unbelieved="-1054",
        duplicate=None,
        shut_out="-1044",
        waiting="GET /capi/v3/openOrders",
        page=100,
        post_only=False,
    ),
    OrderVenue(
        exchange="hyperliquid",
        bench=hyperliquid_bench.trading,
        keys=hyperliquid_bench.TRADING_KEYS,
        wallets=("spot", "swap"),
        market_id="ETH",
        lot=D("0.01"),
        create="POST /exchange/order",
        lookups=(
            "POST /info/orderStatus",
            "POST /info/frontendOpenOrders",
            "POST /info/historicalOrders",
            "POST /info/userFills",
        ),
        fills="POST /info/userFillsByTime",
        no=lambda code: {"status": "err", "response": code},
        believed="Insufficient margin to place order",
        unbelieved="Too many cumulative requests sent",
        duplicate=None,
        shut_out="User or API Wallet",
        asks_first=(
            "POST /info/exchangeStatus",
            "POST /info/meta",
            "POST /info/userRole",
            "POST /info/orderStatus",
        ),
        waiting="POST /info/frontendOpenOrders",
        ether=hyperliquid_bench.PERPETUAL,
        settle="USDC",
        by_hand=("null",),
        unnamed=(
            "POST /info/orderStatus",
            "POST /info/frontendOpenOrders",
            "POST /info/historicalOrders",
            "POST /info/userFills",
        ),
    ),
)

EVERY = pytest.mark.parametrize("venue", VENUES, ids=lambda venue: venue.name)
