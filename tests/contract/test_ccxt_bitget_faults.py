"""Whatever Bitget answers: a `VenueError` or the right values, never silently empty, zero or half."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.model.permissions import Permissions
from hedged.model.snapshot import Doubt
from tests.contract.replies import NOW, Asked, Running, Venue, echo, every_fault_passes, everything_said
from tests.support import T0
from tests.venues.bitget_bench import COIN_DATED, COIN_PERPETUAL, KEYS, PERPETUAL, bench
from tests.venues.opened import Bench

API = "/api/v2"
USDT = "productType=USDT-FUTURES"
COIN = "productType=COIN-FUTURES"
_GONE = Doubt(PERPETUAL, "main", "ETH", PERPETUAL, Decimal(-2), Decimal(0), polls=1)
_QUOTED = (PERPETUAL, COIN_PERPETUAL, COIN_DATED)


def _enveloped(data: Any) -> dict[str, Any]:
    return {"code": "00000", "msg": "success", "data": data}


NONE: tuple[object, ...] = (_enveloped([]),)


def _left(wallet: str, asset: str) -> Doubt:
    return Doubt(f"main/{wallet}/{asset}", "main", asset, None, Decimal(1), Decimal(0), polls=1)


def _rights(reply: Any) -> Permissions:
    allowed = set(reply["data"]["authorities"])
    return Permissions(
        read=bool(allowed & {"cpor", "cpow"}), trade=False, withdraw=False, bound_to_address=bool(reply["data"]["ips"])
    )


READS = {
    "server time": Asked(f"{API}/public/time", lambda it: it.reader.balances("spot")),
    "spot markets": Asked(
        f"{API}/spot/public/symbols", lambda it: it.market.prices(["ETH", "SOL"], "USDT"), listed=True
    ),
    "contracts": Asked(f"{API}/mix/market/contracts?{USDT}", lambda it: it.market.instruments(), listed=True),
    "coin-margined contracts": Asked(
        f"{API}/mix/market/contracts?{COIN}", lambda it: it.market.instruments(), listed=True
    ),
    "spot prices": Asked(
        f"{API}/spot/market/tickers", lambda it: it.market.prices(["ETH", "SOL"], "USDT"), listed=True
    ),
    "tickers": Asked(f"{API}/mix/market/tickers?{COIN}", lambda it: it.market.quotes(_QUOTED)),
    "funding rates": Asked(f"{API}/mix/market/current-fund-rate?{USDT}", lambda it: it.market.quotes(_QUOTED)),
    "margin tiers": Asked(f"{API}/mix/market/query-position-lever?symbol=ETHUSDT&{USDT}", lambda it: it.tiers()),
    "key permissions": Asked(f"{API}/spot/account/info", lambda it: it.permissions(), meaning=_rights),
    "spot wallet": Asked(f"{API}/spot/account/assets", lambda it: it.reader.balances("spot"), NONE),
    "funding wallet": Asked(f"{API}/account/funding-assets", lambda it: it.reader.balances("funding"), NONE),
    "cross margin": Asked(f"{API}/margin/crossed/account/assets", lambda it: it.reader.balances("margin"), NONE),
    "isolated margin": Asked(f"{API}/margin/isolated/account/assets", lambda it: it.reader.balances("margin"), NONE),
    "earn wallet": Asked(f"{API}/earn/account/assets", lambda it: it.reader.balances("earn"), NONE),
    "futures wallet": Asked(f"{API}/mix/account/accounts?{COIN}", lambda it: it.reader.balances("swap"), NONE),
    "margin": Asked(f"{API}/mix/account/accounts?{COIN}", lambda it: it.reader.derivatives(), NONE),
    "positions": Asked(f"{API}/mix/position/all-position?{COIN}", lambda it: it.reader.derivatives(), NONE),
    "fills": Asked(f"{API}/mix/order/fills", lambda it: it.reader.explain(_GONE, T0), NONE, may_be_unknown=True),
    "forced": Asked(f"{API}/mix/account/bill", lambda it: it.reader.explain(_GONE, T0), NONE, may_be_unknown=True),
    "orders": Asked(
        f"{API}/mix/order/orders-history", lambda it: it.reader.explain(_GONE, T0), NONE, may_be_unknown=True
    ),
    "spot bills": Asked(
        f"{API}/spot/account/bills", lambda it: it.reader.explain(_left("spot", "ETH"), T0), NONE, may_be_unknown=True
    ),
    "margin bills": Asked(
        f"{API}/margin/crossed/financial-records",
        lambda it: it.reader.explain(_left("margin", "SOL"), T0),
        NONE,
        may_be_unknown=True,
    ),
}
# what the venue leaves blank where it knows nothing, and what is then unknown
BLANK = {"unrealizedPL", "usdtEquity", "crossedRiskRate", "crossedMaxAvailable", "marginSize", "leverage"}
UNKNOWN = {
    *(f"Position.{name}" for name in ("unrealised_pnl", "maintenance_margin", "liquidation_price", "trusted")),
    *(f"Quote.{name}" for name in ("bid", "ask", "index", "funding_rate", "funding_interval_hours", "funding_next")),
    "Margin.maintenance",
    "Margin.available",
    "Instrument.delisting",
    "Derivatives.equities",
}


def _movements(it: Bench) -> None:
    """What explains each of the doubts above; the position is only explained by orders."""
    it.truth.orders = [{"symbol": "ETHUSDT", "side": "buy", "baseVolume": "2", "cTime": str(NOW)}]
    it.truth.fills = [{"symbol": "ETHUSDT", "side": "buy", "baseVolume": "1", "cTime": str(NOW)}]
    it.truth.bills = [
        {"symbol": "ETHUSDT", "businessType": "buy", "amount": "-1", "fee": "0", "coin": "USDT", "cTime": str(NOW)}
    ]
    it.truth.spot_bills = [
        {"coin": "ETH", "groupType": "transaction", "businessType": "SELL", "size": "-1", "cTime": str(NOW)}
    ]
    it.truth.margin_bills = [{"coin": "SOL", "marginType": "deal_out", "amount": "-1", "cTime": str(NOW)}]


VENUE = Venue(
    bench,
    READS,
    _movements,
    envelope=lambda data: data.map(_enveloped),
    blank_is_none=BLANK,
    may_lack={"coupon", "grant", "fee"},
    unknown=UNKNOWN,
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
    """A reply that is anything at all, or right but for one field, gives an error, right values, or 'unknown'."""
    running.is_error_or_right(name, data)


async def test_no_secret_in_any_error_log_or_traceback(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys, passphrase, signatures and addresses appear in no message, repr, log line at any level, or traceback."""
    breaks = {
        "key": lambda it: setattr(it.server, "passphrase", "another"),
        "echo": echo(
            KEYS,
            (f"{API}/spot/account/assets", f"{API}/mix/account/accounts"),
            lambda said: {"code": "40017", "msg": said, "data": None},
        ),
    }
    everything = await everything_said(
        VENUE,
        breaks,
        lambda it: (
            *map(it.reader.balances, it.reader.wallets),
            it.reader.derivatives(),
            it.market.quotes([PERPETUAL]),
        ),
        caplog,
        capsys,
    )
    assert "main: spot wallet" in everything
    for secret in (*KEYS.values(), "sign=", "://", "ACCESS-SIGN"):
        assert secret not in everything, secret
