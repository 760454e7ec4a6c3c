"""Whatever Bitget answers of a unified account: a `VenueError` or the right values, never silently empty, zero or half."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.model.permissions import Permissions
from hedged.model.snapshot import Doubt
from tests.contract.replies import NOW, Asked, Running, Venue, echo, every_fault_passes, everything_said
from tests.support import T0
from tests.venues.bitget_uta_bench import KEYS, PERPETUAL, bench
from tests.venues.opened import Bench

API = "/api/v3"
COIN = "category=COIN-FUTURES"
_SPOT = f"category=SPOT&limit=100&startTime={NOW}"
_SOLD = Doubt("main/uta/ETH", "main", "ETH", None, Decimal(1), Decimal(0), polls=1)
_GONE = Doubt(PERPETUAL, "main", "ETH", PERPETUAL, Decimal(-2), Decimal(0), polls=1)


def _enveloped(data: Any) -> dict[str, Any]:
    return {"code": "00000", "msg": "success", "data": data}


NONE: tuple[object, ...] = (_enveloped([]),)


def _rights(reply: Any) -> Permissions:
    data = reply["data"]
    return Permissions(
        read={"uta_mgt", "uta_trade"} <= set(data["permissions"]),
        trade=False,
        withdraw=False,
        bound_to_address=bool(data["ips"]),
    )


async def _mode(it: Bench) -> dict[str, bool | None]:
    return {"hedge": await it.opened.hedge_mode()}


READS = {
    "key permissions": Asked(f"{API}/account/info", lambda it: it.permissions(), meaning=_rights),
    "settings": Asked(f"{API}/account/settings", _mode),
    "wallet": Asked(f"{API}/account/assets", lambda it: it.reader.balances("uta")),
    "funding wallet": Asked(f"{API}/account/funding-assets", lambda it: it.reader.balances("funding"), NONE),
    "margin": Asked(f"{API}/account/assets", lambda it: it.reader.derivatives()),
    "positions": Asked(f"{API}/position/current-position?{COIN}", lambda it: it.reader.derivatives()),
    "profit of the coins": Asked(f"{API}/position/current-position?{COIN}", lambda it: it.reader.balances("uta")),
    "fills": Asked(f"{API}/trade/fills", lambda it: it.reader.explain(_GONE, T0), may_be_unknown=True),
    "orders": Asked(f"{API}/trade/history-orders", lambda it: it.reader.explain(_GONE, T0), may_be_unknown=True),
    "trades": Asked(f"{API}/trade/fills?{_SPOT}", lambda it: it.reader.explain(_SOLD, T0), may_be_unknown=True),
}
UNKNOWN = {
    "Position.maintenance_margin",
    "Position.liquidation_price",
    "Margin.maintenance",
    "Margin.available",
}


def _movements(it: Bench) -> None:
    """The position is only explained by orders, the coin by a trade."""
    row = {"symbol": "ETHUSDT", "category": "USDT-FUTURES", "side": "buy", "orderId": "1", "createdTime": str(NOW)}
    sold = {"category": "SPOT", "side": "sell", "execQty": "1", "execValue": "3000"}
    it.truth.traded = [{**row, "execQty": "1"}, {**row, **sold}]
    it.truth.ended = [{**row, "cumExecQty": "2", "execType": "normal"}]


VENUE = Venue(
    bench,
    READS,
    _movements,
    envelope=lambda data: data.map(_enveloped),
    blank_is_none={"mmr", "imr", "mgnRatio", "bonus"},
    may_lack={"mgnRatio", "bonus"},
    untouched={"execType"},  # told with the explanation
    unknown=UNKNOWN,
)


@pytest.mark.parametrize("name", [name for name in READS if name not in {"margin", "profit of the coins"}])
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
    """A reply that is anything at all, or right but for one field, gives an error, right values, or 'unknown'."""
    running.is_error_or_right(name, data)


async def test_no_secret_in_any_error_log_or_traceback(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    """Keys, passphrase, signatures and addresses appear in no message, repr, log line at any level, or traceback."""
    breaks = {
        "key": lambda it: setattr(it.server, "passphrase", "another"),
        "echo": echo(
            KEYS,
            (f"{API}/account/assets", f"{API}/account/funding-assets"),
            lambda said: {"code": "40017", "msg": said, "data": None},
        ),
    }
    everything = await everything_said(
        VENUE,
        breaks,
        lambda it: (*map(it.reader.balances, it.reader.wallets), it.reader.derivatives()),
        caplog,
        capsys,
    )
    assert "main: unified wallet" in everything
    for secret in (*KEYS.values(), "sign=", "://", "ACCESS-SIGN"):
        assert secret not in everything, secret
