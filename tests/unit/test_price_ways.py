"""How a coin without a market in the portfolio's currency is priced: by way of a dollar, at that dollar's own price."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from hedged.adapters.exchanges.ccxt_market import price_by, ways_to
from hedged.model.snapshot import Read

NOW = datetime(2026, 1, 1, tzinfo=UTC)

# market → price
ROWS: list[tuple[str, str, Mapping[tuple[str, str], str], Decimal | None]] = [
    ("its own market", "USDC", {("SOL", "USDC"): "150", ("SOL", "USDT"): "9", ("USDC", "USDT"): "1"}, Decimal(150)),
    ("its own, turned over", "USDC", {("USDC", "SOL"): "0.008"}, Decimal(125)),
    ("USDT, which is priced in it", "USD", {("SOL", "USDT"): "150", ("USDT", "USD"): "0.98"}, Decimal(147)),
    ("USDT, in which it is priced", "USDC", {("SOL", "USDT"): "150", ("USDC", "USDT"): "1.25"}, Decimal(120)),
    ("USDC", "USDT", {("SOL", "USDC"): "150", ("USDC", "USDT"): "0.9"}, Decimal(135)),
    ("the dollar", "USDT", {("SOL", "USD"): "150", ("USDT", "USD"): "1.2"}, Decimal(125)),
    ("a currency that is no dollar", "EUR", {("SOL", "USDT"): "150", ("EUR", "USDT"): "1.5"}, Decimal(100)),
    ("another dollar, the first has no price", "USDC",
     {("SOL", "USDT"): "", ("USDC", "USDT"): "1", ("SOL", "USD"): "150", ("USDC", "USD"): "1"}, Decimal(150)),
    ("no way: nobody tells the dollar's price", "USDC", {("SOL", "USDT"): "150"}, None),
    ("no way: the dollar's market has no price", "USDC", {("SOL", "USDT"): "150", ("USDC", "USDT"): ""}, None),
    ("no way: two dollars that far apart are a mistake", "USDC", {("SOL", "USDT"): "150", ("USDC", "USDT"): "2"}, None),
]  # fmt: skip


@pytest.mark.parametrize(("quote", "markets", "price"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_a_coin_is_priced_by_the_best_way(
    quote: str, markets: Mapping[tuple[str, str], str], price: Decimal | None
) -> None:
    """A market of its own goes before any other; a dollar is never taken for another one."""
    spot = {pair: "".join(pair) for pair in markets}
    told = {"".join(pair): Read(Decimal(text), NOW) for pair, text in markets.items() if text}
    found = price_by(ways_to(quote, "SOL", spot), quote, told)
    assert (found and found.value) == price


def test_a_crossed_price_is_as_old_as_the_older_of_the_two() -> None:
    """A fresh coin's price at an old rate is old."""
    old = NOW - timedelta(hours=1)
    told = {"SOLUSDT": Read(Decimal(150), NOW), "USDCUSDT": Read(Decimal(1), old)}
    ways = ways_to("USDC", "SOL", {("SOL", "USDT"): "SOLUSDT", ("USDC", "USDT"): "USDCUSDT"})
    assert price_by(ways, "USDC", told) == Read(Decimal(150), old)
