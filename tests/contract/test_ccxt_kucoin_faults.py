"""Whatever KuCoin answers: a `VenueError` or the right values, never silently empty, zero or half."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.model.instrument import InstrumentId
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Doubt
from tests.contract.replies import NOW, Asked, Running, Venue, echo, every_fault_passes, everything_said
from tests.support import T0
from tests.venues.kucoin_bench import INVERSE, INVERSE_DATED, KEYS, PERPETUAL, WALLETS, bench


def derivatives(it: Any) -> Any:
    it.opened._line._markets = None  # another reply's
    return it.reader.derivatives()


def quotes(it: Any) -> Any:
    return it.market.quotes([PERPETUAL, INVERSE, INVERSE_DATED])


def prices(it: Any) -> Any:
    return it.market.prices(["ETH"], "USDT")


def balances(wallet: str) -> Any:
    return lambda it: it.reader.balances(wallet)


async def tiers(it: Any) -> object:
    it.opened._line._markets = None  # another reply's
    async with it.opened._line.reading("tiers"):
        markets = await it.opened._line.markets()
        return await it.dialect.tiers(it.connection, {"ETHUSDTM": markets.contracts["ETHUSDTM"]})


def explain(path: str, subject: str, instrument: InstrumentId | None = None) -> Asked:
    """A doubt about five that are gone."""
    doubt = Doubt(subject, "main", "ETH", instrument, before=Decimal(5), now=Decimal(0), polls=1)

    async def ask(it: Any) -> object:
        await it.market.instruments()
        return await it.reader.explain(doubt, T0)

    return Asked(f"/api/v1/{path}", ask, may_be_unknown=True)


async def mode(it: Any) -> str:
    return "hedge" if await it.opened.hedge_mode([]) else "one-way"


def allowed(reply: Any) -> Permissions:
    """What a reply that can be read says: a permission is but a word."""
    row = reply["data"]
    words = {word.strip() for word in row["permission"].split(",")}
    return Permissions("General" in words, "Futures" in words, "Transfer" in words, bool(row.get("ipWhitelist")))


READS = {
    "spot markets": Asked("/api/v2/symbols", prices, listed=True),
    "contracts": Asked("/api/v1/contracts/active", lambda it: it.market.instruments(), listed=True),
    "server time": Asked("/api/v1/timestamp", balances("spot")),
    "account mode": Asked("/api/ua/v1/account/mode", balances("spot")),
    "trading accounts": Asked("/api/v1/accounts", balances("spot"), [{"code": "200000", "data": []}]),
    "cross margin": Asked("/api/v3/margin/accounts", balances("margin")),
    "isolated margin": Asked("/api/v3/isolated/accounts", balances("margin")),
    "collateral": Asked("/api/v1/account-overview?currency=USDT", balances("swap")),
    "margin": Asked("/api/v1/account-overview?currency=XBT", derivatives),
    "positions": Asked("/api/v1/positions", derivatives, [{"code": "200000", "data": []}]),
    "marks": Asked("/api/v1/contracts/active", quotes, listed=True),
    "books": Asked("/api/v1/allTickers", quotes, listed=True),
    "spot prices": Asked("/api/v1/market/allTickers", prices, listed=True),
    "tiers": Asked("/api/v1/contracts/risk-limit/ETHUSDTM", tiers),
    "position mode": Asked("/api/v2/position/getPositionMode", mode),
    "key permissions": Asked("/api/v1/user/api-key", lambda it: it.opened.permissions(), meaning=allowed),
    "fills": explain("fills", PERPETUAL, PERPETUAL),
    "ledger": explain("accounts/ledgers", "main/funding/ETH"),
    "trading ledger": explain("hf/accounts/ledgers", "main/spot/ETH"),
    "futures ledger": explain("transaction-history", "main/swap/ETH"),
}


def prepare(it: Any) -> None:
    """What shows where five of each went; one time for all."""
    it.truth.now = lambda: NOW
    entry = {"currency": "ETH", "amount": "5", "bizType": "WITHDRAW", "direction": "out", "createdAt": NOW}
    it.truth.ledger = [entry | {"accountType": "MAIN"}]
    it.truth.trading_ledger = [entry | {"accountType": "TRADE_HF"}]
    it.truth.futures_ledger = [{"currency": "ETH", "type": "TransferOut", "amount": -5, "createdAt": NOW}]
    it.truth.fills = [{"symbol": "ETHUSDTM", "side": "sell", "size": 5, "tradeType": "trade", "createdAt": NOW}]
    it.truth.permission, it.truth.ip_whitelist = "General,Futures", "1.2.3.4"


# what the venue leaves out where there is none of it
UNKNOWN = {"Quote.bid", "Quote.ask", "Quote.index", "Quote.funding_rate", "Quote.funding_interval_hours"}
UNKNOWN |= {"Quote.funding_next", "Position.liquidation_price", "Position.maintenance_margin", "Position.trusted"}
UNKNOWN |= {"Position.entry_price", "Margin.available", "Margin.equity", "Margin.maintenance", "Balance.locked"}
VENUE = Venue(
    bench,
    READS,
    prepare,
    unknown=UNKNOWN,
    may_lack=("positionSide", "posMaint", "expireDate", "nextFundingRateTime", "ipWhitelist", "code"),
    untouched=("symbol", "posMaint", "expireDate", "nextFundingRateTime", "ipWhitelist", "code", "type", "accountType"),
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
    """A reply that is anything at all, or right but for one field, gives an error, the right values, or less."""
    running.is_error_or_right(name, data)


async def test_no_secret_in_any_error_log_or_traceback(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys, passphrase, signatures and addresses appear in no message, repr, log line at any level, or traceback."""
    paths = ("/api/v1/accounts", "/api/v1/positions")
    breaks = {
        "key": lambda it: setattr(it.server, "passphrase", "another"),
        "echo": echo(KEYS, paths, lambda said: {"code": "400100", "msg": said}),
    }

    def asks(it: Any) -> list[Any]:
        return [*(it.reader.balances(wallet) for wallet in WALLETS), derivatives(it), quotes(it)]

    everything = await everything_said(VENUE, breaks, asks, caplog, capsys)
    assert "main: accounts: HTTP 200: 400100 bad request" in everything
    for secret in (*KEYS.values(), "sign=", "://", "KC-API-SIGN"):
        assert secret not in everything, secret
