"""What each venue's streams are asked for, through ccxt.pro: the one place to add a venue or a channel.

What ccxt.pro 4.5 does not offer is left out here, and the polling finds it at the next cycle. A contract without a
mark in its stream is watched by its last price: streams are compared with themselves alone.

| venue       | marks | spot prices | balances                    | positions               | own fills         |
|-------------|-------|-------------|-----------------------------|-------------------------|-------------------|
| binance     | mark  | last        | spot, margin, USD-M, COIN-M | USD-M, COIN-M           | seen in positions |
| bybit       | mark  | last        | unified account             | linear, inverse         | seen in positions |
| okx         | mark  | last        | trading account             | all                     | seen in positions |
| bingx       | last  | last        | spot, USDT-margined         | USDT-margined, no other | seen in positions |
| mexc        | last  | not offered | futures, spot not offered   | not offered             | futures           |
| weex        | mark  | last        | spot, futures               | futures                 | seen in positions |
| bitget      | last  | last        | spot, USDT-margined         | USDT-margined, no other | USDT-margined     |
| deribit     | last  | not offered | not offered                 | not offered             | all               |
| gate        | last  | last        | spot                        | needs the user's number | the same          |
| hyperliquid | mid   | not offered | not offered                 | seen in fills           | all               |
| kraken-     | mark  | –           | all wallets                 | all                     | all               |
| futures     |       |             |                             |                         |                   |
| kucoin      | last  | last        | spot, margin, funding,      | seen in fills           | futures           |
|             |       |             | futures                     |                         |                   |

A fill of a spot order is seen in the balance. Of mexc's spot streams ccxt makes nothing without Google's protobuf.

A position that is closed is no longer told by bitget and krakenfutures, so fills are watched as well. Krakenfutures and
hyperliquid begin with those of the past, which start a cycle.

Of binance's portfolio margin the one account's balances and positions are watched; of bitget's unified account nothing
but prices. Funding and earn wallets have no streams anywhere but at kucoin, which tells of its funding account.

Of kucoin's positions and marks ccxt.pro has streams on the unified account's lines only, which the venue itself calls
unfinished. It gives no address for a websocket but by POST, with a token: public ones to anybody.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import Record, Rows, Scalar


class What(Enum):
    """What the messages of a stream are about."""

    MARKS = auto()
    BALANCES = auto()
    POSITIONS = auto()
    FILLS = auto()


@dataclass(frozen=True, slots=True)
class Watch:
    """One of ccxt.pro's watch methods, in its Python spelling, and how it is called."""

    what: What
    method: str
    params: Mapping[str, Any] = field(default_factory=dict)
    price: str = "markPrice"  # of marks: the field of ccxt's ticker that is followed
    each: bool = False  # of marks: one symbol a call


@dataclass(frozen=True, slots=True)
class Line:
    """One private connection; its watches stand and fall together. Opened if the account has any of these wallets."""

    name: str
    wallets: frozenset[str]
    watches: tuple[Watch, ...]
    lasts: float = math.inf  # seconds until it is opened anew


@dataclass(frozen=True, slots=True)
class StreamTable:
    """One venue's streams.

    `says` is all that may be said to it over a websocket: plain texts, and the verbs of frames (see
    `stream_client.verb`), which subscribe, log in and answer pings. `listen_keys` are the only HTTP calls: some
    venues open private streams to who has made a key for that by POST. It lets one listen, changes nothing in the
    account, and dies within the hour: such lines are opened anew before that. (ccxt prolongs binance's once at most.)
    """

    contracts: Watch
    spot: Watch | None
    private: tuple[Line, ...]
    says: frozenset[str]
    listen_keys: Mapping[tuple[str, str], Endpoint] = field(default_factory=dict)


# ccxt would read balances and positions once more when a stream begins: the next cycle does that anyway.
OPTIONS: Mapping[str, Any] = {
    "watchBalance": {"fetchBalanceSnapshot": False, "awaitBalanceSnapshot": False},
    "watchPositions": {"fetchPositionsSnapshot": False, "awaitPositionsSnapshot": False},
}

LISTEN_KEY_LASTS = 3000.0  # of 3600 s
_KEY = Endpoint("listen key", Record({"listenKey": Scalar.TEXT}))
_TOKEN = Endpoint("listen token", Record({"token": Scalar.TEXT}))
_BULLET = Endpoint(
    "listen token",
    Record({"data": Record({"token": Scalar.TEXT, "instanceServers": Rows({"endpoint": Scalar.TEXT}, at_least=1)})}),
)
_LAST = Watch(What.MARKS, "watch_tickers", price="last")
_ONE_ACCOUNT = frozenset({"spot", "margin", "swap"})


def _contracts(name: str, wallet: str, **params: Any) -> Line:
    """Positions and balances of one kind of contract, by a listen key."""
    watches = (Watch(What.POSITIONS, "watch_positions", params), Watch(What.BALANCES, "watch_balance", params))
    return Line(name, frozenset({wallet}), watches, LISTEN_KEY_LASTS)


def _balances(wallet: str, lasts: float = math.inf) -> Line:
    return Line(wallet, frozenset({wallet}), (Watch(What.BALANCES, "watch_balance", {"type": wallet}),), lasts)


_BOTH = (Watch(What.POSITIONS, "watch_positions"), Watch(What.BALANCES, "watch_balance"))

