"""Bitget's public data: where contracts trade, what coins cost, and margin tiers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.dialects.base import Connection
from hedged.adapters.exchanges.dialects.bitget_shapes import known
from hedged.adapters.exchanges.shapes import Misshapen, Row, hint, moment, not_negative, positive, text
from hedged.adapters.exchanges.shared_call import together
from hedged.model.instrument import ContractKind, Instrument, InstrumentId, MarginTier
from hedged.model.snapshot import Quote, Read


def product_of(connection: Connection, contract: Instrument) -> str:
    return text(connection.exchange.market(contract.symbol)["info"], "productType")


async def read_quotes(connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
    """Two calls for each product that is wanted, one where all of it is dated."""
    venue = connection.exchange
    products = sorted({product_of(connection, contract) for contract in wanted.values()})
    funded = sorted({product_of(connection, each) for each in wanted.values() if each.kind is ContractKind.PERPETUAL})
    books, rates = await together(
        together(*(connection.timed(venue.publicMixGetV2MixMarketTickers({"productType": each})) for each in products)),
        together(*(venue.publicMixGetV2MixMarketCurrentFundRate({"productType": each}) for each in funded)),
    )
    perpetual = {market_id for market_id, each in wanted.items() if each.kind is ContractKind.PERPETUAL}
    rate_of = {row["symbol"]: row for reply in rates for row in reply["data"] if row["symbol"] in perpetual}
    return {
        wanted[row["symbol"]].id: Read(_quote(row, rate_of.get(row["symbol"])), _as_of(row, arrived))
        for reply, arrived in books
        for row in reply["data"]
        if row["symbol"] in wanted
    }


def _quote(row: Row, rate: Row | None) -> Quote:
    bid, ask = _price(row, "bidPr"), _price(row, "askPr")
    if bid is not None and ask is not None and bid > ask:
        bid = ask = None  # a crossed book is torn
    interval, after = (known(rate, name) if rate else None for name in ("fundingRateInterval", "nextUpdate"))
    if interval is not None and interval <= 0:
        raise Misshapen("fundingRateInterval is not above zero")
    return Quote(
        mark=positive(row, "markPrice"),
        bid=bid,
        ask=ask,
        index=_price(row, "indexPrice"),
        funding_rate=known(rate, "fundingRate") if rate else None,
        funding_interval_hours=interval,
        funding_next=moment(rate, "nextUpdate") if rate and after else None,
        volume_day=hint(row, "quoteVolume"),
        high_day=hint(row, "high24h"),
        low_day=hint(row, "low24h"),
    )


def _price(row: Row, name: str) -> Decimal | None:
    """A price; blank or zero where there is none, as in an empty book."""
    return None if known(row, name) is None else not_negative(row, name) or None


def _as_of(row: Row, arrived: datetime) -> datetime:
    """The ticker's own time; the venue may write 0 for 'not known', then that of the answer's arrival."""
    return moment(row, "ts") if known(row, "ts") else arrived


async def read_prices(connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
    """Last prices of all spot markets, in one request; one that never traded is absent."""
    reply, arrived = await connection.timed(connection.exchange.publicSpotGetV2SpotMarketTickers())
    prices = {}
    for row in reply["data"]:
        if row["symbol"] in wanted and (price := _price(row, "lastPr")) is not None:
            prices[wanted[row["symbol"]]] = Read(price, _as_of(row, arrived))
    return prices


async def read_tiers(
    connection: Connection, wanted: Mapping[str, Instrument]
) -> dict[InstrumentId, tuple[MarginTier, ...]]:
    """One call a contract. Floors are worths in the quote currency."""
    venue, found = connection.exchange, {}
    for market_id, contract in wanted.items():
        asked = {"symbol": market_id, "productType": product_of(connection, contract)}
        reply: Any = await venue.publicMixGetV2MixMarketQueryPositionLever(asked)
        found[contract.id] = _tiers(reply["data"], market_id)
    return found


def _tiers(rows: Iterable[Row], market_id: str) -> tuple[MarginTier, ...]:
    if any(row["symbol"] != market_id for row in rows):
        raise Misshapen("symbol is another contract's")
    tiers = (
        MarginTier(not_negative(row, "startUnit"), positive(row, "keepMarginRate"), positive(row, "leverage"))
        for row in rows
    )
    return tuple(sorted(tiers, key=lambda tier: tier.notional_floor))
