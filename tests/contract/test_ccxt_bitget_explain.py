"""What went missing at Bitget is explained by what the venue shows, and only if that adds up to the change."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Doubt
from tests.support import T0
from tests.venues.bitget_bench import COIN_DATED, PERPETUAL, bench
from tests.venues.opened import Bench

D = Decimal
SINCE = T0 - timedelta(minutes=1)
NOW = 1793620800000  # T0 in the venue's milliseconds
TOLD = "since 2026-11-02 11:59 UTC"


def position(before: str, now: str, instrument: InstrumentId = PERPETUAL) -> Doubt:
    return Doubt(instrument, "main", "ETH", instrument, D(before), D(now), polls=1)


def balance(wallet: str, asset: str, before: str, now: str) -> Doubt:
    return Doubt(f"main/{wallet}/{asset}", "main", asset, None, D(before), D(now), polls=1)


async def explained(it: Bench, doubt: Doubt) -> str | None:
    return await it.reader.explain(doubt, SINCE)


def fill(side: str, size: str, time: int = NOW, symbol: str = "ETHUSDT") -> dict[str, Any]:
    return {"symbol": symbol, "side": side, "baseVolume": size, "price": "3000", "cTime": str(time)}


def bill(kind: str, amount: str, coin: str = "USDT", fee: str = "0", symbol: str = "ETHUSDT") -> dict[str, Any]:
    return {"symbol": symbol, "businessType": kind, "amount": amount, "fee": fee, "coin": coin, "cTime": str(NOW)}


def spot_bill(kind: str, size: str, group: str = "transaction", coin: str = "USDT", time: int = NOW) -> dict[str, Any]:
    return {"coin": coin, "groupType": group, "businessType": kind, "size": size, "cTime": str(time)}


@pytest.mark.parametrize(
    ("fills", "says"),
    [
        ([fill("buy", "1.5"), fill("buy", "0.5")], f"2 fills {TOLD}, +2 contracts in all"),
        ([fill("buy", "3"), fill("sell", "1")], f"2 fills {TOLD}, +2 contracts in all"),
        ([fill("buy", "1.5")], None),
        ([fill("sell", "2")], None),
        ([fill("buy", "2", NOW - 61_000)], None),
        ([fill("buy", "2", symbol="BTCUSDT")], None),
        ([fill("buy", "0.02")] * 100, None),
        ([], None),
    ],
)
async def test_fills_explain_a_position_if_they_add_up(fills: list[dict[str, Any]], says: str | None) -> None:
    """A closed short is explained by purchases of its size since the last read; a full page may lack some."""
    async with bench() as it:
        it.truth.fills = fills
        assert await explained(it, position("-2", "0")) == says


@pytest.mark.parametrize(
    ("kind", "symbol", "now", "says"),
    [
        ("burst_buy", "ETHUSDT", "0", f"closed by the venue {TOLD} (burst_buy)"),
        ("force_buy", "ETHUSDT", "0", f"closed by the venue {TOLD} (force_buy)"),
        ("burst_buy", "ETHUSDT", "-1", None),
        ("burst_buy", "BTCUSDT", "0", None),
        ("contract_settle_fee", "ETHUSDT", "0", None),
    ],
)
async def test_the_venue_may_have_closed_it(kind: str, symbol: str, now: str, says: str | None) -> None:
    """A liquidation explains a position that is gone, not one that shrank; another contract's or a fee does not."""
    async with bench() as it:
        it.truth.bills = [bill(kind, "-10", symbol=symbol)]
        assert await explained(it, position("-2", now)) == says


async def test_a_delivery_explains_a_dated_contract() -> None:
    """It is asked for among the coin-margined ones."""
    async with bench() as it:
        it.truth.bills = [bill("delivery_long", "0.1", "ETH", symbol="ETHUSDZ26") | {"productType": "COIN-FUTURES"}]
        assert await explained(it, position("0.5", "0", COIN_DATED)) == f"closed by the venue {TOLD} (delivery_long)"


async def test_executed_orders_explain_a_position() -> None:
    """Where fills do not show, orders that executed as much do."""
    async with bench() as it:
        it.truth.orders = [fill("buy", "2")]
        assert await explained(it, position("-2", "0")) == f"orders {TOLD} executed +2 contracts in all"
        assert await explained(it, position("-3", "0")) is None


async def test_a_contract_no_longer_listed_is_for_a_person() -> None:
    """Without a listing nothing is asked and nothing is said."""
    async with bench() as it:
        assert await explained(it, position("1", "0", InstrumentId("main:GONE/USDT:USDT"))) is None
        assert "mix/order/fills" not in it.paths()


async def test_bills_explain_spot_and_earn() -> None:
    """Every change of spot leaves a bill; what came back from earn products is missing there."""
    async with bench() as it:
        it.truth.spot_bills = [
            spot_bill("SELL", "-900"),
            spot_bill("REDEEM", "240", "financial"),
            spot_bill("BUY", "5", coin="ETH"),
        ]
        assert (
            await explained(it, balance("spot", "USDT", "1000", "340")) == f"{TOLD}: redeem +240 USDT, sell -900 USDT"
        )
        assert await explained(it, balance("spot", "USDT", "2000", "340")) is None
        assert await explained(it, balance("spot", "ETH", "2", "1")) is None
        assert await explained(it, balance("earn", "USDT", "250", "10")) == f"{TOLD}: redeem -240 USDT"
        it.truth.spot_bills = [spot_bill("SELL", "-900", time=NOW - 61_000)]
        assert await explained(it, balance("spot", "USDT", "1000", "100")) is None
        it.truth.spot_bills = [spot_bill("SELL", "-9")] * 500
        assert await explained(it, balance("spot", "USDT", "1000", "100")) is None, "a full page may lack some"


async def test_bills_explain_margin_and_futures() -> None:
    """Cross margin has its own; futures have one list for each product, and fees count."""
    async with bench() as it:
        it.truth.margin_bills = [{"coin": "SOL", "marginType": "deal_out", "amount": "-4", "cTime": str(NOW)}]
        assert await explained(it, balance("margin", "SOL", "5", "1")) == f"{TOLD}: deal_out -4 SOL"
        it.truth.bills = [
            bill("trans_to_exchange", "-4000") | {"productType": "USDT-FUTURES"},
            bill("close_long", "-99", fee="-1") | {"productType": "USDT-FUTURES"},
        ]
        assert (
            await explained(it, balance("swap", "USDT", "5000", "900"))
            == f"{TOLD}: close_long -100 USDT, trans_to_exchange -4000 USDT"
        )
        it.truth.bills = [bill("close_long", "-1")] * 100
        assert await explained(it, balance("swap", "USDT", "100", "1")) is None, "a full page may lack some"
        assert await explained(it, balance("funding", "ETH", "3", "0")) is None


async def test_the_time_asked_from_is_the_venues() -> None:
    """Our clock may be off by an hour: what is asked for begins at the same moment of the venue's clock."""
    async with bench() as it:
        it.truth.now = lambda: NOW - 3_600_000
        it.truth.fills = [fill("buy", "2", NOW - 3_600_000)]
        assert await explained(it, position("-2", "0")) is not None
        it.truth.fills = [fill("buy", "2", NOW - 3_661_000)]
        assert await explained(it, position("-2", "0")) is None
