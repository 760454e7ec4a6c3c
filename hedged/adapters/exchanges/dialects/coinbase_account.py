"""What Coinbase holds for a user: coins of a portfolio, futures cash, positions, and the margin behind them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.dialects.base import Connection, Markets
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import (
    Misshapen,
    Record,
    Row,
    Rows,
    Scalar,
    not_negative,
    number,
    positive_or_none,
    text,
)
from hedged.errors import Refused
from hedged.model.snapshot import Balance, Margin, Position

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT
ZERO = Decimal(0)

_ACCOUNTS_MAX = 250  # a page
_PAGES_MAX = 40
_AMOUNT = Record({"value": NUMBER})
_SPOT = frozenset({None, "", "ACCOUNT_PLATFORM_UNSPECIFIED", "ACCOUNT_PLATFORM_CONSUMER"})
_FUTURES = "ACCOUNT_PLATFORM_CFM_CONSUMER"  # its dollars are those of the summary
_NO_FUTURES = "there is no futures account: leave swap out of this account's wallets"
_MOVE = "move it to the consumer account, or use the key of a portfolio without it"
_SIGNS = {"LONG": 1, "SHORT": -1}

ENDPOINTS = {
    ("GET", "/api/v3/brokerage/accounts"): Endpoint(
        "accounts",
        Record(
            {
                "accounts": Rows({"uuid": TEXT, "currency": TEXT, "available_balance": _AMOUNT, "hold": _AMOUNT}),
                "has_next": PRESENT,
                "cursor": PRESENT,
            }
        ),
    ),
    ("GET", "/api/v3/brokerage/cfm/balance_summary"): Endpoint("futures account", Record({"balance_summary": PRESENT})),
    ("GET", "/api/v3/brokerage/cfm/positions"): Endpoint(
        "positions",
        Record({"positions": Rows({"product_id": TEXT, "side": PRESENT, "number_of_contracts": NUMBER})}),
    ),
}

Name = Callable[[str], str]  # the venue's name of a currency → ours


async def accounts(connection: Connection) -> tuple[list[Row], datetime]:
    """All pages; as old as the first of them. Legs that want them at the same time share them."""
    return await connection.shared.ask("accounts", lambda: _pages(connection))


async def _pages(connection: Connection) -> tuple[list[Row], datetime]:
    ask = connection.exchange.v3PrivateGetBrokerageAccounts
    page, arrived = await connection.timed(ask({"limit": _ACCOUNTS_MAX}))
    rows: list[Row] = list(page["accounts"])
    for _ in range(_PAGES_MAX):
        if page["has_next"] is False:
            return rows, arrived
        page = await ask({"limit": _ACCOUNTS_MAX, "cursor": text(page, "cursor")})
        rows.extend(page["accounts"])
    raise Misshapen("accounts go on and on")


async def summary(connection: Connection) -> tuple[Row, datetime]:
    """Of the futures account. Wallet and margin are asked for at the same time and share it."""
    ask = connection.exchange.v3PrivateGetBrokerageCfmBalanceSummary
    reply, arrived = await connection.shared.ask("futures account", lambda: connection.timed(ask()))
    told = reply["balance_summary"]
    if told is None:
        raise Refused(connection.account, "futures account", _NO_FUTURES)
    if not isinstance(told, dict):
        raise Misshapen("balance_summary is not an object")
    return told, arrived


def coins(rows: Iterable[Row], futures: Row | None, name: Name) -> tuple[Balance, ...]:
    """Several accounts of one coin (a vault, another wallet) are summed; futures cash is dollars more."""
    found: dict[str, Balance] = {}

    def add(asset: str, free: Decimal, locked: Decimal) -> None:
        other = found.get(asset, Balance(asset, ZERO))
        found[asset] = Balance(asset, other.free + free, other.locked + locked)

    for row in rows:
        if row.get("platform") == _FUTURES:
            continue
        free, locked = not_negative(row["available_balance"], "value"), not_negative(row["hold"], "value")
        if row.get("platform") not in _SPOT and (free or locked):
            raise Misshapen(f"there is {row['currency']} on {row['platform']}, which is not read: {_MOVE}")
        add(name(row["currency"]), free, locked)
    if futures is not None:
        add("USD", _dollars(futures, "cfm_usd_balance"), ZERO)
    return tuple(coin for coin in found.values() if coin.free or coin.locked)


def positions(rows: Iterable[Row], markets: Markets) -> tuple[Position, ...]:
    return tuple(_position(row, markets) for row in rows if not_negative(row, "number_of_contracts"))


def _position(row: Row, markets: Markets) -> Position:
    """Signed contracts, trusted unless the row tells another size of a contract than the listing does."""
    instrument = markets.contract(row["product_id"])
    if row["side"] not in _SIGNS:
        raise Misshapen("side is neither LONG nor SHORT")
    return Position(
        instrument=instrument.id,
        contracts=number(row, "number_of_contracts") * _SIGNS[row["side"]],
        entry_price=positive_or_none(row, "avg_entry_price"),
        unrealised_pnl=number(row, "unrealized_pnl"),
        trusted=row.get("contract_size") in {None, ""} or number(row, "contract_size") == instrument.multiplier,
    )


def margin(futures: Row) -> Margin:
    """Liquidated where what is available (spot and futures dollars, profit, less holds) is down at the threshold."""
    return Margin(
        equity=_dollars(futures, "available_margin"),
        maintenance=_dollars(futures, "liquidation_threshold"),
        available=_dollars(futures, "futures_buying_power"),
    )


def _dollars(futures: Row, field: str) -> Decimal:
    amount: Any = futures.get(field)
    if not isinstance(amount, dict) or amount.get("currency") != "USD":
        raise Misshapen(f"{field} is not an amount in dollars")
    return number({field: amount.get("value")}, field)
