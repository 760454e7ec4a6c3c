"""What Kraken Futures holds for a user: coins of each wallet, positions, and the margin of the tightest wallet."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.dialects.base import Connection, Markets
from hedged.adapters.exchanges.dialects.krakenfutures_quotes import tickers
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import (
    Misshapen,
    Record,
    Row,
    Rows,
    Scalar,
    check,
    not_negative,
    number,
    positive,
    positive_or_none,
)
from hedged.errors import Refused
from hedged.model.instrument import Instrument
from hedged.model.snapshot import Balance, Derivatives, Margin, Position

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT
ZERO = Decimal(0)

_SIGNS = {"long": 1, "short": -1}
_DOLLARS = frozenset({"USD", "USDT", "USDC"})  # collateral that does not move with the price of a coin
_FLEX = Record({"currencies": Record({}), "balanceValue": NUMBER, "marginEquity": NUMBER, "maintenanceMargin": NUMBER})
_CASH = Record({"balances": Record({})})
_TWICE = "is held more than once, cross beside isolated: close one of the two (Positions → Close)"

ENDPOINTS = {
    ("GET", "/derivatives/api/v3/accounts"): Endpoint("wallets", Record({"accounts": Record({"flex": _FLEX})})),
    ("GET", "/derivatives/api/v3/openpositions"): Endpoint(
        "positions",
        Record({"openPositions": Rows({"symbol": TEXT, "side": TEXT, "size": NUMBER, "price": PRESENT})}),
    ),
}

Name = Callable[[str], str]  # the venue's name of a currency → ours


async def accounts(connection: Connection) -> tuple[Mapping[str, Any], datetime]:
    """Wallets and margin come in one reply: the legs that want it at the same time share it."""
    ask = connection.exchange.privateGetAccounts
    reply, arrived = await connection.shared.ask("wallets", lambda: connection.timed(ask()))
    return reply["accounts"], arrived


def holding(wallets: Mapping[str, Any], name: Name) -> tuple[Balance, ...]:
    """Of the holding wallet; an account that never had one is told without."""
    if "cash" not in wallets:
        return ()
    check(wallets["cash"], _CASH, "the holding wallet")
    rows = wallets["cash"]["balances"]
    return _coins((name(coin), not_negative(rows, coin)) for coin in rows)


def collateral(wallets: Mapping[str, Any], name: Name) -> tuple[Balance, ...]:
    """Of the multi-collateral wallet and all single-collateral ones together; losses may leave one below zero."""
    amounts = _flex_coins(wallets, name)
    for wallet in _single(wallets).values():
        # beside the coin stand the positions, under the names of their contracts
        rows = wallet["balances"]
        amounts.extend((name(coin), number(rows, coin)) for coin in rows if "_" not in coin)
    return _coins(amounts)


def _flex_coins(wallets: Mapping[str, Any], name: Name) -> list[tuple[str, Decimal]]:
    """Of the multi-collateral wallet."""
    flex = wallets["flex"]["currencies"]
    if not flex and number(wallets["flex"], "balanceValue"):
        raise Misshapen("currencies is empty although the wallet is worth something")
    return [(name(coin), _quantity(flex, coin)) for coin in flex]


def _quantity(currencies: Row, coin: str) -> Decimal:
    if not isinstance(currencies[coin], dict):
        raise Misshapen(f"{coin} of the multi-collateral wallet is not an object")
    return number(currencies[coin], "quantity")


def _single(wallets: Mapping[str, Any]) -> dict[str, Any]:
    """The single-collateral wallets by name. Raises for one of a kind that is not understood."""
    found = {key: wallet for key, wallet in wallets.items() if key not in {"cash", "flex"}}
    for key, wallet in found.items():
        if not isinstance(wallet, dict) or wallet.get("type") != "marginAccount":
            raise Misshapen(f"wallet {key} is of a kind that is not understood")
        if not isinstance(wallet.get("balances"), dict):
            raise Misshapen(f"wallet {key} lacks its balances")
    return found


def _coins(amounts: Iterable[tuple[str, Decimal]]) -> tuple[Balance, ...]:
    total: dict[str, Decimal] = {}
    for coin, amount in amounts:
        total[coin] = total.get(coin, ZERO) + amount
    return tuple(Balance(coin, amount) for coin, amount in total.items() if amount)


@dataclass(frozen=True, slots=True)
class Told:
    """`plain`: dollars back linear positions, none of them isolated, so that the contracts' prices alone decide."""

    derivatives: Derivatives
    plain: bool


