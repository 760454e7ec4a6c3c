"""OKX's public data: where contracts trade, what coins cost, and the margin tiers of contract families."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.dialects.base import Connection, together
from hedged.adapters.exchanges.dialects.okx_funds import known
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import (
    Lists,
    Misshapen,
    Record,
    Row,
    Rows,
    Scalar,
    hint,
    moment,
    number,
    positive,
    text,
)
from hedged.model.instrument import ContractKind, Instrument, InstrumentId, MarginTier
from hedged.model.snapshot import Quote, Read

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT

_INDEXED = frozenset({"USD", "USDT", "USDC", "BTC"})  # the quotes by which the venue lists its indices
_FAMILIES_MAX = 5  # in one request for tiers
_HOUR = 3_600_000  # milliseconds

_TICKER = {"instId": TEXT, "last": PRESENT, "bidPx": PRESENT, "askPx": PRESENT, "ts": PRESENT}
_RATE = {"instId": TEXT, "fundingRate": PRESENT, "fundingTime": PRESENT, "nextFundingTime": PRESENT}
_SETTLED = {"instId": TEXT, "realizedRate": NUMBER, "fundingTime": NUMBER}
_TIER = {"instFamily": TEXT, "minSz": NUMBER, "mmr": NUMBER, "maxLever": NUMBER}

QUOTE_ENDPOINTS = {
    ("GET", "/api/v5/public/instruments"): Endpoint(
        "markets",
        Record({"data": Rows({"instId": PRESENT, "instType": TEXT, "state": TEXT}, at_least=1)}),
        patience=3.0,
    ),
    ("GET", "/api/v5/public/mark-price"): Endpoint(
        "mark prices", Record({"data": Rows({"instId": TEXT, "markPx": PRESENT, "ts": PRESENT}, at_least=1)})
    ),
    ("GET", "/api/v5/market/tickers"): Endpoint("tickers", Record({"data": Rows(_TICKER, at_least=1)})),
    ("GET", "/api/v5/public/funding-rate"): Endpoint("funding rates", Record({"data": Rows(_RATE, at_least=1)})),
    ("GET", "/api/v5/market/index-tickers"): Endpoint(
        "index prices", Record({"data": Rows({"instId": TEXT, "idxPx": PRESENT}, at_least=1)})
    ),
    ("GET", "/api/v5/market/candles"): Endpoint("candles", Record({"data": Lists(5)})),
    ("GET", "/api/v5/market/history-candles"): Endpoint("old candles", Record({"data": Lists(5)})),
    ("GET", "/api/v5/public/funding-rate-history"): Endpoint("past funding", Record({"data": Rows(_SETTLED)})),
    ("GET", "/api/v5/public/position-tiers"): Endpoint("margin tiers", Record({"data": Rows(_TIER, at_least=1)})),
}

Call = Callable[[dict[str, str]], Awaitable[Any]]


async def read_quotes(connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
    """Of the mark's own time. An instrument without a mark in the reply is absent."""
    venue = connection.exchange
    kinds = [{"instType": kind} for kind in sorted({instrument_type(each) for each in wanted.values()})]
    indices = [{"quoteCcy": quote} for quote in sorted({each.quote for each in wanted.values()} & _INDEXED)]
    funded = any(each.kind is ContractKind.PERPETUAL or "XPERP" in name for name, each in wanted.items())
    marks, books, rates, prices = await together(
        _rows(venue.publicGetPublicMarkPrice, kinds),
        _rows(venue.publicGetMarketTickers, kinds),
        _rows(venue.publicGetPublicFundingRate, [{"instId": "ANY"}] if funded else []),
        _rows(venue.publicGetMarketIndexTickers, indices),
    )
    book_of, rate_of = _by_id(books, wanted), _by_id(rates, wanted)
    index_of = {row["instId"]: row for row in prices}
    quotes = {}
    for mark in marks:
        name = mark["instId"]
        if name in wanted:
            index = index_of.get(f"{wanted[name].base}-{wanted[name].quote}")
            quotes[wanted[name].id] = _quote(mark, book_of.get(name), rate_of.get(name), index)
    return quotes


def instrument_type(instrument: Instrument) -> str:
    return "SWAP" if instrument.kind is ContractKind.PERPETUAL else "FUTURES"


async def _rows(call: Call, requests: Iterable[dict[str, str]]) -> list[Row]:
    replies = await together(*(call(request) for request in requests))
    return [row for reply in replies for row in reply["data"]]


def _by_id(rows: Iterable[Row], wanted: Mapping[str, Instrument]) -> dict[str, Row]:
    return {row["instId"]: row for row in rows if row["instId"] in wanted}


