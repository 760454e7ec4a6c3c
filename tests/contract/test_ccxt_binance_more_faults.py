"""Every fault and random reply of Binance's further endpoints: an error or the right values."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.errors import Unreachable, Unreadable, VenueError
from hedged.model.instrument import InstrumentId
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Doubt
from tests.contract.test_ccxt_binance_faults import JSON, NOTHING_CAME, _one_field_unfit, _right_reply, _values
from tests.support import T0
from tests.venues.binance_bench import PERPETUAL, Bench, bench
from tests.venues.binance_more import CoinHeld
from tests.venues.server import FAULTS

D = Decimal
CLASSIC = ("spot", "swap", "funding", "earn")
UNIFIED = ("spot", "portfolio")
BITCOIN = InstrumentId("main:BTC/USD:BTC")
NOW = 1793620800000  # T0 in the venue's milliseconds
EARN = "/sapi/v1/simple-earn"
Ask = Callable[[Bench], Awaitable[object]]

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


READS: dict[str, tuple[tuple[str, ...], str, Ask]] = {
    "COIN-M markets": (CLASSIC, "/dapi/v1/exchangeInfo", lambda it: it.market.instruments()),
    "COIN-M marks": (CLASSIC, "/dapi/v1/premiumIndex", lambda it: it.market.quotes([BITCOIN])),
    "COIN-M books": (CLASSIC, "/dapi/v1/ticker/bookTicker", lambda it: it.market.quotes([BITCOIN])),
    "COIN-M wallet": (CLASSIC, "/dapi/v1/account", lambda it: it.reader.balances("swap")),
    "COIN-M margin": (CLASSIC, "/dapi/v1/account", lambda it: it.reader.derivatives()),
    "COIN-M positions": (CLASSIC, "/dapi/v1/positionRisk", lambda it: it.reader.derivatives()),
    "COIN-M fills": (CLASSIC, "/dapi/v1/userTrades", lambda it: it.reader.explain(_COIN_GONE, T0)),
    "COIN-M income": (CLASSIC, "/dapi/v1/income", lambda it: it.reader.explain(_COINS_GONE, T0)),
    "funding wallet": (CLASSIC, "/sapi/v1/asset/get-funding-asset", lambda it: it.reader.balances("funding")),
    "flexible earn": (CLASSIC, f"{EARN}/flexible/position", lambda it: it.reader.balances("earn")),
    "spot beside earn": (CLASSIC, f"{EARN}/flexible/position", lambda it: it.reader.balances("spot")),
    "locked earn": (CLASSIC, f"{EARN}/locked/position", lambda it: it.reader.balances("earn")),
    "redemptions": (CLASSIC, f"{EARN}/flexible/history/redemptionRecord", lambda it: it.reader.explain(_EARN_GONE, T0)),
    "margin tiers": (CLASSIC, "/fapi/v1/leverageBracket", _tiers),
    "permissions": (CLASSIC, "/sapi/v1/account/apiRestrictions", lambda it: it.opened.permissions()),
    "portfolio wallet": (UNIFIED, "/papi/v1/balance", lambda it: it.reader.balances("portfolio")),
    "portfolio margin": (UNIFIED, "/papi/v1/account", lambda it: it.reader.derivatives()),
    "portfolio USD-M": (UNIFIED, "/papi/v1/um/positionRisk", lambda it: it.reader.derivatives()),
    "portfolio COIN-M": (UNIFIED, "/papi/v1/cm/positionRisk", lambda it: it.reader.derivatives()),
    "portfolio tiers": (UNIFIED, "/papi/v1/um/leverageBracket", _tiers),
}
# an empty list is the venue's own way to say that there is none of these
MAY_BE_EMPTY = {"funding wallet", "portfolio USD-M", "portfolio COIN-M", "COIN-M fills", "COIN-M income"}
# a row, or a field of one, that the venue may leave out
MAY_LACK = {"COIN-M markets", "margin tiers", "portfolio tiers"}


@asynccontextmanager
async def full(wallets: tuple[str, ...], **options: Any) -> AsyncIterator[Bench]:
    """An account with something of everything."""
    async with bench(wallets=wallets, **options) as it:
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
        yield it


@pytest.mark.parametrize("name", READS)
async def test_every_fault_of_every_read_is_an_error_and_passes(name: str) -> None:
    """Each fault raises, as unreachable or unreadable by what it is; afterwards the read is as before."""
    wallets, path, ask = READS[name]
    right = None
    for fault in FAULTS:
        if fault == "list" and name in MAY_BE_EMPTY:
            continue
        async with full(wallets, time_limit=0.2 if fault == "hang" else 5) as it:
            it.server.faults[path] = fault
            with pytest.raises(VenueError) as caught:
                await ask(it)
            assert type(caught.value) is (Unreachable if fault in NOTHING_CAME else Unreadable), fault
            it.server.faults.clear()
            await it.settled()
            it.clock.advance(61)
            it.truth.now = lambda: NOW
            again = await ask(it)
            right = again if right is None else right
            assert _values(again) == _values(right), fault


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[asyncio.Runner, dict[tuple[str, ...], Bench]]]:
    """One opened account of each kind for all random replies."""
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        opened = {wallets: runner.run(stack.enter_async_context(full(wallets))) for wallets in (CLASSIC, UNIFIED)}
        yield runner, opened
        runner.run(stack.aclose())


def _permissions(reply: Any) -> Permissions:
    names = ("enableReading", "enableFutures", "enableWithdrawals", "ipRestrict")
    assert all(reply[name] is True or reply[name] is False for name in names)
    return Permissions(*(reply[name] for name in names))


@pytest.mark.parametrize("name", READS)
@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_a_random_reply_is_an_error_or_right(
    running: tuple[asyncio.Runner, dict[tuple[str, ...], Bench]], name: str, data: st.DataObject
) -> None:
    """A reply that is anything at all, or right but for one field, gives an error or the right values."""
    runner, opened = running
    wallets, path, ask = READS[name]
    it = opened[wallets]
    line = it.opened._line

    async def read(reply: str | None) -> Any:
        if path.endswith("exchangeInfo"):
            line._markets = None
        it.server.replies = {} if reply is None else {path: reply}
        return _values(await ask(it))

    right = runner.run(read(None))
    reply = json.dumps(data.draw(JSON | _one_field_unfit(_right_reply(it, path)), label="reply"))
    if name in MAY_BE_EMPTY and reply == "[]":
        return
    try:
        values = runner.run(read(reply))
    except VenueError:
        return
    if name == "redemptions" and values is None:
        return  # a redemption of something else explains nothing
    if name == "permissions":  # True is as good a reply as False: it has to arrive as what it is
        right = _permissions(json.loads(reply))
    if name in MAY_LACK:
        right = {key: value for key, value in right.items() if key in values}
    assert values == right
