"""Every fault and random reply of Binance's further endpoints: an error or the right values."""

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
from tests.contract.replies import NOW, Ask, Asked, Running, Venue, every_fault_passes
from tests.support import T0
from tests.venues.binance_bench import PERPETUAL, Bench, bench
from tests.venues.binance_more import CoinHeld

D = Decimal
CLASSIC = ("spot", "swap", "funding", "earn")
UNIFIED = ("spot", "portfolio")
BITCOIN = InstrumentId("main:BTC/USD:BTC")
EARN = "/sapi/v1/simple-earn"

_COIN_GONE = Doubt(BITCOIN, "main", "BTC", BITCOIN, D(-30), D(0), polls=1)
_COINS_GONE = Doubt("main/swap/BTC", "main", "BTC", None, D(1), D(0), polls=1)
_EARN_GONE = Doubt("main/earn/ETH", "main", "ETH", None, D(4), D(0), polls=1)


async def _tiers(it: Bench) -> Any:
    """As the line reads them, but raising what it would log."""
    line = it.opened._line
    markets = await line.markets()
    wanted = {"ETHUSDT": markets.instruments[PERPETUAL]}
    async with line.reading("tiers"):
        return await line.signed(lambda: line.dialect.tiers(line.connection, wanted))


def _permissions(reply: Any) -> Permissions:
    names = ("enableReading", "enableFutures", "enableWithdrawals", "ipRestrict")
    assert all(reply[name] is True or reply[name] is False for name in names)
    return Permissions(*(reply[name] for name in names))


async def _mode_now(it: Bench) -> str:
    return f"hedge mode: {await it.opened.hedge_mode()}"


def _mode(reply: Any) -> str:
    assert reply["dualSidePosition"] is True or reply["dualSidePosition"] is False
    return f"hedge mode: {reply['dualSidePosition']}"


def classic(path: str, ask: Ask, **more: Any) -> Asked:
    return Asked(path, ask, wallets=CLASSIC, **more)


def unified(path: str, ask: Ask, **more: Any) -> Asked:
    return Asked(path, ask, wallets=UNIFIED, **more)


READS = {
    "COIN-M markets": classic("/dapi/v1/exchangeInfo", lambda it: it.market.instruments(), listed=True),
    "COIN-M marks": classic("/dapi/v1/premiumIndex", lambda it: it.market.quotes([BITCOIN])),
    "COIN-M books": classic("/dapi/v1/ticker/bookTicker", lambda it: it.market.quotes([BITCOIN])),
    "COIN-M wallet": classic("/dapi/v1/account", lambda it: it.reader.balances("swap")),
    "COIN-M margin": classic("/dapi/v1/account", lambda it: it.reader.derivatives()),
    "COIN-M positions": classic("/dapi/v1/positionRisk", lambda it: it.reader.derivatives()),
    "COIN-M fills": classic("/dapi/v1/userTrades", lambda it: it.reader.explain(_COIN_GONE, T0), none=[[]]),
    "COIN-M income": classic("/dapi/v1/income", lambda it: it.reader.explain(_COINS_GONE, T0), none=[[]]),
    "funding wallet": classic("/sapi/v1/asset/get-funding-asset", lambda it: it.reader.balances("funding"), none=[[]]),
    "flexible earn": classic(f"{EARN}/flexible/position", lambda it: it.reader.balances("earn")),
    "spot beside earn": classic(f"{EARN}/flexible/position", lambda it: it.reader.balances("spot")),
    "locked earn": classic(f"{EARN}/locked/position", lambda it: it.reader.balances("earn")),
    "redemptions": classic(
        f"{EARN}/flexible/history/redemptionRecord", lambda it: it.reader.explain(_EARN_GONE, T0), may_be_unknown=True
    ),
    "margin tiers": classic("/fapi/v1/leverageBracket", _tiers, listed=True),
    "permissions": classic(
        "/sapi/v1/account/apiRestrictions", lambda it: it.opened.permissions(), meaning=_permissions
    ),
    "position mode": classic("/fapi/v1/positionSide/dual", _mode_now, meaning=_mode),
    "COIN-M position mode": classic("/dapi/v1/positionSide/dual", _mode_now, meaning=_mode),
    "portfolio wallet": unified("/papi/v1/balance", lambda it: it.reader.balances("portfolio")),
    "portfolio margin": unified("/papi/v1/account", lambda it: it.reader.derivatives()),
    "portfolio USD-M": unified("/papi/v1/um/positionRisk", lambda it: it.reader.derivatives(), none=[[]]),
    "portfolio COIN-M": unified("/papi/v1/cm/positionRisk", lambda it: it.reader.derivatives(), none=[[]]),
    "portfolio tiers": unified("/papi/v1/um/leverageBracket", _tiers, listed=True),
}


def full(it: Bench) -> None:
    """An account with something of everything."""
    more = it.truth.more
    more.coins, more.held = {"BTC": D(1)}, {"BTCUSD_PERP": CoinHeld(D(-30), D(50000))}
    more.funding = {"USDT": ("10", "1", "2", "3")}
    more.flexible, more.locked = [("ETH", "4")], [("AXS", "12")]
    more.fills = [{"symbol": "BTCUSD_PERP", "side": "BUY", "qty": "30", "time": NOW}]
    more.income = [{"incomeType": "TRANSFER", "income": "-1", "asset": "BTC", "time": NOW}]
    more.redemptions = [{"asset": "ETH", "amount": "4", "time": NOW}]
    more.unified = [
        {
            "asset": "USDT",
            "totalWalletBalance": "66.5",
            "crossMarginBorrowed": "2",
            "crossMarginFree": "35",
            "crossMarginInterest": "0.5",
            "crossMarginLocked": "1",
            "umWalletBalance": "30.5",
            "cmWalletBalance": "0",
        }
    ]


VENUE = Venue(bench, READS, full, unknown={"Position.liquidation_price"})


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
    """A reply that is anything at all, or right but for one field, gives an error or the right values."""
    running.is_error_or_right(name, data)
