"""Bitget's order desk (classic account): every contract counted in coins, coin-margined ones too."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.venues.bitget_venue import CONTRACTS, Held
from tests.venues.orders import Answer, OrderDesk, Placed, Refused
from tests.venues.server import Refusal

_CODES = {
    "market": ("40034", "Parameter symbol does not exist"),
    "precision": ("40808", "Parameter verification exception size checkBDScale error value=2293.577 checkScale=2"),
    "duplicate": ("40786", "Duplicate clientOid"),
    "worth": ("45110", "less than the minimum amount 5 USDT"),
    "reduce_only": ("40757", "Not enough position is available."),
    "mode": ("40774", "The order type for unilateral position must also be the unilateral position type."),
    "margin": ("40762", "The order amount exceeds the balance"),
    "backing": ("45117", "Currently holding positions or orders, the margin mode cannot be adjusted"),
}
_STATUS = {"open": "live", "filled": "filled", "cancelled": "canceled", "expired": "canceled"}
_PREFIX = "/api/v2/mix/order/"


class BitgetOrders(OrderDesk):
    def rules(self, market_id: str) -> tuple[Decimal, Decimal]:
        row = CONTRACTS[market_id]
        return Decimal(row[6]).scaleb(-int(row[5])), Decimal(row[7])

    def worth_min(self, market_id: str) -> Decimal:
        return Decimal(5)

    def mark(self, market_id: str) -> Decimal:
        value: Decimal = self.venue.mark(market_id)
        return value

    def position(self, market_id: str) -> Decimal:
        held = self.venue.positions.get(market_id)
        return held.total if held else Decimal(0)

    def set_position(self, market_id: str, amount: Decimal, price: Decimal) -> None:
        held = self.venue.positions.get(market_id)
        coin, isolated = (held.coin, held.isolated) if held else (settled_in(market_id), None)
        self.venue.positions[market_id] = Held(amount, price, coin, isolated)

    def answers(self) -> Mapping[tuple[str, str], Answer]:
        return {
            ("POST", f"{_PREFIX}place-order"): self._create,
            ("POST", f"{_PREFIX}cancel-order"): self._cancel,
            ("GET", f"{_PREFIX}detail"): self._one,
            ("GET", f"{_PREFIX}orders-pending"): self._pending,
        }

    def rows(self) -> list[dict[str, Any]]:
        """The history: what has come to its end, the newest first."""
        return [self._row(order) for order in reversed(self.orders) if order.status != "open"]

    def _create(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(asked)
        for name, allowed in _ALLOWED.items():
            if asked[name] not in allowed:
                raise refusal("40020", f"Parameter {name} error")
        if asked["symbol"] not in CONTRACTS or CONTRACTS[asked["symbol"]][0] != asked["productType"]:
            raise refusal(*_CODES["market"])
        if asked["marginCoin"] not in CONTRACTS[asked["symbol"]][3]:
            raise refusal("43049", "Margin coin is not allowed")
        if self.venue.pos_mode != "one_way_mode" or "tradeSide" in asked:
            raise refusal(*_CODES["mode"])
        held = self.venue.positions.get(asked["symbol"])
        if held and held.total:
            mode = "crossed" if held.isolated is None else "isolated"
            if (asked["marginMode"], asked["marginCoin"]) != (mode, held.coin):
                raise refusal(*_CODES["backing"])
        try:
            order = self.place(
                asked["clientOid"],
                asked["symbol"],
                asked["side"],
                Decimal(asked["size"]),
                Decimal(asked["price"]),
                reduce_only=asked["reduceOnly"] == "YES",
                post_only=asked["force"] == "post_only",
            )
        except Refused as refused:
            raise refusal(*_CODES[refused.why]) from None
        return _done(order)

    def _cancel(self, asked: dict[str, Any]) -> dict[str, Any]:
        order = self.cancel(asked["clientOid"])
        if order is None:
            raise refusal("22001", "No order to cancel")
        return _done(order)

    def _one(self, asked: dict[str, Any]) -> dict[str, Any]:
        found = [each for each in self.with_id(asked["clientOid"]) if each.market_id == asked["symbol"]]
        if not found:
            raise refusal("40109", "The data of the order cannot be found, please confirm the order number")
        row = self._row(found[0])
        return {**row, "state": row.pop("status")} | {"presetStopSurplusPrice": "", "presetStopLossPrice": ""}

    def _pending(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The newest first, from behind the one that is named."""
        rows = [self._row(each) for each in reversed(self.open(asked["symbol"]))]
        behind = [row["orderId"] for row in rows].index(asked["idLessThan"]) + 1 if "idLessThan" in asked else 0
        return listed(rows[behind:][: int(asked["limit"])])

    def _row(self, order: Placed) -> dict[str, Any]:
        held = self.venue.positions.get(order.market_id)
        partly = order.status == "open" and order.filled
        return {
            "symbol": order.market_id,
            "size": str(order.quantity),
            "orderId": str(order.number),
            "clientOid": order.client_id,
            "baseVolume": str(order.filled),
            "fee": str(-order.fee) if order.filled else "0",
            "price": str(order.price),
            "priceAvg": str(order.average) if order.filled else "",
            "status": "partially_filled" if partly else _STATUS[order.status],
            "side": order.side,
            "force": "post_only" if order.post_only else "ioc",
            "totalProfits": "0",
            "posSide": "net",
            "marginCoin": held.coin if held else settled_in(order.market_id),
            "quoteVolume": str(order.filled * order.average),
            "leverage": "20",
            "marginMode": "crossed",
            "reduceOnly": "YES" if order.reduce_only else "NO",
            "enterPointSource": "api",
            "tradeSide": "buy_single" if order.side == "buy" else "sell_single",
            "posMode": "one_way_mode",
            "orderType": "limit",
            "orderSource": "normal",
            "cTime": str(order.time),
            "uTime": str(order.time),
        }


_ALLOWED = {
    "orderType": {"limit"},
    "force": {"ioc", "post_only"},
    "marginMode": {"crossed", "isolated"},
    "reduceOnly": {"YES", "NO"},
    "side": {"buy", "sell"},
}


def settled_in(market_id: str) -> str:
    """The coin that a new position takes where nobody says another."""
    product, base, _, margins, *_ = CONTRACTS[market_id]
    return base if product == "COIN-FUTURES" else margins[0]


def listed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """A page; null where it has no rows, and null for its end."""
    end = rows[-1].get("orderId", "1") if rows else None
    return {"entrustedList": rows or None, "endId": end}


def refusal(code: str, message: str, status: int = 400) -> Refusal:
    return Refusal(status, {"code": code, "msg": message, "requestTime": 1695806875837, "data": None})


def _done(order: Placed) -> dict[str, Any]:
    return {"clientOid": order.client_id, "orderId": str(order.number)}
