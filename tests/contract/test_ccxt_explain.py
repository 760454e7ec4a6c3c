"""What went missing is explained by what the venue shows, and only if that adds up to the change."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Doubt
from tests.support import T0
from tests.venues.binance_bench import PERPETUAL, Bench, bench

D = Decimal
SINCE = T0 - timedelta(minutes=1)
NOW = 1793620800000  # T0 in the venue's milliseconds


def position(before: str, now: str, instrument: InstrumentId = PERPETUAL) -> Doubt:
    return Doubt(instrument, "main", "ETH", instrument, D(before), D(now), polls=1)


def balance(wallet: str, asset: str, before: str, now: str) -> Doubt:
    return Doubt(f"main/{wallet}/{asset}", "main", asset, None, D(before), D(now), polls=1)


async def explained(it: Bench, doubt: Doubt) -> str | None:
    if doubt.instrument is None:
        await it.reader.balances(doubt.subject.split("/")[1])
    return await it.reader.explain(doubt, SINCE)


def fill(side: str, qty: str, time: int = NOW) -> dict[str, Any]:
    return {"symbol": "ETHUSDT", "side": side, "qty": qty, "price": "3000", "time": time}


@pytest.mark.parametrize(
    ("fills", "says"),
    [
        ([fill("BUY", "1.5"), fill("BUY", "0.5")], "2 fills since 2026-11-02 11:59 UTC, +2 contracts in all"),
        ([fill("BUY", "3"), fill("SELL", "1")], "2 fills since 2026-11-02 11:59 UTC, +2 contracts in all"),
        ([fill("BUY", "1.5")], None),
        ([fill("SELL", "2")], None),
        ([fill("BUY", "2", NOW - 61_000)], None),
        ([], None),
    ],
)
async def test_fills_explain_a_position_if_they_add_up(fills: list[dict[str, Any]], says: str | None) -> None:
    """A closed short is explained by purchases of its size since the last read, by nothing less or else."""
    async with bench() as it:
        it.truth.fills = fills
        assert await explained(it, position("-2", "0")) == says


@pytest.mark.parametrize(
    ("kind", "now", "says"),
    [
        ("INSURANCE_CLEAR", "0", "closed by the venue since 2026-11-02 11:59 UTC (INSURANCE_CLEAR)"),
        ("DELIVERED_SETTELMENT", "0", "closed by the venue since 2026-11-02 11:59 UTC (DELIVERED_SETTELMENT)"),
        ("DELIVERED_SETTELMENT", "-1", None),
        ("FUNDING_FEE", "0", None),
    ],
)
async def test_a_settlement_explains_a_position_that_is_gone(kind: str, now: str, says: str | None) -> None:
    """Delivery and liquidation take the whole position; funding takes none."""
    async with bench() as it:
        it.truth.income = [{"symbol": "ETHUSDT", "incomeType": kind, "income": "-5", "asset": "USDT", "time": NOW}]
        assert await explained(it, position("-2", now)) == says


async def test_executed_orders_explain_a_position() -> None:
    """Where fills are not shown, orders that executed the change are."""
    async with bench() as it:
        it.truth.orders = [{"symbol": "ETHUSDT", "side": "BUY", "executedQty": "2.000", "time": NOW}]
        assert await explained(it, position("-2", "0")) == (
            "orders since 2026-11-02 11:59 UTC executed +2 contracts in all"
        )


async def test_a_contract_no_longer_listed_stays_unexplained() -> None:
    """Its fills cannot be asked for: a person has to look."""
    async with bench() as it:
        assert await explained(it, position("-2", "0", InstrumentId("main:GONE/USDT:USDT"))) is None


async def test_income_explains_a_futures_wallet() -> None:
    """Every change of a futures wallet is income of some kind; other assets' income does not count."""
    async with bench() as it:
        it.truth.income = [
            {"symbol": "", "incomeType": "TRANSFER", "income": "-9000", "asset": "USDT", "time": NOW},
            {"symbol": "ETHUSDT", "incomeType": "REALIZED_PNL", "income": "-100", "asset": "USDT", "time": NOW},
            {"symbol": "", "incomeType": "TRANSFER", "income": "-5000", "asset": "BNB", "time": NOW},
        ]
        assert await explained(it, balance("swap", "USDT", "10000", "900")) == (
            "since 2026-11-02 11:59 UTC: realized pnl -100 USDT, transfer -9000 USDT"
        )
        assert await explained(it, balance("swap", "USDT", "20000", "900")) is None


