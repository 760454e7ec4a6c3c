"""Bybit's order desk: linear contracts in coins, inverse ones in dollars."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.venues.bybit_venue import CONTRACTS, Held, VenueRefuses
from tests.venues.orders import Answer, OrderDesk, Placed, Refused

_CODES = {
    "market": (10001, "symbol invalid"),
    "precision": (10001, "Qty invalid"),
    "duplicate": (110072, "OrderLinkedID is duplicate"),
    "worth": (110094, "Order does not meet minimum order value 5USDT"),
    "reduce_only": (110017, "Reduce-only rule not satisfied"),
    "mode": (10001, "position idx not match position mode"),
    "margin": (110007, "ab not enough for new order"),
}
_STATUS = {"open": "New", "filled": "Filled", "cancelled": "Cancelled", "expired": "Cancelled"}


class BybitOrders(OrderDesk):
    def venue_id(self, number: int) -> str:
        return f"{number:08x}-9a11-4af3-9b83-{number:012x}"

    def rules(self, market_id: str) -> tuple[Decimal, Decimal]:
        return Decimal(CONTRACTS[market_id][6]), Decimal(CONTRACTS[market_id][7])

    def worth_min(self, market_id: str) -> Decimal:
        return Decimal(CONTRACTS[market_id][8]) if CONTRACTS[market_id][0] == "linear" else Decimal(0)

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
            ("POST", "/v5/order/create"): self._create,
            ("POST", "/v5/order/cancel"): self._cancel,
            ("GET", "/v5/order/realtime"): self._realtime,
        }

    def rows(self) -> list[dict[str, Any]]:
        """The history: what has come to its end."""
        return [self._row(order) for order in self.orders if order.status != "open"]

    def fills(self) -> list[dict[str, Any]]:
        return [
            {
                "symbol": order.market_id,
                "orderId": self.venue_id(order.number),
                "orderLinkId": order.client_id,
                "side": order.side.capitalize(),
                "execQty": str(order.filled),
                "execPrice": str(order.average),
                "execFee": str(order.fee),
                "execTime": str(order.time),
            }
            for order in self.orders
            if order.filled
        ]

    def _create(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(asked)
        if asked["orderType"] != "Limit" or asked["timeInForce"] not in {"IOC", "PostOnly"}:
            raise VenueRefuses(10001, "orderType invalid")
        if asked["positionIdx"] != 0 or self.venue.hedge_mode:
            raise VenueRefuses(*_CODES["mode"])
        listed = CONTRACTS.get(asked["symbol"])
        if listed is None or listed[0] != asked["category"]:
            raise VenueRefuses(*_CODES["market"])
        try:
            order = self.place(
                asked["orderLinkId"],
                asked["symbol"],
                asked["side"].lower(),
                Decimal(asked["qty"]),
                Decimal(asked["price"]),
                reduce_only=asked["reduceOnly"],
                post_only=asked["timeInForce"] == "PostOnly",
            )
        except Refused as refused:
            raise VenueRefuses(*_CODES[refused.why]) from None
        return {"orderId": self.venue_id(order.number), "orderLinkId": order.client_id}

    def _realtime(self, asked: dict[str, Any]) -> dict[str, Any]:
        rows = [
            self._row(each)
            for each in self.open(asked["symbol"])
            if asked.get("orderLinkId", each.client_id) == each.client_id
        ]
        start, size = int(asked.get("cursor") or 0), int(asked.get("limit", 20))
        more = str(start + size) if start + size < len(rows) else ""
        return {"category": asked["category"], "list": rows[start : start + size], "nextPageCursor": more}

    def _cancel(self, asked: dict[str, Any]) -> dict[str, Any]:
        order = self.cancel(asked["orderLinkId"])
        if order is None:
            raise VenueRefuses(110001, "order not exists or too late to cancel")
        return {"orderId": self.venue_id(order.number), "orderLinkId": order.client_id}

    def _row(self, order: Placed) -> dict[str, Any]:
        partly = order.filled and order.status == "open"
        return {
            "symbol": order.market_id,
            "orderId": self.venue_id(order.number),
            "orderLinkId": order.client_id,
            "side": order.side.capitalize(),
            "orderType": "Limit",
            "timeInForce": "PostOnly" if order.post_only else "IOC",
            "orderStatus": "PartiallyFilled" if partly else _STATUS[order.status],
            "price": str(order.price),
            "qty": str(order.quantity),
            "avgPrice": str(order.average) if order.filled else "",
            "cumExecQty": str(order.filled),
            "cumExecValue": str(order.filled * order.average),
            "cumExecFee": str(order.fee),
            "cumFeeDetail": {CONTRACTS[order.market_id][3]: str(order.fee)} if order.filled else {},
            "rejectReason": "EC_NoError",
            "reduceOnly": order.reduce_only,
            "positionIdx": 0,
            "createdTime": str(order.time),
            "updatedTime": str(order.time),
        }
