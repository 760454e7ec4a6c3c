"""What KuCoin shows for something that went missing: futures fills, and the ledgers of its accounts.

Only movements that add up to the change explain it; a page that is full may lack some and explains nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
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
    flag,
    milliseconds,
    moment,
    number,
)
from hedged.model.effect import FundingPayment
from hedged.model.instrument import Instrument
from hedged.model.snapshot import Doubt, Read

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT
ZERO = Decimal(0)

_ENOUGH = Decimal("0.95")  # of a balance's fall; fees may have taken the rest
_PAGE, _HF_PAGE, _FILLS, _FUNDINGS = 500, 200, 1000, 100
_ACCOUNTS = {"funding": frozenset({"MAIN"}), "spot": frozenset({"TRADE", "TRADE_HF"})}
_ACCOUNTS["margin"] = frozenset({"MARGIN", "CROSS", "ISOLATED", "MARGIN_V2", "ISOLATED_V2"})
_OUT, _IN = frozenset({"TransferOut", "Withdrawal"}), frozenset({"TransferIn", "Deposit"})

_LEDGER = {"currency": TEXT, "amount": NUMBER, "accountType": TEXT, "bizType": TEXT, "direction": TEXT}
ENDPOINTS = {
    ("GET", "/api/v1/fills"): Endpoint(
        "fills",
        Record({"data": Record({"totalNum": NUMBER, "items": Rows({"symbol": TEXT, "side": TEXT, "size": NUMBER})})}),
    ),
    ("GET", "/api/v1/accounts/ledgers"): Endpoint(
        "ledger", Record({"data": Record({"totalNum": NUMBER, "items": Rows(_LEDGER)})})
    ),
    ("GET", "/api/v1/hf/accounts/ledgers"): Endpoint("trading ledger", Record({"data": Rows(_LEDGER)})),
    ("GET", "/api/v1/funding-history"): Endpoint(
        "funding payments",
        Record(
            {
                "data": Record(
                    {
                        "hasMore": PRESENT,
                        "dataList": Rows(
                            {"symbol": TEXT, "timePoint": NUMBER, "funding": NUMBER, "settleCurrency": TEXT}
                        ),
                    }
                )
            }
        ),
    ),
    ("GET", "/api/v1/transaction-history"): Endpoint(
        "futures ledger",
        Record(
            {"data": Record({"hasMore": PRESENT, "dataList": Rows({"type": TEXT, "amount": NUMBER, "currency": TEXT})})}
        ),
    ),
}


async def explain_position(connection: Connection, market_id: str, doubt: Doubt, since: datetime) -> str | None:
    """Fills that add up to the change; those of a liquidation are fills, too, and are said to be."""
    asked = {"symbol": market_id, "startAt": _start(connection, since), "pageSize": _FILLS}
    data = (await connection.exchange.futuresPrivateGetFills(asked))["data"]
    rows, change = data["items"], doubt.now - doubt.before
    if any(row["symbol"] != market_id or row["side"] not in {"buy", "sell"} for row in rows):
        raise Misshapen("a fill is not one that was asked for")
    signed = sum((number(row, "size") * (1 if row["side"] == "buy" else -1) for row in rows), ZERO)
    if not rows or number(data, "totalNum") > len(rows) or signed != change:
        return None
    kinds = {str(row.get("tradeType")) for row in rows} & {"liquid", "liquidation", "adl", "ADL", "settlement"}
    by_venue = f" ({', '.join(sorted(kinds))})" if kinds else ""
    return f"{len(rows)} fills since {since:%Y-%m-%d %H:%M} UTC, {change:+f} contracts in all{by_venue}"


async def explain_balance(connection: Connection, doubt: Doubt, since: datetime) -> str | None:
    """The entries of an account's ledger that account for a fall of its balance."""
    wallet, venue = doubt.subject.rsplit("/", 2)[1], connection.exchange
    currency, start = venue.currency_id(doubt.asset), _start(connection, since)
    if wallet == "swap":
        movements = await _of_futures(venue, currency, start)
    else:
        movements = await _of_accounts(venue, currency, start, _ACCOUNTS[wallet])
    amounts: dict[str, Decimal] = {}
    for kind, amount in movements:
        amounts[kind] = amounts.get(kind, ZERO) + amount
    change = doubt.now - doubt.before
    if not change or sum(amounts.values(), ZERO) / change < _ENOUGH:
        return None
    listed = ", ".join(f"{kind} {amount:+f} {doubt.asset}" for kind, amount in sorted(amounts.items()) if amount)
    return f"since {since:%Y-%m-%d %H:%M} UTC: {listed}"


async def funding_payments(
    connection: Connection, wanted: Mapping[str, Instrument], since: datetime
) -> Read[tuple[FundingPayment, ...]]:
    """By the funding history of each contract; three days of it, hourly ones too, are less than a page."""
    venue, as_of, found = connection.exchange, connection.clock.now(), []
    for market_id, contract in wanted.items():
        asked = {"symbol": market_id, "startAt": _start(connection, since), "maxCount": _FUNDINGS}
        data = (await venue.futuresPrivateGetFundingHistory(asked))["data"]
        if flag(data, "hasMore"):
            raise Misshapen("a page of funding that goes on lacks some")
        for row in data["dataList"]:
            if row["symbol"] != market_id:
                raise Misshapen("a payment is not one that was asked for")
            at, coin = moment(row, "timePoint"), venue.safe_currency_code(row["settleCurrency"])
            found.append(FundingPayment(contract.id, at, number(row, "funding"), coin, at.isoformat()))
    return Read(tuple(found), as_of)


async def _of_accounts(venue: Any, currency: str, start: int, kinds: Iterable[str]) -> list[tuple[str, Decimal]]:
    asked = {"currency": currency, "startAt": start}
    ledger, trading = await together(
        venue.privateGetAccountsLedgers({**asked, "pageSize": _PAGE}),
        venue.privateGetHfAccountsLedgers({**asked, "limit": _HF_PAGE}),
    )
    if number(ledger["data"], "totalNum") > len(ledger["data"]["items"]) or len(trading["data"]) >= _HF_PAGE:
        return []
    found = []
    for row in [*ledger["data"]["items"], *trading["data"]]:
        if row["currency"] != currency or row["direction"] not in {"in", "out"}:
            raise Misshapen("an entry of the ledger is not one that was asked for")
        if row["accountType"] in kinds:
            sign = 1 if row["direction"] == "in" else -1
            found.append((row["bizType"].lower().replace("_", " "), sign * abs(number(row, "amount"))))
    return found


async def _of_futures(venue: Any, currency: str, start: int) -> list[tuple[str, Decimal]]:
    """Money that goes out counts down whichever sign the venue gives it; what positions made has its own."""
    data = (await venue.futuresPrivateGetTransactionHistory({"currency": currency, "startAt": start}))["data"]
    return [] if flag(data, "hasMore") else [(row["type"], _amount(row, currency)) for row in data["dataList"]]


def _amount(row: Row, currency: str) -> Decimal:
    if row["currency"] != currency:
        raise Misshapen("an entry of the ledger is of another currency")
    amount = number(row, "amount")
    return -abs(amount) if row["type"] in _OUT else abs(amount) if row["type"] in _IN else amount


def _start(connection: Connection, since: datetime) -> int:
    """Our time by the venue's clock: ccxt keeps ours − theirs."""
    return milliseconds(since) - int(connection.exchange.options["timeDifference"])
