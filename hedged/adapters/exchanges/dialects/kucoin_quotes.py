"""KuCoin's public data: marks, index prices and funding with the list of contracts, books, spot prices, tiers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from hedged.adapters.exchanges.dialects.base import Connection, together
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import (
    Misshapen,
    Record,
    Row,
    Rows,
    Scalar,
    moment,
    not_negative,
    number,
    positive,
)
from hedged.model.instrument import ContractKind, Instrument, InstrumentId, MarginTier
from hedged.model.snapshot import Quote, Read

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT

_HOUR = 3_600_000  # milliseconds

QUOTE_ENDPOINTS = {
    ("GET", "/api/v2/symbols"): Endpoint(
        "spot markets", Record({"data": Rows({"symbol": TEXT}, at_least=1)}), patience=3.0
    ),
    ("GET", "/api/v1/contracts/active"): Endpoint(
        "contracts and marks", Record({"data": Rows({"symbol": TEXT, "status": TEXT}, at_least=1)}), patience=3.0
    ),
    ("GET", "/api/v1/allTickers"): Endpoint(
        "books", Record({"data": Rows({"symbol": TEXT, "bestBidPrice": PRESENT, "bestAskPrice": PRESENT}, at_least=1)})
    ),
    ("GET", "/api/v1/market/allTickers"): Endpoint(
        "spot prices",
        Record({"data": Record({"time": NUMBER, "ticker": Rows({"symbol": TEXT, "last": PRESENT}, at_least=1)})}),
    ),
    ("GET", "/api/v1/contracts/risk-limit/{}"): Endpoint(
        "margin tiers",
        Record({"data": Rows({"minRiskLimit": NUMBER, "maintainMargin": NUMBER, "maxLeverage": NUMBER}, at_least=1)}),
    ),
}


async def read_quotes(connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
    """Two requests, however many. The marks come without a time: that of arrival."""
    venue = connection.exchange
    (contracts, arrived), tickers = await together(
        connection.timed(venue.futuresPublicGetContractsActive()), venue.futuresPublicGetAllTickers()
    )
    books = {row["symbol"]: row for row in tickers["data"] if row["symbol"] in wanted}
    return {
        wanted[row["symbol"]].id: Read(_quote(wanted[row["symbol"]], row, books.get(row["symbol"])), arrived)
        for row in contracts["data"]
        if row["symbol"] in wanted
    }


def _quote(contract: Instrument, row: Row, book: Row | None) -> Quote:
    bid, ask = (_price(book, f"best{side}Price") if book else None for side in ("Bid", "Ask"))
    if bid is not None and ask is not None and bid > ask:
        bid = ask = None  # a crossed book is torn
    funded = contract.kind is ContractKind.PERPETUAL and row.get("fundingFeeRate") is not None
    return Quote(
        mark=positive(row, "markPrice"),
        bid=bid,
        ask=ask,
        index=_price(row, "indexPrice"),
        funding_rate=number(row, "fundingFeeRate") if funded else None,
        funding_interval_hours=_interval(row) if funded else None,
        funding_next=_next(row) if funded else None,
    )


def _price(row: Row, name: str) -> Decimal | None:
    """A price; null, zero or left out where there is none, as in an empty book."""
    return None if row.get(name) is None else not_negative(row, name) or None


def _interval(row: Row) -> Decimal | None:
    return None if row.get("fundingRateGranularity") is None else positive(row, "fundingRateGranularity") / _HOUR


def _next(row: Row) -> datetime | None:
    return None if row.get("nextFundingRateDateTime") is None else moment(row, "nextFundingRateDateTime")


async def read_prices(connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
    """Last prices of all spot markets in one request; one that never traded is absent."""
    data = (await connection.exchange.publicGetMarketAllTickers())["data"]
    return {
        wanted[row["symbol"]]: Read(price, moment(data, "time"))
        for row in data["ticker"]
        if row["symbol"] in wanted and (price := _price(row, "last")) is not None
    }


async def read_tiers(
    connection: Connection, wanted: Mapping[str, Instrument]
) -> dict[InstrumentId, tuple[MarginTier, ...]]:
    """Risk limits of linear contracts, as they hold for isolated margin; a request each."""
    linear = {name: each for name, each in wanted.items() if each.linear}
    ask = connection.exchange.futuresPublicGetContractsRiskLimitSymbol
    replies = await together(*(ask({"symbol": name}) for name in linear))
    return {each.id: _tiers(reply["data"]) for each, reply in zip(linear.values(), replies, strict=True)}


def _tiers(rows: list[Row]) -> tuple[MarginTier, ...]:
    tiers = sorted(
        (
            MarginTier(not_negative(row, "minRiskLimit"), positive(row, "maintainMargin"), positive(row, "maxLeverage"))
            for row in rows
        ),
        key=lambda tier: tier.notional_floor,
    )
    if tiers[0].notional_floor or len({tier.notional_floor for tier in tiers}) < len(tiers):
        raise Misshapen("the risk limits do not ascend from zero")
    return tuple(tiers)
