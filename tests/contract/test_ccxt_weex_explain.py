"""What went missing at WEEX is explained by what the venue shows, and only if that adds up to the change."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.errors import Unreadable
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Doubt
from tests.support import T0, need_shared
from tests.venues.weex_bench import DOGE, ETHER, Bench, bench

D = Decimal
SINCE = T0 - timedelta(minutes=1)
NOW = 1793620800000  # T0 in the venue's milliseconds
DAY = 86_400_000


def position(before: str, now: str, instrument: InstrumentId = ETHER) -> Doubt:
    return Doubt(instrument, "main", "ETH", instrument, D(before), D(now), polls=1)


def balance(wallet: str, asset: str, before: str, now: str) -> Doubt:
    return Doubt(f"main/{wallet}/{asset}", "main", asset, None, D(before), D(now), polls=1)


def fill(side: str, qty: str, time: int = NOW, **change: Any) -> dict[str, Any]:
    return {
        "symbol": "ETHUSDT",
        "side": side,
        "qty": qty,
        "price": "3000",
        "realizedPnl": "0",
        "commission": "0",
        "commissionAsset": "USDT",
        "time": time,
        **change,
    }


def bill(kind: str, amount: str, asset: str = "USDT", time: int = NOW, symbol: str | None = None) -> dict[str, Any]:
    return {"asset": asset, "symbol": symbol, "income": amount, "incomeType": kind, "fillFee": "0", "time": time}


def spot_bill(kind: str, amount: str, asset: str = "ETH", time: int = NOW) -> dict[str, Any]:
    return {"billId": "1", "coinName": asset, "bizType": kind, "deltaAmount": amount, "cTime": str(time)}


def asked(it: Bench, path: str) -> dict[str, Any]:
    return next(parameters for where, parameters in it.server.asked if where == path)


@pytest.mark.parametrize(
    ("fills", "says"),
    [
        ([fill("BUY", "1.5"), fill("BUY", "0.5")], "2 fills since 2026-11-02 11:59 UTC, +2 contracts in all"),
        ([fill("BUY", "3"), fill("SELL", "1")], "2 fills since 2026-11-02 11:59 UTC, +2 contracts in all"),
        ([fill("BUY", "1.5")], None),
        ([fill("SELL", "2")], None),
        ([fill("BUY", "2", NOW - 61_000)], None),
        ([fill("BUY", "2", symbol="SOLUSDT")], None),
        ([fill("BUY", "0.02")] * 100, None),  # a full page may go on
        ([], None),
    ],
)
async def test_fills_explain_a_position_if_they_add_up(fills: list[dict[str, Any]], says: str | None) -> None:
    """A closed short is explained by purchases of its size since the last read, by nothing less or else."""
    async with bench() as it:
        it.truth.fills = fills
        assert await it.reader.explain(position("-2", "0"), SINCE) == says


async def test_fills_of_other_markets_do_not_count() -> None:
    """Should the venue not heed the market asked for, its rows are sorted out here."""
    async with bench() as it:
        it.server.replies["/capi/v3/userTrades"] = json.dumps([fill("BUY", "2"), fill("BUY", "7", symbol="SOLUSDT")])
        says = await it.reader.explain(position("-2", "0"), SINCE)
        assert says == "1 fills since 2026-11-02 11:59 UTC, +2 contracts in all"
        orders = [{"symbol": name, "side": "BUY", "executedQty": "2"} for name in ("ETHUSDT", "SOLUSDT")]
        it.server.replies = {"/capi/v3/order/history": json.dumps(orders)}
        says = await it.reader.explain(position("-2", "0"), SINCE)
        assert says == "orders since 2026-11-02 11:59 UTC executed +2 contracts in all"


async def test_a_side_of_another_kind_is_unreadable() -> None:
    """A fill that is neither a purchase nor a sale has no sign that could be guessed."""
    async with bench() as it:
        it.truth.fills = [fill("BOTH", "-2")]
        with pytest.raises(Unreadable, match="side is neither BUY nor SELL"):
            await it.reader.explain(position("-2", "0"), SINCE)


async def test_bills_that_were_not_asked_for_do_not_count() -> None:
    """Should the venue not heed the asset or the time asked for, its rows are sorted out here."""
    strange = [bill("transfer_out", "-9000", asset="USDC"), bill("transfer_out", "-9000", time=NOW - DAY)]
    async with bench() as it:
        it.server.replies = {
            "/capi/v3/account/income": json.dumps({"hasNextPage": False, "items": strange}),
            "/capi/v3/userTrades": json.dumps([fill("BUY", "2", NOW - DAY, realizedPnl="-9000")]),
        }
        assert await it.reader.explain(balance("swap", "USDT", "10000", "1000"), SINCE) is None


@pytest.mark.parametrize(
    ("kind", "now", "symbol", "says"),
    [
        ("finish_liquidate", "0", "ETHUSDT", "liquidated by the venue since 2026-11-02 11:59 UTC (finish_liquidate)"),
        ("start_liquidate", "0", "ETHUSDT", "liquidated by the venue since 2026-11-02 11:59 UTC (start_liquidate)"),
        ("finish_liquidate", "-1", "ETHUSDT", None),
        ("finish_liquidate", "0", "SOLUSDT", None),
        ("position_funding", "0", "ETHUSDT", None),
    ],
)
async def test_a_liquidation_explains_a_position_that_is_gone(
    kind: str, now: str, symbol: str, says: str | None
) -> None:
    """A liquidation of this very contract takes the whole position; funding takes none."""
    async with bench() as it:
        it.server.replies["/capi/v3/account/income"] = json.dumps(
            {"hasNextPage": False, "items": [bill(kind, "-5", symbol=symbol)]}
        )
        assert await it.reader.explain(position("-2", now), SINCE) == says


@pytest.mark.parametrize(("quantity", "rows", "explained"), [("2", 1, True), ("1", 1, False), ("0.002", 1000, False)])
async def test_executed_orders_explain_a_position(quantity: str, rows: int, explained: bool) -> None:
    """Where fills are not shown, orders that executed the change are, unless their page may go on."""
    async with bench() as it:
        it.truth.orders = [{"symbol": "ETHUSDT", "side": "BUY", "executedQty": quantity, "time": NOW}] * rows
        says = await it.reader.explain(position("-2", "0"), SINCE)
    assert says == ("orders since 2026-11-02 11:59 UTC executed +2 contracts in all" if explained else None)


async def test_a_contract_no_longer_listed_stays_unexplained() -> None:
    """Its fills cannot be asked for: a person has to look."""
    async with bench() as it:
        assert await it.reader.explain(position("-2", "0", InstrumentId("main:GONE/USDT:USDT")), SINCE) is None
        assert it.server.asked == []


async def test_bills_and_realised_losses_explain_a_futures_wallet() -> None:
    """Transfers, funding and what fills realised, fees included, add up; other assets' do not count."""
    async with bench() as it:
        it.truth.income = [
            bill("transfer_out", "-8000"),
            bill("position_funding", "-5"),
            bill("transfer_out", "-5000", asset="USDC"),
        ]
        it.truth.fills = [
            fill("BUY", "2", realizedPnl="-1000", commission="5"),
            fill("BUY", "2", realizedPnl="-700", commissionAsset="USDC"),
        ]
        says = await it.reader.explain(balance("swap", "USDT", "10000", "990"), SINCE)
        assert says == (
            "since 2026-11-02 11:59 UTC: position funding -5 USDT, realised by fills -1005 USDT, "
            "transfer out -8000 USDT"
        )
        assert await it.reader.explain(balance("swap", "USDT", "20000", "990"), SINCE) is None


