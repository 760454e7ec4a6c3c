"""What the rows of Hyperliquid's orders say: ids, how an order stands, what is filled of it, what is refused. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from decimal import Decimal

from hedged.adapters.exchanges.dialects.order_rows import Names, paid, written
from hedged.adapters.exchanges.shapes import Fields, Misshapen, Record, Row, Rows, Scalar, number
from hedged.model.order import OrderStatus, Side

NUMBER, TEXT, PRESENT = Scalar.NUMBER, Scalar.TEXT, Scalar.PRESENT

_STATUSES = {
    "open": OrderStatus.OPEN,
    "triggered": OrderStatus.OPEN,
    "filled": OrderStatus.FILLED,
    "canceled": OrderStatus.CANCELLED,
    "scheduledCancel": OrderStatus.CANCELLED,
    "iocCancelRejected": OrderStatus.EXPIRED,  # nothing to take
    "badAloPxRejected": OrderStatus.CANCELLED,  # would not wait
    "rejected": OrderStatus.REJECTED,
    **dict.fromkeys(
        (
            *("marginCanceled", "vaultWithdrawalCanceled", "openInterestCapCanceled", "selfTradeCanceled"),
            *("reduceOnlyCanceled", "siblingFilledCanceled", "delistedCanceled", "liquidatedCanceled"),
        ),
        OrderStatus.CANCELLED,
    ),
    **dict.fromkeys(
        (
            *("tickRejected", "minTradeNtlRejected", "perpMarginRejected", "reduceOnlyRejected"),
            *("badTriggerPxRejected", "marketOrderNoLiquidityRejected", "oracleRejected", "perpMaxPositionRejected"),
            *("positionIncreaseAtOpenInterestCapRejected", "positionFlipAtOpenInterestCapRejected"),
            *("tooAggressiveAtOpenInterestCapRejected", "openInterestIncreaseRejected"),
            "insufficientSpotBalanceRejected",
        ),
        OrderStatus.REJECTED,
    ),
}
NAMES = Names(
    client_id="cloid",
    venue_id="oid",
    market="coin",
    status="status",
    filled="filled",
    average="avgPx",
    statuses=_STATUSES,
    quantity="origSz",
    price="limitPx",
    sides={"B": Side.BUY, "A": Side.SELL},
)
ROW: Fields = {"oid": PRESENT, "coin": TEXT, "sz": NUMBER, "origSz": NUMBER}
STATED: Fields = {"order": Record(ROW), "status": TEXT, "statusTimestamp": NUMBER}
FILLS = Rows({"coin": TEXT, "oid": PRESENT, "sz": NUMBER, "px": NUMBER, "fee": NUMBER, "feeToken": TEXT})

_OURS = "0x68646764"  # 'hdgd'; behind it stand the 24 digits of our id
_CLOID = re.compile(r"0x[0-9a-f]{32}", re.ASCII)


def complaint(reply: Row) -> str:
    """What the venue says instead of doing it; "" where it did."""
    status, response = reply.get("status"), reply.get("response")
    if status == "unknownOid":
        return "unknownOid"
    if status == "err":
        return response if isinstance(response, str) else "err"
    if isinstance(reply.get("error"), str):
        return str(reply["error"])
    data = response.get("data") if isinstance(response, dict) else None
    statuses = data.get("statuses") if isinstance(data, dict) else None
    only = statuses[0] if isinstance(statuses, list) and len(statuses) == 1 else None
    error = only.get("error") if isinstance(only, dict) else None
    return error if isinstance(error, str) else ""


def cloid_of(client_order_id: str) -> str:
    return _OURS + client_order_id.removeprefix("hd")


def client_id(row: Row) -> str:
    """Our id; another program's as it is, and "" of an order that was placed by hand, whose row may lack it."""
    cloid = row.get("cloid")
    if cloid is None:
        return ""
    if not isinstance(cloid, str) or not _CLOID.fullmatch(cloid):
        raise Misshapen("cloid is none")
    return f"hd{cloid.removeprefix(_OURS)}" if cloid.startswith(_OURS) else cloid


def read(order: Row, status: str) -> Row:
    """With our own id, what is filled, and as cancelled what is called filled though a rest of it was not.

    What is called filled without anything that was is left to its fills.
    """
    rest, wanted = number(order, "sz"), number(order, "origSz")
    ended = "canceled" if status == "filled" and 0 < rest < wanted else status
    return {**order, "cloid": client_id(order), "status": ended, "filled": written(wanted - rest)}


def is_open(row: Row) -> bool:
    return _STATUSES.get(row["status"]) is OrderStatus.OPEN


def newest(rows: Sequence[Row]) -> Sequence[Row]:
    """Each order once, as it stood last: the venue lists one for every change."""
    latest: dict[str, Row] = {}
    for row in rows:
        known, oid = latest.get(str(row["order"]["oid"])), str(row["order"]["oid"])
        if known is None or _later(row, known):
            latest[oid] = row
    return [read(row["order"], row["status"]) for row in latest.values()]


def _later(row: Row, known: Row) -> bool:
    """An order that has ended does not open again, whatever the times say."""
    ended, was = (_STATUSES.get(each["status"]) is not OrderStatus.OPEN for each in (row, known))
    return ended if ended is not was else number(row, "statusTimestamp") > number(known, "statusTimestamp")


def summed(fills: Sequence[Row], filled: Decimal) -> Row:
    """Average price and fee; `Misshapen` unless these are all that is filled. Fees of two currencies have no sum."""
    if sum((number(fill, "sz") for fill in fills), Decimal(0)) != filled:
        raise Misshapen("the fills are not all of the order")
    if not filled:
        return {}
    worth = sum((number(fill, "sz") * number(fill, "px") for fill in fills), Decimal(0))
    fee, token = paid(fills, filled, quantity="sz", fee="fee", asset="feeToken")
    told = {} if fee is None else {"fee": written(fee), "feeToken": token}
    return {"filled": written(filled), "avgPx": written(worth / filled), **told}
