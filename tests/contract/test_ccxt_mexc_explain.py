"""What went missing at MEXC is explained by what the venue shows, and only if that adds up to the change."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.errors import Unreadable
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Doubt
from tests.support import T0
from tests.venues.mexc_bench import PERPETUAL, Bench, bench, enveloped

D = Decimal
SINCE = T0 - timedelta(minutes=1)
NOW = 1793620800000  # T0 in the venue's milliseconds
EARLIER = NOW - 61_000
SINCE_SAID = "since 2026-11-02 11:59 UTC"


def position(before: str, now: str, instrument: InstrumentId = PERPETUAL) -> Doubt:
    return Doubt(instrument, "main", "ETH", instrument, D(before), D(now), polls=1)


def balance(wallet: str, asset: str, before: str, now: str) -> Doubt:
    return Doubt(f"main/{wallet}/{asset}", "main", asset, None, D(before), D(now), polls=1)


async def explained(it: Bench, doubt: Doubt) -> str | None:
    if doubt.instrument is None:
        await it.reader.balances(doubt.subject.split("/")[1])
    return await it.reader.explain(doubt, SINCE)


def fill(side: int, vol: float, time: int = NOW, symbol: str = "ETH_USDT") -> dict[str, Any]:
    return {"symbol": symbol, "side": side, "vol": vol, "price": 3000, "feeCurrency": "USDT", "timestamp": time}


def order(side: int, vol: float, category: int = 1, **fields: Any) -> dict[str, Any]:
    row = {"symbol": "ETH_USDT", "side": side, "vol": vol, "dealVol": vol, "category": category, "profit": 0}
    return {**row, "takerFee": 0, "makerFee": 0, "feeCurrency": "USDT", "updateTime": NOW, **fields}


@pytest.mark.parametrize(
    ("deals", "says"),
    [
        ([fill(2, 150), fill(2, 50)], f"2 fills {SINCE_SAID}, +200 contracts in all"),
        ([fill(1, 300), fill(4, 100)], f"2 fills {SINCE_SAID}, +200 contracts in all"),
        ([fill(2, 150)], None),
        ([fill(3, 200)], None),
        ([fill(4, 200)], None),
        ([fill(2, 200, EARLIER)], None),
        ([fill(2, 200, symbol="BTC_USDT")], None),
        ([], None),
    ],
)
async def test_fills_explain_a_position_if_they_add_up(deals: list[dict[str, Any]], says: str | None) -> None:
    """Buying is opening a long or closing a short: that much explains a closed short, nothing less or else."""
    async with bench() as it:
        it.truth.deals = deals
        assert await explained(it, position("-200", "0")) == says


async def test_more_fills_than_a_page() -> None:
    """A page holds a hundred: further ones are asked for, up to five; beyond that nothing is certain."""
    async with bench() as it:
        it.truth.deals = [fill(2, 1)] * 250
        assert await explained(it, position("-250", "0")) == f"250 fills {SINCE_SAID}, +250 contracts in all"
        it.truth.deals = [fill(2, 1)] * 500
        assert await explained(it, position("-500", "0")) is None


@pytest.mark.parametrize(
    ("category", "by"),
    [(1, ""), (2, " by liquidation"), (3, ""), (4, " by ADL")],
    ids=["limit", "taken", "close", "adl"],
)
async def test_executed_orders_explain_a_position(category: int, by: str) -> None:
    """Where fills are not shown, orders that executed the change are; the venue's own are named."""
    async with bench() as it:
        it.truth.orders = [order(2, 200, category), order(1, 7, symbol="BTC_USDT")]
        assert await explained(it, position("-200", "0")) == f"orders {SINCE_SAID} executed +200 contracts in all{by}"
        assert await explained(it, position("-100", "0")) is None


async def test_orders_beyond_what_was_asked_for_do_not_count() -> None:
    """A history that holds other contracts and other times than asked explains nothing with them."""
    async with bench() as it:
        it.server.replies["/api/v1/private/order/list/history_orders"] = enveloped(
            [order(2, 100), order(2, 100, updateTime=EARLIER), order(2, 100, symbol="BTC_USDT")]
        )
        assert await explained(it, position("-200", "0")) is None
        assert await explained(it, position("-100", "0")) is not None
        it.server.replies["/api/v1/private/order/list/history_orders"] = enveloped(
            [order(2, 1, profit=-100), order(2, 1, profit=-900, updateTime=EARLIER)]
        )
        assert await explained(it, balance("swap", "USDT", "1000", "0")) is None
        assert await explained(it, balance("swap", "USDT", "100", "0")) is not None


async def test_a_side_that_is_unknown_explains_nothing() -> None:
    """A side that is none of the four is not taken for a sale."""
    async with bench() as it:
        it.truth.deals = [fill(5, 200)]
        with pytest.raises(Unreadable, match="side is none of the venue's"):
            await explained(it, position("-200", "0"))


async def test_a_contract_no_longer_listed_stays_unexplained() -> None:
    """Its fills cannot be asked for: a person has to look."""
    async with bench() as it:
        assert await explained(it, position("-2", "0", InstrumentId("main:GONE/USDT:USDT"))) is None


