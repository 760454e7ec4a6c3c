"""What went missing at OKX is explained by what the venue shows, and only if that adds up to the change."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.errors import Unreadable
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Doubt
from tests.support import T0
from tests.venues.okx_bench import DATED, PERPETUAL, Bench, bench

D = Decimal
SINCE = T0 - timedelta(minutes=1)
NOW = 1793620800000  # T0 in the venue's milliseconds


def position(before: str, now: str, instrument: InstrumentId = PERPETUAL) -> Doubt:
    return Doubt(instrument, "main", "ETH", instrument, D(before), D(now), polls=1)


def balance(wallet: str, asset: str, before: str, now: str) -> Doubt:
    return Doubt(f"main/{wallet}/{asset}", "main", asset, None, D(before), D(now), polls=1)


async def explained(it: Bench, doubt: Doubt) -> str | None:
    return await it.reader.explain(doubt, SINCE)


def fill(side: str, size: str, time: int = NOW, inst_id: str = "ETH-USDT-SWAP") -> dict[str, Any]:
    kind = "SWAP" if inst_id.endswith("SWAP") else "FUTURES"
    return {"instId": inst_id, "instType": kind, "side": side, "fillSz": size, "accFillSz": size, "ts": str(time)}


def bill(kind: str, change: str, ccy: str = "USDT", time: int = NOW, inst_id: str = "") -> dict[str, Any]:
    return {"ccy": ccy, "type": kind, "balChg": change, "instId": inst_id, "ts": str(time)}


@pytest.mark.parametrize(
    ("fills", "says"),
    [
        ([fill("buy", "15"), fill("buy", "5")], "2 fills since 2026-11-02 11:59 UTC, +20 contracts in all"),
        ([fill("buy", "30"), fill("sell", "10")], "2 fills since 2026-11-02 11:59 UTC, +20 contracts in all"),
        ([fill("buy", "15")], None),
        ([fill("sell", "20")], None),
        ([fill("buy", "20", NOW - 61_000)], None),
        ([fill("buy", "20", inst_id="ETH-USDT-261225")], None),
        ([fill("buy", "0.2")] * 100, None),
        ([], None),
    ],
)
async def test_fills_explain_a_position_if_they_add_up(fills: list[dict[str, Any]], says: str | None) -> None:
    """A closed short is explained by purchases of its size since the last read; a full page may lack some."""
    async with bench() as it:
        it.truth.fills = fills
        assert await explained(it, position("-20", "0")) == says


@pytest.mark.parametrize(
    ("kind", "inst_id", "now", "says"),
    [
        ("5", "ETH-USDT-SWAP", "0", "closed by the venue since 2026-11-02 11:59 UTC (liquidation)"),
        ("9", "ETH-USDT-SWAP", "0", "closed by the venue since 2026-11-02 11:59 UTC (auto-deleveraging)"),
        ("5", "ETH-USDT-SWAP", "-5", None),
        ("5", "BTC-USDT-SWAP", "0", None),
        ("8", "ETH-USDT-SWAP", "0", None),
    ],
)
async def test_the_venue_may_have_closed_it(kind: str, inst_id: str, now: str, says: str | None) -> None:
    """A liquidation explains a position that is gone, not one that shrank; another contract's or a fee does not."""
    async with bench() as it:
        it.truth.bills = [bill(kind, "-10", inst_id=inst_id)]
        assert await explained(it, position("-20", now)) == says


async def test_a_delivery_explains_a_dated_contract() -> None:
    """It is asked for among the dated ones."""
    async with bench() as it:
        it.truth.bills = [bill("3", "10", inst_id="ETH-USDT-261225") | {"instType": "FUTURES"}]
        assert await explained(it, position("5", "0", DATED)) == (
            "closed by the venue since 2026-11-02 11:59 UTC (delivery)"
        )


