"""Whatever BingX answers: a `VenueError` or the right values, never silently empty, zero or half."""

from __future__ import annotations

from collections.abc import Awaitable, Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.model.snapshot import Doubt
from tests.contract.replies import NOW, Asked, Running, Venue, echo, every_fault_passes, everything_said
from tests.support import T0
from tests.venues.bingx_bench import INVERSE, KEYS, LINEAR, Bench, bench
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
from tests.venues.bingx_venue import Held


def both_quotes(it: Bench) -> Awaitable[object]:
    return it.market.quotes([LINEAR, INVERSE])


def derivatives(it: Bench) -> Awaitable[object]:
    return it.reader.derivatives()


def explain(path: str, row: dict[str, Any], subject: Any, asset: str) -> Asked:
    """A doubt about two that are gone, and the one row of this history that shows where they went."""
    instrument = subject if subject in {LINEAR, INVERSE} else None
    doubt = Doubt(subject, "main", asset, instrument, before=Decimal(2), now=Decimal(0), polls=1)

    def ask(it: Bench) -> Awaitable[object]:
        it.truth.histories = {path: [{"time": NOW, **row}]}
        return it.reader.explain(doubt, T0)

    # a withdrawal list may be empty; a transfer of something unnamed explains nothing
    return Asked(path, ask, [[]] if path == WITHDRAWALS else [], may_be_unknown=path in {TRANSFERS, TRADES})


SOLD = {"symbol": "ETH-USDT", "side": "SELL", "qty": "2", "executedQty": "2.00", "status": "FILLED"}
COINS_SOLD = {
    "symbol": "ETH-USD",
    "side": "SELL",
    "executedQty": "20.0",
    "quantity": 2,
    "origQty": "20.0",
    "status": "FILLED",
}
SOLD_SPOT = {"symbol": "ETH-USDT", "qty": "2", "quoteQty": "6000", "isBuyer": False}
PAID = {"symbol": "", "incomeType": "TRANSFER", "income": "-2", "asset": "USDT"}
MOVED = {"fromAccount": "fund", "toAccount": "spot", "asset": "SOL", "amount": "2", "status": "CONFIRMED"}
WITHDRAWN = {"coin": "ETH", "amount": "1.99", "transactionFee": "0.01", "status": 4}
READS = {
    "spot markets": Asked(
        "/openApi/spot/v1/common/symbols", lambda it: it.market.prices(["ETH", "SOL"], "USDT"), listed=True
    ),
    "futures markets": Asked("/openApi/swap/v2/quote/contracts", lambda it: it.market.instruments(), listed=True),
    "coin-margined markets": Asked(
        "/openApi/cswap/v1/market/contracts", lambda it: it.market.instruments(), listed=True
    ),
    "server time": Asked("/openApi/swap/v2/server/time", lambda it: it.reader.balances("spot")),
    "spot wallet": Asked("/openApi/spot/v1/account/balance", lambda it: it.reader.balances("spot")),
    "funding wallet": Asked("/openApi/fund/v1/account/balance", lambda it: it.reader.balances("funding")),
    "futures wallet": Asked("/openApi/swap/v3/user/balance", lambda it: it.reader.balances("swap")),
    "coin-margined wallet": Asked("/openApi/cswap/v1/user/balance", lambda it: it.reader.balances("swap")),
    "margin of futures": Asked("/openApi/swap/v3/user/balance", derivatives),
    "margin of coin-margined": Asked("/openApi/cswap/v1/user/balance", derivatives),
    "futures positions": Asked("/openApi/swap/v2/user/positions", derivatives),
    "coin-margined positions": Asked("/openApi/cswap/v1/user/positions", derivatives),
    "mark prices": Asked("/openApi/swap/v2/quote/premiumIndex", both_quotes),
    "coin-margined mark prices": Asked("/openApi/cswap/v1/market/premiumIndex", both_quotes),
    "futures books": Asked("/openApi/swap/v2/quote/ticker", both_quotes),
    "coin-margined books": Asked("/openApi/cswap/v1/market/ticker", both_quotes),
    "spot prices": Asked("/openApi/spot/v1/ticker/24hr", lambda it: it.market.prices(["ETH", "SOL"], "USDT")),
    "futures fills": explain(FILLS, SOLD, LINEAR, "ETH"),
    "forced futures orders": explain(FORCED, {**SOLD, "type": "LIQUIDATION"}, LINEAR, "ETH"),
    "futures orders": explain(ORDERS, SOLD, LINEAR, "ETH"),
    "forced coin-margined orders": explain(FORCED_COINS, {**COINS_SOLD, "type": "LIQUIDATION"}, INVERSE, "ETH"),
    "coin-margined orders": explain(ORDERS_COINS, COINS_SOLD, INVERSE, "ETH"),
    "futures income": explain(INCOME, PAID, "main/swap/USDT", "USDT"),
    "transfers": explain(TRANSFERS, MOVED, "main/funding/SOL", "SOL"),
    "withdrawals": explain(WITHDRAWALS, WITHDRAWN, "main/spot/ETH", "ETH"),
    "spot fills": explain(TRADES, SOLD_SPOT, "main/spot/ETH", "ETH"),
}


def mix(it: Bench) -> None:
    """Positions of both kinds, long and short."""
    it.truth.positions["ETH-USD"] = Held(Decimal(-300), Decimal(3750))
    it.truth.now = lambda: NOW


# what the venue does not tell in every reply
UNKNOWN = {"Quote.funding_interval_hours", "Quote.bid", "Quote.ask"}
UNKNOWN |= {"Position.entry_price", "Position.liquidation_price", "Position.unrealised_pnl"}
VENUE = Venue(
    bench,
    READS,
    mix,
    unknown=UNKNOWN,
    untouched={"isolated"},  # the other word is as good a reply: a margin of its own
    time_limit=0.4,
)


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


async def test_no_secret_in_any_error_log_or_traceback(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys, signatures and addresses appear in no message, repr, log line at any level, or traceback."""
    wallets = ("/openApi/spot/v1/account/balance", "/openApi/swap/v3/user/balance")
    breaks = {
        "key": lambda it: setattr(it.server, "api_key", "another"),
        "echo": echo(KEYS, wallets, lambda said: {"code": 100400, "msg": said}),
    }
    everything = await everything_said(
        VENUE,
        breaks,
        lambda it: (
            it.reader.balances("spot"),
            it.reader.balances("swap"),
            it.reader.derivatives(),
            it.market.quotes([LINEAR]),
        ),
        caplog,
        capsys,
    )
    assert "main: spot wallet" in everything
    for secret in (KEYS["apiKey"], KEYS["secret"], "signature=", "://", "timestamp="):
        assert secret not in everything, secret
