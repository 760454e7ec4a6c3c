"""Whatever WEEX answers: a `VenueError` or the right values, never silently empty, zero or half."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.model.snapshot import Doubt
from tests.contract.replies import NOW, Asked, Running, Venue, echo, every_fault_passes, everything_said, explain
from tests.support import T0
from tests.venues.weex_bench import DOGE, ETHER, KEYS, bench

D = Decimal

_WALLET = Doubt("main/swap/USDT", "main", "USDT", None, before=D(10), now=D(0), polls=1)
_COINS = Doubt("main/spot/ETH", "main", "ETH", None, before=D(10), now=D(0), polls=1)
_GONE = Doubt(ETHER, "main", "ETH", ETHER, before=D(-2), now=D(0), polls=1)
BOUGHT = {
    "id": 1,
    "orderId": 2,
    "symbol": "ETHUSDT",
    "buyer": True,
    "commission": "1",
    "commissionAsset": "USDT",
    "maker": True,
    "price": "3000",
    "qty": "2",
    "quoteQty": "6000",
    "realizedPnl": "-9",
    "side": "BUY",
    "positionSide": "SHORT",
    "time": NOW,
}
ORDERED = {"symbol": "ETHUSDT", "side": "BUY", "executedQty": "2", "time": NOW}
WITHDRAWN = {"billId": 1, "asset": "USDT", "symbol": None, "income": "-10", "incomeType": "withdraw", "time": NOW}
SENT = {"billId": "1", "coinName": "ETH", "bizType": "withdraw", "deltaAmount": "-10", "cTime": str(NOW)}
HISTORIES = ("fills", "orders", "income", "bills")
# an empty list is the venue's own way to say that there is none of these
NONE: list[object] = [[]]  # an empty list is the venue's own way to say that there is none of these
READS = {
    "spot markets": Asked("/api/v3/exchangeInfo", lambda it: it.market.prices(["ETH", "SOL"], "USDT"), listed=True),
    "futures markets": Asked("/capi/v3/market/exchangeInfo", lambda it: it.market.instruments(), listed=True),
    "server time": Asked("/api/v3/time", lambda it: it.reader.balances("spot")),
    "spot wallet": Asked("/api/v3/account/", lambda it: it.reader.balances("spot")),
    "futures wallet": Asked("/capi/v3/account/balance", lambda it: it.reader.balances("swap"), NONE),
    "margin of futures": Asked("/capi/v3/account/balance", lambda it: it.reader.derivatives()),
    "futures positions": Asked("/capi/v3/account/position/allPosition", lambda it: it.reader.derivatives(), NONE),
    "marks of positions": Asked("/capi/v3/market/premiumIndex", lambda it: it.reader.derivatives()),
    "mark prices": Asked("/capi/v3/market/premiumIndex", lambda it: it.market.quotes([ETHER, DOGE])),
    "futures books": Asked("/capi/v3/market/ticker/bookTicker", lambda it: it.market.quotes([ETHER, DOGE])),
    "spot prices": Asked("/api/v3/market/ticker/price", lambda it: it.market.prices(["ETH", "SOL"], "USDT")),
    "futures fills": Asked("/capi/v3/userTrades", explain(_GONE, HISTORIES, fills=[BOUGHT]), NONE, may_be_unknown=True),
    "futures orders": Asked(
        "/capi/v3/order/history", explain(_GONE, HISTORIES, orders=[ORDERED]), NONE, may_be_unknown=True
    ),
    "futures income": Asked(
        "/capi/v3/account/income", explain(_WALLET, HISTORIES, income=[WITHDRAWN]), may_be_unknown=True
    ),
    "spot bills": Asked("/api/v3/account/bills", explain(_COINS, HISTORIES, bills=[SENT]), NONE, may_be_unknown=True),
}

VENUE = Venue(bench, READS, unknown={"Position.liquidation_price"})


@pytest.mark.parametrize("name", READS)
async def test_every_fault_of_every_read_is_an_error_and_passes(name: str) -> None:
    """Each fault raises, as unreachable or unreadable by what it is; afterwards the read is as before."""
    await every_fault_passes(VENUE, name)


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    with Running(VENUE) as accounts:
        yield accounts


@pytest.mark.parametrize("name", READS)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_random_reply_is_an_error_or_right(running: Running, name: str, data: st.DataObject) -> None:
    """A reply that is anything at all, or right but for one field, gives an error or the right values."""
    running.is_error_or_right(name, data)


async def test_no_secret_in_any_error_log_or_traceback(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys, passphrase, signatures and addresses appear in no message, repr, log line at any level, or traceback."""
    wallets = ("/api/v3/account/", "/capi/v3/account/balance")
    breaks = {
        "key": lambda it: setattr(it.server, "api_key", "another"),
        "echo": echo(KEYS, wallets, lambda said: {"code": -1142, "msg": said}),
    }
    everything = await everything_said(
        VENUE,
        breaks,
        lambda it: (
            it.reader.balances("spot"),
            it.reader.balances("swap"),
            it.reader.derivatives(),
            it.market.quotes([ETHER]),
            it.reader.explain(_WALLET, T0),
        ),
        caplog,
        capsys,
    )
    assert "main: spot wallet" in everything
    for secret in (*KEYS.values(), "ACCESS-SIGN", "://", "a" * 43):
        assert secret not in everything, secret
