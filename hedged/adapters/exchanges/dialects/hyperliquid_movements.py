"""What Hyperliquid shows for something that went missing: fills, and the ledger of transfers, deposits and staking.

Only movements that add up to the change explain it; a full page may lack some and explains nothing. Funding is not
asked for: it does not take half of a balance between two reads.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from hedged.adapters.exchanges.dialects.base import Connection
from hedged.adapters.exchanges.dialects.hyperliquid_markets import Names
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import Misshapen, Record, Row, Rows, Scalar, milliseconds, moment, number, text
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument
from hedged.model.snapshot import Doubt, Read

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT
ZERO = Decimal(0)

_FILLS_MAX, _LEDGER_MAX = 2000, 500  # a page
_ENOUGH = Decimal("0.95")  # of a balance's fall; fees may have taken the rest
_USDC = "USDC"

ENDPOINTS = {
    ("POST", "/info#userFillsByTime"): Endpoint(
        "fills", Rows({"coin": TEXT, "side": TEXT, "sz": NUMBER, "px": NUMBER, "closedPnl": NUMBER, "time": NUMBER})
    ),
    ("POST", "/info#userFunding"): Endpoint(
        "funding payments",
        Rows({"time": NUMBER, "delta": Record({"type": TEXT, "coin": TEXT, "usdc": NUMBER})}),
    ),
    ("POST", "/info#userNonFundingLedgerUpdates"): Endpoint("ledger", Rows({"time": NUMBER, "delta": PRESENT})),
}


async def explain_position(connection: Connection, user: str, coin: str, doubt: Doubt, since: datetime) -> str | None:
    """Fills of the contract that add up to the change, with the venue's word for those that it made itself."""
    fills = [row for row in await _fills(connection, user, since) if row["coin"] == coin]
    change = doubt.now - doubt.before
    if not fills or sum((_signed(row) for row in fills), ZERO) != change:
        return None
    said = sorted(
        {str(row["dir"]) for row in fills if "Liquidat" in str(row.get("dir")) or "Auto-" in str(row.get("dir"))}
    )
    by_venue = f" ({', '.join(said)})" if said else ""
    return f"{len(fills)} fills since {since:%Y-%m-%d %H:%M} UTC, {change:+f} contracts in all{by_venue}"


async def explain_balance(connection: Connection, user: str, doubt: Doubt, since: datetime) -> str | None:
    """What the ledger and the fills say happened to this coin in this wallet."""
    wallet = doubt.subject.rsplit("/", 2)[1]
    amounts: dict[str, Decimal] = {}
    for kind, amount in await _movements(connection, user, wallet, doubt.asset, since):
        amounts[kind] = amounts.get(kind, ZERO) + amount
    change = doubt.now - doubt.before
    if not change or sum(amounts.values(), ZERO) / change < _ENOUGH:
        return None
    listed = ", ".join(f"{kind} {amount:+f} {doubt.asset}" for kind, amount in sorted(amounts.items()) if amount)
    return f"since {since:%Y-%m-%d %H:%M} UTC: {listed}"


async def funding_payments(
    connection: Connection, user: str, wanted: Mapping[str, Instrument], since: datetime
) -> Read[tuple[FundingPayment, ...]]:
    """Oldest first, of every contract; a full page is all up to its last row. There is one of a contract at a time."""
    as_of, start = connection.clock.now(), milliseconds(since) - int(connection.exchange.options["timeDifference"])
    rows = await connection.exchange.publicPostInfo({"type": "userFunding", "user": user, "startTime": start})
    if len(rows) >= _LEDGER_MAX:
        as_of = min(as_of, moment(rows[-1], "time"))
    found = []
    for row in rows:
        contract, at = wanted.get(row["delta"]["coin"]), moment(row, "time")
        if contract is not None and row["delta"]["type"] == "funding":
            amount = number(row["delta"], "usdc")
            found.append(FundingPayment(contract.id, at, amount, contract.settle, at.isoformat()))
    return Read(tuple(found), as_of)


async def _movements(
    connection: Connection, user: str, wallet: str, asset: str, since: datetime
) -> list[tuple[str, Decimal]]:
    found = [
        each for row in await _ledger(connection, user, since) for each in _told(connection, row, user, wallet, asset)
    ]
    if wallet == "earn":
        return found
    fills = await _fills(connection, user, since)
    if wallet == "swap":
        return found + [("closed positions", number(row, "closedPnl")) for row in fills if asset == _USDC]
    pairs = {market["id"]: market for market in connection.exchange.markets.values() if market["spot"]}
    for row in fills:
        pair = pairs.get(row["coin"])
        if pair is not None and pair["base"] == asset:
            found.append(("trades", _signed(row)))
        if pair is not None and pair["quote"] == asset:
            found.append(("trades", -_signed(row) * number(row, "px")))
    return found


def _told(connection: Connection, row: Row, user: str, wallet: str, asset: str) -> Iterator[tuple[str, Decimal]]:
    """What one row of the ledger did to this coin in this wallet, if it can be told."""
    delta: Any = row["delta"]
    if not isinstance(delta, dict):
        raise Misshapen("a row of the ledger is not one")
    kind = text(delta, "type")
    if kind == "accountClassTransfer" and asset == _USDC and wallet in {"spot", "swap"}:
        toward = "swap" if delta.get("toPerp") is True else "spot"
        yield "transfer between spot and swap", number(delta, "usdc") * (1 if wallet == toward else -1)
    elif kind == "cStakingTransfer" and asset == _name(connection, delta) and wallet in {"spot", "earn"}:
        toward = "earn" if delta.get("isDeposit") is True else "spot"
        yield "staking", number(delta, "amount") * (1 if wallet == toward else -1)
    elif kind in {"spotTransfer", "send"} and asset == _name(connection, delta) and wallet == "spot":
        mine = str(delta.get("destination", "")).lower() == user.lower()
        yield "transfer to or from another address", number(delta, "amount") * (1 if mine else -1)
    elif kind in {"deposit", "withdraw", "vaultDeposit", "vaultWithdraw"} and asset == _USDC and wallet == "swap":
        yield kind, number(delta, "usdc") * (1 if kind in {"deposit", "vaultWithdraw"} else -1)
    elif kind == "internalTransfer" and asset == _USDC and wallet == "swap":
        mine = str(delta.get("destination", "")).lower() == user.lower()
        yield "transfer to or from another address", number(delta, "usdc") * (1 if mine else -1)


def _name(connection: Connection, delta: Row) -> str | None:
    """The ledger has the venue's name alone: of a token whose name others bear too, nothing is told."""
    return Names(connection.exchange).of(text(delta, "token"))


def _signed(row: Row) -> Decimal:
    signs = {"B": 1, "A": -1}
    if row["side"] not in signs:
        raise Misshapen("side of a fill is neither of the two")
    return number(row, "sz") * signs[row["side"]]


async def _fills(connection: Connection, user: str, since: datetime) -> Iterable[Row]:
    return await _page(connection, "userFillsByTime", user, since, _FILLS_MAX)


async def _ledger(connection: Connection, user: str, since: datetime) -> Iterable[Row]:
    return await _page(connection, "userNonFundingLedgerUpdates", user, since, _LEDGER_MAX)


async def _page(connection: Connection, kind: str, user: str, since: datetime, most: int) -> Iterable[Row]:
    """Our time by the venue's clock: ccxt keeps ours − theirs."""
    start = milliseconds(since) - int(connection.exchange.options["timeDifference"])
    rows = await connection.exchange.publicPostInfo({"type": kind, "user": user, "startTime": start})
    return [row for row in rows if number(row, "time") >= start] if len(rows) < most else []
