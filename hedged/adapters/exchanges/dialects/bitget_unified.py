"""Bitget's unified account: one pool for coins, loans and the contracts of all products, and a funding wallet.

What a coin counts is its equity without the open profit of the positions that are margined in it. The venue's `debt`
is part of that already: it is what balance and open profit are below zero by, loans of margin orders included. So what
is owed is what the coin is below zero by.

Equity and maintenance are the account's own, in dollars after the haircuts on collateral; its margin ratio counts where
it asks for more. Bonus is not the user's. Positions with isolated margin are refused: nothing documents whether the
pool's equity has their margin. A product without positions answers null, which is believed as long as the positions
that are told make up the account's open profit, and not where that cannot be compared.

Not seen: copy trading, bots, earn products, loans against collateral.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from hedged.adapters.exchanges.dialects import bitget_account
from hedged.adapters.exchanges.dialects.base import Connection, Markets
from hedged.adapters.exchanges.dialects.bitget_shapes import COIN_MARGINED, PRODUCTS, known
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
)
from hedged.adapters.exchanges.shared_call import together
from hedged.errors import Refused
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Derivatives, Margin, Read

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT
ZERO = Decimal(0)

WALLET = "uta"
# Of the worth of the positions, and in dollars: marks move between two requests, and a dollar is not a USDT.
_PROFIT_SLACK, _PROFIT_ROUNDING = Decimal("0.01"), Decimal(1)
_RATIO_ROUNDING = Decimal("1.001")

ISOLATED = (
    "a position with isolated margin cannot be told apart from the rest of a unified account: set its contract to "
    "cross margin"
)
# the venue's name of a field → that of the classic account, by which positions are read
_SPELLING = {
    "posSide": "holdSide",
    "avgPrice": "openPriceAvg",
    "holdMode": "posMode",
    "unrealisedPnl": "unrealizedPL",
    "mmr": "keepMarginRate",
}

_POSITION = Rows(
    {
        "symbol": TEXT,
        "marginCoin": TEXT,
        "posSide": TEXT,
        "total": NUMBER,
        "avgPrice": NUMBER,
        "marginMode": TEXT,
        "holdMode": TEXT,
        "unrealisedPnl": PRESENT,
        "markPrice": PRESENT,
    }
)
_LIST = Record({"data": Record({"list": PRESENT})})

ENDPOINTS: Mapping[tuple[str, str], Endpoint] = {
    ("GET", "/api/v3/account/info"): Endpoint(
        "key permissions", Record({"data": Record({"permType": TEXT, "permissions": PRESENT, "ips": PRESENT})})
    ),
    ("GET", "/api/v3/account/settings"): Endpoint("account settings", Record({"data": Record({"holdMode": TEXT})})),
    ("GET", "/api/v3/account/assets"): Endpoint(
        "unified wallet",
        Record(
            {
                "data": Record(
                    {
                        "effEquity": NUMBER,
                        "mmr": NUMBER,
                        "unrealisedPnl": NUMBER,
                        "assets": Rows({"coin": TEXT, "equity": NUMBER}),
                    }
                )
            }
        ),
    ),
    ("GET", "/api/v3/account/funding-assets"): Endpoint(
        "unified funding wallet", Record({"data": Rows({"coin": TEXT, "available": NUMBER, "frozen": NUMBER})})
    ),
    ("GET", "/api/v3/position/current-position"): Endpoint("unified positions", _LIST),
    ("GET", "/api/v3/trade/fills"): Endpoint("unified fills", _LIST),
    ("GET", "/api/v3/trade/history-orders"): Endpoint("unified orders", _LIST),
    ("GET", "/api/v3/account/financial-records"): Endpoint(
        "unified records", Record({"data": Record({"list": PRESENT, "cursor": PRESENT})})
    ),
}


async def read_derivatives(connection: Connection, markets: Markets) -> Read[Derivatives]:
    """The positions of all products and the account's one margin, all or nothing."""
    account, rows, arrived = await _whole(connection)
    bitget_account.refuse_what_cannot_be_read(connection.account, [row for _, row in rows])
    held = tuple(bitget_account.position(row, product, (), markets) for product, row in rows)
    return Read(Derivatives(held, _margin(account)), arrived)


async def read_coins(connection: Connection) -> Read[tuple[Balance, ...]]:
    account, rows, arrived = await _whole(connection)
    return Read(_coins(account["assets"], rows, connection.exchange.safe_currency_code), arrived)


async def read_funding(connection: Connection) -> Read[tuple[Balance, ...]]:
    venue = connection.exchange
    reply, arrived = await connection.timed(venue.privateUtaGetV3AccountFundingAssets())
    return Read(bitget_account.plain_coins(reply["data"], venue.safe_currency_code), arrived)


async def read_permissions(connection: Connection) -> Permissions:
    """Trading needs the right to write, and to trade; what reads needs both of the account's rights."""
    data = (await connection.exchange.privateUtaGetV3AccountInfo())["data"]
    told, kind, addresses = data["permissions"], data["permType"], data["ips"]
    if not isinstance(told, list) or not all(isinstance(each, str) for each in told):
        raise Misshapen("permissions is not a list of words")
    if kind not in {"read-only", "read-and-write"}:
        raise Misshapen("permType is neither read-only nor read-and-write")
    if addresses is not None and not isinstance(addresses, str):
        raise Misshapen("ips is not text")
    return Permissions(
        read={"uta_mgt", "uta_trade"} <= set(told),
        trade=kind == "read-and-write" and "uta_trade" in told,
        withdraw="withdraw" in told,
        bound_to_address=bool(addresses),
    )


