"""Binance's wallets that are not a futures account's own: spot, margin, funding, simple earn, portfolio margin.

Coins in flexible earn are shown twice by the venue: as a position of earn, and in the spot wallet under the coin's
name with LD before it. They are counted in the wallet `earn` where the user has it, else under their LD name in spot.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.dialects.base import Connection
from hedged.adapters.exchanges.dialects.corner import Corner
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import Misshapen, Record, Row, Rows, Scalar, not_negative, number, text
from hedged.model.snapshot import Balance

TEXT, NUMBER = Scalar.TEXT, Scalar.NUMBER
ZERO = Decimal(0)

_PAGE = 100  # rows, the most that the venue gives
_PAGES_MAX = 20
_COINS = {"asset": TEXT, "free": NUMBER, "locked": NUMBER}
_LENT = {**_COINS, "borrowed": NUMBER, "interest": NUMBER}
_ROUNDING, _LAST_DIGIT = Decimal("0.000001"), Decimal("0.01")  # the venue rounds the total and each part by itself
_AMOUNTS = ("free", "locked", "borrowed", "interest")
_UNIFIED = (
    *("crossMarginFree", "crossMarginLocked", "crossMarginBorrowed", "crossMarginInterest"),
    *("umWalletBalance", "cmWalletBalance", "totalWalletBalance"),
)

ENDPOINTS = {
    ("GET", "/api/v3/account"): Endpoint("spot wallet", Record({"balances": Rows(_COINS)})),
    ("GET", "/sapi/v1/margin/account"): Endpoint("margin wallet", Record({"userAssets": Rows(_LENT)})),
    ("GET", "/sapi/v1/margin/isolated/account"): Endpoint(
        "isolated margin", Record({"assets": Rows({"baseAsset": Record(_LENT), "quoteAsset": Record(_LENT)})})
    ),
    # a POST that only reads: the venue made it one, and offers no other
    ("POST", "/sapi/v1/asset/get-funding-asset"): Endpoint(
        "funding wallet", Rows({**_COINS, "freeze": NUMBER, "withdrawing": NUMBER})
    ),
    ("GET", "/sapi/v1/simple-earn/flexible/position"): Endpoint(
        "flexible earn", Record({"total": NUMBER, "rows": Rows({"asset": TEXT, "totalAmount": NUMBER})})
    ),
    ("GET", "/sapi/v1/simple-earn/locked/position"): Endpoint(
        "locked earn", Record({"total": NUMBER, "rows": Rows({"asset": TEXT, "amount": NUMBER})})
    ),
    ("GET", "/papi/v1/balance"): Endpoint(
        "portfolio wallet", Rows({"asset": TEXT, **dict.fromkeys(_UNIFIED, NUMBER)}, at_least=1)
    ),
}

Wallet = tuple[list[Balance], datetime]


async def spot(connection: Connection, *, with_earn: bool) -> Wallet:
    """The spot wallet; `with_earn`: without what the wallet `earn` has."""
    account = connection.timed(connection.exchange.privateGetAccount())
    if not with_earn:
        reply, arrived = await account
        return [_coins(row) for row in reply["balances"]], arrived
    (flexible, earn_at), (reply, arrived) = await asyncio.gather(_flexible(connection), account)
    receipts = {f"LD{row['asset']}" for row in flexible if not_negative(row, "totalAmount")}
    return [_coins(row) for row in reply["balances"] if row["asset"] not in receipts], min(earn_at, arrived)


async def margin(connection: Connection, isolated: Corner) -> Wallet:
    """Cross margin, and both sides of every isolated pair; what was borrowed is at hand or sold, and owed."""

    async def pairs() -> list[Row]:
        reply = await connection.exchange.sapiGetMarginIsolatedAccount()
        sides = [pair[side] for pair in reply["assets"] for side in ("baseAsset", "quoteAsset")]
        return [row for row in sides if any(number(row, name) for name in _AMOUNTS)]

    apart, (reply, arrived) = await asyncio.gather(
        isolated.look(connection, pairs), connection.timed(connection.exchange.sapiGetMarginAccount())
    )
    debts = [
        (row, not_negative(row, "borrowed") + not_negative(row, "interest")) for row in (*reply["userAssets"], *apart)
    ]
    return together(_coins(row, debt) for row, debt in debts), arrived


async def funding(connection: Connection) -> Wallet:
    """Coins on their way out are the user's until they have left."""
    rows, arrived = await connection.timed(connection.exchange.sapiPostAssetGetFundingAsset())
    held = ("locked", "freeze", "withdrawing")
    return [
        Balance(row["asset"], not_negative(row, "free"), sum((not_negative(row, name) for name in held), ZERO))
        for row in rows
    ], arrived


