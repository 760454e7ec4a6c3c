"""Binance's futures: quotes, positions and margin of USD-M (fapi) and COIN-M (dapi).

USD-M counts positions in coins. COIN-M counts them in contracts of a face value in dollars, and its money is coins:
what it says of margin and profit is turned into dollars at the position's own mark.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from hedged.adapters.exchanges.dialects.base import NOTIONAL_TOLERANCE, Connection, Markets, is_plausible
from hedged.adapters.exchanges.dialects.binance_margin import coin_equities, coin_margins, usd_equities, usd_margins
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import (
    Fields,
    Misshapen,
    Record,
    Row,
    Rows,
    Scalar,
    hint,
    liquidation_or_none,
    moment,
    not_negative,
    number,
    positive,
    positive_or_none,
    text,
)
from hedged.errors import Refused
from hedged.model.instrument import ContractKind, Instrument, InstrumentId, MarginTier
from hedged.model.snapshot import Derivatives, Position, Quote, Read

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT
ZERO = Decimal(0)

FUNDING_INTERVAL = Decimal(8)  # hours, of every perpetual that fundingInfo does not list

_POOL = {
    "asset": TEXT,
    "walletBalance": NUMBER,
    "crossWalletBalance": NUMBER,
    "crossUnPnl": NUMBER,
    "maintMargin": NUMBER,
}
_ACCOUNT: Fields = {
    "totalMarginBalance": NUMBER,
    "totalMaintMargin": NUMBER,
    "totalCrossWalletBalance": NUMBER,
    "totalCrossUnPnl": NUMBER,
    "availableBalance": NUMBER,
    "assets": Rows(_POOL),
}
_HELD = {"symbol": TEXT, "positionSide": TEXT, "positionAmt": NUMBER}
_COIN_ACCOUNT: Fields = {"assets": Rows(_POOL), "positions": Rows({**_HELD, "maintMargin": NUMBER})}
RISK = {
    **_HELD,
    "entryPrice": NUMBER,
    "markPrice": NUMBER,
    "unRealizedProfit": NUMBER,
    "liquidationPrice": PRESENT,
}
_MARK = {
    "symbol": TEXT,
    "markPrice": PRESENT,
    "indexPrice": PRESENT,
    "lastFundingRate": PRESENT,
    "nextFundingTime": PRESENT,
    "time": PRESENT,
}
_BOOK = {"symbol": TEXT, "bidPrice": PRESENT, "askPrice": PRESENT}
_INTERVAL = {"symbol": TEXT, "fundingIntervalHours": NUMBER}
BRACKETS: Fields = {
    "symbol": TEXT,
    "brackets": Rows({"notionalFloor": NUMBER, "maintMarginRatio": NUMBER, "initialLeverage": NUMBER}, at_least=1),
}

ENDPOINTS = {
    ("GET", "/fapi/v1/premiumIndex"): Endpoint("mark prices", Rows(_MARK, at_least=1)),
    ("GET", "/fapi/v1/ticker/bookTicker"): Endpoint("futures books", Rows(_BOOK, at_least=1)),
    ("GET", "/fapi/v1/fundingInfo"): Endpoint("funding intervals", Rows(_INTERVAL, at_least=1)),
    ("GET", "/fapi/v3/account"): Endpoint("futures wallet", Record(_ACCOUNT)),
    ("GET", "/fapi/v3/positionRisk"): Endpoint(
        "futures positions",
        Rows({**RISK, "notional": NUMBER, "maintMargin": NUMBER, "marginAsset": TEXT, "isolatedMargin": NUMBER}),
    ),
    ("GET", "/fapi/v1/leverageBracket"): Endpoint("futures margin tiers", Rows(BRACKETS, at_least=1)),
    ("GET", "/dapi/v1/premiumIndex"): Endpoint("COIN-M mark prices", Rows(_MARK, at_least=1)),
    ("GET", "/dapi/v1/ticker/bookTicker"): Endpoint("COIN-M books", Rows(_BOOK, at_least=1)),
    # the venue lists only what differs from the usual interval, in COIN-M often nothing
    ("GET", "/dapi/v1/fundingInfo"): Endpoint("COIN-M funding intervals", Rows(_INTERVAL)),
    ("GET", "/dapi/v1/account"): Endpoint("COIN-M wallet", Record(_COIN_ACCOUNT)),
    ("GET", "/dapi/v1/positionRisk"): Endpoint("COIN-M positions", Rows({**RISK, "isolatedMargin": NUMBER})),
    **{
        ("GET", f"/{path}/positionSide/dual"): Endpoint("position mode", Record({"dualSidePosition": PRESENT}))
        for path in ("fapi/v1", "dapi/v1", "papi/v1/um", "papi/v1/cm")
    },
    ("GET", "/eapi/v1/position"): Endpoint("options", Rows({"symbol": TEXT, "quantity": NUMBER}), patience=0.3),
}

HEDGE_MODE = (
    "the account is in hedge mode (separate long and short positions): switch it to one-way mode "
    "({segment} → Preferences → Position mode)"
)


def quote_of(
    instrument: Instrument, mark: Row, book: Row | None, intervals: Mapping[str, Decimal] | None
) -> Read[Quote]:
    """One row of each bulk reply. Dated futures have no funding: the venue leaves the rate blank, the time zero."""
    bid = positive_or_none(book, "bidPrice") if book else None
    ask = positive_or_none(book, "askPrice") if book else None
    if bid is not None and ask is not None and bid > ask:
        bid = ask = None  # a crossed book is torn
    perpetual = instrument.kind is ContractKind.PERPETUAL
    quote = Quote(
        mark=positive(mark, "markPrice"),
        bid=bid,
        ask=ask,
        index=positive_or_none(mark, "indexPrice"),
        funding_rate=number(mark, "lastFundingRate") if perpetual else None,
        funding_interval_hours=(
            intervals.get(mark["symbol"], FUNDING_INTERVAL) if perpetual and intervals is not None else None
        ),
        funding_next=moment(mark, "nextFundingTime") if perpetual and number(mark, "nextFundingTime") else None,
        bid_size=hint(book, "bidQty"),
        ask_size=hint(book, "askQty"),
    )
    return Read(quote, moment(mark, "time"))


async def usd_account(connection: Connection) -> tuple[Any, datetime]:
    """Wallet and margin come in one reply: the legs that want it at the same time share it."""
    venue = connection.exchange
    return await connection.shared.ask("futures account", lambda: connection.timed(venue.fapiPrivateV3GetAccount()))


async def coin_account(connection: Connection) -> tuple[Any, datetime]:
    """The COIN-M wallet, likewise shared."""
    venue = connection.exchange
    return await connection.shared.ask("COIN-M account", lambda: connection.timed(venue.dapiPrivateGetAccount()))


async def read_derivatives(connection: Connection, markets: Markets) -> Read[Derivatives]:
    """Positions and margin of both segments, or none: either could hold what the other does not show."""
    venue = connection.exchange
    (usd, usd_at), (coin, coin_at), (rows, rows_at), (risks, risks_at) = await asyncio.gather(
        usd_account(connection),
        coin_account(connection),
        connection.timed(venue.fapiPrivateV3GetPositionRisk()),
        connection.timed(venue.dapiPrivateGetPositionRisk()),
    )
    refuse_hedge_mode(connection, usd=rows, coin=[*risks, *coin["positions"]])
    needed = {row["symbol"]: row for row in _open(coin["positions"])}
    shown = _open(risks)
    if {text(row, "symbol"): number(row, "positionAmt") for row in shown} != {
        symbol: number(row, "positionAmt") for symbol, row in needed.items()
    }:
        # positionRisk leaves out contracts that are being settled; and a fill between the two replies tears them
        raise Misshapen("the COIN-M account and its positions do not agree")
    held = [usd_position(row, markets, maintenance=not_negative(row, "maintMargin")) for row in _open(rows)]
    coined = [
        coin_position(row, markets, maintenance=not_negative(needed[row["symbol"]], "maintMargin")) for row in shown
    ]
    margins = (*usd_margins(usd, _open(rows)), *coin_margins(coin, shown, markets))
    margin = max(margins, key=attrgetter("tightness"))
    as_of = min(usd_at, coin_at, rows_at, risks_at)
    equities = usd_equities(usd) | coin_equities(coin, shown, markets)
    return Read(Derivatives((*held, *coined), margin, equities=equities), as_of)


async def options(connection: Connection) -> list[Row]:
    return [row for row in await connection.exchange.eapiPrivateGetPosition() if number(row, "quantity")]


def refuse_hedge_mode(connection: Connection, *, usd: Iterable[Row], coin: Iterable[Row]) -> None:
    """Of what is open: each segment has a mode of its own, and lists contracts with nothing in them in any."""
    for rows, segment in ((usd, "USDⓈ-M Futures"), (coin, "COIN-M Futures")):
        if any(row["positionSide"] != "BOTH" for row in _open(rows)):
            detail = f"{segment}: {HEDGE_MODE.format(segment=segment)}"
            raise Refused(connection.account, "futures positions", detail)


def _open(rows: Iterable[Row]) -> list[Row]:
    return [row for row in rows if number(row, "positionAmt")]


def usd_position(row: Row, markets: Markets, *, maintenance: Decimal | None) -> Position:
    instrument = markets.contract(text(row, "symbol"))
    contracts = number(row, "positionAmt")
    return Position(
        instrument=instrument.id,
        contracts=contracts,
        entry_price=positive_or_none(row, "entryPrice"),
        liquidation_price=liquidation_or_none(row, "liquidationPrice"),
        unrealised_pnl=number(row, "unRealizedProfit"),
        maintenance_margin=maintenance,
        trusted=is_plausible(instrument, contracts, positive(row, "markPrice"), number(row, "notional")),
        isolated_equity=_set_apart(row),
    )


def coin_position(row: Row, markets: Markets, *, maintenance: Decimal | None) -> Position:
    """An inverse position; `maintenance` in coins, as all of the row's money."""
    instrument = markets.contract(text(row, "symbol"))
    contracts, mark = number(row, "positionAmt"), positive(row, "markPrice")
    return Position(
        instrument=instrument.id,
        contracts=contracts,
        entry_price=positive_or_none(row, "entryPrice"),
        liquidation_price=liquidation_or_none(row, "liquidationPrice"),
        unrealised_pnl=number(row, "unRealizedProfit") * mark,
        maintenance_margin=None if maintenance is None else maintenance * mark,
        trusted=_is_worth(row, abs(instrument.base_quantity(contracts, mark))),
        isolated_equity=None if (apart := _set_apart(row)) is None else apart * mark,
    )


