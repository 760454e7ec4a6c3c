"""OKX's order desk, in contracts. An order's own refusal is in its row, under a general code."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.venues.okx_venue import CONTRACTS, Held
from tests.venues.orders import Answer, OrderDesk, Placed, Refused
from tests.venues.server import Refusal

_CODES = {
    "market": ("51001", "Instrument ID does not exist."),
    "precision": ("51121", "Order quantity must be a multiple of the lot size."),
    "duplicate": ("51016", "Client order ID already exists."),
    "reduce_only": ("51169", "Order failed because you don't have any positions to reduce."),
    "mode": ("51000", "Parameter posSide error"),
    "margin": ("51008", "Order failed. Insufficient USDT margin in account."),
}
_STATUS = {"open": "live", "filled": "filled", "cancelled": "canceled", "expired": "canceled"}
_PREFIX = "/api/v5/trade/"


class OkxOrders(OrderDesk):
    def __init__(self, venue: Any) -> None:
        super().__init__(venue)
        self.tags: dict[int, str] = {}  # of orders, by number

    def rules(self, market_id: str) -> tuple[Decimal, Decimal]:
        return Decimal(CONTRACTS[market_id][5]), Decimal(CONTRACTS[market_id][6])

    def mark(self, market_id: str) -> Decimal:
        value: Decimal = self.venue.mark(market_id)
        return value

    def position(self, market_id: str) -> Decimal:
        held = self.venue.positions.get(market_id)
        return held.pos if held else Decimal(0)

    def set_position(self, market_id: str, amount: Decimal, price: Decimal) -> None:
        held = self.venue.positions.get(market_id)
        self.venue.positions[market_id] = Held(amount, price, held.margin if held else None)

    def answers(self) -> Mapping[tuple[str, str], Answer]:
        return {
            ("POST", f"{_PREFIX}order"): self._create,
            ("POST", f"{_PREFIX}cancel-order"): self._cancel,
            ("POST", f"{_PREFIX}cancel-all-after"): self._arm,
            ("GET", f"{_PREFIX}order"): self._one,
            ("GET", f"{_PREFIX}orders-pending"): self._pending,
        }

    def rows(self) -> list[dict[str, Any]]:
        """The history: what has come to its end."""
        return [self._row(order) for order in self.orders if order.status != "open"]

    def _create(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        self.asked.append(asked)
        if asked["ordType"] not in {"ioc", "post_only"} or asked["tdMode"] not in {"cross", "isolated"}:
            raise _no("51000", "Parameter ordType error", asked)
        held = self.venue.positions.get(asked["instId"])
        if asked["reduceOnly"] and held and (held.margin is not None) != (asked["tdMode"] == "isolated"):
            raise _no(*_CODES["reduce_only"], asked)  # there is none of that margin mode
        if asked["posSide"] != "net" or self.venue.pos_side != "net":
            raise _no(*_CODES["mode"], asked)
        if not isinstance(asked["reduceOnly"], bool):
            raise _no("51000", "Parameter reduceOnly error", asked)
        try:
            order = self.place(
                asked["clOrdId"],
                asked["instId"],
                asked["side"],
                Decimal(asked["sz"]),
                Decimal(asked["px"]),
                reduce_only=asked["reduceOnly"],
                post_only=asked["ordType"] == "post_only",
            )
        except Refused as refused:
            raise _no(*_CODES[refused.why], asked) from None
        self.tags[order.number] = asked.get("tag", "")
        return [_done(order.client_id, str(order.number))]

    def _pending(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        """The newest first, from behind the one that is named."""
        rows = [self._row(each) for each in reversed(self.open(asked["instId"]))]
        behind = [row["ordId"] for row in rows].index(asked["after"]) + 1 if "after" in asked else 0
        return rows[behind:][: int(asked["limit"])]

    def _arm(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        seconds = int(asked["timeOut"])
        if seconds and not 10 <= seconds <= 120:
            raise _no("51000", "Parameter timeOut error", asked)
        self.arm("*", 1000 * seconds)
        return [{"triggerTime": str(self.deadlines.get("*", 0)), "tag": asked["tag"], "ts": str(self.venue.now())}]

    def is_covered(self, order: Placed) -> bool:
        return self.tags.get(order.number) == "hedged"

    def _cancel(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        order = self.cancel(asked["clOrdId"])
        if order is None:
            raise _no("51400", "Cancellation failed as the order has been filled, canceled or does not exist.", asked)
        return [_done(order.client_id, str(order.number))]

    def _one(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        found = [each for each in self.with_id(asked["clOrdId"]) if each.market_id == asked["instId"]]
        if not found:
            raise Refusal(200, {"code": "51603", "data": [], "msg": "Order does not exist"})
        return [self._row(found[0])]

    def _row(self, order: Placed) -> dict[str, Any]:
        kind, _, currency, settle, *_ = CONTRACTS[order.market_id]
        return {
            "instType": kind,
            "instId": order.market_id,
            "ordId": str(order.number),
            "clOrdId": order.client_id,
            "px": str(order.price),
            "sz": str(order.quantity),
            "ordType": "post_only" if order.post_only else "ioc",
            "side": order.side,
            "posSide": "net",
            "tdMode": "cross",
            "accFillSz": str(order.filled),
            "avgPx": str(order.average) if order.filled else "",
            "state": _STATUS[order.status],
            "fee": str(-order.fee),
            "feeCcy": settle,
            "reduceOnly": "true" if order.reduce_only else "false",
            "ctValCcy": currency,
            "ts": str(order.time),
            "cTime": str(order.time),
            "uTime": str(order.time),
        }


def _done(client_id: str, number: str) -> dict[str, Any]:
    return {"clOrdId": client_id, "ordId": number, "tag": "", "ts": "1695190491421", "sCode": "0", "sMsg": ""}


def _no(code: str, message: str, asked: dict[str, Any]) -> Refusal:
    row = {**_done(asked.get("clOrdId", ""), ""), "sCode": code, "sMsg": message}
    return Refusal(200, {"code": "1", "data": [row], "msg": "All operations failed"})
