"""MEXC's order desk, in contracts."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.venues.mexc_venue import CONTRACTS, Held, VenueRefuses
from tests.venues.orders import Answer, OrderDesk, Placed, Refused

_CODES = {
    "market": (1001, "Contract does not exist"),
    "precision": (2015, "Price or quantity precision error, please enter again"),
    "duplicate": (2042, "Duplicate order ID"),
    "reduce_only": (2008, "Insufficient number of positions can be closed"),
    "mode": (7002, "Position mode mismatch, please switch position mode"),
    "margin": (2005, "Balance insufficient"),
}
_STATE = {"open": 2, "filled": 3, "cancelled": 4, "expired": 4}
_PRIVATE = "/api/v1/private/order"
EXTERNAL, OPEN = f"{_PRIVATE}/external", f"{_PRIVATE}/list/open_orders"  # followed by symbol and id, or symbol


class MexcOrders(OrderDesk):
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
        self.venue.positions[market_id] = Held(amount, price, isolated=bool(held and held.isolated))

    def answers(self) -> Mapping[tuple[str, str], Answer]:
        """Where a path ends in a market or an id, that is among the parameters as `symbol` and `external_oid`."""
        return {
            ("POST", f"{_PRIVATE}/create"): self._create,
            ("POST", f"{_PRIVATE}/cancel_with_external"): self._cancel,
            ("GET", EXTERNAL): self._one,
            ("GET", OPEN): self._open,
        }

    def rows(self) -> list[dict[str, Any]]:
        """The history: what has come to its end."""
        return [self._row(order) for order in self.orders if order.status != "open"]

    def _create(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(asked)
        if asked["type"] not in {2, 3} or (asked["openType"] == 1 and not asked.get("leverage")):
            raise VenueRefuses(200, 2029, "Order type error")
        held = self.venue.positions.get(asked["symbol"])
        if asked["reduceOnly"] and held and held.isolated != (asked["openType"] == 1):
            raise VenueRefuses(200, *_CODES["reduce_only"])  # there is none of that margin mode
        if asked["positionMode"] != 2 or self.venue.position_mode != 2:
            raise VenueRefuses(200, *_CODES["mode"])
        if isinstance(asked["price"], str) or isinstance(asked["vol"], str):
            raise VenueRefuses(200, 600, "Parameter error")
        if asked["reduceOnly"] != (asked["side"] in {2, 4}):
            raise VenueRefuses(200, 2001, "Order direction error")
        try:
            order = self.place(
                asked["externalOid"],
                asked["symbol"],
                "buy" if asked["side"] in {1, 2} else "sell",
                Decimal(str(asked["vol"])),
                Decimal(str(asked["price"])),
                reduce_only=asked["reduceOnly"],
                post_only=asked["type"] == 2,
            )
        except Refused as refused:
            raise VenueRefuses(200, *_CODES[refused.why]) from None
        return {"orderId": str(order.number), "ts": order.time}

    def _open(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        size, page = int(asked["page_size"]), int(asked["page_num"])
        return [self._row(each) for each in self.open(asked["symbol"])][size * (page - 1) : size * page]

    def _cancel(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        order = self.cancel(asked["externalOid"])
        done = {"orderId": str(order.number) if order else "0", "errorCode": 0 if order else 2040}
        return [{**done, "errorMsg": "success" if order else "order not exist"}]

    def _one(self, asked: dict[str, Any]) -> dict[str, Any]:
        found = [each for each in self.with_id(asked["external_oid"]) if each.market_id == asked["symbol"]]
        if not found:
            raise VenueRefuses(200, 2040, "Order does not exist")
        return self._row(found[0])

    def _row(self, order: Placed) -> dict[str, Any]:
        buys = order.side == "buy"
        return {
            "orderId": str(order.number),
            "symbol": order.market_id,
            "positionId": 0,
            "price": float(order.price),
            "vol": float(order.quantity),
            "side": {(True, False): 1, (True, True): 2, (False, False): 3, (False, True): 4}[buys, order.reduce_only],
            "category": 1,
            "orderType": 2 if order.post_only else 3,
            "dealAvgPrice": float(order.average),
            "dealVol": float(order.filled),
            "takerFee": float(order.fee),
            "makerFee": 0,
            "profit": 0,
            "feeCurrency": CONTRACTS[order.market_id][2],
            "openType": 2,
            "state": _STATE[order.status],
            "externalOid": order.client_id,
            "errorCode": 0,
            "createTime": order.time,
            "updateTime": order.time,
            "positionMode": 2,
            "reduceOnly": order.reduce_only,
        }