async def test_a_withdrawal_explains_spot_less_its_fee() -> None:
    """A withdrawal counts with what left; the fee on top is within what is not accounted for."""
    async with bench() as it:
        it.truth.withdrawals = [{"coin": "ETH", "amount": "9.99", "transactionFee": "0.01", "applied": NOW}]
        assert await explained(it, balance("spot", "ETH", "12", "2")) == (
            "since 2026-11-02 11:59 UTC: withdrawal -9.99 ETH"
        )
        assert await explained(it, balance("spot", "ETH", "20", "2")) is None


async def test_a_transfer_explains_spot() -> None:
    """Coins moved to futures are not lost."""
    async with bench() as it:
        it.truth.transfers = [{"type": "MAIN_UMFUTURE", "asset": "ETH", "amount": "10", "timestamp": NOW}]
        assert await explained(it, balance("spot", "ETH", "12", "2")) == (
            "since 2026-11-02 11:59 UTC: transfer MAIN_UMFUTURE -10 ETH"
        )
        assert await explained(it, balance("spot", "SOL", "12", "2")) is None


async def test_trades_explain_spot_whichever_side_the_asset_was_on() -> None:
    """Coins sold for the quote, and quote spent on coins that are held now, are both found."""
    async with bench() as it:
        sold = {"symbol": "ETHUSDT", "qty": "10", "quoteQty": "30000", "isBuyer": False, "time": NOW}
        it.truth.spot_trades = [sold]
        assert await explained(it, balance("spot", "ETH", "12", "2")) == (
            "since 2026-11-02 11:59 UTC: spot trades -10 ETH"
        )
        it.truth.spot["LINK"] = (D(2000), D(0))  # no usual partner: searched because it is held
        it.truth.spot_trades = [{**sold, "symbol": "LINKUSDT", "qty": "2000", "isBuyer": True}]
        assert await explained(it, balance("spot", "USDT", "30500", "500")) == (
            "since 2026-11-02 11:59 UTC: spot trades -30000 USDT"
        )
        assert await explained(it, balance("spot", "ETH", "12", "2")) is None


async def test_margin_wallets_are_explained_by_their_own_histories() -> None:
    """Transfers out, repayments and margin trades add up together."""
    async with bench() as it:
        it.truth.margin_transfers = [{"type": "ROLL_OUT", "asset": "SOL", "amount": "1", "timestamp": NOW}]
        it.truth.repayments = [{"type": "REPAY", "asset": "SOL", "amount": "4", "timestamp": NOW}]
        it.truth.spot_trades = [
            {"symbol": "SOLUSDT", "qty": "5", "quoteQty": "750", "isBuyer": False, "time": NOW},
        ]
        assert await explained(it, balance("margin", "SOL", "11", "1")) == (
            "since 2026-11-02 11:59 UTC: transfer out of margin -1 SOL, repayment -4 SOL, margin trades -5 SOL"
        )


async def test_the_time_asked_from_is_the_venues() -> None:
    """Our clock may be off by an hour: what is asked for begins at the same moment of the venue's clock."""
    async with bench() as it:
        it.truth.now = lambda: NOW - 3_600_000
        it.truth.fills = [fill("BUY", "2", NOW - 3_600_000)]
        assert await explained(it, position("-2", "0")) is not None
        it.truth.fills = [fill("BUY", "2", NOW - 3_661_000)]
        assert await explained(it, position("-2", "0")) is None


@pytest.mark.parametrize(
    ("client_order_id", "by"),
    [
        ("autoclose-1793620800000123", ", by liquidation"),
        ("adl_autoclose", ", by auto-deleveraging"),
        ("settlement_autoclose-1", ", by settlement"),
        ("web_abc", ""),
    ],
)
async def test_orders_of_the_venue_s_own_are_named(client_order_id: str, by: str) -> None:
    """A short that the venue has cut is told apart from one that somebody bought back by hand."""
    async with bench() as it:
        it.truth.fills = [fill("BUY", "0.8")]
        it.truth.orders = [
            {"symbol": "ETHUSDT", "side": "BUY", "executedQty": "0.8", "time": NOW, "clientOrderId": client_order_id}
        ]
        said = await explained(it, position("-2", "-1.2"))
        assert said == f"1 fills since 2026-11-02 11:59 UTC, +0.8 contracts in all{by}"