def moved(kind: str, amount: float, **fields: Any) -> dict[str, Any]:
    return {"currency": "USDT", "amount": amount, "type": kind, "state": "SUCCESS", "createTime": NOW, **fields}


async def test_a_futures_wallet_is_explained_by_transfers_profit_and_funding() -> None:
    """They add up; other coins, other times, and transfers that did not succeed do not count."""
    async with bench() as it:
        it.truth.transfers = [
            moved("OUT", 8000),
            moved("IN", 100),
            moved("OUT", 500, currency="BTC"),
            moved("OUT", 500, state="FAILED"),
            moved("OUT", 500, createTime=EARLIER),
        ]
        it.truth.orders = [
            order(2, 1, profit=-1875, takerFee=20, makerFee=5),
            order(2, 1, profit=-400, feeCurrency="BTC"),
            order(2, 1, profit=-400, updateTime=EARLIER),
        ]
        it.truth.funding_paid = [
            {"symbol": "ETH_USDT", "funding": -200, "settleTime": NOW},
            {"symbol": "BTC_USD", "funding": -400, "settleTime": NOW},
            {"symbol": "ETH_USDT", "funding": -400, "settleTime": EARLIER},
        ]
        assert await explained(it, balance("swap", "USDT", "10000", "0")) == (
            f"{SINCE_SAID}: transfer in +100 USDT, transfer out -8000 USDT, realised profit after fees -1900 USDT"
        )
        assert await explained(it, balance("swap", "USDT", "10800", "0")) is None
        it.truth.transfers = []
        assert await explained(it, balance("swap", "USDT", "2100", "0")) == (
            f"{SINCE_SAID}: realised profit after fees -1900 USDT, funding -200 USDT"
        )


async def test_a_withdrawal_explains_spot_less_its_fee() -> None:
    """It counts with what left, under whatever network; a failed or cancelled one does not."""
    async with bench() as it:
        row = {"coin": "ETH-ARB", "amount": "9.99", "transactionFee": "0.01", "status": "7", "applyTime": str(NOW)}
        it.truth.withdrawals = [row]
        assert await explained(it, balance("spot", "ETH", "12", "2")) == f"{SINCE_SAID}: withdrawal -9.99 ETH"
        assert await explained(it, balance("spot", "ETH", "20", "2")) is None
        for status in ("8", "9"):
            it.truth.withdrawals = [{**row, "status": status}]
            assert await explained(it, balance("spot", "ETH", "12", "2")) is None


async def test_a_transfer_explains_spot() -> None:
    """Coins moved to futures are not lost, by the name that everybody gives them."""
    async with bench() as it:
        row = {"asset": "STEPN", "amount": "10", "status": "SUCCESS", "timestamp": NOW}
        it.truth.spot_transfers = [row]
        said = f"{SINCE_SAID}: transfer to futures -10 GMT"
        assert await explained(it, balance("spot", "GMT", "12", "2")) == said
        assert await explained(it, balance("spot", "SOL", "12", "2")) is None
        it.truth.spot_transfers = [{**row, "status": "FAILED"}]
        assert await explained(it, balance("spot", "GMT", "12", "2")) is None


async def test_trades_explain_spot_whichever_side_the_asset_was_on() -> None:
    """Coins sold for the quote, and quote spent on coins that are held now, are both found."""
    async with bench() as it:
        sold = {"symbol": "ETHUSDT", "qty": "10", "quoteQty": "30000", "isBuyer": False, "time": NOW}
        it.truth.spot_trades = [sold]
        assert await explained(it, balance("spot", "ETH", "12", "2")) == f"{SINCE_SAID}: spot trades -10 ETH"
        it.truth.spot["LINK"] = (D(2000), D(0))  # no usual partner: searched because it is held
        it.truth.spot_trades = [{**sold, "symbol": "LINKUSDT", "qty": "2000", "isBuyer": True}]
        assert await explained(it, balance("spot", "USDT", "30500", "500")) == f"{SINCE_SAID}: spot trades -30000 USDT"
        assert await explained(it, balance("spot", "ETH", "12", "2")) is None


async def test_a_margin_wallet_stays_unexplained() -> None:
    """The venue does not tell what became of it: a person has to look, and nothing is asked."""
    async with bench() as it:
        await it.market.instruments()
        await it.reader.balances("margin")
        it.paths()
        assert await it.reader.explain(balance("margin", "SOL", "11", "1"), SINCE) is None
        assert it.paths() == []


async def test_the_time_asked_from_is_the_venues() -> None:
    """Our clock may be off by an hour: what is asked for begins at the same moment of the venue's clock."""
    async with bench() as it:
        it.truth.now = lambda: NOW - 3_600_000
        it.truth.deals = [fill(2, 200, NOW - 3_600_000)]
        assert await explained(it, position("-200", "0")) is not None
        it.truth.deals = [fill(2, 200, EARLIER - 3_600_000)]
        assert await explained(it, position("-200", "0")) is None
