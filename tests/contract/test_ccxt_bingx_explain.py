"""What went missing at BingX is explained by what the venue shows, and only if that adds up to the change."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.errors import Refused, Unreadable
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Doubt
from tests.support import T0
from tests.venues.bingx_bench import INVERSE, LINEAR, Bench, bench
from tests.venues.bingx_server import (
    FILLS,
    FORCED,
    FORCED_COINS,
    INCOME,
    ORDERS,
    ORDERS_COINS,
    TRADES,
    TRANSFERS,
    WITHDRAWALS,
)

D = Decimal
SINCE = T0 - timedelta(minutes=1)
NOW = 1793620800000  # T0 in the venue's milliseconds
FROM = "since 2026-11-02 11:59 UTC"


def position(before: str, now: str, instrument: InstrumentId = LINEAR) -> Doubt:
    return Doubt(instrument, "main", "ETH", instrument, D(before), D(now), polls=1)


def balance(wallet: str, asset: str, before: str, now: str) -> Doubt:
    return Doubt(f"main/{wallet}/{asset}", "main", asset, None, D(before), D(now), polls=1)


async def explained(it: Bench, doubt: Doubt) -> str | None:
    if doubt.instrument is None:
        await it.reader.balances(doubt.subject.split("/")[1])
    return await it.reader.explain(doubt, SINCE)


def fill(side: str, qty: str, time: int = NOW) -> dict[str, Any]:
    return {"symbol": "ETH-USDT", "side": side, "positionSide": "BOTH", "qty": qty, "price": "3000", "time": time}


def order(symbol: str, side: str, executed: str, **fields: Any) -> dict[str, Any]:
    return {"symbol": symbol, "side": side, "executedQty": executed, "status": "FILLED", "time": NOW, **fields}


@pytest.mark.parametrize(
    ("fills", "says"),
    [
        ([fill("BUY", "1.5"), fill("BUY", "0.5")], f"2 fills {FROM}, +2 contracts in all"),
        ([fill("BUY", "3"), fill("SELL", "1")], f"2 fills {FROM}, +2 contracts in all"),
        ([fill("BUY", "1.5")], None),
        ([fill("SELL", "2")], None),
        ([fill("BUY", "2", NOW - 61_000)], None),
        ([], None),
    ],
)
async def test_fills_explain_a_position_if_they_add_up(fills: list[dict[str, Any]], says: str | None) -> None:
    """A closed short is explained by purchases of its size since the last read, by nothing less or else."""
    async with bench() as it:
        it.truth.histories = {FILLS: fills}
        assert await explained(it, position("-2", "0")) == says


@pytest.mark.parametrize(("path", "instrument"), [(FORCED, LINEAR), (FORCED_COINS, INVERSE)])
async def test_a_forced_order_explains_a_position_that_is_gone(path: str, instrument: InstrumentId) -> None:
    """Liquidation and deleveraging of this very contract, and only if nothing of it is left."""
    symbol = "ETH-USDT" if instrument == LINEAR else "ETH-USD"
    async with bench() as it:
        it.truth.histories = {path: [order(symbol, "BUY", "2", type="LIQUIDATION")]}
        assert await explained(it, position("-2", "0", instrument)) == (
            f"closed by the venue {FROM} (liquidation or deleveraging)"
        )
        assert await explained(it, position("-2", "-1", instrument)) is None
        assert await explained(it, position("-2", "0", InstrumentId("main:BTC/USDT:USDT"))) is None


async def test_executed_orders_explain_a_position() -> None:
    """Where fills are not shown; coin-margined orders tell dollars of face value, ten a contract."""
    async with bench() as it:
        coins = order("ETH-USD", "SELL", "30.00000000", quantity=4, origQty="40.00000000")
        it.truth.histories = {ORDERS: [order("ETH-USDT", "BUY", "2.00")], ORDERS_COINS: [coins]}
        assert await explained(it, position("-2", "0")) == f"orders {FROM} executed +2 contracts in all"
        assert await explained(it, position("3", "0", INVERSE)) == f"orders {FROM} executed -3 contracts in all"
        assert await explained(it, position("30", "0", INVERSE)) is None


async def test_a_contract_no_longer_listed_stays_unexplained() -> None:
    """Its fills cannot be asked for: a person has to look."""
    async with bench() as it:
        assert await explained(it, position("-2", "0", InstrumentId("main:GONE/USDT:USDT"))) is None


def flow(kind: str, income: str, asset: str = "USDT") -> dict[str, Any]:
    return {"symbol": "", "incomeType": kind, "income": income, "asset": asset, "time": NOW}


async def test_the_fund_flow_explains_a_futures_wallet() -> None:
    """Every change of the linear account is income of some kind; other assets' does not count."""
    async with bench() as it:
        it.truth.histories = {
            INCOME: [flow("TRANSFER", "-9000"), flow("REALIZED_PNL", "-100"), flow("X", "-5", "USDC")]
        }
        assert await explained(it, balance("swap", "USDT", "10000", "900")) == (
            f"{FROM}: realized pnl -100 USDT, transfer -9000 USDT"
        )
        assert await explained(it, balance("swap", "USDT", "20000", "900")) is None


