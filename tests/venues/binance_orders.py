"""Binance's order desk: USD-M in coins, COIN-M in contracts, classic and portfolio margin."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from tests.venues.binance_more import COIN_CONTRACTS, CoinHeld
from tests.venues.binance_venue import CONTRACTS, Held, VenueRefuses
from tests.venues.orders import Answer, OrderDesk, Placed, Refused

_CODES = {
    "market": (-1121, "Invalid symbol."),
    "precision": (-1111, "Precision is over the maximum defined for this asset."),
    "duplicate": (-4116, "ClientOrderId is duplicated."),
    "worth": (-4164, "Order's notional must be no smaller than 20 (unless you choose reduce only)."),
    "reduce_only": (-2022, "ReduceOnly Order is rejected."),
    "mode": (-4061, "Order's position side does not match user's setting."),
    "margin": (-2019, "Margin is insufficient."),
    "taker": (-5022, "Due to the order could not be executed as maker, the Post Only order will be rejected."),
}
_STATUS = {"open": "NEW", "filled": "FILLED", "cancelled": "CANCELED", "expired": "EXPIRED"}
_SEGMENTS = ("/fapi/v1", "/dapi/v1", "/papi/v1/um", "/papi/v1/cm")


class BinanceOrders(OrderDesk):
    refuses_takers = True

    def rules(self, market_id: str) -> tuple[Decimal, Decimal]:
        if market_id in CONTRACTS:
            return Decimal(CONTRACTS[market_id][3]), Decimal(CONTRACTS[market_id][4])
        return Decimal(COIN_CONTRACTS[market_id][3]), Decimal(1)

    def worth_min(self, market_id: str) -> Decimal:
        return Decimal(CONTRACTS[market_id][5]) if market_id in CONTRACTS else Decimal(0)

    def mark(self, market_id: str) -> Decimal:
        value: Decimal = (self.venue if market_id in CONTRACTS else self.venue.more).mark(market_id)
        return value

    def position(self, market_id: str) -> Decimal:
        if market_id in CONTRACTS:
            held = self.venue.positions.get(market_id)
            return held.amount if held else Decimal(0)
        held = self.venue.more.held.get(market_id)
        return held.contracts if held else Decimal(0)

    def set_position(self, market_id: str, amount: Decimal, price: Decimal) -> None:
        if market_id in CONTRACTS:
            self.venue.positions[market_id] = Held(amount, price)
        else:
            self.venue.more.held[market_id] = CoinHeld(amount, price)

    def answers(self) -> Mapping[tuple[str, str], Answer]:
        countdowns = {("POST", f"{segment}/countdownCancelAll"): self._arm for segment in ("/fapi/v1", "/dapi/v1")}
        return countdowns | {
            (method, f"{segment}/{name}"): answer
            for segment in _SEGMENTS
            for method, name, answer in (
                ("POST", "order", self._create),
                ("GET", "order", lambda asked: self._row(self._one(asked))),
                ("DELETE", "order", self._delete),
                ("GET", "openOrders", lambda asked: [self._row(each) for each in self.open(asked["symbol"])]),
            )
        }

    def rows(self) -> list[dict[str, Any]]:
        return [self._row(order) for order in self.orders]

    def fills(self) -> list[dict[str, Any]]:
        """Two of each order that is filled, as bigger orders have."""
        return [
            {
                "symbol": order.market_id,
                "id": 2 * order.number + half,
                "orderId": order.number,
                "side": order.side.upper(),
                "price": str(order.average),
                "qty": str(order.filled / 2),
                "commission": str(order.fee / 2),
                "commissionAsset": "USDT" if order.market_id in CONTRACTS else COIN_CONTRACTS[order.market_id][0],
                "time": order.time,
            }
            for order in self.orders
            for half in (0, 1)
            if order.filled
        ]

    def _create(self, asked: dict[str, str]) -> dict[str, Any]:
        self.asked.append(asked)
        if asked["type"] != "LIMIT" or asked["timeInForce"] not in {"IOC", "GTX"}:
            raise VenueRefuses(400, -1116, "Invalid orderType.")
        if asked["positionSide"] != "BOTH" or self.venue.hedge_mode:
            raise VenueRefuses(400, *_CODES["mode"])
        try:
            order = self.place(
                asked["newClientOrderId"],
                asked["symbol"],
                asked["side"].lower(),
                Decimal(asked["quantity"]),
                Decimal(asked["price"]),
                reduce_only=asked["reduceOnly"] == "true",
                post_only=asked["timeInForce"] == "GTX",
            )
        except Refused as refused:
            raise VenueRefuses(400, *_CODES[refused.why]) from None
        acknowledged = {"executedQty": "0", "avgPrice": "0.00", "status": "NEW"}  # whatever has become of it by now
        return {**self._row(order), **acknowledged}

    def _arm(self, asked: dict[str, str]) -> dict[str, Any]:
        self.arm(asked["symbol"], int(asked["countdownTime"]))
        return {"symbol": asked["symbol"], "countdownTime": asked["countdownTime"]}

    def _one(self, asked: dict[str, str]) -> Placed:
        found = [each for each in self.with_id(asked["origClientOrderId"]) if each.market_id == asked["symbol"]]
        if not found:
            raise VenueRefuses(400, -2013, "Order does not exist.")
        return found[0]

    def _delete(self, asked: dict[str, str]) -> dict[str, Any]:
        order = self.cancel(asked["origClientOrderId"])
        if order is None:
            raise VenueRefuses(400, -2011, "Unknown order sent.")
        return self._row(order)

    def _row(self, order: Placed) -> dict[str, Any]:
        return {
            "orderId": order.number,
            "symbol": order.market_id,
            "status": _STATUS[order.status],
            "clientOrderId": order.client_id,
            "price": str(order.price),
            "avgPrice": f"{order.average:.5f}",
            "origQty": str(order.quantity),
            "executedQty": str(order.filled),
            "cumQuote": str(order.filled * order.average),
            "timeInForce": "GTX" if order.post_only else "IOC",
            "type": "LIMIT",
            "reduceOnly": order.reduce_only,
            "closePosition": False,
            "side": order.side.upper(),
            "positionSide": "BOTH",
            "time": order.time,
            "updateTime": order.time,
        }
