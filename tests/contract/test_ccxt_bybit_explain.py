"""What went missing at Bybit is explained by what the venue shows, and only if that adds up to the change."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.errors import Unreadable
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Doubt
from tests.support import T0
from tests.venues.bybit_bench import INVERSE, PERPETUAL, Bench, bench

D = Decimal
SINCE = T0 - timedelta(minutes=1)
NOW = 1793620800000  # T0 in the venue's milliseconds
WHEN = "since 2026-11-02 11:59 UTC"


def position(before: str, now: str, instrument: InstrumentId = PERPETUAL) -> Doubt:
    return Doubt(instrument, "main", "ETH", instrument, D(before), D(now), polls=1)


def balance(wallet: str, asset: str, before: str, now: str) -> Doubt:
    return Doubt(f"main/{wallet}/{asset}", "main", asset, None, D(before), D(now), polls=1)


async def explained(it: Bench, doubt: Doubt) -> str | None:
    return await it.reader.explain(doubt, SINCE)


def fill(side: str, qty: str, kind: str = "Trade", time: int = NOW, symbol: str = "ETHUSDT") -> dict[str, Any]:
    row = {"symbol": symbol, "side": side, "execType": kind, "execQty": qty, "execPrice": "3000", "execFee": "1"}
    return {**row, "execTime": str(time)}


@pytest.mark.parametrize(
    ("fills", "now", "says"),
    [
        ([fill("Buy", "1.5"), fill("Buy", "0.5")], "0", f"2 fills {WHEN}, +2 contracts in all"),
        ([fill("Buy", "1"), fill("Buy", "2"), fill("Sell", "1")], "0", f"3 fills {WHEN}, +2 contracts in all"),
        ([fill("Buy", "2"), fill("Sell", "2", "Funding")], "0", f"1 fills {WHEN}, +2 contracts in all"),
        ([fill("Buy", "2", "BustTrade")], "0", f"closed by the venue {WHEN} (BustTrade)"),
        ([fill("Buy", "1", "AdlTrade"), fill("Buy", "1")], "0", f"closed by the venue {WHEN} (AdlTrade)"),
        ([fill("Buy", "1", "AdlTrade")], "0", None),
        ([fill("Sell", "2", "Delivery")], "0", f"closed by the venue {WHEN} (Delivery)"),
        ([fill("Sell", "2", "Delivery")], "-1", None),
        ([fill("Buy", "1.5")], "0", None),
        ([fill("Sell", "2")], "0", None),
        ([fill("Buy", "2", "Funding")], "0", None),
        ([fill("Buy", "2", time=NOW - 61_000)], "0", None),
        ([fill("Buy", "2", symbol="SOLUSDT")], "0", None),
        ([], "0", None),
    ],
)
async def test_fills_explain_a_position_if_they_add_up(fills: list[dict[str, Any]], now: str, says: str | None) -> None:
    """A closed short is explained by purchases of its size, by its liquidation or delivery, by nothing less."""
    async with bench() as it:
        it.truth.fills = fills
        assert await explained(it, position("-2", now)) == says


async def test_inverse_fills_are_asked_for_as_such() -> None:
    """An inverse contract's fills are in its own category, counted in dollars."""
    async with bench() as it:
        asked: list[dict[str, str]] = []
        it.server.patch = lambda path, parameters, result: asked.append(parameters) if "execution" in path else None
        it.truth.fills = [fill("Buy", "30000", symbol="BTCUSD")]
        assert await explained(it, position("-30000", "0", INVERSE)) == f"1 fills {WHEN}, +30000 contracts in all"
    assert (asked[0]["category"], asked[0]["symbol"]) == ("inverse", "BTCUSD")


async def test_executed_orders_explain_a_position() -> None:
    """Where fills are not shown, orders that executed the change are."""
    async with bench() as it:
        it.truth.orders = [{"symbol": "ETHUSDT", "side": "Buy", "cumExecQty": "2.00", "createdTime": str(NOW)}]
        assert await explained(it, position("-2", "0")) == f"orders {WHEN} executed +2 contracts in all"
        assert await explained(it, position("-3", "0")) is None


async def test_a_contract_no_longer_listed_stays_unexplained() -> None:
    """Its fills cannot be asked for: a person has to look."""
    async with bench() as it:
        assert await explained(it, position("-2", "0", InstrumentId("main:GONE/USDT:USDT"))) is None


def entry(kind: str, change: str, currency: str = "ETH") -> dict[str, Any]:
    return {"type": kind, "currency": currency, "change": change, "transactionTime": str(NOW), "symbol": ""}


@pytest.mark.parametrize("wallet", ["spot", "swap"])
async def test_the_accounts_log_explains_the_unified_wallet(wallet: str) -> None:
    """Whatever changes a coin is in the log, on as many pages as there are; other coins' entries do not count."""
    async with bench() as it:
        it.truth.log = [
            entry("TRADE", "-4"),
            entry("TRADE", "-1"),
            entry("TRANSFER_OUT", "-5"),
            entry("INTEREST", "-0.01"),
            entry("TRANSFER_OUT", "-50", "BTC"),
        ]
        assert await explained(it, balance(wallet, "ETH", "12", "2")) == (
            f"{WHEN}: interest -0.01 ETH, trade -5 ETH, transfer out -5 ETH"
        )
        assert await explained(it, balance(wallet, "ETH", "22", "2")) is None
        assert await explained(it, balance(wallet, "SOL", "12", "2")) is None


