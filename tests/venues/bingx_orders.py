"""BingX's order desk: linear perpetuals in coins, coin-margined ones in contracts. Digits too many are cut off."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.venues.bingx_venue import INVERSE, LINEAR, Held
from tests.venues.orders import Answer, OrderDesk, Placed, Refused
from tests.venues.server import Refusal

_CODES = {
    "market": (109425, "this symbol does not exist"),
    "precision": (109400, "Invalid parameters"),
    "duplicate": (109201, "the same order number"),
    "reduce_only": (101205, "No position to close"),
    "mode": (109400, "In the Hedge mode, the PositionSide field can only be set to LONG or SHORT."),
    "margin": (101204, "Insufficient margin"),
}
_STATUS = {"open": "NEW", "filled": "FILLED", "cancelled": "CANCELLED", "expired": "CANCELLED"}
_LINEAR, _COINS = "/openApi/swap/v2/trade", "/openApi/cswap/v1/trade"


class BingXOrders(OrderDesk):
    def rules(self, market_id: str) -> tuple[Decimal, Decimal]:
        if market_id in LINEAR:
            price, quantity, *_ = LINEAR[market_id]
            return Decimal(1).scaleb(-price), Decimal(1).scaleb(-quantity)
        return Decimal(1).scaleb(-INVERSE[market_id][0]), Decimal(1)

    def mark(self, market_id: str) -> Decimal:
        value: Decimal = self.venue.mark(market_id)
        return value

    def position(self, market_id: str) -> Decimal:
        held = self.venue.positions.get(market_id)
        return held.amount if held else Decimal(0)

    def set_position(self, market_id: str, amount: Decimal, price: Decimal) -> None:
        self.venue.positions[market_id] = Held(amount, price)

    def answers(self) -> Mapping[tuple[str, str], Answer]:
        def pending(asked: dict[str, Any]) -> dict[str, Any]:
            return _envelope({"orders": [self._row(each) for each in self.open(asked["symbol"])]})

        return {
            ("POST", f"{_LINEAR}/order"): self._create,
            ("GET", f"{_LINEAR}/order"): self._one,
            ("DELETE", f"{_LINEAR}/order"): self._cancel,
            ("GET", f"{_LINEAR}/openOrders"): pending,
            ("POST", f"{_LINEAR}/cancelAllAfter"): self._arm,
            ("POST", f"{_COINS}/order"): self._create,
            ("GET", f"{_COINS}/orderDetail"): self._one,
            ("DELETE", f"{_COINS}/cancelOrder"): self._cancel,
            ("GET", f"{_COINS}/openOrders"): pending,
        }

    def rows(self) -> list[dict[str, Any]]:
        return [self._row(order) for order in self.orders]

    def _create(self, asked: dict[str, str]) -> dict[str, Any]:
        self.asked.append(asked)
        if asked["type"] != "LIMIT" or asked["timeInForce"] not in {"IOC", "PostOnly"}:
            raise _no(109400, "Invalid parameters")
        if asked["positionSide"] != "BOTH" or self.venue.hedge_mode:
            raise _no(*_CODES["mode"])
        try:
            order = self.place(
                asked["clientOrderId"],
                asked["symbol"],
                asked["side"].lower(),
                Decimal(asked["quantity"]),
                Decimal(asked["price"]),
                reduce_only=asked["reduceOnly"] == "true",
                post_only=asked["timeInForce"] == "PostOnly",
            )
        except Refused as refused:
            raise _no(*_CODES[refused.why]) from None
        row = {
            "orderId": order.number,
            "symbol": order.market_id,
            "positionSide": "BOTH",
            "side": asked["side"],
            "type": "LIMIT",
            "price": float(order.price),
            "quantity": float(order.quantity),
            "workingType": "MARK_PRICE",
            "clientOrderID": order.client_id,
            "timeInForce": asked["timeInForce"],
        }
        return _envelope({"order": row} if order.market_id in LINEAR else row)

    def is_covered(self, order: Placed) -> bool:
        return order.market_id in LINEAR

    def _arm(self, asked: dict[str, str]) -> dict[str, Any]:
        active, seconds = asked["type"] == "ACTIVATE", int(asked["timeOut"])
        if active != (10 <= seconds <= 120):
            raise _no(109400, "Invalid parameters")
        self.arm("*", 1000 * seconds)
        due = self.deadlines.get("*", 0)
        return _envelope({"triggerTime": due // 1000, "status": "ACTIVATED" if active else "CLOSED", "note": "…"})

    def _one(self, asked: dict[str, str]) -> dict[str, Any]:
        found = [each for each in self.with_id(asked["clientOrderId"]) if each.market_id == asked["symbol"]]
        if not found:
            raise _no(109421, "order not exist")
        return _envelope({"order": self._row(found[0])})

    def _cancel(self, asked: dict[str, str]) -> dict[str, Any]:
        order = self.cancel(asked["clientOrderId"])
        if order is None:
            raise _no(80016, "order does not exist")
        return _envelope({"order": self._row(order)})

    def _row(self, order: Placed) -> dict[str, Any]:
        linear = order.market_id in LINEAR
        status = "PARTIALLY_FILLED" if order.filled and order.status == "open" else _STATUS[order.status]
        return {
            "symbol": order.market_id,
            "orderId": order.number if linear else str(order.number),
            "side": order.side.upper(),
            "positionSide": "BOTH",
            "type": "LIMIT",
            "quantity": 0 if linear else int(order.quantity),
            "origQty": str(order.quantity),
            "price": str(order.price),
            "executedQty": str(order.filled),
            "avgPrice": str(order.average) if order.filled else "0.0",
            "cumQuote": "",
            "commission": str(-order.fee) if order.filled else "",
            "status": status if linear else status.capitalize(),
            "time": order.time,
            "updateTime": order.time,
            "clientOrderId": order.client_id,
            "reduceOnly": order.reduce_only,
        }


def _envelope(data: Any) -> dict[str, Any]:
    return {"code": 0, "msg": "", "data": data}


def _no(code: int, message: str) -> Refusal:
    return Refusal(200, {"code": code, "msg": message, "data": {}})