def _quote(mark: Row, book: Row | None, rate: Row | None, index: Row | None) -> Read[Quote]:
    bid = _price(book, "bidPx") if book else None
    ask = _price(book, "askPx") if book else None
    if bid is not None and ask is not None and bid > ask:
        bid = ask = None  # a crossed book is torn
    price, coins = positive(mark, "markPx"), hint(book, "volCcy24h")
    quote = Quote(
        mark=price,
        bid=bid,
        ask=ask,
        index=_price(index, "idxPx") if index else None,
        funding_rate=known(rate, "fundingRate") if rate else None,
        funding_interval_hours=_interval(rate) if rate else None,
        funding_next=moment(rate, "fundingTime") if rate and known(rate, "fundingTime") else None,
        bid_size=hint(book, "bidSz"),
        ask_size=hint(book, "askSz"),
        volume_day=coins * price if coins is not None else None,
        high_day=hint(book, "high24h"),
        low_day=hint(book, "low24h"),
    )
    return Read(quote, moment(mark, "ts"))


def _price(row: Row, name: str) -> Decimal | None:
    """A price; blank or zero where there is none, as in an empty book."""
    value = known(row, name)
    if value is not None and value < 0:
        raise Misshapen(f"{name} is below zero")
    return value or None


def _interval(rate: Row) -> Decimal | None:
    """Hours of the period that `fundingRate` is for: it ends at `fundingTime`. The venue changes them at will."""
    end, before, after = (known(rate, name) for name in ("fundingTime", "prevFundingTime", "nextFundingTime"))
    if end is None or (not before and after is None):
        return None
    length = end - before if before else (after or end) - end
    if length <= 0:
        raise Misshapen("fundingTime is not between its neighbours")
    return length / _HOUR


async def read_prices(connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
    """Last prices of the spot markets, in one request; one that never traded is absent."""
    reply = await connection.exchange.publicGetMarketTickers({"instType": "SPOT"})
    prices = {}
    for row in reply["data"]:
        if row["instId"] in wanted and (price := _price(row, "last")) is not None:
            prices[wanted[row["instId"]]] = Read(price, moment(row, "ts"))
    return prices


async def read_tiers(
    connection: Connection, wanted: Mapping[str, Instrument]
) -> dict[InstrumentId, tuple[MarginTier, ...]]:
    """Cross-margin tiers, five families in a request.

    The venue counts a tier's floor in contracts, of which a linear one is worth what the mark is now: one more
    request for each type with such contracts.
    """
    venue = connection.exchange
    family_of = {name: text(venue.markets[each.symbol]["info"], "instFamily") for name, each in wanted.items()}
    groups = {(instrument_type(each), family_of[name]) for name, each in wanted.items()}
    linear = {instrument_type(each) for each in wanted.values() if each.linear}
    replies, marks = await together(
        together(*(_tier_rows(venue.publicGetPublicPositionTiers, *batch) for batch in _batches(groups))),
        _rows(venue.publicGetPublicMarkPrice, [{"instType": kind} for kind in sorted(linear)]),
    )
    mark_of = {name: positive(row, "markPx") for name, row in _by_id(marks, wanted).items()}
    rows: dict[tuple[str, str], list[Row]] = {}
    for kind, found in replies:
        for row in found:
            rows.setdefault((kind, row["instFamily"]), []).append(row)
    tiers = {}
    for name, each in wanted.items():
        mark = mark_of.get(name) if each.linear else Decimal(1)
        told = rows.get((instrument_type(each), family_of[name]))
        if told and mark is not None:
            tiers[each.id] = _tiers(each, told, mark)
    return tiers


def _batches(groups: Iterable[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    """(type, families), as many families together as the venue takes."""
    for kind, members in itertools.groupby(sorted(groups), key=lambda group: group[0]):
        families = [family for _, family in members]
        for start in range(0, len(families), _FAMILIES_MAX):
            yield kind, families[start : start + _FAMILIES_MAX]


async def _tier_rows(call: Call, kind: str, families: Iterable[str]) -> tuple[str, list[Row]]:
    reply = await call({"instType": kind, "tdMode": "cross", "instFamily": ",".join(families)})
    return kind, reply["data"]


def _tiers(instrument: Instrument, rows: Iterable[Row], mark: Decimal) -> tuple[MarginTier, ...]:
    tiers = [
        MarginTier(
            notional_floor=instrument.notional(number(row, "minSz"), mark),
            maintenance_margin_rate=positive(row, "mmr"),
            leverage_max=positive(row, "maxLever"),
        )
        for row in rows
    ]
    return tuple(sorted(tiers, key=lambda tier: tier.notional_floor))
