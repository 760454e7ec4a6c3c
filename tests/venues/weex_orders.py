"""WEEX's order desk, in coins: no look-up by the client's id, a refused order has status 200, no code for duplicates."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.venues.binance_venue import Held
from tests.venues.orders import Answer, OrderDesk, Placed, Refused
from tests.venues.server import Refusal
from tests.venues.weex_venue import CONTRACTS

_CODES = {
    "market": ("-1121", "Invalid symbol."),
    "precision": ("-1160", "Decimal precision error."),
    "duplicate": ("40324", "client order id is used"),  # documented nowhere, as the next
    "margin": ("40754", "balance not enough"),
    "reduce_only": ("-1142", "Parameter is invalid."),
}
_STATUS = {"open": "NEW", "filled": "FILLED", "cancelled": "CANCELED", "expired": "CANCELED"}


class WeexOrders(OrderDesk):
    def rules(self, market_id: str) -> tuple[Decimal, Decimal]:
        _, price, _, lot, *_ = CONTRACTS[market_id]
        return Decimal(1).scaleb(-int(price)), Decimal(lot)

    def mark(self, market_id: str) -> Decimal:
        value: Decimal = self.venue.mark(market_id)
        return value

    def position(self, market_id: str) -> Decimal:
        held = self.venue.positions.get(market_id)
        return held.amount if held else Decimal(0)

    def set_position(self, market_id: str, amount: Decimal, price: Decimal) -> None:
        self.venue.positions[market_id] = Held(amount, price)

    def answers(self) -> Mapping[tuple[str, str], Answer]:
        return {
            ("POST", "/capi/v3/order"): self._create,
            ("DELETE", "/capi/v3/order"): self._cancel,
            ("GET", "/capi/v3/openOrders"): self._open,
        }

    def rows(self) -> list[dict[str, Any]]:
        """The history: what has come to its end."""
        return [self._row(order) for order in self.orders if order.status != "open"]

    def fills(self) -> list[dict[str, Any]]:
        """Two of each order that is filled, as bigger orders have."""
        return [
            {
                "id": 2 * order.number + half,
                "orderId": order.number,
                "symbol": order.market_id,
                "side": order.side.upper(),
                "qty": str(order.filled / 2),
                "price": str(order.average),
                "realizedPnl": "0",
                "commission": str(order.fee / 2),
                "commissionAsset": "USDT",
                "time": order.time,
            }
            for order in self.orders
            for half in (0, 1)
            if order.filled
        ]

    def _create(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(asked)
        if (asked["type"], asked["timeInForce"]) != ("LIMIT", "IOC"):
            raise _no("-1116", "Invalid order type.")
        try:
            order = self.place(
                asked["newClientOrderId"],
                asked["symbol"],
                asked["side"].lower(),
                Decimal(asked["quantity"]),
                Decimal(asked["price"]),
                # what is not for the position that the side would open can only close
                reduce_only=(asked["side"], asked["positionSide"]) in {("BUY", "SHORT"), ("SELL", "LONG")},
            )
        except Refused as refused:
            raise _no(*_CODES[refused.why]) from None
        return _done(str(order.number), order.client_id, success=True)

    def _open(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        size, page = int(asked["limit"]), int(asked["page"])
        return [self._row(each) for each in self.open(asked["symbol"])][size * page : size * (page + 1)]

    def _cancel(self, asked: dict[str, Any]) -> dict[str, Any]:
        order = self.cancel(asked["origClientOrderId"])
        if order is None:
            raise Refusal(400, {"code": -3200, "msg": "Order does not exist."})
        return _done(str(order.number), order.client_id, success=True)

    def _row(self, order: Placed) -> dict[str, Any]:
        return {
            "avgPrice": str(order.average) if order.filled else "0",
            "clientOrderId": order.client_id,
            "cumQuote": str(order.filled * order.average),
            "executedQty": str(order.filled),
            "orderId": order.number,
            "origQty": str(order.quantity),
            "price": str(order.price),
            "reduceOnly": order.reduce_only,
            "side": order.side.upper(),
            "positionSide": "SHORT" if (order.side == "buy") == order.reduce_only else "LONG",
            "status": _STATUS[order.status],
            "symbol": order.market_id,
            "time": order.time,
            "timeInForce": "IOC",
            "type": "LIMIT",
            "updateTime": order.time,
        }


def _done(number: str, client_id: str, *, success: bool, code: str = "", message: str = "") -> dict[str, Any]:
    told = {"success": success, "errorCode": code, "errorMessage": message}
    return {"orderId": number, "clientOrderId": client_id, **told}


def _no(code: str, message: str) -> Refusal:
    return Refusal(200, _done("", "", success=False, code=code, message=message))
