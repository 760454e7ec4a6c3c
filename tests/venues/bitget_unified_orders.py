"""Bitget's order desk as its unified account speaks of it: the id of an order that has ended is taken again.

The other kind of account is in `bitget_orders`.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.venues.bitget_orders import BitgetOrders, refusal, settled_in
from tests.venues.bitget_venue import CONTRACTS
from tests.venues.orders import Answer, Placed, Refused

_CODES = {
    "market": ("25100", "Trading pair ETHUSDT does not exist"),
    "precision": ("25200", "qty validation error"),
    "duplicate": ("25212", "Duplicate clientOid"),
    "worth": ("25611", "Order quantity must be greater than the minimum order amount"),
    "reduce_only": ("25231", "Close quantity cannot exceed the held position quantity"),
    "mode": ("25236", "Incorrect position open type"),
    "margin": ("25203", "Insufficient margin"),
}
_STATUS = {"open": "live", "filled": "filled", "cancelled": "cancelled", "expired": "cancelled"}
_PREFIX = "/api/v3/trade/"


class BothDesks(BitgetOrders):
    def answers(self) -> Mapping[tuple[str, str], Answer]:
        return {
            **super().answers(),
            ("POST", f"{_PREFIX}place-order"): self._create_unified,
            ("POST", f"{_PREFIX}cancel-order"): self._cancel_unified,
            ("GET", f"{_PREFIX}order-info"): self._info,
            ("GET", f"{_PREFIX}unfilled-orders"): self._unfilled,
        }

    def unified_rows(self) -> list[dict[str, Any]]:
        """The history: what has come to its end, the newest first."""
        return [self._unified(order) for order in reversed(self.orders) if order.status != "open"]

    def _create_unified(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(asked)
        for name, allowed in _ALLOWED.items():
            if asked[name] not in allowed:
                raise refusal("400172", "Parameter verification failed")
        if asked["symbol"] not in CONTRACTS or CONTRACTS[asked["symbol"]][0] != asked["category"]:
            raise refusal(*_CODES["market"])
        if self.venue.pos_mode != "one_way_mode" or "posSide" in asked:
            raise refusal(*_CODES["mode"])
        self.refuses_used_ids = any(each.status == "open" for each in self.with_id(asked["clientOid"]))
        try:
            order = self.place(
                asked["clientOid"],
                asked["symbol"],
                asked["side"],
                Decimal(asked["qty"]),
                Decimal(asked["price"]),
                reduce_only=asked["reduceOnly"] == "yes",
                post_only=asked["timeInForce"] == "post_only",
            )
        except Refused as refused:
            raise refusal(*_CODES[refused.why]) from None
        return {"clientOid": order.client_id, "orderId": str(order.number)}

    def _cancel_unified(self, asked: dict[str, Any]) -> dict[str, Any]:
        order = self.cancel(asked["clientOid"])
        if order is None:
            raise refusal("25204", "Order does not exist")
        return {"clientOid": order.client_id, "orderId": str(order.number)}

    def _info(self, asked: dict[str, Any]) -> dict[str, Any]:
        """By our id alone, in whatever market; the newest where there are several."""
        found = self.with_id(asked["clientOid"])
        if not found:
            raise refusal("25204", "Order does not exist")
        return self._unified(found[-1])

    def _unfilled(self, asked: dict[str, Any]) -> dict[str, Any]:
        rows = [self._unified(each) for each in reversed(self.open(asked["symbol"]))]
        behind = [row["orderId"] for row in rows].index(asked["cursor"]) + 1 if "cursor" in asked else 0
        page = rows[behind:][: int(asked["limit"])]
        return {"list": page, "cursor": page[-1]["orderId"] if page else None}

    def _unified(self, order: Placed) -> dict[str, Any]:
        held = self.venue.positions.get(order.market_id)
        coin = held.coin if held else settled_in(order.market_id)
        partly = order.status == "open" and order.filled
        return {
            "orderId": str(order.number),
            "clientOid": order.client_id,
            "category": CONTRACTS[order.market_id][0],
            "symbol": order.market_id,
            "orderType": "limit",
            "side": order.side,
            "price": str(order.price),
            "qty": str(order.quantity),
            "amount": "0",
            "cumExecQty": str(order.filled),
            "cumExecValue": str(order.filled * order.average),
            "avgPrice": str(order.average),
            "timeInForce": "post_only" if order.post_only else "ioc",
            "orderStatus": "partially_filled" if partly else _STATUS[order.status],
            "posSide": "",
            "holdMode": "one_way_mode",
            "tradeSide": "buy_single" if order.side == "buy" else "sell_single",
            "reduceOnly": "YES" if order.reduce_only else "NO",
            "feeDetail": [{"feeCoin": coin, "fee": str(order.fee)} if order.filled else {"feeCoin": None, "fee": None}],
            "cancelReason": "",
            "execType": "normal",
            "createdTime": str(order.time),
            "updatedTime": str(order.time),
        }


_ALLOWED = {
    "orderType": {"limit"},
    "timeInForce": {"ioc", "post_only"},
    "reduceOnly": {"yes", "no"},
    "side": {"buy", "sell"},
}