async def read_derivatives(connection: Connection, markets: Markets) -> tuple[Told, datetime]:
    ask = connection.timed(connection.exchange.privateGetOpenpositions())
    (wallets, wallets_at), (reply, rows_at) = await asyncio.gather(accounts(connection), ask)
    rows = [row for row in reply["openPositions"] if not_negative(row, "size")]
    contracts = {row["symbol"].upper(): markets.contract(row["symbol"].upper()) for row in rows}
    for market_id, times in Counter(row["symbol"].upper() for row in rows).items():
        if times > 1:
            raise Refused(connection.account, "positions", f"{contracts[market_id].symbol} {_TWICE}")
    isolated = any(row.get("maxFixedLeverage") is not None for row in rows)
    inverse = {market_id: each for market_id, each in contracts.items() if not each.linear}
    backing = _flex_coins(wallets, connection.exchange.safe_currency_code)
    positions = tuple(_position(row, contracts[row["symbol"].upper()]) for row in rows)
    pools = [_flex_margin(wallets["flex"], isolated=isolated)]
    if inverse:
        prices, _ = await tickers(connection)
        pools.extend(_single_margins(wallets, inverse, prices))
    margin = _tightest(pools)
    plain = not isolated and all(coin in _DOLLARS for coin, amount in backing if amount)
    return Told(Derivatives(positions, margin), plain), min(wallets_at, rows_at)


def _position(row: Row, contract: Instrument) -> Position:
    """What the venue tells of profit is in dollars unless it names another currency."""
    if row["side"] not in _SIGNS:
        raise Misshapen("side is neither long nor short")
    in_dollars = contract.linear and row.get("pnlCurrency") in {None, "USD"}
    profit = number(row, "unrealizedPnl") if in_dollars and row.get("unrealizedPnl") is not None else None
    return Position(
        instrument=contract.id,
        contracts=number(row, "size") * _SIGNS[row["side"]],
        entry_price=positive_or_none(row, "price"),
        unrealised_pnl=profit,
    )


def _flex_margin(flex: Row, *, isolated: bool) -> Margin:
    return Margin(
        equity=number(flex, "marginEquity"),
        maintenance=None if isolated else not_negative(flex, "maintenanceMargin"),
        available=number(flex, "availableMargin") if flex.get("availableMargin") is not None else None,
    )


def _single_margins(
    wallets: Mapping[str, Any], inverse: Mapping[str, Instrument], prices: Mapping[str, Row]
) -> Iterator[Margin]:
    """One for each wallet with positions, in dollars by the index of its coin.

    Of the two thresholds that the venue names, maintenance (`mm`) and liquidation (`lt`), the one that comes first.
    """
    single = {key.lower(): wallet for key, wallet in _single(wallets).items()}
    for market_id, contract in _one_each(inverse):
        wallet = single.get(_wallet_of(market_id))
        if wallet is None:
            raise Misshapen(f"there is a position in {contract.symbol}, and no wallet that backs it")
        funds, needed = wallet.get("auxiliary"), wallet.get("marginRequirements")
        if not isinstance(funds, dict) or not isinstance(needed, dict):
            raise Misshapen(f"the wallet of {contract.symbol} lacks its margin")
        if market_id not in prices:
            raise Misshapen(f"{contract.symbol} has no index price")
        price = positive(prices[market_id], "indexPrice")
        yield Margin(
            equity=number(funds, "pv") * price,
            maintenance=max(not_negative(needed, "mm"), not_negative(needed, "lt")) * price,
            available=number(funds, "af") * price,
        )


def _wallet_of(market_id: str) -> str:
    """`fi_xbtusd` of `PI_XBTUSD` and of `FI_XBTUSD_261225`."""
    return f"fi_{market_id.split('_')[1].lower()}"


def _one_each(inverse: Mapping[str, Instrument]) -> Iterable[tuple[str, Instrument]]:
    """One contract for each wallet."""
    return {_wallet_of(market_id): (market_id, each) for market_id, each in inverse.items()}.values()


def _tightest(pools: Iterable[Margin]) -> Margin:
    """The wallet nearest to its liquidation; one whose maintenance is not known might be it."""

    def tightness(pool: Margin) -> Decimal:
        if pool.maintenance is None:
            return Decimal("Infinity")
        if not pool.maintenance:
            return ZERO
        return pool.maintenance / pool.equity if pool.equity > 0 else Decimal("Infinity")

    return max(pools, key=tightness)
