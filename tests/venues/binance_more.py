"""The rest of a small Binance: COIN-M, the funding wallet, simple earn, portfolio margin, what the key may do."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

NEVER = 4133404800000
QUARTER = 1798185600000  # 2026-12-25 08:00 UTC
COIN_CONTRACTS = {  # market id → coin, contract type, delivery, tick, face value in USD
    "BTCUSD_PERP": ("BTC", "PERPETUAL", NEVER, "0.1", "100"),
    "ETHUSD_PERP": ("ETH", "PERPETUAL", NEVER, "0.01", "10"),
    "ETHUSD_261225": ("ETH", "CURRENT_QUARTER", QUARTER, "0.01", "10"),
}
COIN_MAINTENANCE_RATE = Decimal("0.01")
SPREAD = Decimal("0.0001")
ZERO = Decimal(0)


@dataclass
class CoinHeld:
    contracts: Decimal  # signed
    entry: Decimal


@dataclass
class BinanceMore:
    """What is beyond spot, margin and USD-M. `price_of` gives a coin's price in dollars; amounts are in coins."""

    now: Callable[[], int]
    price_of: Callable[[str], Decimal]
    coins: dict[str, Decimal] = field(default_factory=dict)  # COIN-M wallet balances
    held: dict[str, CoinHeld] = field(default_factory=dict)
    hedge_mode: bool = False
    basis: Decimal = Decimal("0.01")
    funding: dict[str, tuple[str, str, str, str]] = field(default_factory=dict)  # free, locked, freeze, withdrawing
    flexible: list[tuple[str, str]] = field(default_factory=list)  # asset, amount
    locked: list[tuple[str, str]] = field(default_factory=list)
    unified: list[dict[str, Any]] = field(default_factory=list)  # rows of papi/v1/balance
    unified_account: dict[str, Any] = field(
        default_factory=lambda: {
            "uniMMR": "20.00000000",
            "accountEquity": "10000.00000000",
            "actualEquity": "11000.00000000",
            "accountInitialMargin": "1000.00000000",
            "accountMaintMargin": "500.00000000",
            "accountStatus": "NORMAL",
            "updateTime": 1793620800000,
        }
    )
    key: dict[str, Any] = field(
        default_factory=lambda: {
            "ipRestrict": True,
            "createTime": 1623840271000,
            "enableReading": True,
            "enableWithdrawals": False,
            "enableInternalTransfer": False,
            "enableMargin": False,
            "enableFutures": True,
            "permitsUniversalTransfer": False,
            "enableVanillaOptions": False,
            "enablePortfolioMarginTrading": False,
            "enableSpotAndMarginTrading": False,
        }
    )
    fills: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    income: list[dict[str, Any]] = field(default_factory=list)
    subscriptions: list[dict[str, Any]] = field(default_factory=list)
    redemptions: list[dict[str, Any]] = field(default_factory=list)

    def mark(self, market_id: str) -> Decimal:
        coin, kind, *_ = COIN_CONTRACTS[market_id]
        return self.price_of(coin) * (1 if kind == "PERPETUAL" else 1 + self.basis)

    def coin_info(self) -> dict[str, Any]:
        return {"timezone": "UTC", "serverTime": self.now(), "symbols": [self._contract(m) for m in COIN_CONTRACTS]}

    def _contract(self, market_id: str) -> dict[str, Any]:
        coin, kind, delivery, tick, face = COIN_CONTRACTS[market_id]
        return {
            "symbol": market_id,
            "pair": f"{coin}USD",
            "contractType": kind,
            "deliveryDate": delivery,
            "onboardDate": 1597042800000,
            "contractStatus": "TRADING",
            "contractSize": int(face),
            "marginAsset": coin,
            "baseAsset": coin,
            "quoteAsset": "USD",
            "pricePrecision": 2,
            "quantityPrecision": 0,
            "orderTypes": ["LIMIT", "MARKET"],
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "4520958", "tickSize": tick},
                {"filterType": "LOT_SIZE", "minQty": "1", "maxQty": "1000000", "stepSize": "1"},
            ],
        }

    def coin_premium(self) -> list[dict[str, Any]]:
        rows = []
        for market_id, (coin, kind, *_) in COIN_CONTRACTS.items():
            perpetual = kind == "PERPETUAL"
            rows.append(
                {
                    "symbol": market_id,
                    "pair": f"{coin}USD",
                    "markPrice": f"{self.mark(market_id):.8f}",
                    "indexPrice": f"{self.price_of(coin):.8f}",
                    "estimatedSettlePrice": f"{self.price_of(coin):.8f}",
                    "lastFundingRate": "0.00020000" if perpetual else "",
                    "interestRate": "0.00010000" if perpetual else "",
                    "nextFundingTime": (self.now() // 28_800_000 + 1) * 28_800_000 if perpetual else 0,
                    "time": self.now(),
                }
            )
        return rows

    def coin_books(self) -> list[dict[str, Any]]:
        return [
            {
                "symbol": market_id,
                "pair": f"{COIN_CONTRACTS[market_id][0]}USD",
                "bidPrice": f"{self.mark(market_id) * (1 - SPREAD):.4f}",
                "bidQty": "100",
                "askPrice": f"{self.mark(market_id) * (1 + SPREAD):.4f}",
                "askQty": "100",
                "time": self.now(),
            }
            for market_id in COIN_CONTRACTS
        ]

    def _coins_of(self, market_id: str, price: Decimal) -> Decimal:
        return self.held[market_id].contracts * Decimal(COIN_CONTRACTS[market_id][4]) / price

    def _profit(self, market_id: str) -> Decimal:
        return self._coins_of(market_id, self.held[market_id].entry) - self._coins_of(market_id, self.mark(market_id))

    def _maintenance(self, market_id: str) -> Decimal:
        return abs(self._coins_of(market_id, self.mark(market_id))) * COIN_MAINTENANCE_RATE

    def coin_account(self) -> dict[str, Any]:
        assets = []
        for coin, balance in self.coins.items():
            mine = [market_id for market_id in self.held if COIN_CONTRACTS[market_id][0] == coin]
            profit = sum((self._profit(market_id) for market_id in mine), ZERO)
            needed = sum((self._maintenance(market_id) for market_id in mine), ZERO)
            assets.append(
                {
                    "asset": coin,
                    "walletBalance": f"{balance:.8f}",
                    "unrealizedProfit": f"{profit:.8f}",
                    "marginBalance": f"{balance + profit:.8f}",
                    "maintMargin": f"{needed:.8f}",
                    "initialMargin": f"{needed * 5:.8f}",
                    "crossWalletBalance": f"{balance:.8f}",
                    "crossUnPnl": f"{profit:.8f}",
                    "availableBalance": f"{balance:.8f}",
                    "updateTime": 0,
                }
            )
        positions = [
            {
                "symbol": market_id,
                "positionAmt": f"{self.held[market_id].contracts}" if market_id in self.held else "0",
                "maintMargin": f"{self._maintenance(market_id):.8f}" if market_id in self.held else "0",
                "leverage": "20",
                "isolated": False,
                "positionSide": self._side(market_id),
                "entryPrice": f"{self.held[market_id].entry:.8f}" if market_id in self.held else "0.0",
                "updateTime": 0,
            }
            for market_id in COIN_CONTRACTS
        ]
        return {"canTrade": True, "canDeposit": True, "feeTier": 0, "assets": assets, "positions": positions}

    def _side(self, market_id: str) -> str:
        if not self.hedge_mode or market_id not in self.held:
            return "BOTH"
        return "LONG" if self.held[market_id].contracts > 0 else "SHORT"

    def coin_risk(self) -> list[dict[str, Any]]:
        return [self._risk(market_id) for market_id in COIN_CONTRACTS]

    def _risk(self, market_id: str) -> dict[str, Any]:
        row = {
            "symbol": market_id,
            "positionAmt": "0",
            "entryPrice": "0.0",
            "markPrice": "0.00000000",
            "unRealizedProfit": "0.00000000",
            "liquidationPrice": "0",
            "leverage": "20",
            "maxQty": "50",
            "marginType": "cross",
            "isolatedMargin": "0.00000000",
            "positionSide": self._side(market_id),
            "notionalValue": "0",
            "updateTime": 0,
        }
        if market_id not in self.held:
            return row
        held, mark = self.held[market_id], self.mark(market_id)
        return {
            **row,
            "positionAmt": str(held.contracts),
            "entryPrice": f"{held.entry:.8f}",
            "markPrice": f"{mark:.8f}",
            "unRealizedProfit": f"{self._profit(market_id):.8f}",
            "liquidationPrice": f"{mark / 2:.8f}" if held.contracts > 0 else "0",
            "notionalValue": f"{self._coins_of(market_id, mark):.8f}",
        }

    def funding_assets(self) -> list[dict[str, Any]]:
        return [
            {
                "asset": asset,
                "free": free,
                "locked": locked,
                "freeze": freeze,
                "withdrawing": withdrawing,
                "btcValuation": "0",
            }
            for asset, (free, locked, freeze, withdrawing) in self.funding.items()
        ]

    def flexible_positions(self, asked: dict[str, str]) -> dict[str, Any]:
        rows = [{"asset": asset, "totalAmount": amount, "productId": f"{asset}001"} for asset, amount in self.flexible]
        return _page(rows, asked)

    def locked_positions(self, asked: dict[str, str]) -> dict[str, Any]:
        rows = [{"asset": asset, "amount": amount, "positionId": "1"} for asset, amount in self.locked]
        return _page(rows, asked)

    def portfolio_coin_risk(self) -> list[dict[str, Any]]:
        return [self._risk(market_id) for market_id in self.held]


def _page(rows: list[dict[str, Any]], asked: dict[str, str]) -> dict[str, Any]:
    page, size = int(asked.get("current", "1")), int(asked.get("size", "10"))
    return {"rows": rows[(page - 1) * size : page * size], "total": len(rows)}


def brackets(market_ids: list[str]) -> list[dict[str, Any]]:
    """The same two brackets for every contract."""
    rows = [
        {"bracket": 1, "initialLeverage": 75, "notionalCap": 10000, "notionalFloor": 0, "maintMarginRatio": 0.005},
        {"bracket": 2, "initialLeverage": 50, "notionalCap": 90000, "notionalFloor": 10000, "maintMarginRatio": 0.01},
    ]
    return [{"symbol": market_id, "brackets": rows} for market_id in market_ids]
