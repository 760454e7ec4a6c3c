"""Coinbase's public data: what is listed, where contracts trade, what coins cost."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.dialects.base import Connection
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import (
    Misshapen,
    Record,
    Row,
    Rows,
    Scalar,
    iso_moment,
    not_negative,
    number,
    positive,
)
from hedged.model.instrument import ContractKind, Instrument, InstrumentId
from hedged.model.snapshot import Quote, Read

TEXT, NUMBER = Scalar.TEXT, Scalar.NUMBER

_OURS = "FCM"  # Coinbase Financial Markets, whose positions are read
_FULL_SIZE = frozenset({"BTI", "ETI"})  # contracts of 1 BTC and 10 ETH beside the nano ones of the same dates
_BOOKS_MAX = 10  # requests for books in one read of quotes: what the venue allows in a second
_HOUR = Decimal(3600)  # seconds
_LEVELS = Rows({"price": NUMBER})

ENDPOINTS = {
    ("GET", "/api/v3/brokerage/market/product_book"): Endpoint(
        "book", Record({"pricebook": Record({"product_id": TEXT, "bids": _LEVELS, "asks": _LEVELS, "time": TEXT})})
    ),
}


def markets(exchange: Any, spot: Iterable[Row], futures: Iterable[Row]) -> list[Any]:
    """Ccxt's unified markets of both lists; of contracts only those whose positions the futures account holds.

    ccxt gives contracts of one coin and date the same symbol, whatever their size. The nano contract keeps it and the
    full-size one goes by the venue's own name, whether or not both are listed. Of others that share one, the smallest
    keeps it; one whose size is not clear counts as the smallest, and is then left out.
    """
    listed = [exchange.parse_spot_market(row, {}) for row in spot]
    contracts = [_contract(exchange, row) for row in futures if row.get("product_venue") == _OURS]
    taken: set[str] = set()
    for market in sorted(filter(None, contracts), key=_size):
        if market["symbol"] in taken or market["id"].split("-")[0] in _FULL_SIZE:
            market["symbol"] = market["id"]
        taken.add(market["symbol"])
    return [market for market in [*listed, *contracts] if market is not None]


def _contract(exchange: Any, row: Row) -> Any:
    """Ccxt stumbles over a date that is none: such a row goes by its name, and is left out when its rules are read."""
    try:
        iso_moment(details(row), "contract_expiry")
    except Misshapen:
        told = row.get("future_product_details")
        dated = {**(told if isinstance(told, dict) else {}), "contract_expiry": "2000-01-01T00:00:00Z"}
        market = exchange.parse_contract_market({**row, "future_product_details": dated}, {})
        return market and {**market, "info": row, "symbol": row["product_id"]}
    return exchange.parse_contract_market(row, {})


def _size(market: Row) -> tuple[Decimal, str]:
    try:
        return positive(details(market["info"]), "contract_size"), str(market["id"])
    except Misshapen:
        return Decimal(0), str(market["id"])


def details(row: Row) -> Row:
    told = row.get("future_product_details")
    if not isinstance(told, dict):
        raise Misshapen("future_product_details is not an object")
    return told


async def read_quotes(connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
    """One without a price, as before its first trade, is absent."""
    asked = wanted if len(wanted) <= _BOOKS_MAX else ()
    (rows, arrived), books = await asyncio.gather(
        _products(connection, "FUTURE", wanted), asyncio.gather(*(_book(connection, name) for name in asked))
    )
    book_of = dict(zip(asked, books, strict=True))
    quotes = {}
    for name, contract in wanted.items():
        mark = _mark(rows[name]) if name in rows else None
        if mark is not None:
            book = book_of.get(name)
            as_of = iso_moment(book, "time") if book else arrived
            quotes[contract.id] = Read(_quote(rows[name], contract, mark, book), as_of)
    return quotes


async def read_prices(connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
    """Last prices of the spot markets, in one request; one that never traded is absent."""
    rows, arrived = await _products(connection, "SPOT", wanted)
    prices = {asset: _price(rows[name], "price") for name, asset in wanted.items() if name in rows}
    return {asset: Read(price, arrived) for asset, price in prices.items() if price is not None}


async def _products(connection: Connection, kind: str, wanted: Iterable[str]) -> tuple[dict[str, Row], datetime]:
    call = connection.exchange.v3PublicGetBrokerageMarketProducts({"product_type": kind, "product_ids": sorted(wanted)})
    reply, arrived = await connection.timed(call)
    return {row["product_id"]: row for row in reply["products"]}, arrived


async def _book(connection: Connection, market_id: str) -> Row:
    reply = await connection.exchange.v3PublicGetBrokerageMarketProductBook({"product_id": market_id, "limit": 1})
    book: Row = reply["pricebook"]
    if book["product_id"] != market_id:
        raise Misshapen("the book is another product's")
    return book


def _mark(row: Row) -> Decimal | None:
    """The venue tells none: the middle of the book, or the last trade while nobody quotes."""
    return _price(row, "mid_market_price") or _price(row, "price")


def _price(row: Row, name: str) -> Decimal | None:
    """A price; blank or zero where there is none."""
    return None if row.get(name) == "" else not_negative(row, name) or None


def _quote(row: Row, contract: Instrument, mark: Decimal, book: Row | None) -> Quote:
    told = details(row)
    bid = positive(book["bids"][0], "price") if book and book["bids"] else None
    ask = positive(book["asks"][0], "price") if book and book["asks"] else None
    if bid is not None and ask is not None and bid > ask:
        bid = ask = None  # a crossed book is torn
    index = _price(told, "index_price") if told.get("index_price") is not None else None
    if contract.kind is not ContractKind.PERPETUAL or not told.get("funding_rate"):
        return Quote(mark=mark, bid=bid, ask=ask, index=index)
    every = _seconds(told)
    return Quote(
        mark=mark,
        bid=bid,
        ask=ask,
        index=index,
        funding_rate=number(told, "funding_rate"),
        funding_interval_hours=every / _HOUR,
        funding_next=iso_moment(told, "funding_time") + timedelta(seconds=int(every)),
    )


def _seconds(told: Row) -> Decimal:
    """`3600s`."""
    written = told.get("funding_interval")
    if not isinstance(written, str) or not written.endswith("s"):
        raise Misshapen("funding_interval is not a number of seconds")
    return positive({"funding_interval": written.removesuffix("s")}, "funding_interval")
