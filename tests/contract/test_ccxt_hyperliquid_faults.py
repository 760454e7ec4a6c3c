"""Whatever Hyperliquid answers: a `VenueError` or the right values, never silently empty, zero or half."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.model.instrument import InstrumentId
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Doubt
from tests.contract.replies import NOW, Asked, Running, Venue, echo, every_fault_passes, everything_said
from tests.support import T0
from tests.venues.hyperliquid_bench import GOLD, OTHER_ETH, PERPETUAL, TRADING_KEYS, bench
from tests.venues.hyperliquid_server import ADDRESS


def derivatives(it: Any) -> Any:
    it.dialect._known, it.opened._line._markets = False, None  # another reply's
    return it.reader.derivatives()


def balances(wallet: str) -> Any:
    return lambda it: it.reader.balances(wallet)


def quotes(it: Any) -> Any:
    return it.market.quotes([PERPETUAL, GOLD, OTHER_ETH])


def markets(it: Any) -> Any:
    it.opened._line._markets = None
    return it.market.instruments()


def rights(reply: Any) -> Permissions:
    """Of an agent of this account, as it is written, or of whoever else it is."""
    own = reply["role"] == "agent" and reply["data"]["user"].lower() == ADDRESS
    return Permissions(read=True, trade=own, withdraw=reply["role"] in {"user", "vault", "subAccount"})


def explain(kind: str, subject: str, instrument: InstrumentId | None = None) -> Asked:
    """A doubt about five that are gone."""
    asset = "USDC" if instrument is None else "ETH"
    doubt = Doubt(subject, "main", asset, instrument, before=Decimal(5), now=Decimal(0), polls=1)
    return Asked(f"/info/{kind}", lambda it: it.reader.explain(doubt, T0), [[]], may_be_unknown=True)


READS = {
    "dexes": Asked("/info/perpDexs", markets, [[None]]),
    "markets": Asked("/info/metaAndAssetCtxs?", markets, listed=True),
    "markets of a dex": Asked("/info/metaAndAssetCtxs?dex=hyna", markets, listed=True),
    "spot markets": Asked("/info/spotMetaAndAssetCtxs", markets),
    "server time": Asked("/info/exchangeStatus", balances("earn")),
    "role": Asked("/info/userRole", derivatives),
    "key permissions": Asked("/info/userRole", lambda it: it.opened.permissions(), meaning=rights),
    "mode": Asked("/info/userAbstraction", balances("swap")),
    "spot coins": Asked("/info/spotClearinghouseState", balances("spot"), [{"balances": []}]),
    "collateral": Asked("/info/clearinghouseState?", balances("swap")),
    "collateral of a dex": Asked("/info/clearinghouseState?dex=hyna", balances("swap")),
    "positions": Asked("/info/clearinghouseState?", derivatives),
    "positions of a dex": Asked("/info/clearinghouseState?dex=xyz", derivatives),
    "staked": Asked("/info/delegatorSummary", balances("earn")),
    "quotes": Asked("/info/metaAndAssetCtxs?", quotes, listed=True),
    "spot prices": Asked("/info/spotMetaAndAssetCtxs", lambda it: it.market.prices(["ETH"], "USDC"), listed=True),
    "fills": explain("userFillsByTime", PERPETUAL, PERPETUAL),
    "ledger": explain("userNonFundingLedgerUpdates", "main/swap/USDC"),
}


def prepare(it: Any) -> None:
    """What shows where five of each went; one time for all."""
    it.truth.now = lambda: NOW
    fill = {"coin": "ETH", "side": "A", "sz": "5.0", "px": "3000", "closedPnl": "0.0", "time": NOW, "dir": "Close Long"}
    it.truth.fills = [fill]
    it.truth.ledger = [{"time": NOW, "hash": "0x1", "delta": {"type": "withdraw", "usdc": "5.0", "fee": "1.0"}}]


# what the venue leaves out where there is none of it, and what is not true of a value that does not add up
UNKNOWN = {"Quote.bid", "Quote.ask", "Quote.index", "Quote.funding_rate", "Quote.funding_interval_hours"}
UNKNOWN |= {"Quote.funding_next", "Position.liquidation_price", "Position.trusted", "Balance.locked"}
VENUE = Venue(
    functools.partial(bench, credentials=TRADING_KEYS),
    READS,
    prepare,
    unknown=UNKNOWN,
    may_lack=("isDelisted", "marginTableId", "midPx"),
    untouched=("name", "coin", "token", "tokens", "index", "collateralToken", "dir"),
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
    """A reply that is anything at all, or right but for one field, gives an error, the right values, or less."""
    running.is_error_or_right(name, data)


async def test_no_secret_in_any_error_log_or_traceback(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """The wallet's address, its agent's key and the venue's addresses appear in no message, repr, log, or traceback."""
    paths = ("/info/spotClearinghouseState", "/info/clearinghouseState")
    breaks = {
        "role": lambda it: setattr(it.truth, "role", "agent"),
        "echo": echo(TRADING_KEYS, paths, lambda said: {"error": said}),
    }
    asks = (*map(balances, ("spot", "swap", "earn")), derivatives, quotes)
    everything = await everything_said(VENUE, breaks, lambda it: [ask(it) for ask in asks], caplog, capsys)
    assert "main: spot coins: " in everything
    for secret in (*TRADING_KEYS.values(), "://", "hyperliquid.xyz"):
        assert secret not in everything, secret