def transfer(source: str, target: str, asset: str, amount: str, status: str = "CONFIRMED") -> dict[str, Any]:
    accounts = {"fromAccount": source, "toAccount": target}
    return {**accounts, "asset": asset, "amount": amount, "status": status, "time": NOW}


@pytest.mark.parametrize(
    ("wallet", "source", "target"),
    [("spot", "spot", "USDTMPerp"), ("funding", "fund", "spot"), ("swap", "coinMPerp", "spot")],
)
async def test_transfers_explain_every_wallet(wallet: str, source: str, target: str) -> None:
    """Coins moved between the venue's accounts are not lost; one that was not carried out explains nothing."""
    async with bench() as it:
        it.truth.histories = {TRANSFERS: [transfer(source, target, "ETH", "10")]}
        assert await explained(it, balance(wallet, "ETH", "12", "2")) == (
            f"{FROM}: transfer {source} to {target} -10 ETH"
        )
        assert await explained(it, balance(wallet, "SOL", "12", "2")) is None
        it.truth.histories = {TRANSFERS: [transfer(source, target, "ETH", "10", "FAILED")]}
        assert await explained(it, balance(wallet, "ETH", "12", "2")) is None


async def test_transfers_counted_and_not_listed_are_unreadable() -> None:
    """The venue leaves the rows out where there are none; where it counts some, they have to be there."""
    async with bench() as it:
        it.server.replies[TRANSFERS] = json.dumps({"total": 1, "rows": None})
        with pytest.raises(Unreadable, match="counted and not listed"):
            await explained(it, balance("funding", "ETH", "12", "2"))


@pytest.mark.parametrize("wallet", ["spot", "funding"])
async def test_a_withdrawal_explains_a_wallet_less_its_fee(wallet: str) -> None:
    """A withdrawal counts with what left, a failed one with nothing."""
    row = {"coin": "ETH", "amount": "9.99", "transactionFee": "0.01", "status": 4, "time": NOW}
    async with bench() as it:
        it.truth.histories = {WITHDRAWALS: [row]}
        assert await explained(it, balance(wallet, "ETH", "12", "2")) == f"{FROM}: withdrawal -9.99 ETH"
        assert await explained(it, balance(wallet, "ETH", "20", "2")) is None
        it.truth.histories = {WITHDRAWALS: [{**row, "status": 5}]}
        assert await explained(it, balance(wallet, "ETH", "12", "2")) is None


async def test_trades_explain_spot_whichever_side_the_asset_was_on() -> None:
    """Coins sold for the quote, and quote spent on coins that are held now, are both found."""
    sold = {"symbol": "ETH-USDT", "qty": "10", "quoteQty": "30000", "isBuyer": False, "time": NOW}
    async with bench() as it:
        it.truth.histories = {TRADES: [sold]}
        assert await explained(it, balance("spot", "ETH", "12", "2")) == f"{FROM}: spot trades -10 ETH"
        it.truth.spot["LINK"] = (D(2000), D(0))  # no usual partner: searched because it is held
        it.truth.histories = {TRADES: [{**sold, "symbol": "LINK-USDT", "qty": "2000", "isBuyer": True}]}
        assert await explained(it, balance("spot", "USDT", "30500", "500")) == f"{FROM}: spot trades -30000 USDT"
        assert await explained(it, balance("spot", "ETH", "12", "2")) is None


async def test_a_key_that_may_not_see_a_history_is_told_only_if_nothing_else_explains() -> None:
    """Transfers and fund flow need permissions of their own; what a reading key is shown still counts."""
    sold = {"symbol": "ETH-USDT", "qty": "10", "quoteQty": "30000", "isBuyer": False, "time": NOW}
    async with bench() as it:
        it.server.forbidden = {TRANSFERS, INCOME}
        it.truth.histories = {TRADES: [sold]}
        assert await explained(it, balance("spot", "ETH", "12", "2")) == f"{FROM}: spot trades -10 ETH"
        with pytest.raises(Refused, match="transfers: the key may not do this"):
            await explained(it, balance("spot", "SOL", "12", "2"))
        with pytest.raises(Refused, match="futures income: the key may not do this"):
            await explained(it, balance("swap", "USDT", "12", "2"))


async def test_the_time_asked_from_is_the_venues() -> None:
    """Our clock may be off by an hour: what is asked for begins at the same moment of the venue's clock."""
    async with bench() as it:
        it.truth.now = lambda: NOW - 3_600_000
        it.truth.histories = {FILLS: [fill("BUY", "2", NOW - 3_600_000)]}
        assert await explained(it, position("-2", "0")) is not None
        it.truth.histories = {FILLS: [fill("BUY", "2", NOW - 3_661_000)]}
        assert await explained(it, position("-2", "0")) is None