async def test_entries_of_another_coin_explain_nothing() -> None:
    """Whatever the venue makes of the question, only the coin's own entries count."""
    async with bench() as it:
        it.server.patch = lambda path, asked, result: (
            result.update(list=[entry("TRADE", "-10", "BTC")]) if "transaction-log" in path else None
        )
        assert await explained(it, balance("spot", "ETH", "12", "2")) is None


async def test_transfers_and_withdrawals_explain_the_funding_wallet() -> None:
    """What left the funding account counts, less what came; failed ones and other accounts' do not."""
    async with bench() as it:
        moved = {"coin": "ETH", "status": "SUCCESS", "timestamp": str(NOW)}
        it.truth.transfers = [
            {**moved, "amount": "4", "fromAccountType": "FUND", "toAccountType": "UNIFIED"},
            {**moved, "amount": "1", "fromAccountType": "UNIFIED", "toAccountType": "FUND"},
            {**moved, "amount": "9", "fromAccountType": "FUND", "toAccountType": "UNIFIED", "status": "FAILED"},
            {**moved, "amount": "9", "fromAccountType": "UNIFIED", "toAccountType": "CONTRACT"},
        ]
        left = {"coin": "ETH", "withdrawFee": "0.01", "createTime": str(NOW)}
        it.truth.withdrawals = [
            {**left, "amount": "6.9", "status": "success"},
            {**left, "amount": "6.9", "status": "Reject"},
            {**left, "amount": "6.9", "status": "CancelByUser"},
        ]
        assert await explained(it, balance("funding", "ETH", "12", "2")) == (
            f"{WHEN}: transfer -3 ETH, withdrawal -6.9 ETH"
        )
        assert await explained(it, balance("funding", "ETH", "22", "2")) is None


async def test_earn_stays_unexplained() -> None:
    """The venue lists no movements of earn products that could be added up."""
    async with bench() as it:
        it.truth.log = [entry("TRANSFER_OUT", "-10")]  # of the unified account
        assert await explained(it, balance("earn", "ETH", "12", "2")) is None


async def test_the_time_asked_from_is_the_venues() -> None:
    """Our clock may be off by an hour: what is asked for begins at the same moment of the venue's clock."""
    async with bench() as it:
        it.truth.now = lambda: NOW - 3_600_000
        it.truth.fills = [fill("Buy", "2", time=NOW - 3_600_000)]
        assert await explained(it, position("-2", "0")) is not None
        it.truth.fills = [fill("Buy", "2", time=NOW - 3_661_000)]
        assert await explained(it, position("-2", "0")) is None


async def test_a_fill_without_a_side_explains_nothing() -> None:
    """A fill whose direction is not told is an error, not a sale."""
    async with bench() as it:
        it.truth.fills = [fill("None", "2")]
        with pytest.raises(Unreadable, match="side"):
            await explained(it, position("2", "0"))


DAY = 86_400_000


@pytest.mark.parametrize("days", [0, 2, 6.9, 7, 8, 34])
async def test_an_outage_of_weeks_is_asked_for_to_its_end(days: float) -> None:
    """The venue shows a day of its log, a week of the rest, unless told until when; each moment is asked for once."""
    async with bench() as it:
        since = T0 - timedelta(days=35) + timedelta(hours=1)
        begin = NOW - 35 * DAY + DAY // 24
        when = int(begin + days * DAY)
        it.truth.log = [{**entry("TRANSFER_OUT", "-10"), "transactionTime": str(when)}]
        it.truth.fills = [fill("Buy", "2", time=when)]
        moved = {"coin": "ETH", "status": "SUCCESS", "timestamp": str(when)}
        it.truth.transfers = [{**moved, "amount": "10", "fromAccountType": "FUND", "toAccountType": "UNIFIED"}]
        told = f"since {since:%Y-%m-%d %H:%M} UTC"
        assert await it.reader.explain(balance("swap", "ETH", "12", "2"), since) == f"{told}: transfer out -10 ETH"
        assert await it.reader.explain(balance("funding", "ETH", "12", "2"), since) == f"{told}: transfer -10 ETH"
        assert await it.reader.explain(position("-2", "0"), since) == f"1 fills {told}, +2 contracts in all"


async def test_no_more_than_five_weeks_are_asked_for() -> None:
    """What may have been before is not left out in silence: it is an error, and nothing is asked at all."""
    async with bench() as it:
        await it.reader.explain(balance("swap", "ETH", "12", "2"), SINCE)
        it.paths()
        with pytest.raises(Unreadable, match="more than 35 days"):
            await it.reader.explain(balance("swap", "ETH", "12", "2"), T0 - timedelta(days=35))
        assert not [path for path in it.paths() if "transaction-log" in path]
