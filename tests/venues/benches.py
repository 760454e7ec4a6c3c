"""Every venue that has a local server, by ccxt's id. A new venue's line here puts it to every test of all venues."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from hedged.model.instrument import InstrumentId
from tests.venues import (
    binance_bench,
    bingx_bench,
    bitget_bench,
    bitget_uta_bench,
    bybit_bench,
    coinbase_bench,
    deribit_bench,
    gate_bench,
    hyperliquid_bench,
    kraken_bench,
    krakenfutures_bench,
    kucoin_bench,
    mexc_bench,
    okx_bench,
    weex_bench,
)
from tests.venues.same import SamePortfolio


class BenchModule(Protocol):
    """What the bench of a venue has: see any of them."""

    @property
    def WALLETS(self) -> Sequence[str]: ...

    @property
    def QUOTE(self) -> str:  # what the contracts are quoted in
        ...

    @property
    def DEBT(self) -> bool:  # whether the venue lends coins
        ...

    @property
    def PERPETUAL(self) -> InstrumentId | None:  # linear, on ETH; None where nothing but coins is held
        ...

    @property
    def DATED(self) -> InstrumentId | None:  # linear, on ETH; None where the venue lists none
        ...

    @property
    def bench(self) -> Callable[..., AbstractAsyncContextManager[Any]]:  # opened on a portfolio of its own
        ...

    @property
    def same(self) -> Callable[[SamePortfolio], AbstractAsyncContextManager[Any]]:
        """Opened on this portfolio, in the venue's own wallets, units and fields."""


BENCHES: dict[str, BenchModule] = {
    "binance": binance_bench,
    "bingx": bingx_bench,
    "bitget": bitget_bench,
    "bybit": bybit_bench,
    "coinbase": coinbase_bench,
    "deribit": deribit_bench,
    "gate": gate_bench,
    "hyperliquid": hyperliquid_bench,
    "kraken": kraken_bench,
    "krakenfutures": krakenfutures_bench,
    "kucoin": kucoin_bench,
    "mexc": mexc_bench,
    "okx": okx_bench,
    "weex": weex_bench,
}
ACCOUNTS: dict[str, BenchModule] = {**BENCHES, "bitget uta": bitget_uta_bench}
"""Every venue, and the other kind of account of those that have two."""
# those with contracts, and the one on ETH that hedges
PERPETUALS: dict[str, InstrumentId] = {
    venue: bench.PERPETUAL for venue, bench in BENCHES.items() if bench.PERPETUAL is not None
}
LEGS: dict[str, InstrumentId] = {name: each.PERPETUAL for name, each in ACCOUNTS.items() if each.PERPETUAL is not None}