@pytest.mark.parametrize("kind", ["position_close_short", "position_open_long", "margin_move_out"])
async def test_bookings_of_a_positions_value_explain_nothing(kind: str) -> None:
    """They move the whole value of a position against the collateral, which the wallet never loses."""
    async with bench() as it:
        it.truth.income = [bill(kind, "-9000")]
        assert await it.reader.explain(balance("swap", "USDT", "10000", "1000"), SINCE) is None


@pytest.mark.parametrize("goes_on", ["income", "fills"])
async def test_histories_that_go_on_explain_nothing(goes_on: str) -> None:
    """What is on the next page may bring it all back."""
    async with bench() as it:
        it.truth.income = [bill("transfer_out", "-9000")]
        if goes_on == "income":
            it.truth.income_goes_on = True
        else:
            it.truth.fills = [fill("BUY", "1")] * 100
        assert await it.reader.explain(balance("swap", "USDT", "10000", "1000"), SINCE) is None


async def test_spot_bills_explain_spot() -> None:
    """Every kind of movement of the asset since then counts together, others and older ones do not."""
    async with bench() as it:
        it.truth.bills = [
            spot_bill("withdraw", "-6"),
            spot_bill("trade_out", "-5"),
            spot_bill("trade_in", "1"),
            spot_bill("withdraw", "-500", asset="USDT"),
            spot_bill("withdraw", "-90", time=NOW - 61_000),
        ]
        assert await it.reader.explain(balance("spot", "ETH", "12", "2"), SINCE) == (
            "since 2026-11-02 11:59 UTC: trade in +1 ETH, trade out -5 ETH, withdraw -6 ETH"
        )
        assert await it.reader.explain(balance("spot", "ETH", "20", "2"), SINCE) is None
        assert await it.reader.explain(balance("spot", "SOL", "20", "2"), SINCE) is None
        assert asked(it, "/api/v3/account/bills") == {"after": NOW - 60_000, "limit": 100}


