"""Whatever MEXC answers: a `VenueError` or the right values, never silently empty, zero or half."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.model.snapshot import Doubt
from tests.contract.replies import NOW, Asked, Running, Venue, echo, every_fault_passes, everything_said, explain
from tests.venues.mexc_bench import INVERSE, KEYS, PERPETUAL, Bench, bench
from tests.venues.mexc_venue import Held, Pool


async def _permissions(it: Bench) -> Any:
    told = await it.opened.permissions()
    assert told is not None
    return (told.read, told.trade, told.withdraw)


D = Decimal
_CLOSED = Doubt(PERPETUAL, "main", "ETH", PERPETUAL, before=D(-2), now=D(0), polls=1)
_PAID = Doubt("main/swap/USDT", "main", "USDT", None, before=D(1), now=D(0), polls=1)
_SENT = Doubt("main/spot/ETH", "main", "ETH", None, before=D(1), now=D(0), polls=1)
HISTORIES = ("deals", "orders", "transfers", "funding_paid", "spot_transfers", "withdrawals", "spot_trades")
DEAL = {"symbol": "ETH_USDT", "side": 2, "vol": 2, "price": 3000, "feeCurrency": "USDT", "timestamp": NOW}
ORDER = {"symbol": "ETH_USDT", "side": 2, "vol": 2, "dealVol": 2, "category": 1, "profit": 0, "takerFee": 0}
ORDER |= {"makerFee": 0, "feeCurrency": "USDT", "updateTime": NOW}
MOVED_OUT = {"currency": "USDT", "amount": 1, "type": "OUT", "state": "SUCCESS", "createTime": NOW}
FUNDING = {"symbol": "ETH_USDT", "funding": -1, "settleTime": NOW}
TO_FUTURES = {"asset": "ETH", "amount": "1", "status": "SUCCESS", "timestamp": NOW}
WITHDRAWN = {"coin": "ETH", "amount": "0.99", "transactionFee": "0.01", "status": "7", "applyTime": str(NOW)}
SOLD = {"symbol": "ETHUSDT", "qty": "1", "quoteQty": "3000", "isBuyer": False, "time": NOW}
_PRIVATE = "/api/v1/private"
NONE_HELD = {"success": True, "code": 0, "data": []}  # the venue's own way to say that there is none
READS = {
    "spot markets": Asked("/api/v3/exchangeInfo", lambda it: it.market.prices(["ETH", "SOL"], "USDT"), listed=True),
    "contracts": Asked("/api/v1/contract/detail", lambda it: it.market.instruments(), listed=True),
    "server time": Asked("/api/v3/time", lambda it: it.reader.balances("spot")),
    "spot wallet": Asked("/api/v3/account", lambda it: it.reader.balances("spot")),
    "margin wallet": Asked("/api/v3/margin/isolated/account", lambda it: it.reader.balances("margin")),
    "futures wallet": Asked(f"{_PRIVATE}/account/assets", lambda it: it.reader.balances("swap"), [NONE_HELD]),
    "margin of futures": Asked(f"{_PRIVATE}/account/assets", lambda it: it.reader.derivatives()),
    "futures positions": Asked(f"{_PRIVATE}/position/open_positions", lambda it: it.reader.derivatives(), [NONE_HELD]),
    "position mode": Asked(f"{_PRIVATE}/position/position_mode", lambda it: it.reader.derivatives()),
    "marks of coin margin": Asked("/api/v1/contract/ticker", lambda it: it.reader.derivatives()),
    "contract tickers": Asked("/api/v1/contract/ticker", lambda it: it.market.quotes([PERPETUAL, INVERSE])),
    "spot prices": Asked("/api/v3/ticker/price", lambda it: it.market.prices(["ETH", "SOL"], "USDT")),
    "key permissions": Asked("/api/v3/apiKeyInfo", _permissions),
    "futures fills": Asked(
        f"{_PRIVATE}/order/list/order_deals", explain(_CLOSED, HISTORIES, deals=[DEAL]), [NONE_HELD]
    ),
    "futures orders": Asked(
        f"{_PRIVATE}/order/list/history_orders", explain(_CLOSED, HISTORIES, orders=[ORDER]), [NONE_HELD]
    ),
    "futures transfers": Asked(f"{_PRIVATE}/account/transfer_record", explain(_PAID, HISTORIES, transfers=[MOVED_OUT])),
    "funding payments": Asked(
        f"{_PRIVATE}/position/funding_records", explain(_PAID, HISTORIES, funding_paid=[FUNDING])
    ),
    "transfers": Asked("/api/v3/capital/transfer", explain(_SENT, HISTORIES, spot_transfers=[TO_FUTURES])),
    "withdrawals": Asked("/api/v3/capital/withdraw/history", explain(_SENT, HISTORIES, withdrawals=[WITHDRAWN]), [[]]),
    "spot fills": Asked("/api/v3/myTrades", explain(_SENT, HISTORIES, spot_trades=[SOLD]), [[]], may_be_unknown=True),
}


def _with_coin_margin(it: Bench) -> None:
    it.truth.pools["BTC"] = Pool(it.truth.prices["BTC"] / 60000)
    it.truth.positions["BTC_USD"] = Held(it.truth.prices["BTC"] / 600, it.truth.prices["BTC"])


def _enveloped(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return inner.map(lambda data: {"success": True, "code": 0, "data": data})


VENUE = Venue(
    bench,
    READS,
    _with_coin_margin,
    envelope=_enveloped,
    unknown={"Position.liquidation_price", "Position.trusted"},
    time_limit=0.4,
)


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
    """Keys, signatures and addresses appear in no message, repr, log line at any level, or traceback."""
    spot = echo(KEYS, ("/api/v3/account", "/api/v3/apiKeyInfo"), lambda said: {"code": 700004, "msg": said})
    futures = echo(KEYS, [f"{_PRIVATE}/account/assets"], lambda said: {"success": False, "code": 600, "message": said})
    breaks = {
        "key": lambda it: setattr(it.server, "api_key", "another"),
        "echo": spot,
        "echo of futures": futures,
    }
    everything = await everything_said(
        VENUE,
        breaks,
        lambda it: (
            it.reader.balances("spot"),
            it.reader.balances("swap"),
            it.reader.derivatives(),
            it.market.quotes([PERPETUAL]),
            _permissions(it),
        ),
        caplog,
        capsys,
    )
    assert "main: spot wallet" in everything
    assert "main: key permissions" in everything
    for secret in (KEYS["apiKey"], KEYS["secret"], "signature=", "://", "timestamp="):
        assert secret not in everything, secret
