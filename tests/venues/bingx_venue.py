"""The truth of a small BingX: prices, wallets, positions. Tests set it; the server speaks of it.

Replies have the fields and the number formats of the venue's documentation, also those that nobody reads here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

COINS = {  # asset → price in USDT
    "BTC": "60000",
    "ETH": "3000",
    "SOL": "150",
    "LINK": "15",
    "UNI": "8",
    "AAVE": "120",
    "TRUMP": "10",
    "USDC": "0.9998",
}
LINEAR = {  # market id → decimals of price and of quantity, minimum quantity, settlement asset
    "BTC-USDT": (1, 4, "0.0001", "USDT"),
    "ETH-USDT": (2, 2, "0.01", "USDT"),
    "SOL-USDT": (3, 0, "1", "USDT"),
    "ETH-USDC": (2, 2, "0.01", "USDC"),
}
INVERSE = {  # market id → decimals of the price, face value in dollars
    "BTC-USD": (1, "100"),
    "ETH-USD": (2, "10"),
    "SOL-USD": (3, "10"),
}
SPREAD = Decimal("0.0001")  # half of it, as a fraction of the price
LEVERAGE = 5
ZERO = Decimal(0)


@dataclass
class Held:
    """`amount` in coins (linear) or contracts (coin-margined), signed."""

    amount: Decimal
    entry: Decimal


def _wall_clock() -> int:
    return int(time.time() * 1000)


def _envelope(data: Any, **more: Any) -> dict[str, Any]:
    return {"code": 0, "msg": "", **more, "data": data}


@dataclass
class BingXVenue:
    """What the venue holds. Amounts in coins, prices in USDT, times in milliseconds."""

    now: Callable[[], int] = _wall_clock
    prices: dict[str, Decimal] = field(default_factory=lambda: {a: Decimal(p) for a, p in COINS.items()})
    spot: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)  # free, locked
    fund: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    linear: dict[str, Decimal] = field(default_factory=lambda: {"USDT": Decimal(10000)})  # wallet balances
    inverse: dict[str, Decimal] = field(default_factory=dict)
    positions: dict[str, Held] = field(default_factory=dict)  # both kinds, by market id
    marks: dict[str, Decimal] = field(default_factory=dict)  # market id → other than its coin's price
    tells_liquidation: bool = True
    isolated: set[str] = field(default_factory=set)  # market ids
    standard: list[dict[str, Any]] = field(default_factory=list)  # positions in standard futures
    tiers: tuple[tuple[str, str, str, str], ...] = (  # floor and ceiling in dollars, rate, amount
        ("0", "900000", "0.003300", "0.000000"),
        ("900000", "1500000", "0.005000", "1530.000000"),
    )
    hedge_mode: bool = False
    asset_mode: str = "singleAssetMode"
    permissions: list[int] = field(default_factory=lambda: [2])
    addresses: list[str] = field(default_factory=list)
    halted: set[str] = field(default_factory=set)  # market ids that take no new positions
    offline: dict[str, int] = field(default_factory=dict)  # market id → date of a delisting
    funding_rate: Decimal = Decimal("0.0001")
    funding_hours: dict[str, int] = field(default_factory=lambda: {"SOL-USDT": 4})
    histories: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # path → rows

    def mark(self, market_id: str) -> Decimal:
        return self.marks.get(market_id, self.prices[market_id.split("-", maxsplit=1)[0]])

    # public

    def server_time(self) -> dict[str, Any]:
        return _envelope({"serverTime": self.now()})

    def spot_symbols(self) -> dict[str, Any]:
        rows = [
            {
                "symbol": f"{asset}-USDT",
                "minQty": 0.001,
                "maxQty": 1000,
                "minNotional": 5,
                "maxNotional": 500000,
                "status": 1,
                "tickSize": 0.01,
                "stepSize": 0.0001,
                "apiStateSell": f"{asset}-USDT" not in self.halted,
                "apiStateBuy": True,
                "timeOnline": 0,
                "offTime": 0,
                "maintainTime": 0,
            }
            for asset in COINS
        ]
        return _envelope({"symbols": rows})

    def contracts(self) -> dict[str, Any]:
        rows = [
            {
                "contractId": str(100 + number),
                "symbol": market_id,
                "size": "0",
                "quantityPrecision": quantity,
                "pricePrecision": price,
                "feeRate": 0.0005,
                "makerFeeRate": 0.0002,
                "takerFeeRate": 0.0005,
                "tradeMinLimit": 0,
                "tradeMinQuantity": float(least),
                "tradeMinUSDT": 2,
                "maxLongLeverage": 125,
                "maxShortLeverage": 100,
                "currency": settle,
                "asset": market_id.split("-")[0],
                "status": 25 if market_id in self.halted else 1,
                "apiStateOpen": "true",
                "apiStateClose": "true",
                "ensureTrigger": True,
                "offTime": self.offline.get(market_id, 0),
            }
            for number, (market_id, (price, quantity, least, settle)) in enumerate(LINEAR.items())
        ]
        return _envelope(rows)

    def inverse_contracts(self) -> dict[str, Any]:
        rows = [
            {
                "symbol": market_id,
                "pricePrecision": price,
                "minTickSize": face,
                "minTradeValue": face,
                "minQty": "1.00000000",
                "status": 1,
                "timeOnline": 1713175200000,
            }
            for market_id, (price, face) in INVERSE.items()
        ]
        return _envelope(rows, timestamp=self.now())

    def premium_index(self, listed: dict[str, Any] = LINEAR) -> dict[str, Any]:
        due = (self.now() // 28_800_000 + 1) * 28_800_000
        rows = [
            {
                "symbol": market_id,
                "markPrice": f"{self.mark(market_id):.4f}",
                "indexPrice": f"{self.mark(market_id) * Decimal('1.0005'):.4f}",
                "lastFundingRate": f"{self.funding_rate:.8f}",
                "nextFundingTime": due,
                "fundingIntervalHours": self.funding_hours.get(market_id, 8),
                "updateTime": due - 28_800_000,
            }
            for market_id in listed
        ]
        return _envelope(rows, timestamp=self.now()) if listed is INVERSE else _envelope(rows)

    def tickers(self, listed: dict[str, Any] = LINEAR) -> dict[str, Any]:
        return _envelope([self._ticker(market_id, self.mark(market_id)) for market_id in listed], timestamp=self.now())

    def spot_tickers(self) -> dict[str, Any]:
        return _envelope([self._ticker(f"{asset}-USDT", self.prices[asset]) for asset in COINS], timestamp=self.now())

    def _ticker(self, market_id: str, price: Decimal) -> dict[str, Any]:
        return {
            "symbol": market_id,
            "priceChange": "52.5",
            "priceChangePercent": "0.31%",
            "lastPrice": f"{price:.4f}",
            "volume": "245870.1692",
            "quoteVolume": "4151395117.73",
            "openPrice": "16832.0",
            "openTime": self.now() - 86_400_000,
            "closeTime": self.now(),
            "bidPrice": f"{price * (1 - SPREAD):.4f}",
            "bidQty": "3.5",
            "askPrice": f"{price * (1 + SPREAD):.4f}",
            "askQty": "5.8",
        }

    # the account

    def spot_balance(self) -> dict[str, Any]:
        return _envelope({"balances": _coins(self.spot)}, debugMsg="")

    def fund_balance(self) -> dict[str, Any]:
        return {"code": "0", "timestamp": str(self.now()), "data": {"assets": _coins(self.fund)}}

    def linear_balance(self) -> dict[str, Any]:
        rows = [self._pool(asset, wallet, LINEAR) for asset, wallet in self.linear.items()]
        return _envelope(rows or [{"asset": "", "balance": "0.0000", "equity": "0.0000"}])

    def inverse_balance(self) -> dict[str, Any]:
        rows = [self._pool(asset, wallet, INVERSE) for asset, wallet in self.inverse.items()]
        return _envelope(rows, timestamp=self.now())

    def _pool(self, asset: str, wallet: Decimal, listed: dict[str, Any]) -> dict[str, Any]:
        backed = [name for name in self.positions if name in listed and self._settle(name) == asset]
        profit = sum((self._profit(name) for name in backed), ZERO)
        used = sum((self._margin(name) for name in backed), ZERO)
        return {
            "userId": "116***295",
            "asset": asset,
            "balance": f"{wallet:.8f}",
            "equity": f"{wallet + profit:.8f}",
            "unrealizedProfit": f"{profit:.8f}",
            "realisedProfit": "-109.2504",
            "availableMargin": f"{wallet + profit - used:.8f}",
            "usedMargin": f"{used:.8f}",
            "freezedMargin": "0.0000",
            "shortUid": "12851936",
        }

    def _settle(self, market_id: str) -> str:
        return str(LINEAR[market_id][3]) if market_id in LINEAR else market_id.split("-", maxsplit=1)[0]

    def _profit(self, market_id: str) -> Decimal:
        held, mark = self.positions[market_id], self.mark(market_id)
        if market_id in LINEAR:
            return held.amount * (mark - held.entry)
        return held.amount * Decimal(INVERSE[market_id][1]) * (1 / held.entry - 1 / mark)

    def _margin(self, market_id: str) -> Decimal:
        held = self.positions[market_id]
        if market_id in LINEAR:
            return abs(held.amount) * held.entry / LEVERAGE
        return abs(held.amount) * Decimal(INVERSE[market_id][1]) / held.entry / LEVERAGE

    def linear_positions(self) -> dict[str, Any]:
        rows = [self._position(name) for name in self.positions if name in LINEAR]
        for row in rows:
            value = abs(self.positions[row["symbol"]].amount) * self.mark(row["symbol"])
            margin = self._margin(row["symbol"]) + self._profit(row["symbol"])
            row |= {"currency": self._settle(row["symbol"]), "positionValue": f"{value:.4f}", "margin": f"{margin:.4f}"}
            row |= {"pnlRatio": "-0.7465", "realisedProfit": "-0.2119", "onlyOnePosition": not self.hedge_mode}
        return _envelope(rows)

    def inverse_positions(self) -> dict[str, Any]:
        return _envelope([self._position(name) for name in self.positions if name in INVERSE], timestamp=0)

    def _position(self, market_id: str) -> dict[str, Any]:
        held, mark = self.positions[market_id], self.mark(market_id)
        return {
            "symbol": market_id,
            "positionId": "1813080351385337856",
            "positionSide": "LONG" if held.amount > 0 else "SHORT",
            "isolated": market_id in self.isolated,
            "positionAmt": f"{abs(held.amount):f}",
            "availableAmt": f"{abs(held.amount):f}",
            "unrealizedProfit": f"{self._profit(market_id):.8f}",
            "initialMargin": f"{self._margin(market_id):.8f}",
            "liquidationPrice": float(mark * 2) if held.amount < 0 and self.tells_liquidation else 0,
            "avgPrice": f"{held.entry:.4f}",
            "leverage": LEVERAGE,
            "markPrice": f"{mark:.4f}",
            "riskRate": "0.0008",
            "maxMarginReduction": "0.0000",
            "updateTime": self.now(),
        }

    def position_mode(self) -> dict[str, Any]:
        data = {"dualSidePosition": "true" if self.hedge_mode else "false"}
        return {"code": "0", "msg": "", "timeStamp": str(self.now()), "data": data}

    def multi_assets(self) -> dict[str, Any]:
        return _envelope({"assetMode": self.asset_mode})

    def key_permissions(self) -> dict[str, Any]:
        told = {"apiKey": "k", "permissions": self.permissions, "ipAddresses": self.addresses, "note": "hedged"}
        return _envelope(told)

    def margin_tiers(self, market_id: str) -> dict[str, Any]:
        rows = [
            {
                "tier": f"Tier {number}",
                "symbol": market_id,
                "minPositionVal": floor,
                "maxPositionVal": ceiling,
                "maintMarginRatio": rate,
                "maintAmount": amount,
            }
            for number, (floor, ceiling, rate, amount) in enumerate(self.tiers, 1)
        ]
        return _envelope(rows, timestamp=self.now())


def _coins(held: dict[str, tuple[Decimal, Decimal]]) -> list[dict[str, str]]:
    return [
        {"asset": asset, "free": f"{free:.18f}", "locked": f"{locked:.18f}"} for asset, (free, locked) in held.items()
    ]
