"""Deribit's public data: where futures trade, by the currency they are settled in, and index prices by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.dialects.base import Connection, together
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import (
    Misshapen,
    Record,
    Row,
    Rows,
    Scalar,
    hint,
    moment,
    not_negative,
    number,
    positive,
)
from hedged.model.instrument import ContractKind, Instrument, InstrumentId
from hedged.model.snapshot import Quote, Read

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT

_FUNDING_HOURS = Decimal(8)  # `funding_8h` is what the last eight hours cost; it is charged continuously

QUOTE_ENDPOINTS = {
    ("GET", "/api/v2/public/get_instruments"): Endpoint(
        "markets",
        Record({"result": Rows({"instrument_name": PRESENT, "kind": TEXT, "base_currency": PRESENT}, at_least=1)}),
        patience=3.0,
    ),
    ("GET", "/api/v2/public/get_index_price_names"): Endpoint("index names", Record({"result": PRESENT})),
    ("GET", "/api/v2/public/get_index_price"): Endpoint(
        "index price", Record({"result": Record({"index_price": NUMBER}), "usOut": NUMBER})
    ),
    ("GET", "/api/v2/public/get_book_summary_by_currency"): Endpoint(
        "marks and books",
        Record(
            {
                "result": Rows(
                    {
                        "instrument_name": TEXT,
                        "mark_price": PRESENT,
                        "bid_price": PRESENT,
                        "ask_price": PRESENT,
                        "creation_timestamp": PRESENT,
                    },
                    at_least=1,
                )
            }
        ),
    ),
}


def index_pairs(exchange: Any, names: object) -> Iterator[Any]:
    """Index prices as pairs of currencies that are priced; each `btc_usd` is bitcoin in dollars."""
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and name for name in names):
        raise Misshapen("the list of index names is not one")
    for name in names:
        base, _, quote = name.partition("_")
        if base and quote and "_" not in quote:
            ours = [exchange.safe_currency_code(part.upper()) for part in (base, quote)]
            pair = {"base": ours[0], "quote": ours[1], "baseId": base.upper(), "quoteId": quote.upper()}
            kind = {"type": "spot", "spot": True, "contract": False, "active": True, "info": {}}
            yield exchange.safe_market_structure({"id": name, "symbol": "/".join(ours), **pair, **kind})


async def read_quotes(connection: Connection, wanted: Mapping[str, Instrument]) -> dict[InstrumentId, Read[Quote]]:
    """One request for each currency that these are settled in. A contract without a row in the reply is absent."""
    venue = connection.exchange
    settled = sorted({venue.currency_id(contract.settle) for contract in wanted.values()})
    ask = venue.publicGetGetBookSummaryByCurrency
    replies = await together(*(ask({"currency": currency, "kind": "future"}) for currency in settled))
    rows = [row for reply in replies for row in reply["result"] if row["instrument_name"] in wanted]
    contracts = {row["instrument_name"]: wanted[row["instrument_name"]] for row in rows}
    return {contracts[row["instrument_name"]].id: _quote(contracts[row["instrument_name"]], row) for row in rows}


def _quote(contract: Instrument, row: Row) -> Read[Quote]:
    """The index is the estimated delivery price: the same, but for the last half hour of a dated contract's life."""
    bid, ask = _price(row, "bid_price"), _price(row, "ask_price")
    if bid is not None and ask is not None and bid > ask:
        bid = ask = None  # a crossed book is torn
    perpetual = contract.kind is ContractKind.PERPETUAL
    rate = number(row, "funding_8h") if perpetual and row.get("funding_8h") is not None else None
    quote = Quote(
        mark=positive(row, "mark_price"),
        bid=bid,
        ask=ask,
        index=_price(row, "estimated_delivery_price"),
        funding_rate=rate,
        funding_interval_hours=None if rate is None else _FUNDING_HOURS,
        volume_day=hint(row, "volume_usd"),
        high_day=hint(row, "high"),
        low_day=hint(row, "low"),
    )
    return Read(quote, moment(row, "creation_timestamp"))


def _price(row: Row, name: str) -> Decimal | None:
    """A price; null, zero or left out where there is none, as in an empty book."""
    return None if row.get(name) is None else not_negative(row, name) or None


async def read_prices(connection: Connection, wanted: Mapping[str, str]) -> dict[str, Read[Decimal]]:
    """Index prices, one request each: the venue has no list of them."""
    ask = connection.exchange.publicGetGetIndexPrice
    replies = await together(*(ask({"index_name": name}) for name in wanted))
    return {
        asset: Read(positive(reply["result"], "index_price"), _time(reply))
        for asset, reply in zip(wanted.values(), replies, strict=True)
    }


def _time(reply: Row) -> datetime:
    """When the venue answered, which it tells in microseconds."""
    return moment({"usOut": int(number(reply, "usOut") / 1000)}, "usOut")