TABLES: Mapping[str, StreamTable] = {
    "binance": StreamTable(
        contracts=Watch(What.MARKS, "watch_mark_prices"),
        spot=_LAST,
        private=(
            _contracts("USD-M", "swap", type="swap", subType="linear"),
            _contracts("COIN-M", "swap", type="swap", subType="inverse"),
            _balances("spot"),
            _balances("margin", LISTEN_KEY_LASTS),
            _contracts("portfolio", "portfolio", type="swap", subType="linear", portfolioMargin=True),
        ),
        says=frozenset({"SUBSCRIBE", "userDataStream.subscribe.signature", "userDataStream.subscribe.listenToken"}),
        listen_keys={
            ("POST", "/fapi/v1/listenKey"): _KEY,
            ("POST", "/dapi/v1/listenKey"): _KEY,
            ("POST", "/papi/v1/listenKey"): _KEY,
            ("POST", "/sapi/v1/userListenToken"): _TOKEN,
        },
    ),
    "bybit": StreamTable(
        contracts=Watch(What.MARKS, "watch_tickers"),
        spot=_LAST,
        private=(Line("account", _ONE_ACCOUNT, _BOTH),),
        says=frozenset({"subscribe", "auth", "ping"}),
    ),
    "okx": StreamTable(
        contracts=Watch(What.MARKS, "watch_mark_prices"),
        spot=_LAST,
        private=(Line("account", _ONE_ACCOUNT, _BOTH),),
        says=frozenset({"subscribe", "login", "ping"}),
    ),
    "bingx": StreamTable(
        contracts=Watch(What.MARKS, "watch_ticker", price="last", each=True),
        spot=Watch(What.MARKS, "watch_ticker", price="last", each=True),
        private=(_contracts("swap", "swap", type="swap"), _balances("spot", LISTEN_KEY_LASTS)),
        says=frozenset({"sub", "dataType", "Pong", "pong"}),
        listen_keys={("POST", "/openApi/user/auth/userDataStream"): _KEY},
    ),
    "mexc": StreamTable(
        contracts=Watch(What.MARKS, "watch_ticker", price="last", each=True),
        spot=None,
        private=(
            Line(
                "swap",
                frozenset({"swap"}),
                (
                    Watch(What.FILLS, "watch_my_trades", {"type": "swap"}),
                    Watch(What.BALANCES, "watch_balance", {"type": "swap"}),
                ),
            ),
        ),
        says=frozenset({"sub.ticker", "login", "ping"}),
    ),
    "weex": StreamTable(
        contracts=Watch(What.MARKS, "watch_tickers"),
        spot=_LAST,
        private=(
            Line(
                "swap",
                frozenset({"swap"}),
                (
                    Watch(What.POSITIONS, "watch_positions"),  # would pass `type` on to the venue
                    Watch(What.BALANCES, "watch_balance", {"type": "swap"}),
                ),
            ),
            _balances("spot"),
        ),
        says=frozenset({"SUBSCRIBE", "PONG"}),
    ),
    "bitget": StreamTable(
        contracts=_LAST,
        spot=_LAST,
        private=(
            Line(
                "swap",
                frozenset({"swap"}),
                (
                    Watch(What.POSITIONS, "watch_positions"),
                    Watch(What.FILLS, "watch_my_trades", {"type": "swap"}),
                    Watch(What.BALANCES, "watch_balance", {"type": "swap"}),
                ),
            ),
            _balances("spot"),
        ),
        says=frozenset({"subscribe", "login", "ping"}),
    ),
    "deribit": StreamTable(
        contracts=_LAST,
        spot=None,
        private=(Line("account", _ONE_ACCOUNT, (Watch(What.FILLS, "watch_my_trades"),)),),
        says=frozenset({"public/auth", "public/subscribe", "private/subscribe"}),
    ),
    "hyperliquid": StreamTable(
        contracts=Watch(What.MARKS, "watch_ticker", price="close", each=True),  # which is the middle of the book
        spot=None,
        private=(Line("account", _ONE_ACCOUNT, (Watch(What.FILLS, "watch_my_trades"),)),),
        says=frozenset({"subscribe", "ping"}),
    ),
    "gate": StreamTable(contracts=_LAST, spot=_LAST, private=(_balances("spot"),), says=frozenset({"subscribe"})),
    "krakenfutures": StreamTable(
        contracts=Watch(What.MARKS, "watch_tickers"),
        spot=None,
        private=(Line("account", frozenset({"swap"}), (*_BOTH, Watch(What.FILLS, "watch_my_trades"))),),
        says=frozenset({"challenge", "subscribe"}),
    ),
    "kucoin": StreamTable(
        contracts=_LAST,
        spot=_LAST,
        private=(
            Line(
                "swap",
                frozenset({"swap"}),
                (
                    Watch(What.FILLS, "watch_my_trades", {"type": "swap"}),
                    Watch(What.BALANCES, "watch_balance", {"type": "swap"}),
                ),
            ),
            _balances("spot"),
            _balances("margin"),
            _balances("funding"),
        ),
        says=frozenset({"subscribe", "ping"}),
        listen_keys={("POST", "/api/v1/bullet-public"): _BULLET, ("POST", "/api/v1/bullet-private"): _BULLET},
    ),
}
