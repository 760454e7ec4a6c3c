"""Every read of a Bybit account, what it asks, and when one answer is as good as another."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from decimal import Decimal
from typing import Any

from hedged.model.instrument import Instrument
from hedged.model.snapshot import Balance, Doubt, Read
from tests.support import T0
from tests.venues.bybit_bench import DATED, INVERSE, INVERSE_DATED, PERPETUAL, Bench

Ask = Callable[[Bench], Awaitable[object]]


@dataclass(frozen=True)
class Asked:
    """A read, and the one request (path, query; "" for any) whose reply is put to the test."""

    path: str
    query: str
    ask: Ask


def balance(wallet: str) -> Ask:
    return lambda it: it.reader.balances(wallet)


def explain(subject: str, before: int) -> Ask:
    instrument = PERPETUAL if subject == PERPETUAL else None
    doubt = Doubt(subject, "main", "ETH", instrument, Decimal(before), Decimal(0), polls=1)
    return lambda it: it.reader.explain(doubt, T0)


async def permissions(it: Bench) -> object:
    async with it.opened._line.reading("permissions"):
        return await it.opened._line.signed(lambda: it.dialect.permissions(it.connection))


async def tiers(it: Bench) -> object:
    async with it.opened._line.reading("tiers"):
        markets = await it.opened._line.markets()
        return await it.dialect.tiers(it.connection, {"ETHUSDT": markets.contracts["ETHUSDT"]})


INFO, TICKERS = "/v5/market/instruments-info", "/v5/market/tickers"
READS: dict[str, Asked] = {
    "spot markets": Asked(INFO, "category=spot", lambda it: it.market.prices(["ETH", "SOL"], "USDT")),
    "linear markets": Asked(INFO, "category=linear&limit=1000", lambda it: it.market.instruments()),
    "inverse markets": Asked(INFO, "category=inverse&limit=1000", lambda it: it.market.instruments()),
    "server time": Asked("/v5/market/time", "", balance("spot")),
    "unified wallet": Asked("/v5/account/wallet-balance", "", balance("spot")),
    "margin": Asked("/v5/account/wallet-balance", "", lambda it: it.reader.derivatives()),
    "positions": Asked(
        "/v5/position/list", "category=linear&settleCoin=USDT&limit=200", lambda it: it.reader.derivatives()
    ),
    "inverse positions": Asked("/v5/position/list", "category=inverse&limit=200", lambda it: it.reader.derivatives()),
    "funding wallet": Asked("/v5/asset/transfer/query-account-coins-balance", "", balance("funding")),
    "earn wallet": Asked("/v5/earn/position", "category=OnChain", balance("earn")),
    "linear tickers": Asked(TICKERS, "", lambda it: it.market.quotes([PERPETUAL, DATED])),
    "inverse tickers": Asked(TICKERS, "", lambda it: it.market.quotes([INVERSE, INVERSE_DATED])),
    "spot tickers": Asked(TICKERS, "", lambda it: it.market.prices(["ETH", "SOL"], "USDT")),
    "fills": Asked("/v5/execution/list", "", explain(PERPETUAL, -2)),
    "orders": Asked("/v5/order/history", "", explain(PERPETUAL, -3)),
    "account log": Asked("/v5/account/transaction-log", "", explain("main/spot/ETH", 10)),
    "transfers": Asked("/v5/asset/transfer/query-inter-transfer-list", "", explain("main/funding/ETH", 10)),
    "withdrawals": Asked("/v5/asset/withdraw/query-record", "", explain("main/funding/ETH", 10)),
    "key permissions": Asked("/v5/user/query-api", "", permissions),
    "risk limits": Asked("/v5/market/risk-limit", "", tiers),
}


def fill_histories(it: Bench) -> None:
    """Movements that explain each of the doubts above."""
    now, truth = str(it.truth.now()), it.truth
    fill = {"symbol": "ETHUSDT", "side": "Buy", "execType": "Trade", "execTime": now}
    truth.fills = [{**fill, "execQty": "1.5", "execId": "1"}, {**fill, "execQty": "0.5", "execId": "2"}]
    truth.orders = [{"symbol": "ETHUSDT", "side": "Buy", "cumExecQty": "3", "createdTime": now}]
    truth.log = [{"type": "TRADE", "currency": "ETH", "change": "-10", "transactionTime": now}]
    moved = {"coin": "ETH", "fromAccountType": "FUND", "toAccountType": "UNIFIED", "timestamp": now}
    truth.transfers = [{**moved, "amount": "4", "status": "SUCCESS"}]
    truth.withdrawals = [{"coin": "ETH", "amount": "6", "status": "success", "createTime": now}]


def values(read: Any) -> Any:
    """Without the times of reading."""
    if isinstance(read, Mapping):
        return {key: values(value) for key, value in read.items()}
    return read.value if isinstance(read, Read) else read


def is_right(found: Any, right: Any) -> bool:
    """The same, or less: a field may be unknown, a position untrusted, a contract not listed; nothing may differ."""
    if found is None or found == right:
        return True
    if isinstance(found, Mapping):
        return all(key in right and is_right(value, right[key]) for key, value in found.items())
    if isinstance(found, tuple):
        return len(found) == len(right) and all(map(is_right, found, right))
    if isinstance(found, Balance):  # which part is locked in orders may be unknown
        return (found.asset, found.net, found.debt) == (right.asset, right.net, right.debt)
    if is_dataclass(found):
        lessened = {"trusted": False} | ({"notional_min": 0} if isinstance(found, Instrument) else {})
        pairs = ((f.name, getattr(found, f.name), getattr(right, f.name)) for f in fields(found))
        return all(is_right(mine, theirs) or lessened.get(name) == mine for name, mine, theirs in pairs)
    return False