def _set_apart(row: Row) -> Decimal | None:
    """In the margin's asset; the portfolio margin account isolates nothing and has no such field."""
    return number(row, "isolatedMargin") or None if "isolatedMargin" in row else None


def _is_worth(row: Row, coins: Decimal) -> bool:
    """Whether the venue's notional, which it gives in coins and not in every reply, agrees with these coins."""
    if "notionalValue" not in row:
        return True
    told = abs(number(row, "notionalValue"))
    return abs(coins - told) <= NOTIONAL_TOLERANCE * told


def tiers_of(rows: Iterable[Row], contracts: Mapping[str, Instrument]) -> dict[InstrumentId, tuple[MarginTier, ...]]:
    """By the venue's table of brackets; of contracts that it lists and we do not, nothing."""
    return {contracts[row["symbol"]].id: _brackets(row) for row in rows if row["symbol"] in contracts}


def _brackets(row: Row) -> tuple[MarginTier, ...]:
    """Ascending. `notionalCoef` widens or narrows one user's brackets: only the narrower, dearer ones are believed."""
    scale = min(positive(row, "notionalCoef"), Decimal(1)) if row.get("notionalCoef") is not None else Decimal(1)
    tiers = [
        MarginTier(
            notional_floor=not_negative(bracket, "notionalFloor") * scale,
            maintenance_margin_rate=_rate(bracket),
            leverage_max=positive(bracket, "initialLeverage"),
        )
        for bracket in row["brackets"]
    ]
    tiers.sort(key=lambda tier: tier.notional_floor)
    if tiers[0].notional_floor:
        raise Misshapen(f"the margin tiers of {row['symbol']} do not begin at 0")
    return tuple(tiers)


def _rate(bracket: Row) -> Decimal:
    rate = positive(bracket, "maintMarginRatio")
    if rate >= 1:
        raise Misshapen("maintMarginRatio is not below 1")
    return rate
