"""Gate's order desk, in signed contracts: it takes a used id again, and by an id shows the last order of it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.venues.gate_venue import CONTRACTS, Held
from tests.venues.orders import Answer, OrderDesk, Placed, Refused
from tests.venues.server import Refusal

SEGMENTS = ("futures/usdt", "futures/btc", "delivery/usdt")
_MINUTE = 60_000  # milliseconds
_LABELS = {
    "market": ("CONTRACT_NOT_FOUND", "contract not found"),
    "precision": ("INVALID_PARAM_VALUE", "invalid argument: size"),
    "margin": ("INSUFFICIENT_AVAILABLE", "balance not enough"),
    "reduce_only": ("INCREASE_POSITION", "order would increase position"),
    "taker": ("ORDER_POC_IMMEDIATE", "order price 3010 while counter price 3000"),
}
_ENDS = {"filled": "filled", "cancelled": "cancelled", "expired": "ioc"}


class GateOrders(OrderDesk):
    refuses_takers = True
    refuses_used_ids = False

    def __init__(self, venue: Any) -> None:
        super().__init__(venue)
        self.until: list[str | None] = []  # of each order that arrived: when it expires, as it said
        self.ended: dict[int, int] = {}  # order → when it was first asked for after its end

    def rules(self, market_id: str) -> tuple[Decimal, Decimal]:
        _, _, tick, smallest, parts = CONTRACTS[market_id]
        return Decimal(tick), Decimal(smallest) if parts else Decimal(1)

    def mark(self, market_id: str) -> Decimal:
        value: Decimal = self.venue.mark(market_id)
        return value

    def position(self, market_id: str) -> Decimal:
        held = self.venue.positions.get(market_id)
        return held.size if held else Decimal(0)

    def set_position(self, market_id: str, amount: Decimal, price: Decimal) -> None:
        held = self.venue.positions.get(market_id)
        self.venue.positions[market_id] = Held(amount, price, held.isolated if held else None)

    def answers(self) -> Mapping[tuple[str, str], Answer]:
        """Of every segment, which is among the parameters, as is the id at the end of an order's path."""
        return {
            ("POST", "orders"): self._create,
            ("GET", "orders"): self._list,
            ("GET", "orders/id"): self._one,
            ("DELETE", "orders/id"): self._cancel,
            ("GET", "my_trades"): self._fills,
            ("POST", "countdown_cancel_all"): self._arm,
        }

    def _create(self, asked: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(asked)
        self.until.append(asked.get("until"))
        segment, text = asked["segment"], asked["text"]
        self._existing(segment)
        if not text.startswith("t-") or len(text) > 30 or asked["tif"] not in {"ioc", "poc"}:
            raise _no("INVALID_PARAM_VALUE", "invalid argument: text or tif")
        if not isinstance(asked["reduce_only"], bool) or not isinstance(asked["price"], str):
            raise _no("INVALID_REQUEST_BODY", "invalid body")
        parts = CONTRACTS.get(asked["contract"], ("", "", "", "", False))[4]
        if isinstance(asked["size"], str) is not parts:
            raise _no("INVALID_PARAM_VALUE", "invalid argument: size")
        if CONTRACTS.get(asked["contract"], (segment,))[0] != segment:
            raise _no(*_LABELS["market"])
        if "until" in asked and self.venue.now() > int(asked["until"]):
            raise _no("REQUEST_EXPIRED", "the request has expired")
        size = Decimal(asked["size"])
        try:
            order = self.place(
                text.removeprefix("t-"),
                asked["contract"],
                "buy" if size > 0 else "sell",
                abs(size),
                Decimal(asked["price"]),
                reduce_only=asked["reduce_only"],
                post_only=asked["tif"] == "poc",
            )
        except Refused as refused:
            raise _no(*_LABELS[refused.why]) from None
        return self._row(order)

    def _list(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        """The newest first. What was never filled is forgotten ten minutes after its end."""
        self._existing(asked["segment"])
        rows = [self._row(each) for each in reversed(self._shown(asked["contract"], 10 * _MINUTE))]
        start, limit = int(asked.get("offset", "0")), int(asked.get("limit", "100"))
        if limit > 1000 or asked["status"] not in {"open", "finished"}:
            raise _no("INVALID_PARAM_VALUE", "invalid argument: limit or status")
        return [row for row in rows if row["status"] == asked["status"]][start : start + limit]

    def _shown(self, market_id: str, remembered: int) -> list[Placed]:
        """The orders but those that ended unfilled longer ago than this."""
        now, shown = self.venue.now(), []
        for order in self.of(market_id):
            ago = 0 if order.status == "open" else now - self.ended.setdefault(order.number, now)
            if order.filled or ago <= remembered:
                shown.append(order)
        return shown

    def _named(self, asked: dict[str, Any]) -> Placed:
        """By the venue's id, or by ours: the last one, for a minute after its end."""
        self._existing(asked["segment"])
        name, ours = asked["id"], asked["id"].startswith("t-")
        if ours and asked["segment"].startswith("delivery"):
            raise _no("INVALID_PARAM_VALUE", "invalid argument: order_id")
        for market_id in {order.market_id for order in self.orders}:
            for order in reversed(self._shown(market_id, 10 * _MINUTE)):
                ago = self.venue.now() - self.ended.get(order.number, self.venue.now())
                known = f"t-{order.client_id}" if ours and ago <= _MINUTE else str(order.number)
                if CONTRACTS[market_id][0] == asked["segment"] and name == known:
                    return order
        raise Refusal(404, {"label": "ORDER_NOT_FOUND", "message": "Order not found"})

    def _one(self, asked: dict[str, Any]) -> dict[str, Any]:
        return self._row(self._named(asked))

    def _cancel(self, asked: dict[str, Any]) -> dict[str, Any]:
        order = self._named(asked)
        if order.status != "open":
            raise _no("ORDER_FINISHED", "order finished")
        order.status = "cancelled"
        return self._row(order)

    def _fills(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        """Two of each order that is filled, as bigger orders have; and those that a test has put there."""
        self._existing(asked["segment"])
        rows = [*self.venue.fills, *(row for order in reversed(self.orders) for row in self._halves(order))]
        wanted = {"contract": asked.get("contract"), "order_id": asked.get("order")}
        found = [row for row in rows if all(value in {None, row.get(key)} for key, value in wanted.items())]
        return found[: int(asked.get("limit", "100"))]

    def _halves(self, order: Placed) -> list[dict[str, Any]]:
        half = {
            "create_time": order.time / 1000,
            "contract": order.market_id,
            "order_id": str(order.number),
            "size": str(_signed(order, order.filled / 2)),
            "close_size": "0",
            "price": str(order.average),
            "role": "maker" if order.post_only else "taker",
            "text": f"t-{order.client_id}",
            "fee": str(order.fee / 2),
            "point_fee": "0",
        }
        return [{"id": 2 * order.number + each, **half} for each in (0, 1)] if order.filled else []

    def _arm(self, asked: dict[str, Any]) -> dict[str, Any]:
        seconds = asked["timeout"]
        if asked["segment"].startswith("delivery"):
            raise Refusal(404, {"label": "NOT_FOUND", "message": "no such path here"})
        if not isinstance(seconds, int) or 0 < seconds < 5:
            raise _no("INVALID_PARAM_VALUE", "invalid argument: timeout")
        self.arm(asked["contract"], 1000 * seconds)
        return {"trigger_time": self.deadlines.get(asked["contract"], 0)}

    def _existing(self, segment: str) -> None:
        if segment not in self.venue.futures:
            raise _no("USER_NOT_FOUND", "please transfer funds first to create futures account")

    def _row(self, order: Placed) -> dict[str, Any]:
        ended = order.status != "open"
        end = {"finish_time": order.time / 1000, "finish_as": _ENDS[order.status]} if ended else {}
        return {
            "id": order.number,
            "user": 100000,
            "contract": order.market_id,
            "create_time": order.time / 1000,
            "size": str(_signed(order, order.quantity)),
            "iceberg": "0",
            "left": str(_signed(order, order.quantity - order.filled)),
            "price": str(order.price),
            "fill_price": str(order.average),
            "mkfr": "-0.00025",
            "tkfr": "0.00075",
            "tif": "poc" if order.post_only else "ioc",
            "refu": 0,
            "is_reduce_only": order.reduce_only,
            "is_close": False,
            "is_liq": False,
            "text": f"t-{order.client_id}",
            "status": "finished" if ended else "open",
            "stp_id": 0,
            "stp_act": "-",
            "amend_text": "-",
            **end,
        }


def _signed(order: Placed, quantity: Decimal) -> Decimal:
    return quantity if order.side == "buy" else -quantity


def _no(label: str, message: str) -> Refusal:
    return Refusal(400, {"label": label, "message": message})
