"""Binance's portfolio margin: one account of margin, USD-M and COIN-M, with one equity and one maintenance margin."""

from __future__ import annotations

import asyncio
from decimal import Decimal

from hedged.adapters.exchanges.dialects.base import Connection, Markets
from hedged.adapters.exchanges.dialects.binance_contracts import (
    BRACKETS,
    RISK,
    coin_position,
    refuse_hedge_mode,
    usd_position,
)
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import Record, Row, Rows, Scalar, not_negative, number
from hedged.model.snapshot import Derivatives, Margin, Read

NUMBER = Scalar.NUMBER

_LIQUIDATED_AT = Decimal("1.05")
"""The equity ÷ maintenance margin (uniMMR) below which the venue liquidates, by its help pages."""

ENDPOINTS = {
    ("GET", "/papi/v1/account"): Endpoint(
        "portfolio margin", Record({"accountEquity": NUMBER, "accountMaintMargin": NUMBER})
    ),
    ("GET", "/papi/v1/um/positionRisk"): Endpoint("portfolio USD-M positions", Rows({**RISK, "notional": NUMBER})),
    ("GET", "/papi/v1/cm/positionRisk"): Endpoint("portfolio COIN-M positions", Rows(RISK)),
    ("GET", "/papi/v1/um/leverageBracket"): Endpoint("portfolio margin tiers", Rows(BRACKETS, at_least=1)),
}


async def read_derivatives(connection: Connection, markets: Markets) -> Read[Derivatives]:
    """Positions of both segments and the account's one margin, all or nothing."""
    venue = connection.exchange
    (account, account_at), (usd, usd_at), (coin, coin_at) = await asyncio.gather(
        connection.timed(venue.papiGetAccount()),
        connection.timed(venue.papiGetUmPositionRisk()),
        connection.timed(venue.papiGetCmPositionRisk()),
    )
    refuse_hedge_mode(connection, usd=usd, coin=coin)
    held = [usd_position(row, markets, maintenance=None) for row in usd if number(row, "positionAmt")]
    coined = [coin_position(row, markets, maintenance=None) for row in coin if number(row, "positionAmt")]
    return Read(Derivatives((*held, *coined), _margin(account)), min(account_at, usd_at, coin_at))


def _margin(account: Row) -> Margin:
    """Equity after the venue's haircuts on collateral; maintenance such that 1 is where liquidation begins."""
    return Margin(
        equity=number(account, "accountEquity"),
        maintenance=not_negative(account, "accountMaintMargin") * _LIQUIDATED_AT,
    )
