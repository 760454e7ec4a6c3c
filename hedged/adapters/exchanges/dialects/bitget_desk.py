"""What Bitget's two kinds of account have in common where orders are concerned. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Protocol

from hedged.adapters.exchanges.dialects.bitget_account import HEDGE_MODE, ONE_WAY
from hedged.adapters.exchanges.dialects.bitget_shapes import COIN_MARGINED
from hedged.adapters.exchanges.dialects.order_rows import Names, row_shape
from hedged.adapters.exchanges.dialects.orders import Backing, MarketKey, OrderKey, Ticket
from hedged.adapters.exchanges.shapes import Misshapen, Row, Rows, check, text
from hedged.model.order import OrderStatus, Side

PAGE = 100  # rows, the most of a list

NAMES = Names(
    client_id="clientOid",
    venue_id="orderId",
    market="symbol",
    status="status",
    filled="baseVolume",
    average="priceAvg",
    statuses={
        "live": OrderStatus.OPEN,
        "new": OrderStatus.OPEN,
        "partially_filled": OrderStatus.OPEN,
        "filled": OrderStatus.FILLED,
        "canceled": OrderStatus.CANCELLED,
        "cancelled": OrderStatus.CANCELLED,
    },
    quantity="size",
    price="price",
    sides={"buy": Side.BUY, "sell": Side.SELL},
)
"""As the classic account has them; the rows of the unified one are given under these names."""

ROW = row_shape(NAMES)
_ROWS = Rows(ROW)


class Desk(Protocol):
    """One kind of account: its endpoints, and their parameters. Rows have the fields of `NAMES`."""

    @property
    def frees_ids(self) -> bool:
        """Whether the id of an order that has ended is taken for another one."""

    async def backing(self, exchange: Any, market: MarketKey) -> Backing: ...
    async def send(self, exchange: Any, ticket: Ticket) -> Row: ...
    async def one(self, exchange: Any, key: OrderKey) -> Row: ...
    async def waiting(self, exchange: Any, market: MarketKey, after: str) -> tuple[Sequence[Row], str]:
        """A page of what is open there, and the id that the next one begins behind; `after` "": the first."""

    async def ended(self, exchange: Any, key: OrderKey) -> Sequence[Row]: ...
    async def cancel(self, exchange: Any, key: OrderKey) -> None: ...
    def fee(self, row: Row) -> tuple[Decimal | None, str | None]: ...


def segment(market: MarketKey) -> str:
    """The venue's segment of contracts that this one is in."""
    contract = market.contract
    return COIN_MARGINED if contract.quote == "USD" else f"{contract.settle}-FUTURES"


def the_one(rows: Sequence[Row], market: MarketKey) -> Row | None:
    """The position in this market, of an account in one-way mode; None where there is none."""
    mine = [row for row in rows if row["symbol"] == market.market_id]
    if len(mine) > 1:
        raise Misshapen(f"{market.market_id} is held twice, by different margin: close all but one")
    if mine and mine[0]["posMode"] != ONE_WAY:
        raise Misshapen(HEDGE_MODE)
    if mine and mine[0]["marginMode"] not in {"crossed", "isolated"}:
        raise Misshapen("marginMode is neither crossed nor isolated")
    return mine[0] if mine else None


def page_of(reply: Row, name: str, end: str) -> tuple[Sequence[Row], str]:
    """The rows of a list, and where it ends; `name` and `end` are the fields of both.

    The venue writes null or nothing for a list without rows, and for its end: only the two together are a 'none'.
    """
    rows, last = reply["data"][name], reply["data"][end]
    if rows is None or rows == []:
        if last not in (None, ""):
            raise Misshapen("the list has an end and no rows")
        return (), ""
    check(rows, _ROWS, name)
    found: Sequence[Row] = rows
    return found, text(reply["data"], end)
