"""Hyperliquid's order desk, in coins. What is refused is kept under its id, with the reason for its status.

What the venue does with an id that it has already is documented nowhere: here it takes the order, a second one.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.venues.hyperliquid_venue import CONTRACTS, DEXES, Held
from tests.venues.orders import Answer, OrderDesk, Placed, Refused
from tests.venues.server import Refusal

OURS = "0x68646764"
_SAID = {  # why → what is said, and the status that is kept
    "market": ("Order has invalid asset.", "rejected"),
    "precision": ("Price must be divisible by tick size.", "tickRejected"),
    "reduce_only": ("Reduce only order would increase position.", "reduceOnlyRejected"),
    "worth": ("Order must have minimum value of $10.", "minTradeNtlRejected"),
    "margin": ("Insufficient margin to place order.", "perpMarginRejected"),
    "taker": ("Post only order would have immediately matched, bbo was 2999.9@3000.", "badAloPxRejected"),
    "nothing": ("Order could not immediately match against any resting orders.", "iocCancelRejected"),
}
_STATUS = {"open": "open", "filled": "filled", "cancelled": "canceled", "expired": "filled"}


class HyperliquidOrders(OrderDesk):
    refuses_takers = True

    def __init__(self, venue: Any) -> None:
        super().__init__(venue)
        self.refused: dict[int, tuple[Placed, str]] = {}  # number → the order, and its status
        self.echoes = False  # whether an acknowledgement repeats the client's id

    def rules(self, market_id: str) -> tuple[Decimal, Decimal]:
        """The tick at the mark; `_create` looks at the digits of the price itself."""
        places = CONTRACTS[market_id][0]
        tick = min(6 - places, max(4 - self.mark(market_id).adjusted(), 0))
        return Decimal(1).scaleb(-tick), Decimal(1).scaleb(-places)

    def worth_min(self, market_id: str) -> Decimal:
        return Decimal(10)

    def mark(self, market_id: str) -> Decimal:
        value: Decimal = self.venue.prices[market_id]
        return value

    def position(self, market_id: str) -> Decimal:
        held = self.venue.positions.get(market_id)
        return held.size if held else Decimal(0)

    def set_position(self, market_id: str, amount: Decimal, price: Decimal) -> None:
        held = self.venue.positions.pop(market_id, None)
        if amount:
            self.venue.positions[market_id] = Held(amount, price, held.margin if held else None)

    def answers(self) -> Mapping[tuple[str, str], Answer]:
        return {
            ("POST", "/exchange/order"): self._create,
            ("POST", "/exchange/cancelByCloid"): self._cancel,
            ("POST", "/info/orderStatus"): self._one,
            ("POST", "/info/frontendOpenOrders"): self._open,
            ("POST", "/info/historicalOrders"): lambda _: self._history(),
            ("POST", "/info/userFills"): lambda _: self.fills(),
        }

    def _create(self, action: dict[str, Any]) -> dict[str, Any]:
        (asked,) = action["orders"]
        self.asked.append(asked)
        if (
            action["grouping"] != "na"
            or set(asked) != set("abpsrtc")
            or asked["t"]["limit"]["tif"] not in {"Ioc", "Alo"}
        ):
            raise Refusal(422, "Failed to deserialize the JSON body into the target type")
        market_id = coin(asked["a"])
        client_id, side = ours(asked["c"]), "buy" if asked["b"] else "sell"
        quantity, price = Decimal(asked["s"]), Decimal(asked["p"])
        resting, post_only = self.resting, asked["t"]["limit"]["tif"] == "Alo"
        try:
            if len(price.normalize().as_tuple().digits) > 5 and price % 1:
                raise Refused("precision")
            unique = f"new-{len(self.orders)}"  # an id may be used twice
            order = self.place(unique, market_id, side, quantity, price, reduce_only=asked["r"], post_only=post_only)
            order.client_id = client_id
        except Refused as refused:
            number = 800_000_001 + len(self.refused)
            said, status = _SAID[refused.why]
            kept = Placed(number, client_id, market_id, side, quantity, price, asked["r"], self.venue.now())
            self.refused[number] = kept, status
            return _statuses({"error": f"{said} asset={asked['a']}"})
        if order.status == "expired" and not order.filled:
            return _statuses({"error": f"{_SAID['nothing'][0]} asset={asked['a']}"})
        echo = {"oid": order.number, **({"cloid": asked["c"]} if self.echoes else {})}
        if order.status == "open" and (post_only or (resting and not order.filled)):
            return _statuses({"resting": echo})
        return _statuses({"filled": {"totalSz": str(order.filled), "avgPx": str(order.average), **echo}})

    def _cancel(self, action: dict[str, Any]) -> dict[str, Any]:
        (asked,) = action["cancels"]
        mine = [each for each in self.with_id(ours(asked["cloid"])) if each.market_id == coin(asked["asset"])]
        if not mine or self.cancel(mine[0].client_id) is None:
            said = "Order was never placed, already canceled, or filled."
            return _statuses({"error": f"{said} asset={asked['asset']}"}, "cancel")
        return _statuses("success", "cancel")

    def _one(self, asked: dict[str, Any]) -> dict[str, Any]:
        stated = [row for row in self._stated() if row["order"]["cloid"] == asked["oid"]]
        return {"status": "order", "order": stated[-1]} if stated else {"status": "unknownOid"}

    def _open(self, asked: dict[str, Any]) -> list[dict[str, Any]]:
        dex = asked.get("dex", "")
        return [
            _row(each) for each in self.orders if each.status == "open" and each.market_id.rpartition(":")[0] == dex
        ]

    def _history(self) -> list[dict[str, Any]]:
        """The newest first, each once for every change."""
        stated = self._stated()
        begun = [{**row, "status": "open", "order": {**row["order"], "sz": row["order"]["origSz"]}} for row in stated]
        return [row for pair in zip(reversed(stated), reversed(begun), strict=True) for row in pair]

    def _stated(self) -> list[dict[str, Any]]:
        """Each as it was when its status last changed: of an order that waits, with nothing filled."""
        taken = [(each, _SAID["nothing"][1] if _found_nothing(each) else _STATUS[each.status]) for each in self.orders]
        return [
            {"order": _row(order, at_first=status == "open"), "status": status, "statusTimestamp": order.time}
            for order, status in (*self.refused.values(), *taken)
        ]

    def fills(self) -> list[dict[str, Any]]:
        """One of each order, those by hand without an id."""
        return [
            {
                "coin": each.market_id,
                "px": str(each.average),
                "sz": str(each.filled),
                "side": "B" if each.side == "buy" else "A",
                "time": each.time,
                "startPosition": "0.0",
                "dir": "Open Long" if each.side == "buy" else "Open Short",
                "closedPnl": "0.0",
                "hash": "0x" + "a" * 64,
                "oid": each.number,
                "crossed": not each.post_only,
                "fee": str(each.fee),
                "tid": 118906512037719 + each.number,
                "feeToken": "USDE" if each.market_id.startswith("hyna:") else "USDC",
                **({"cloid": cloid(each.client_id)} if each.client_id.startswith("hd") else {}),
            }
            for each in self.orders
            if each.filled
        ]


def coin(asset: int) -> str:
    """Of a contract's number: its place in its dex, those of builders' dexes from 100,000 on."""
    dex, place = divmod(asset - 100_000, 10_000) if asset >= 100_000 else (0, asset)
    listed = [name for name in CONTRACTS if name.rpartition(":")[0] == list(DEXES)[dex]]
    return listed[place] if place < len(listed) else "?"


def cloid(client_id: str) -> str | None:
    """As the desk's orders have it: one of ours by our id, another's as it is, and none by hand."""
    if client_id.startswith("hd"):
        return OURS + client_id.removeprefix("hd")
    return client_id if client_id.startswith("0x") else None


def ours(given: str) -> str:
    return f"hd{given.removeprefix(OURS)}" if given.startswith(OURS) else given


def _found_nothing(order: Placed) -> bool:
    return order.status == "expired" and not order.filled


def _row(order: Placed, *, at_first: bool = False) -> dict[str, Any]:
    return {
        "coin": order.market_id,
        "side": "B" if order.side == "buy" else "A",
        "limitPx": str(order.price),
        "sz": str(order.quantity if at_first else order.quantity - order.filled),
        "oid": order.number,
        "timestamp": order.time,
        "triggerCondition": "N/A",
        "isTrigger": False,
        "triggerPx": "0.0",
        "children": [],
        "isPositionTpsl": False,
        "reduceOnly": order.reduce_only,
        "orderType": "Limit",
        "origSz": str(order.quantity),
        "tif": "Alo" if order.post_only else "Ioc",
        "cloid": cloid(order.client_id),
    }


def _statuses(status: Any, kind: str = "order") -> dict[str, Any]:
    return {"status": "ok", "response": {"type": kind, "data": {"statuses": [status]}}}
