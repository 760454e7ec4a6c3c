"""What went missing at Gate is explained by what the venue shows, and only if that adds up to the change."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Doubt
from tests.support import T0
from tests.venues.gate_bench import DATED, PERPETUAL, bench, unified
from tests.venues.opened import Bench

D = Decimal
SINCE = T0 - timedelta(minutes=1)
NOW = 1793620800  # T0 in the venue's seconds
TOLD = "since 2026-11-02 11:59 UTC"


def position(before: str, now: str, instrument: InstrumentId = PERPETUAL) -> Doubt:
    return Doubt(instrument, "main", "ETH", instrument, D(before), D(now), polls=1)


def balance(wallet: str, asset: str, before: str, now: str) -> Doubt:
    return Doubt(f"main/{wallet}/{asset}", "main", asset, None, D(before), D(now), polls=1)


async def explained(it: Bench, doubt: Doubt) -> str | None:
    return await it.reader.explain(doubt, SINCE)


def fill(size: float | str, at: float = NOW + 0.5, contract: str = "ETH_USDT") -> dict[str, Any]:
    return {"contract": contract, "size": size, "price": "3000", "create_time": at, "role": "taker"}


def entry(kind: str, change: str, at: float = NOW, **more: Any) -> dict[str, Any]:
    return {"type": kind, "change": change, "balance": "1", "time": at, **more}


@pytest.mark.parametrize(
    ("fills", "says"),
    [
        ([fill(150), fill("50.5")], f"2 fills {TOLD}, +200.5 contracts in all"),
        ([fill("300.5"), fill(-100)], f"2 fills {TOLD}, +200.5 contracts in all"),
        ([fill(150)], None),
        ([fill("-200.5")], None),
        ([fill("200.5", NOW - 61)], None),
        ([fill("200.5", contract="BTC_USDT")], None),
        ([fill("2.005")] * 100, None),
        ([], None),
    ],
)
async def test_fills_explain_a_position_if_they_add_up(fills: list[dict[str, Any]], says: str | None) -> None:
    """A closed short is explained by purchases of its size since the last read; a full page may lack some."""
    async with bench() as it:
        it.truth.fills = fills
        assert await explained(it, position("-200.5", "0")) == says


@pytest.mark.parametrize(
    ("kind", "contract", "instrument", "now", "says"),
    [
        ("liquidates", "ETH_USDT", PERPETUAL, "0", f"closed by the venue {TOLD} (liquidation)"),
        ("auto_deleverages", "ETH_USDT", PERPETUAL, "0", f"closed by the venue {TOLD} (auto-deleveraging)"),
        ("settlements", "ETH_USDT_20261225", DATED, "0", f"closed by the venue {TOLD} (settlement)"),
        ("liquidates", "ETH_USDT", PERPETUAL, "-5", None),
        ("liquidates", "BTC_USDT", PERPETUAL, "0", None),
        ("settlements", "ETH_USDT", PERPETUAL, "0", None),
    ],
)
async def test_the_venue_may_have_closed_it(
    kind: str, contract: str, instrument: InstrumentId, now: str, says: str | None
) -> None:
    """A liquidation or settlement explains a position that is gone, not one that shrank, and no other contract's."""
    async with bench() as it:
        it.truth.events = {kind: [{"contract": contract, "time": NOW, "size": 10}]}
        assert await explained(it, position("-20", now, instrument)) == says


async def test_an_older_event_explains_nothing() -> None:
    """What happened before the last read is in it already."""
    async with bench() as it:
        it.truth.events = {"liquidates": [{"contract": "ETH_USDT", "time": NOW - 61, "size": 10}]}
        assert await explained(it, position("-20", "0")) is None


async def test_fills_of_dated_contracts_are_their_own() -> None:
    """They are asked for where the contract is listed."""
    async with bench() as it:
        it.truth.fills = [fill(-50, contract="ETH_USDT_20261225")]
        assert await explained(it, position("50", "0", DATED)) == f"1 fills {TOLD}, -50 contracts in all"
        assert "delivery/usdt/my_trades" in it.paths()