async def test_executed_orders_explain_a_position() -> None:
    """Where fills do not show, orders that executed as much do."""
    async with bench() as it:
        it.truth.orders = [fill("buy", "20")]
        assert await explained(it, position("-20", "0")) == (
            "orders since 2026-11-02 11:59 UTC executed +20 contracts in all"
        )
        assert await explained(it, position("-21", "0")) is None


async def test_a_contract_no_longer_listed_is_for_a_person() -> None:
    """Without a listing nothing is asked and nothing is said."""
    async with bench() as it:
        assert await explained(it, position("1", "0", InstrumentId("main:GONE/USDT:USDT"))) is None
        assert "trade/fills" not in it.paths()


async def test_bills_explain_the_trading_account() -> None:
    """Every change leaves a bill; they explain if they make up nearly all of it, in the asset's own currency."""
    async with bench() as it:
        it.truth.bills = [bill("1", "-9000"), bill("2", "-100"), bill("99", "-40"), bill("1", "-5", "ETH")]
        assert await explained(it, balance("spot", "USDT", "10000", "860")) == (
            "since 2026-11-02 11:59 UTC: bills of type 99 -40 USDT, trade -100 USDT, transfer -9000 USDT"
        )
        assert await explained(it, balance("spot", "USDT", "20000", "860")) is None
        assert await explained(it, balance("spot", "ETH", "10", "1")) is None


async def test_a_bill_of_no_type_is_unreadable() -> None:
    """Types are numbers; what is none may be anything, margin that was only set apart included."""
    async with bench() as it:
        it.truth.bills = [bill("NaN", "-9000")]
        with pytest.raises(Unreadable, match="type is not a finite number"):
            await explained(it, balance("spot", "USDT", "10000", "1000"))


async def test_margin_set_apart_explains_nothing() -> None:
    """Margin moved to an isolated position is still in the wallet."""
    async with bench() as it:
        it.truth.bills = [bill("6", "-9000")]
        assert await explained(it, balance("spot", "USDT", "10000", "1000")) is None


async def test_a_full_page_of_bills_explains_nothing() -> None:
    """There may be more, and in the other direction."""
    async with bench() as it:
        it.truth.bills = [bill("2", "-90")] * 100
        assert await explained(it, balance("spot", "USDT", "10000", "1000")) is None
        it.truth.funding_bills = [bill("2", "-90")] * 100
        assert await explained(it, balance("funding", "USDT", "10000", "1000")) is None


async def test_withdrawals_and_transfers_explain_the_funding_account() -> None:
    """Coins sent away or into trading are not lost; what was before the last read does not count."""
    async with bench() as it:
        rows = [bill("2", "-1", "ETH"), bill("131", "-2", "ETH")]
        it.truth.funding_bills = rows
        assert await explained(it, balance("funding", "ETH", "3", "0")) == (
            "since 2026-11-02 11:59 UTC: transfer to the trading account -2 ETH, withdrawal -1 ETH"
        )
        it.truth.funding_bills = [row | {"ts": str(NOW - 61_000)} for row in rows]
        assert await explained(it, balance("funding", "ETH", "3", "0")) is None


async def test_redemptions_explain_savings() -> None:
    """What left savings came into the funding account; other movements there say nothing of savings."""
    async with bench() as it:
        it.truth.funding_bills = [bill("76", "240")]
        assert await explained(it, balance("earn", "USDT", "250", "10")) == (
            "since 2026-11-02 11:59 UTC: taken out of savings -240 USDT"
        )
        it.truth.funding_bills = [bill("1", "240"), bill("2", "-240"), bill("75", "-240")]
        assert await explained(it, balance("earn", "USDT", "250", "10")) is None


async def test_the_time_asked_from_is_the_venues() -> None:
    """Our clock may be off by an hour: what is asked for begins at the same moment of the venue's clock."""
    async with bench() as it:
        it.truth.now = lambda: NOW - 3_600_000
        it.truth.fills = [fill("buy", "20", NOW - 3_600_000)]
        assert await explained(it, position("-20", "0")) is not None
        it.truth.fills = [fill("buy", "20", NOW - 3_661_000)]
        assert await explained(it, position("-20", "0")) is None
