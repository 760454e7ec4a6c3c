"""The truth of a small WEEX: prices, wallets, positions, histories. Tests set it; the server speaks of it.

Replies have the fields and the number formats of the venue's documentation, also those that nobody reads here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.venues.binance_venue import Held

COINS = {  # asset → price in USDT, tick, step
    "BTC": ("60000", "0.1", "0.000001"),
    "ETH": ("3000", "0.01", "0.00001"),
    "SOL": ("150", "0.01", "0.001"),
    "DOGE": ("0.1", "0.00001", "0.1"),
    "UNI": ("8", "0.001", "0.01"),
    "AAVE": ("120", "0.01", "0.001"),
    "USDC": ("0.9998", "0.0001", "0.01"),
}
CONTRACTS = {  # market id → base, digits of a price, digits of a quantity, contractVal, minimum, funding minutes
    "BTCUSDT": ("BTC", "1", "4", "0.0001", "0.0001", 480),
    "ETHUSDT": ("ETH", "2", "3", "0.001", "0.002", 480),
    "SOLUSDT": ("SOL", "2", "1", "0.1", "0.1", 240),
    "DOGEUSDT": ("DOGE", "5", "0", "100", "100", 480),
}
SPREAD = Decimal("0.0001")  # half of it, as a fraction of the price
ZERO = Decimal(0)


def _wall_clock() -> int:
    return int(time.time() * 1000)


@dataclass
class WeexVenue:
    """What the venue holds. Amounts in coins, prices in USDT, times in milliseconds."""

    now: Callable[[], int] = _wall_clock
    prices: dict[str, Decimal] = field(default_factory=lambda: {a: Decimal(p) for a, (p, _, _) in COINS.items()})
    spot: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)  # free, locked
    futures: dict[str, Decimal] = field(default_factory=lambda: {"USDT": Decimal(10000)})
    positions: dict[str, Held] = field(default_factory=dict)  # a market id, with "+" behind it for a second one
    marks: dict[str, Decimal] = field(default_factory=dict)  # market id → other than its coin's price
    tells_liquidation: bool = True
    isolated: dict[str, Decimal] = field(default_factory=dict)  # market id → margin set apart
    separated: bool = False
    not_trading: set[str] = field(default_factory=set)  # spot assets
    demo: bool = False  # what the sim endpoints show under their own names
    fills: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    income: list[dict[str, Any]] = field(default_factory=list)
    income_goes_on: bool = False
    bills: list[dict[str, Any]] = field(default_factory=list)

    def mark(self, market_id: str) -> Decimal:
        return self.marks.get(market_id, self.prices[CONTRACTS[market_id.rstrip("+")][0]])

    # public

    def spot_info(self) -> dict[str, Any]:
        rows = [
            {
                "symbol": f"{asset}USDT",
                "status": "TRADING",
                "baseAsset": asset,
                "baseAssetPrecision": "8",
                "quoteAsset": "USDT",
                "quoteAssetPrecision": "8",
                "tickSize": tick,
                "stepSize": step,
                "minTradeAmount": step,
                "maxTradeAmount": "99999",
                "takerFeeRate": "0.001",
                "makerFeeRate": "0.001",
                "enableTrade": asset not in self.not_trading,
                "enableDisplay": True,
            }
            for asset, (_, tick, step) in COINS.items()
        ]
        return {"symbols": rows}

    def futures_info(self) -> dict[str, Any]:
        rows = [
            {
                "symbol": market_id,
                "baseAsset": base,
                "quoteAsset": "USDT",
                "marginAsset": "USDT",
                "pricePrecision": price_digits,
                "quantityPrecision": quantity_digits,
                "baseAssetPrecision": "3",
                "quotePrecision": "8",
                "contractVal": value,
                "delivery": ["00:00:00", "08:00:00", "16:00:00"],
                "forwardContractFlag": True,
                "minLeverage": "1",
                "maxLeverage": "400",
                "makerFeeRate": "0.0002",
                "takerFeeRate": "0.0008",
                "minOrderSize": minimum,
                "maxOrderSize": "1000000",
                "maxPositionSize": "1000000",
            }
            for market_id, (base, price_digits, quantity_digits, value, minimum, _) in CONTRACTS.items()
        ]
        return {"assets": [{"asset": "USDT", "marginAvailable": True}], "symbols": rows}

    def spot_prices(self) -> list[dict[str, Any]]:
        return [{"symbol": f"{asset}USDT", "price": f"{price:.8f}"} for asset, price in self.prices.items()]

    def premium_index(self) -> list[dict[str, Any]]:
        now = self.now()
        return [
            {
                "symbol": market_id,
                "markPrice": f"{self.mark(market_id)}",
                "indexPrice": f"{self.mark(market_id) * Decimal('1.001')}",
                "forecastFundingRate": "0.00005618",
                "lastFundingRate": "0.00001031",
                "interestRate": "0.001",
                "nextFundingTime": (now // 28_800_000 + 1) * 28_800_000,
                "time": now,
                "collectCycle": minutes,
            }
            for market_id, (*_, minutes) in CONTRACTS.items()
        ]

    def book_tickers(self) -> list[dict[str, Any]]:
        return [
            {
                "symbol": market_id,
                "bidPrice": f"{self.mark(market_id) * (1 - SPREAD)}",
                "bidQty": "12.5",
                "askPrice": f"{self.mark(market_id) * (1 + SPREAD)}",
                "askQty": "8.3",
                "time": self.now(),
            }
            for market_id in CONTRACTS
        ]

    # the account

    def spot_account(self) -> dict[str, Any]:
        rows = [
            {"asset": asset, "free": f"{free:.8f}", "locked": f"{locked:.8f}"}
            for asset, (free, locked) in self.spot.items()
        ]
        return {
            "makerCommission": 0,
            "takerCommission": 0,
            "canTrade": True,
            "canWithdraw": True,
            "canDeposit": True,
            "updateTime": self.now(),
            "accountType": "SPOT",
            "balances": rows,
            "permissions": ["SPOT"],
            "uid": 8886281669,
        }

    def _profit(self, market_id: str) -> Decimal:
        held = self.positions[market_id]
        return held.amount * (self.mark(market_id) - held.entry)

    def futures_balance(self) -> list[dict[str, Any]]:
        profit = sum((self._profit(market_id) for market_id in self.positions), ZERO)
        return [
            {
                "asset": "SUSDT" if self.demo else asset,
                "balance": f"{balance:.8f}",
                "availableBalance": f"{balance - 100:.8f}",
                "frozen": "0",
                "unrealizePnl": f"{profit if asset == 'USDT' else ZERO:.5f}",
            }
            for asset, balance in self.futures.items()
        ]

    def all_positions(self) -> list[dict[str, Any]]:
        return [
            {
                "id": 737191855967437160 + number,
                "asset": "SUSDT" if self.demo else "USDT",
                "symbol": self._shown(market_id.rstrip("+")),
                "side": "LONG" if held.amount > 0 else "SHORT",
                "marginType": "ISOLATED" if market_id in self.isolated else "CROSSED",
                "separatedMode": "SEPARATED" if self.separated else "COMBINED",
                "separatedOpenOrderId": 0,
                "leverage": "20.00",
                "size": f"{abs(held.amount)}",
                "openValue": f"{abs(held.amount) * held.entry:.5f}",
                "openFee": "0.02237520",
                "fundingFee": "0",
                "marginSize": "100",
                "isolatedMargin": f"{self.isolated.get(market_id, ZERO):f}",
                "isAutoAppendIsolatedMargin": False,
                "createdTime": self.now(),
                "updatedTime": self.now(),
                "unrealizePnl": f"{self._profit(market_id):.5f}",
                "liquidatePrice": f"{self.mark(market_id) * 2:.5f}"
                if held.amount < 0 and self.tells_liquidation
                else "0",
            }
            for number, (market_id, held) in enumerate(self.positions.items())
        ]

    def _shown(self, market_id: str) -> str:
        return market_id.removesuffix("USDT") + "SUSDT" if self.demo else market_id

    def income_page(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        return {"hasNextPage": self.income_goes_on, "nextKey": None, "items": rows}
