"""Kraken Futures' public data: one reply with marks, books, funding and index prices; margin tiers from the list.

`fundingRate` is an amount for one contract and hour: dollars for a linear one, coins for an inverse one. As a fraction
of the value it is that amount over the index price, or times it (the venue's history of rates gives both figures).
Funding is paid at each full hour.
"""

from __future__ import annotations

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
    hint,
    iso_moment,
    not_negative,
    number,
    positive,
)
from hedged.model.instrument import ContractKind, Instrument, InstrumentId, MarginTier
from hedged.model.snapshot import Quote, Read

TEXT = Scalar.TEXT
ONE = Decimal(1)
_HOUR = timedelta(hours=1)

ENDPOINTS = {
    ("GET", "/derivatives/api/v3/tickers"): Endpoint(
        "tickers", Record({"serverTime": TEXT, "tickers": Rows({"symbol": TEXT}, at_least=1)})
    ),
}


async def tickers(connection: Connection) -> tuple[dict[str, Row], datetime]:
    """Of every contract by its id, and the venue's time. Who asks at the same time shares the reply."""
    reply: Any = await connection.shared.ask("tickers", connection.exchange.publicGetTickers)
    return {row["symbol"].upper(): row for row in reply["tickers"]}, server_time(reply)


def server_time(reply: Row) -> datetime:
    return iso_moment(reply, "serverTime")


async def read_quotes(connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
    """One without a mark, as before its first trade, is absent."""
    rows, told_at = await tickers(connection)
    return {
        contract.id: Read(_quote(rows[market_id], contract, told_at), told_at)
        for market_id, contract in wanted.items()
        if market_id in rows and rows[market_id].get("markPrice") is not None
    }


def _quote(row: Row, contract: Instrument, told_at: datetime) -> Quote:
    bid, ask, index = _price(row, "bid"), _price(row, "ask"), _price(row, "indexPrice")
    if bid is not None and ask is not None and bid > ask:
        bid = ask = None  # a crossed book is torn
    rate = None
    if contract.kind is ContractKind.PERPETUAL and index is not None and row.get("fundingRate") is not None:
        amount = number(row, "fundingRate")
        rate = amount / index if contract.linear else amount * index
    return Quote(
        mark=positive(row, "markPrice"),
        bid=bid,
        ask=ask,
        index=index,
        funding_rate=rate,
        funding_interval_hours=None if rate is None else ONE,
        funding_next=None if rate is None else told_at.replace(minute=0, second=0, microsecond=0) + _HOUR,
        volume_day=hint(row, "volumeQuote"),
        high_day=hint(row, "high24h"),
        low_day=hint(row, "low24h"),
    )


def _price(row: Row, name: str) -> Decimal | None:
    """A price; left out, null or zero where there is none, as in an empty book."""
    return None if row.get(name) is None else not_negative(row, name) or None


async def read_prices(connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
    """Index prices of coins, by the linear perpetuals that follow them."""
    rows, told_at = await tickers(connection)
    found = {asset: _price(rows[market_id], "indexPrice") for market_id, asset in wanted.items() if market_id in rows}
    return {asset: Read(price, told_at) for asset, price in found.items() if price is not None}


def tiers_of(contract: Instrument, row: Row) -> tuple[MarginTier, ...]:
    """The contract's tiers, or none where the venue's tables for retail clients and for others differ.

    It does not say under which of the two an account is.
    """
    tables = [_tiers(contract, row[name]) for name in ("marginLevels", "retailMarginLevels") if row.get(name)]
    return tables[0] if tables and tables[0] == tables[-1] else ()


def _tiers(contract: Instrument, levels: object) -> tuple[MarginTier, ...]:
    """Floors are dollars for linear contracts, contracts for inverse ones."""
    if not isinstance(levels, list) or not all(isinstance(level, dict) for level in levels):
        raise Misshapen("margin levels are not a list of objects")
    return tuple(sorted(_levels(contract, levels), key=lambda tier: tier.notional_floor))


def _levels(contract: Instrument, levels: Iterable[Row]) -> Iterable[MarginTier]:
    for level in levels:
        inverse_floor = "contracts" in level
        if inverse_floor is contract.linear:
            raise Misshapen(f"margin levels of {contract.symbol} are counted in something else than its kind says")
        floor = not_negative(level, "contracts" if inverse_floor else "numNonContractUnits")
        yield MarginTier(
            notional_floor=floor * contract.multiplier if inverse_floor else floor,
            maintenance_margin_rate=positive(level, "maintenanceMargin"),
            leverage_max=ONE / positive(level, "initialMargin"),
        )