async def earn(connection: Connection) -> Wallet:
    """Flexible positions are free, locked ones locked; all of one coin in one balance."""
    (flexible, flexible_at), (locked, locked_at) = await asyncio.gather(
        _flexible(connection), _pages(connection, connection.exchange.sapiGetSimpleEarnLockedPosition)
    )
    coins = [Balance(row["asset"], not_negative(row, "totalAmount")) for row in flexible]
    coins += [Balance(row["asset"], ZERO, not_negative(row, "amount")) for row in locked]
    return together(coins), min(flexible_at, locked_at)


async def portfolio(connection: Connection) -> Wallet:
    """Margin, USD-M and COIN-M as the one wallet that they are, without unrealised profit.

    By the venue's documentation the total is what is free and locked in margin and both futures wallets. A total that
    is another is of other things or of another moment, and tells nothing of what is held.
    """
    rows, arrived = await connection.timed(connection.exchange.papiGetBalance())
    return [_unified(row) for row in rows], arrived


def _unified(row: Row) -> Balance:
    free, locked = number(row, "crossMarginFree"), not_negative(row, "crossMarginLocked")
    futures = number(row, "umWalletBalance") + number(row, "cmWalletBalance")
    parts = free + locked + futures
    if abs(parts - number(row, "totalWalletBalance")) > _ROUNDING * max(abs(parts), _LAST_DIGIT):
        raise Misshapen(f"the parts of {row['asset']} do not add up to totalWalletBalance")
    debt = not_negative(row, "crossMarginBorrowed") + not_negative(row, "crossMarginInterest")
    return Balance(row["asset"], free + futures, locked, debt)


def _coins(row: Row, debt: Decimal = ZERO) -> Balance:
    return Balance(row["asset"], not_negative(row, "free"), not_negative(row, "locked"), debt)


async def _flexible(connection: Connection) -> tuple[list[Row], datetime]:
    """The wallets `spot` and `earn`, read at the same time, share it and so agree."""
    ask = connection.exchange.sapiGetSimpleEarnFlexiblePosition
    return await connection.shared.ask("flexible earn", lambda: _pages(connection, ask))


async def _pages(connection: Connection, ask: Callable[[dict[str, Any]], Awaitable[Any]]) -> tuple[list[Row], datetime]:
    """All rows of a list that comes in pages, and when the first came. Fewer rows than it counts is half a list."""
    rows: list[Row] = []
    first: datetime | None = None
    for page in range(1, _PAGES_MAX + 1):
        reply, arrived = await connection.timed(ask({"current": page, "size": _PAGE}))
        first = first or arrived
        rows += reply["rows"]
        if len(rows) >= number(reply, "total"):
            return rows, first
        if not reply["rows"]:
            break
    raise Misshapen("the list of earn positions is not complete")


def together(coins: Iterable[Balance]) -> list[Balance]:
    """One balance an asset."""
    found: dict[str, Balance] = {}
    for coin in coins:
        so_far = found.get(coin.asset, Balance(coin.asset, ZERO))
        found[coin.asset] = Balance(
            coin.asset, so_far.free + coin.free, so_far.locked + coin.locked, so_far.debt + coin.debt
        )
    return list(found.values())


def of_pools(rows: Iterable[Row]) -> list[Balance]:
    """A futures account's assets, without unrealised profit.

    Not `availableBalance`, which in multi-assets mode shows the same dollars under every asset.
    """
    return [Balance(text(row, "asset"), number(row, "walletBalance")) for row in rows]
