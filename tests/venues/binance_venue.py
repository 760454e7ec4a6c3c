"""The truth of a small Binance: prices, wallets, positions, orders. Tests set it; the server speaks of it.

Replies have the fields and the number formats of the venue's documentation, also those that nobody reads here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.venues.binance_more import BinanceMore, brackets

COINS = {  # asset → price in USDT, tick, lot
    "BTC": ("60000", "0.01", "0.00001"),
    "ETH": ("3000", "0.01", "0.0001"),
    "SOL": ("150", "0.01", "0.001"),
    "LINK": ("15", "0.01", "0.01"),
    "UNI": ("8", "0.001", "0.01"),
    "AAVE": ("120", "0.01", "0.001"),
    "AVAX": ("30", "0.01", "0.01"),
    "DOGE": ("0.15", "0.00001", "1"),
    "XRP": ("0.6", "0.0001", "0.1"),
    "ADA": ("0.4", "0.0001", "0.1"),
    "USDC": ("0.9998", "0.0001", "0.01"),
}
QUARTER = 1798185600000  # 2026-12-25 08:00 UTC
NEVER = 4133404800000
CONTRACTS = {  # market id → base, contract type, delivery, tick, lot, minimum notional
    "BTCUSDT": ("BTC", "PERPETUAL", NEVER, "0.10", "0.001", "50"),
    "ETHUSDT": ("ETH", "PERPETUAL", NEVER, "0.01", "0.001", "20"),
    "SOLUSDT": ("SOL", "PERPETUAL", NEVER, "0.0100", "0.01", "5"),
    "ETHUSDT_261225": ("ETH", "CURRENT_QUARTER", QUARTER, "0.01", "0.001", "20"),
}
MAINTENANCE_RATE = Decimal("0.005")
SPREAD = Decimal("0.0001")  # half of it, as a fraction of the price
ZERO = Decimal(0)


class VenueRefuses(Exception):
    """Answered as the venue does: an HTTP status and {"code", "msg"}."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass
class Margin:
    free: Decimal = ZERO
    locked: Decimal = ZERO
    borrowed: Decimal = ZERO
    interest: Decimal = ZERO


@dataclass
class Held:
    amount: Decimal
    entry: Decimal
    isolated: Decimal | None = None  # the wallet set apart for it


def _lent(asset: str, held: Margin) -> dict[str, Any]:
    return {
        "asset": asset,
        "free": f"{held.free:.8f}",
        "locked": f"{held.locked:.8f}",
        "borrowed": f"{held.borrowed:.8f}",
        "interest": f"{held.interest:.8f}",
        "netAsset": f"{held.free + held.locked - held.borrowed - held.interest:.8f}",
    }


def _wall_clock() -> int:
    return int(time.time() * 1000)


