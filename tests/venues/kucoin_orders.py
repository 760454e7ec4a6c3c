"""KuCoin's order desk, in contracts. Its rows tell an order's end by two fields; ids of fills are the order's."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.venues.kucoin_venue import CONTRACTS, Held
from tests.venues.orders import Answer, OrderDesk, Placed, Refused
from tests.venues.server import Refusal

_CODES = {
    "market": ("100003", "Contract parameter invalid"),
    "precision": ("300000", "request parameter illegal"),
    "duplicate": ("300018", "clientOid parameter repeated"),
    "reduce_only": ("300009", "No open positions to close."),
    "mode": (
        "330012",
        "Your order is in One-Way Mode, while your account is set to Hedge Mode. Update your settings so they match.",
    ),
    "margin": ("300003", "Balance not enough, please first deposit at least 2 USDT before you start the battle"),
}
_MODE = ("330005", "The order's margin mode does not match the selected one. Please switch and try again.")
_PREFIX = "/api/v1/"
BY_CLIENT_ID = f"{_PREFIX}orders/client-order"  # followed by the id


class KucoinOrders(OrderDesk):
    def __init__(self, venue: Any) -> None:
        super().__init__(venue)
        self.isolated: set[str] = set()  # contracts that are set to it, where no position tells

    def rules(self, market_id: str) -> tuple[Decimal, Decimal]:
        return Decimal(CONTRACTS[market_id][4]), Decimal(1)

    def mark(self, market_id: str) -> Decimal:
        value: Decimal = self.venue.mark(market_id)
        return value

    def position(self, market_id: str) -> Decimal:
        held = self.venue.positions.get(market_id)
        return held.contracts if held else Decimal(0)

    def set_position(self, market_id: str, amount: Decimal, price: Decimal) -> None:
        held = self.venue.positions.get(market_id)
        self.venue.positions[market_id] = Held(amount, price, held.margin if held else None)

    def answers(self) -> Mapping[tuple[str, str], Answer]:
        """Where a path ends in an id, that is among the parameters as `clientOid`."""
        return {
            ("POST", f"{_PREFIX}orders"): self._create,
            ("DELETE", BY_CLIENT_ID): self._cancel,
            ("GET", f"{_PREFIX}orders/byClientOid"): self._one,
            ("GET", f"{_PREFIX}orders"): self._open,
            ("GET", f"{_PREFIX}recentDoneOrders"): self._done,
            ("GET", f"{_PREFIX}recentFills"): self._fills,
            ("GET", "/api/v2/position/getMarginMode"): self._margin_mode,
        }

    def _create(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(asked)
        if isinstance(asked["size"], bool) or not isinstance(asked["size"], int) or not isinstance(asked["price"], str):
            raise _no(*_CODES["precision"])
        kinds = {("IOC", False), ("GTC", True)}
        if asked["type"] != "limit" or (asked["timeInForce"], asked["postOnly"]) not in kinds:
            raise _no(*_CODES["precision"])
        if not isinstance(asked["reduceOnly"], bool) or not isinstance(asked["leverage"], int):
            raise _no(*_CODES["precision"])
        if asked["positionSide"] != "BOTH" or self.venue.position_mode:
            raise _no(*_CODES["mode"])
        market_id = asked["symbol"]
        if self._margin_mode(asked)["marginMode"] != asked["marginMode"]:
            raise _no(*_MODE)
        try:
            order = self.place(
                asked["clientOid"],
                market_id,
                asked["side"],
                Decimal(asked["size"]),
                Decimal(asked["price"]),
                reduce_only=asked["reduceOnly"],
                post_only=asked["postOnly"],
            )
        except Refused as refused:
            raise _no(*_CODES[refused.why]) from None
        return {"orderId": str(order.number), "clientOid": order.client_id}

    def _margin_mode(self, asked: dict[str, Any]) -> dict[str, Any]:
        market_id = asked["symbol"]
        held = self.venue.positions.get(market_id)
        isolated = held.margin is not None if held and held.contracts else market_id in self.isolated
        return {"symbol": market_id, "marginMode": "ISOLATED" if isolated else "CROSS"}

    def _cancel(self, asked: dict[str, Any]) -> dict[str, Any]:
        order = self.cancel(asked["clientOid"])
        if order is None:
            raise _no("100004", "Order is in not cancelable state")
        return {"clientOid": order.client_id}

    def _one(self, asked: dict[str, Any]) -> dict[str, Any]:
        found = self.with_id(asked["clientOid"])
        if not found:
            raise _no("100001", "error.getOrder.orderNotExist")
        return self._row(found[0])

    def _open(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The newest first."""
        if asked["status"] != "active":
            raise _no(*_CODES["precision"])
        size, page = int(asked["pageSize"]), int(asked["currentPage"])
        rows = [self._row(each) for each in reversed(self.open(asked["symbol"]))]
        counted = {"currentPage": page, "pageSize": size, "totalNum": len(rows), "totalPage": -(-len(rows) // size)}
        return {**counted, "items": rows[size * (page - 1) : size * page]}

    def _done(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        return [self._row(each) for each in reversed(self.of(asked["symbol"])) if each.status != "open"]

    def _fills(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        return [self._fill(each) for each in self.of(asked["symbol"]) if each.filled]

    def _fill(self, order: Placed) -> dict[str, Any]:
        return {
            "symbol": order.market_id,
            "tradeId": f"17{order.number}",
            "orderId": str(order.number),
            "side": order.side,
            "liquidity": "maker" if order.post_only else "taker",
            "forceTaker": False,
            "price": str(order.average),
            "size": int(order.filled),
            "value": "0",
            "feeRate": "0.00060",
            "fixFee": "0.00000000",
            "feeCurrency": CONTRACTS[order.market_id][2],
            "marginMode": "CROSS",
            "fee": str(order.fee),
            "orderType": "limit",
            "tradeType": "trade",
            "settleCurrency": CONTRACTS[order.market_id][2],
            "createdAt": order.time,
            "tradeTime": order.time * 1_000_000,
        }

    def _row(self, order: Placed) -> dict[str, Any]:
        is_open = order.status == "open"
        return {
            "id": str(order.number),
            "symbol": order.market_id,
            "type": "limit",
            "side": order.side,
            "price": str(order.price),
            "size": int(order.quantity),
            "value": "0",
            "dealValue": "0",
            "dealSize": int(order.filled),
            "stp": "",
            "stop": "",
            "stopPriceType": "",
            "stopTriggered": False,
            "stopPrice": None,
            "timeInForce": "GTC" if order.post_only else "IOC",
            "postOnly": order.post_only,
            "hidden": False,
            "iceberg": False,
            "leverage": "1",
            "forceHold": False,
            "closeOrder": False,
            "visibleSize": None,
            "clientOid": order.client_id if order.client_id.startswith("hd") else None,
            "remark": None,
            "tags": None,
            "isActive": is_open,
            "cancelExist": not is_open and order.filled < order.quantity,
            "createdAt": order.time,
            "updatedAt": order.time,
            "endAt": None if is_open else order.time,
            "orderTime": order.time * 1_000_000,
            "settleCurrency": CONTRACTS[order.market_id][2],
            "marginMode": "CROSS",
            "avgDealPrice": str(order.average) if order.filled else "0",
            "status": "open" if is_open else "done",
            "filledSize": int(order.filled),
            "filledValue": "0",
            "reduceOnly": order.reduce_only,
        }


def _no(code: str, message: str) -> Refusal:
    return Refusal(200, {"code": code, "msg": message})
