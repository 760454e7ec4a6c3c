"""The venues that can be read, one module each. Importing this loads neither ccxt nor anything that connects.

To add a venue:

1. `dialects/<ccxt id>.py`: a subclass of `Dialect`. Read the venue's pages and ccxt's source side by side.
   - `endpoints`: every call the dialect makes, with the shape its reply must have. Only these can be sent, so a
     venue whose GET places orders (Deribit's `private/buy`) is as safe as any; where the body of a request says what
     it does, `asked` names it. Give an empty list only where the venue answers so for *none*.
   - `multiplier`: what one contract of a *position* is (some venues count positions in coins although their
     markets have a contract size); `derivatives` compares with the venue's own notional through `is_plausible`.
   - `config`: ccxt options that keep `load_markets` from making signed or writing calls.
   - Prefer ccxt's unified methods; use an endpoint directly where they drop a field (debt, times), turn a missing
     field into None or zero, or need more calls. Whatever a unified method leaves out must raise, not be empty.
   - All segments in which the account can hold a position, or none: a missing segment is a failed read.
2. Add the class to `_DIALECTS` below.
3. The local venue, in `tests/venues/`: `<ccxt id>_venue.py` holds the truth in the venue's own fields and number
   formats, `<ccxt id>_server.py` speaks of it over TLS and checks signatures, `<ccxt id>_bench.py` opens the adapter
   on it. The bench's `same` presents the portfolio of `tests/venues/same.py`.
4. A line in `tests/venues/benches.py`, and one in `MARGIN` of `tests/contract/test_same_portfolio.py`: what the venue
   shows of margin and liquidation. That puts it to the tests of all venues: the same portfolio is the same assessment,
   and a paper hedge from front to back. Another kind of account of a venue that is there (Bitget's unified one) has a
   wallet of its own name, a bench, and a line in `ACCOUNTS` and in `MARGIN`.
5. `tests/contract/test_ccxt_<ccxt id>_faults.py`: the table of its reads, put to every fault and to random replies by
   `tests/contract/replies.py`. What is particular about the venue (modes, refusals, a cycle's weight, what explains a
   vanished position) and the replies of its documentation have tests of their own beside it.
6. Orders, if they can be looked up by our id: `dialects/<ccxt id>_orders.py`, a subclass of `OrderDialect`, added to
   `_ORDER_DIALECTS`, and an entry in the table of `tests/contract/order_venues.py`.
7. A row in the README's table of exchanges: `tests/contract/test_exchange_table.py` tells what its cells have to say.
"""

from __future__ import annotations

from hedged.adapters.exchanges.dialects.base import Dialect
from hedged.adapters.exchanges.dialects.binance import Binance
from hedged.adapters.exchanges.dialects.binance_orders import BinanceOrders
from hedged.adapters.exchanges.dialects.bingx import BingX
from hedged.adapters.exchanges.dialects.bingx_orders import BingXOrders
from hedged.adapters.exchanges.dialects.bitget import Bitget
from hedged.adapters.exchanges.dialects.bitget_orders import BitgetOrders
from hedged.adapters.exchanges.dialects.bybit import Bybit
from hedged.adapters.exchanges.dialects.bybit_orders import BybitOrders
from hedged.adapters.exchanges.dialects.coinbase import Coinbase
from hedged.adapters.exchanges.dialects.deribit import Deribit
from hedged.adapters.exchanges.dialects.gate import Gate
from hedged.adapters.exchanges.dialects.gate_orders import GateOrders
from hedged.adapters.exchanges.dialects.hyperliquid import Hyperliquid
from hedged.adapters.exchanges.dialects.kraken import Kraken
from hedged.adapters.exchanges.dialects.krakenfutures import KrakenFutures
from hedged.adapters.exchanges.dialects.kucoin import Kucoin
from hedged.adapters.exchanges.dialects.kucoin_orders import KucoinOrders
from hedged.adapters.exchanges.dialects.mexc import Mexc
from hedged.adapters.exchanges.dialects.mexc_orders import MexcOrders
from hedged.adapters.exchanges.dialects.okx import Okx
from hedged.adapters.exchanges.dialects.okx_orders import OkxOrders
from hedged.adapters.exchanges.dialects.orders import OrderDialect
from hedged.adapters.exchanges.dialects.weex import Weex
from hedged.adapters.exchanges.dialects.weex_orders import WeexOrders

_DIALECTS: tuple[type[Dialect], ...] = (
    Binance,
    BingX,
    Bitget,
    Bybit,
    Coinbase,
    Deribit,
    Gate,
    Hyperliquid,
    Kraken,
    KrakenFutures,
    Kucoin,
    Mexc,
    Okx,
    Weex,
)

_ORDER_DIALECTS: tuple[type[OrderDialect], ...] = (
    BinanceOrders,
    BingXOrders,
    BitgetOrders,
    BybitOrders,
    GateOrders,
    KucoinOrders,
    MexcOrders,
    OkxOrders,
    WeexOrders,
)


def exchanges() -> dict[str, frozenset[str]]:
    """The venues that can be read by their ccxt id, each with the names of the wallets it has."""
    return {dialect.exchange: dialect.wallets for dialect in _DIALECTS}


def find(exchange: str) -> type[Dialect] | None:
    """The dialect of a ccxt id; None: this venue cannot be read."""
    return next((dialect for dialect in _DIALECTS if dialect.exchange == exchange), None)


def order_dialects() -> dict[str, type[OrderDialect]]:
    """The venues that orders can be sent to, by their ccxt id."""
    return {dialect.exchange: dialect for dialect in _ORDER_DIALECTS}
