"""Gate's public data: where contracts trade, what coins cost, and margin tiers. Tickers have no time of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from hedged.adapters.exchanges.dialects.base import Connection
from hedged.adapters.exchanges.dialects.gate_shapes import SEGMENTS, Segment, known, seconds
from hedged.adapters.exchanges.shapes import Misshapen, Row, hint, not_negative, number, positive
from hedged.adapters.exchanges.shared_call import together
from hedged.model.instrument import ContractKind, Instrument, InstrumentId, MarginTier
from hedged.model.snapshot import Quote, Read

_HOUR = 3600


def segment_of(contract: Instrument) -> Segment:
    dated, settle = contract.kind is ContractKind.FUTURE, contract.settle.lower()
    return next(each for each in SEGMENTS if (each.settle, each.dated) == (settle, dated))


async def read_quotes(connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
    """One call for each segment that is wanted."""
    venue = connection.exchange
    segments = {segment_of(contract): None for contract in wanted.values()}
    replies = await together(
        *(connection.timed(each.ask(venue, "Tickers", private=False)({"settle": each.settle})) for each in segments)
    )
    quotes = {}
    for rows, arrived in replies:
        for row in rows:
            contract = wanted.get(row["contract"])
            if contract is not None:
                info = venue.market(contract.symbol)["info"]
                quotes[contract.id] = Read(_quote(row, contract, info, arrived), arrived)
    return quotes


def _quote(row: Row, contract: Instrument, info: Row, now: datetime) -> Quote:
    bid, ask = _price(row, "highest_bid"), _price(row, "lowest_ask")
    if bid is not None and ask is not None and bid > ask:
        bid = ask = None  # a crossed book is torn
    funded = contract.kind is ContractKind.PERPETUAL
    interval = known(info, "funding_interval") if funded else None
    return Quote(
        mark=positive(row, "mark_price"),
        bid=bid,
        ask=ask,
        index=_price(row, "index_price"),
        funding_rate=known(row, "funding_rate") if funded else None,
        funding_interval_hours=interval / _HOUR if interval else None,
        funding_next=_next_funding(info, interval, now) if interval else None,
        volume_day=hint(row, "volume_24h_quote") if contract.linear else None,
        high_day=hint(row, "high_24h"),
        low_day=hint(row, "low_24h"),
    )


def _next_funding(info: Row, interval: Decimal, now: datetime) -> datetime | None:
    """The listing, which is up to an hour old, tells the next settlement of then: rolled on by the interval."""
    if interval <= 0 or not known(info, "funding_next_apply"):
        return None
    after, step = seconds(info, "funding_next_apply"), timedelta(seconds=int(interval))
    return after + step * max((now - after) // step + 1, 0)


def _price(row: Row, name: str) -> Decimal | None:
    """A price; blank, zero or left out where there is none, as in an empty book."""
    return None if known(row, name) is None else not_negative(row, name) or None


async def read_prices(connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
    """Last prices of all spot markets, in one request; one that never traded is absent."""
    rows, arrived = await connection.timed(connection.exchange.publicSpotGetTickers())
    prices = {}
    for row in rows:
        if row["currency_pair"] in wanted and (price := _price(row, "last")) is not None:
            prices[wanted[row["currency_pair"]]] = Read(price, arrived)
    return prices


async def read_tiers(
    connection: Connection, wanted: Mapping[str, Instrument]
) -> dict[InstrumentId, tuple[MarginTier, ...]]:
    """One call a contract, linear ones only: an inverse contract's limits are counted in coins."""
    found = {}
    for market_id, contract in wanted.items():
        if contract.linear:
            segment = segment_of(contract)
            ask = segment.ask(connection.exchange, "RiskLimitTiers", private=False)
            found[contract.id] = _tiers(await ask({"settle": segment.settle, "contract": market_id}), market_id)
    return found


def _tiers(rows: Iterable[Row], market_id: str) -> tuple[MarginTier, ...]:
    """`risk_limit` is where a tier ends; the next begins there."""
    floor, tiers = Decimal(0), []
    for row in sorted(rows, key=lambda each: number(each, "risk_limit")):
        if row.get("contract", market_id) != market_id:
            raise Misshapen("contract is another one")
        tiers.append(MarginTier(floor, positive(row, "maintenance_rate"), positive(row, "leverage_max")))
        floor = positive(row, "risk_limit")
    return tuple(tiers)