async def read_hedge_mode(connection: Connection) -> bool:
    mode = (await connection.exchange.privateUtaGetV3AccountSettings())["data"]["holdMode"]
    if mode not in {bitget_account.HEDGE, bitget_account.ONE_WAY}:
        raise Misshapen("holdMode is neither one_way_mode nor hedge_mode")
    return bool(mode == bitget_account.HEDGE)


def classic(row: Row) -> Row:
    """A position under the names that the classic account has for its fields."""
    return {_SPELLING.get(name, name): value for name, value in row.items()}


def listed(reply: Row, shape: Rows, name: str = "list") -> Sequence[Row]:
    """A list, which the venue writes as null where it has no rows."""
    rows = reply["data"]["list"]
    if rows is None:
        return ()
    check(rows, shape, name)
    found: Sequence[Row] = rows
    return found


def position_rows(reply: Row) -> list[Row]:
    """A product's positions that are open, with the fields of the classic account."""
    return [classic(row) for row in listed(reply, _POSITION) if number(row, "total")]


Told = Sequence[tuple[str, Row]]  # (product, position)


async def _whole(connection: Connection) -> tuple[Row, Told, datetime]:
    """The account and the open positions of every product, which have to agree.

    The legs that want them at the same time share the requests.
    """
    venue = connection.exchange

    async def ask() -> tuple[Row, Told, datetime]:
        positions = (
            connection.timed(venue.privateUtaGetV3PositionCurrentPosition({"category": each})) for each in PRODUCTS
        )
        (assets, assets_at), *replies = await together(
            connection.timed(venue.privateUtaGetV3AccountAssets()), *positions
        )
        rows = [
            (product, row)
            for product, (reply, _) in zip(PRODUCTS, replies, strict=True)
            for row in position_rows(reply)
        ]
        if any(row["marginMode"] != "crossed" for _, row in rows):
            raise Refused(connection.account, "unified positions", ISOLATED)
        all_told = all(reply["data"]["list"] is not None for reply, _ in replies)
        _refuse_hidden(assets["data"], rows, all_told=all_told)
        return assets["data"], rows, min(assets_at, *(arrived for _, arrived in replies))

    return await connection.shared.ask("unified account", ask)


def _coins(assets: Iterable[Row], rows: Told, name: bitget_account.Name) -> tuple[Balance, ...]:
    """Net of open profit, which the positions show; `locked` is not told apart, for it is within the equity."""
    left: dict[str, Decimal] = {}
    for row in assets:
        if row["coin"] in left:
            raise Misshapen(f"{row['coin']} is listed twice")
        left[row["coin"]] = number(row, "equity")
    for _, row in rows:
        left[row["marginCoin"]] = left.get(row["marginCoin"], ZERO) - number(row, "unrealizedPL")
    return tuple(Balance(name(coin), max(net, ZERO), debt=max(-net, ZERO)) for coin, net in sorted(left.items()) if net)


def _margin(account: Row) -> Margin:
    """In dollars. `mgnRatio` is what the venue liquidates by: maintenance and fees over equity."""
    equity = number(account, "effEquity") - (known(account, "bonus") or ZERO)
    needed, ratio, initial = not_negative(account, "mmr"), known(account, "mgnRatio"), known(account, "imr")
    if ratio is not None and equity > 0 and ratio * equity > needed * _RATIO_ROUNDING:
        needed = ratio * equity
    return Margin(equity, needed, None if initial is None else max(equity - initial, ZERO))


def _refuse_hidden(account: Row, rows: Told, *, all_told: bool) -> None:
    """Raise if the account has another open profit than the positions that are told: one is missing, or misread.

    A profit in a coin whose price nobody tells cannot be compared: then every product has to have a list (`all_told`).
    """
    told = worth = ZERO
    for product, row in rows:
        mark, profit = positive(row, "markPrice"), number(row, "unrealizedPL")
        if product == COIN_MARGINED:
            price = mark if row["symbol"].startswith(row["marginCoin"]) else _price(account, row["marginCoin"])
            if price is None:
                if all_told:
                    return
                raise Misshapen("a product answers null, and the open profit of the account cannot be compared")
            profit *= price
        told += profit
        worth += number(row, "total") * mark
    if abs(number(account, "unrealisedPnl") - told) > _PROFIT_SLACK * worth + _PROFIT_ROUNDING:
        raise Misshapen("the open profit of the account is not that of the positions that are told")


def _price(account: Row, coin: str) -> Decimal | None:
    """In dollars, by what the account's own holding is said to be worth; None where that is too little to tell."""
    for row in account["assets"]:
        worth = known(row, "usdValue") if row["coin"] == coin else None
        if worth is not None and abs(worth) >= 1 and number(row, "equity"):
            return abs(worth / number(row, "equity"))
    return None