async def test_a_page_of_spot_bills_must_reach_back_far_enough() -> None:
    """A full page of recent bills may go on; one that reaches back beyond the last read is complete."""
    async with bench() as it:
        recent = [spot_bill("withdraw", "-0.1")] * 100
        it.truth.bills = recent
        assert await it.reader.explain(balance("spot", "ETH", "12", "2"), SINCE) is None
        it.truth.bills = [*recent[:99], spot_bill("withdraw", "-1", time=NOW - DAY)]
        assert await it.reader.explain(balance("spot", "ETH", "12", "2.1"), SINCE) == (
            "since 2026-11-02 11:59 UTC: withdraw -9.9 ETH"
        )


async def test_no_longer_range_is_asked_for_than_the_venue_allows() -> None:
    """After a long silence only the last week of fills can be asked for; the venue refuses more."""
    async with bench() as it:
        it.truth.fills = [fill("BUY", "2", NOW - 6 * DAY)]
        assert await it.reader.explain(position("-2", "0"), T0 - timedelta(days=200)) is not None
        it.truth.fills = []
        it.truth.orders = [{"symbol": "ETHUSDT", "side": "BUY", "executedQty": "2", "time": NOW - 80 * DAY}]
        assert await it.reader.explain(position("-2", "0"), T0 - timedelta(days=200)) is not None
        window = asked(it, "/capi/v3/userTrades")
    assert int(window["endTime"]) - int(window["startTime"]) == 7 * DAY


async def test_the_time_asked_from_is_the_venues() -> None:
    """Our clock may be off by an hour: what is asked for begins at the same moment of the venue's clock."""
    async with bench() as it:
        it.truth.now = lambda: NOW - 3_600_000
        it.truth.fills = [fill("BUY", "2", NOW - 3_600_000)]
        assert await it.reader.explain(position("-2", "0"), SINCE) is not None
        it.truth.fills = [fill("BUY", "2", NOW - 3_661_000)]
        assert await it.reader.explain(position("-2", "0"), SINCE) is None


async def test_demo_positions_are_explained_by_demo_orders() -> None:
    """Demo trading shows orders under its own market names, and nothing of its wallet."""
    async with bench(sandbox=True) as it:
        it.truth.demo = True
        it.truth.orders = [{"symbol": "ETHSUSDT", "side": "BUY", "executedQty": "2", "time": NOW}]
        assert await it.reader.explain(position("-2", "0"), SINCE) == (
            "orders since 2026-11-02 11:59 UTC executed +2 contracts in all"
        )
        assert await it.reader.explain(balance("swap", "USDT", "10", "0"), SINCE) is None
        assert {path for path in it.paths() if "sim" in path} == {"/capi/v3/sim/order/history"}


async def test_samples_of_the_venues_histories() -> None:
    """A fill of 100 DOGE is 100 contracts of ours; a funding bill is income and too little for a fall."""
    folder = need_shared("venues/weex")

    def sample(name: str) -> str:
        return json.dumps(json.loads((folder / name).read_text())["httpResponse"])

    async with bench() as it:
        it.server.replies = {
            "/capi/v3/userTrades": sample("fetch_my_trades.doc1.json"),
            "/capi/v3/account/income": sample("fetch_funding_history.doc1.json"),
        }
        says = await it.reader.explain(position("200", "300", DOGE), SINCE)
        assert await it.reader.explain(balance("swap", "USDT", "30", "1"), SINCE) is None
    assert says == "1 fills since 2026-11-02 11:59 UTC, +100 contracts in all"