async def test_a_contract_no_longer_listed_is_for_a_person() -> None:
    """Without a listing nothing is asked and nothing is said."""
    async with bench() as it:
        assert await explained(it, position("1", "0", InstrumentId("main:GONE/USDT:USDT"))) is None
        assert not [path for path in it.paths() if "my_trades" in path]


async def test_books_explain_the_wallets() -> None:
    """Each wallet by its own book; futures by those of all segments that settle in the asset."""
    async with bench() as it:
        it.truth.books = {
            "spot": [entry("withdraw", "-9", NOW * 1000, currency="ETH"), entry("new_order", "-5", currency="USDT")],
            "margin": [{"time": str(NOW), "time_ms": NOW * 1000, "currency": "SOL", "change": "-1", "balance": "0"}],
            "earn": [{"currency": "USDT", "type": "redeem", "amount": "240", "create_time": NOW * 1000}],
            "futures/usdt": [entry("dnw", "-4000"), entry("fee", "-1")],
            "delivery/usdt": [entry("pnl", "-99")],
            "futures/btc": [entry("dnw", "-0.5")],
        }
        assert await explained(it, balance("spot", "ETH", "10", "1")) == f"{TOLD}: withdraw -9 ETH"
        assert await explained(it, balance("spot", "ETH", "20", "1")) is None
        assert await explained(it, balance("margin", "SOL", "1", "0")) == f"{TOLD}: changes -1 SOL"
        assert await explained(it, balance("earn", "USDT", "250", "10")) == f"{TOLD}: redeem -240 USDT"
        assert await explained(it, balance("swap", "USDT", "5000", "900")) == (
            f"{TOLD}: dnw -4000 USDT, fee -1 USDT, pnl -99 USDT"
        )
        assert await explained(it, balance("swap", "BTC", "0.5", "0")) == f"{TOLD}: dnw -0.5 BTC"


async def test_the_pool_of_a_unified_account_is_explained_by_both_of_its_books() -> None:
    """Its dollars go to spot and to perpetuals; its other coins are moved by spot alone, under either wallet."""
    for home, wallets in (("spot", ("spot", "swap")), ("swap", ("swap",))):
        async with unified(wallets=wallets) as it:
            await it.reader.balances(home)
            it.truth.books = {
                "spot": [entry("withdraw", "-600", currency="USDT"), entry("withdraw", "-3", currency="ETH")],
                "futures/usdt": [entry("pnl", "-400")],
            }
            told = await explained(it, balance(home, "USDT", "1000", "0"))
            assert told == f"{TOLD}: pnl -400 USDT, withdraw -600 USDT"
            assert await explained(it, balance(home, "ETH", "3", "0")) == f"{TOLD}: withdraw -3 ETH"
            it.truth.books["futures/usdt"] = []
            assert await explained(it, balance(home, "USDT", "1000", "0")) is None


async def test_a_full_page_or_an_old_entry_explains_nothing() -> None:
    """There may be more, and in the other direction; what was before the last read does not count."""
    async with bench() as it:
        it.truth.books = {"spot": [entry("fee", "-0.1", currency="ETH")] * 100}
        assert await explained(it, balance("spot", "ETH", "10", "0.1")) is None
        it.truth.books = {"spot": [entry("withdraw", "-9", NOW - 61, currency="ETH")]}
        assert await explained(it, balance("spot", "ETH", "10", "1")) is None


async def test_the_time_asked_from_is_the_venues() -> None:
    """Our clock may be off by an hour: what is asked for begins at the same moment of the venue's clock."""
    async with bench() as it:
        it.truth.now = lambda: (NOW - 3600) * 1000
        it.truth.fills = [fill("200.5", NOW - 3600)]
        assert await explained(it, position("-200.5", "0")) is not None
        it.truth.fills = [fill("200.5", NOW - 3661)]
        assert await explained(it, position("-200.5", "0")) is None