@dataclass
class BinanceVenue:
    """What the venue holds. Amounts in coins, prices in USDT, times in milliseconds."""

    now: Callable[[], int] = _wall_clock
    prices: dict[str, Decimal] = field(default_factory=lambda: {a: Decimal(p) for a, (p, _, _) in COINS.items()})
    spot: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)  # free, locked
    margin: dict[str, Margin] = field(default_factory=dict)
    isolated: dict[str, tuple[Margin, Margin]] = field(default_factory=dict)  # coin → it and USDT in its own pair
    options: list[dict[str, Any]] = field(default_factory=list)
    futures: dict[str, Decimal] = field(default_factory=lambda: {"USDT": Decimal(10000)})
    positions: dict[str, Held] = field(default_factory=dict)
    marks: dict[str, Decimal] = field(default_factory=dict)  # market id → other than its coin's price
    tells_liquidation: bool = True
    hedge_mode: bool = False
    spot_status: dict[str, str] = field(default_factory=dict)  # asset → status other than TRADING
    contract_status: dict[str, str] = field(default_factory=dict)
    delivery: dict[str, int] = field(default_factory=dict)  # market id → date of a delisting
    basis: Decimal = Decimal("0.01")  # of the dated contract, as a fraction of spot
    funding_rate: Decimal = Decimal("0.0001")
    funding_hours: dict[str, int] = field(default_factory=lambda: {"SOLUSDT": 4})
    orders: list[dict[str, Any]] = field(default_factory=list)
    fills: list[dict[str, Any]] = field(default_factory=list)
    income: list[dict[str, Any]] = field(default_factory=list)
    spot_trades: list[dict[str, Any]] = field(default_factory=list)
    withdrawals: list[dict[str, Any]] = field(default_factory=list)
    transfers: list[dict[str, Any]] = field(default_factory=list)  # universal, by "type"
    margin_transfers: list[dict[str, Any]] = field(default_factory=list)
    repayments: list[dict[str, Any]] = field(default_factory=list)
    more: BinanceMore = field(init=False)

    def __post_init__(self) -> None:
        def now() -> int:
            return self.now()  # asked each time, for tests replace it

        self.more = BinanceMore(now=now, price_of=lambda asset: self.prices[asset])

    def mark(self, market_id: str) -> Decimal:
        base, kind, *_ = CONTRACTS[market_id]
        price = self.marks.get(market_id, self.prices[base])
        return price if market_id in self.marks or kind == "PERPETUAL" else price * (1 + self.basis)

    # public

    def spot_info(self) -> dict[str, Any]:
        return {"timezone": "UTC", "serverTime": self.now(), "symbols": [self._spot_market(asset) for asset in COINS]}

    def _spot_market(self, asset: str) -> dict[str, Any]:
        _, tick, lot = COINS[asset]
        return {
            "symbol": f"{asset}USDT",
            "status": self.spot_status.get(asset, "TRADING"),
            "baseAsset": asset,
            "baseAssetPrecision": 8,
            "quoteAsset": "USDT",
            "quotePrecision": 8,
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": True,
            "orderTypes": ["LIMIT", "LIMIT_MAKER", "MARKET"],
            "permissions": [],
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "1000000.00", "tickSize": tick},
                {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "9000000.00", "stepSize": lot},
                {"filterType": "NOTIONAL", "minNotional": "5.00000000", "maxNotional": "9000000.00000000"},
            ],
        }

    def futures_info(self) -> dict[str, Any]:
        rows = [self._contract(market_id) for market_id in CONTRACTS]
        return {"timezone": "UTC", "serverTime": self.now(), "symbols": rows}

    def _contract(self, market_id: str) -> dict[str, Any]:
        base, kind, delivery, tick, lot, notional = CONTRACTS[market_id]
        return {
            "symbol": market_id,
            "pair": f"{base}USDT",
            "contractType": kind,
            "deliveryDate": self.delivery.get(market_id, delivery),
            "onboardDate": 1569398400000,
            "status": self.contract_status.get(market_id, "TRADING"),
            "baseAsset": base,
            "quoteAsset": "USDT",
            "marginAsset": "USDT",
            "pricePrecision": 2,
            "quantityPrecision": 3,
            "orderTypes": ["LIMIT", "MARKET", "STOP_MARKET"],
            "filters": [
                {"filterType": "PRICE_FILTER", "minPrice": tick, "maxPrice": "4529764", "tickSize": tick},
                {"filterType": "LOT_SIZE", "minQty": lot, "maxQty": "1000", "stepSize": lot},
                {"filterType": "MIN_NOTIONAL", "notional": notional},
            ],
        }

    def spot_prices(self) -> list[dict[str, Any]]:
        return [{"symbol": f"{asset}USDT", "price": f"{price:.8f}"} for asset, price in self.prices.items()]

    def premium_index(self) -> list[dict[str, Any]]:
        return [self._premium(market_id) for market_id in CONTRACTS]

    def _premium(self, market_id: str) -> dict[str, Any]:
        base, kind, *_ = CONTRACTS[market_id]
        perpetual = kind == "PERPETUAL"
        now = self.now()
        return {
            "symbol": market_id,
            "markPrice": f"{self.mark(market_id):.8f}",
            "indexPrice": f"{self.prices[base]:.8f}",
            "estimatedSettlePrice": f"{self.prices[base]:.8f}",
            "lastFundingRate": f"{self.funding_rate:.8f}" if perpetual else "",
            "interestRate": "0.00010000" if perpetual else "",
            "nextFundingTime": (now // 28_800_000 + 1) * 28_800_000 if perpetual else 0,
            "time": now,
        }

    def book_tickers(self) -> list[dict[str, Any]]:
        return [
            {
                "symbol": market_id,
                "bidPrice": f"{self.mark(market_id) * (1 - SPREAD):.4f}",
                "bidQty": "10.000",
                "askPrice": f"{self.mark(market_id) * (1 + SPREAD):.4f}",
                "askQty": "10.000",
                "time": self.now(),
            }
            for market_id in CONTRACTS
        ]

    def funding_info(self) -> list[dict[str, Any]]:
        return [
            {"symbol": market_id, "adjustedFundingRateCap": "0.02", "fundingIntervalHours": hours}
            for market_id, hours in self.funding_hours.items()
        ]

    # the account

    def spot_account(self) -> dict[str, Any]:
        rows = [
            {"asset": asset, "free": f"{free:.8f}", "locked": f"{locked:.8f}"}
            for asset, (free, locked) in self.spot.items()
        ]
        return {"makerCommission": 10, "canTrade": True, "updateTime": 0, "accountType": "SPOT", "balances": rows}

    def margin_account(self) -> dict[str, Any]:
        rows = [_lent(asset, held) for asset, held in self.margin.items()]
        return {"borrowEnabled": True, "marginLevel": "11.64", "tradeEnabled": True, "userAssets": rows}

    def isolated_account(self) -> dict[str, Any]:
        rows = [
            {
                "baseAsset": {**_lent(coin, base), "borrowEnabled": True, "repayEnabled": True},
                "quoteAsset": {**_lent("USDT", quote), "borrowEnabled": True, "repayEnabled": True},
                "symbol": f"{coin}USDT",
                "isolatedCreated": True,
                "marginLevel": "2.0",
                "enabled": True,
            }
            for coin, (base, quote) in self.isolated.items()
        ]
        return {"assets": rows, "totalAssetOfBtc": "0", "totalLiabilityOfBtc": "0", "totalNetAssetOfBtc": "0"}

    def futures_account(self) -> dict[str, Any]:
        profit = sum((self._profit(market_id) for market_id in self.positions), ZERO)
        maintenance = sum((self._maintenance(market_id) for market_id in self.positions), ZERO)
        wallet = self.futures.get("USDT", ZERO)
        apart = sum((held.isolated for held in self.positions.values() if held.isolated is not None), ZERO)
        own = sum((self._profit(name) for name, held in self.positions.items() if held.isolated is not None), ZERO)
        rows = []
        for asset, balance in self.futures.items():
            gain, needed = (profit, maintenance) if asset == "USDT" else (ZERO, ZERO)
            isolated, theirs = (apart, own) if asset == "USDT" else (ZERO, ZERO)
            rows.append(
                {
                    "asset": asset,
                    "walletBalance": f"{balance:.8f}",
                    "unrealizedProfit": f"{gain:.8f}",
                    "marginBalance": f"{balance + gain:.8f}",
                    "maintMargin": f"{needed:.8f}",
                    "initialMargin": f"{needed * 10:.8f}",
                    "crossWalletBalance": f"{balance - isolated:.8f}",
                    "crossUnPnl": f"{gain - theirs:.8f}",
                    "availableBalance": f"{wallet:.8f}",  # multi-assets: the same dollars under every asset
                    "updateTime": 0,
                }
            )
        return {
            "totalInitialMargin": f"{maintenance * 10:.8f}",
            "totalMaintMargin": f"{maintenance:.8f}",
            "totalWalletBalance": f"{wallet:.8f}",
            "totalUnrealizedProfit": f"{profit:.8f}",
            "totalMarginBalance": f"{wallet + profit:.8f}",
            "totalCrossWalletBalance": f"{wallet - apart:.8f}",
            "totalCrossUnPnl": f"{profit - own:.8f}",
            "availableBalance": f"{wallet + profit - maintenance * 10:.8f}",
            "assets": rows,
            "positions": [],
        }

    def _profit(self, market_id: str) -> Decimal:
        held = self.positions[market_id]
        return held.amount * (self.mark(market_id) - held.entry)

    def _maintenance(self, market_id: str) -> Decimal:
        return abs(self.positions[market_id].amount) * self.mark(market_id) * MAINTENANCE_RATE

    def position_risk(self) -> list[dict[str, Any]]:
        return [
            {
                "symbol": market_id,
                "positionSide": ("LONG" if held.amount > 0 else "SHORT") if self.hedge_mode else "BOTH",
                "positionAmt": f"{held.amount:.3f}",
                "entryPrice": f"{held.entry:.5f}",
                "breakEvenPrice": f"{held.entry:.5f}",
                "markPrice": f"{self.mark(market_id):.8f}",
                "unRealizedProfit": f"{self._profit(market_id):.8f}",
                "liquidationPrice": f"{self.mark(market_id) * 2:.8f}"
                if held.amount < 0 and self.tells_liquidation
                else "0",
                "isolatedMargin": "0" if held.isolated is None else f"{held.isolated + self._profit(market_id):.8f}",
                "isolatedWallet": f"{held.isolated or ZERO}",
                "notional": f"{held.amount * self.mark(market_id):.8f}",
                "maintMargin": f"{self._maintenance(market_id):.8f}",
                "marginAsset": "USDT",
                "updateTime": self.now(),
            }
            for market_id, held in self.positions.items()
        ]

    def portfolio_risk(self) -> list[dict[str, Any]]:
        """USD-M positions of portfolio margin, whose rows tell no margin."""
        own = {"maintMargin", "isolatedMargin", "isolatedWallet", "marginAsset"}
        return [{key: value for key, value in row.items() if key not in own} for row in self.position_risk()]

    def leverage_brackets(self) -> list[dict[str, Any]]:
        return brackets(list(CONTRACTS))
