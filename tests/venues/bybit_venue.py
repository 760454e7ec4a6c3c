"""The truth of a small Bybit: prices, one unified account, positions, histories. Tests set it; the server speaks of it.

Replies have the fields and the number formats of the venue's documentation, also those that nobody reads here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

COINS = {  # coin → price in USDT, tick, base step
    "BTC": ("60000", "0.1", "0.000001"),
    "ETH": ("3000", "0.01", "0.00001"),
    "SOL": ("150", "0.01", "0.001"),
    "XRP": ("0.5", "0.0001", "0.1"),
    "UNI": ("8", "0.001", "0.01"),
    "AAVE": ("120", "0.01", "0.001"),
    "USDC": ("0.9998", "0.0001", "0.01"),
}
QUARTER = 1798185600000  # 2026-12-25 08:00 UTC
CONTRACTS = {  # market id → category, base, quote, settle, contract type, delivery, tick, lot, minimum notional
    "BTCUSDT": ("linear", "BTC", "USDT", "USDT", "LinearPerpetual", 0, "0.10", "0.001", "5"),
    "ETHUSDT": ("linear", "ETH", "USDT", "USDT", "LinearPerpetual", 0, "0.01", "0.01", "5"),
    "SOLUSDT": ("linear", "SOL", "USDT", "USDT", "LinearPerpetual", 0, "0.010", "0.1", "5"),
    "XRPUSDT": ("linear", "XRP", "USDT", "USDT", "LinearPerpetual", 0, "0.0001", "0.1", "5"),
    "ETHPERP": ("linear", "ETH", "USDC", "USDC", "LinearPerpetual", 0, "0.01", "0.01", "5"),
    "ETHUSDT-25DEC26": ("linear", "ETH", "USDT", "USDT", "LinearFutures", QUARTER, "0.01", "0.01", "5"),
    "BTCUSD": ("inverse", "BTC", "USD", "BTC", "InversePerpetual", 0, "0.10", "1", ""),
    "ETHUSD": ("inverse", "ETH", "USD", "ETH", "InversePerpetual", 0, "0.01", "1", ""),
    "BTCUSDZ26": ("inverse", "BTC", "USD", "BTC", "InverseFutures", QUARTER, "0.50", "1", ""),
}
MAINTENANCE_RATE = Decimal("0.005")
SPREAD = Decimal("0.0001")  # half of it, as a fraction of the price
ZERO = Decimal(0)


class VenueRefuses(Exception):
    """Answered as the venue does: status 200 and {"retCode", "retMsg"}."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass
class Coin:
    wallet: Decimal = ZERO  # with what was borrowed for spot
    borrowed: Decimal = ZERO
    interest: Decimal = ZERO
    locked: Decimal = ZERO
    bonus: Decimal = ZERO


@dataclass
class Held:
    amount: Decimal  # coins (linear) or dollars (inverse), signed
    entry: Decimal


def _wall_clock() -> int:
    return int(time.time() * 1000)


@dataclass
class BybitVenue:
    """What the venue holds. Prices in USDT (1 US dollar here), times in milliseconds."""

    now: Callable[[], int] = _wall_clock
    prices: dict[str, Decimal] = field(default_factory=lambda: {a: Decimal(p) for a, (p, _, _) in COINS.items()})
    coins: dict[str, Coin] = field(default_factory=dict)
    funding: dict[str, Decimal] = field(default_factory=dict)
    earn: dict[str, list[tuple[str, Decimal]]] = field(default_factory=dict)  # category → coin, amount
    positions: dict[str, Held] = field(default_factory=dict)
    marks: dict[str, Decimal] = field(default_factory=dict)  # market id → other than its coin's price
    tells_liquidation: bool = True
    options: dict[str, str] = field(default_factory=dict)  # symbol → size
    hedge_mode: bool = False
    isolated: bool = False
    haircut: Decimal = ZERO  # of the equity, when the account's maintenance rate is computed
    page: int = 200  # positions
    spot_status: dict[str, str] = field(default_factory=dict)  # coin → status other than Trading
    contract_status: dict[str, str] = field(default_factory=dict)
    delivery: dict[str, int] = field(default_factory=dict)  # market id → date of a delisting
    funding_minutes: dict[str, int] = field(default_factory=lambda: {"SOLUSDT": 240})
    funding_rate: Decimal = Decimal("0.0001")
    basis: Decimal = Decimal("0.01")  # of dated contracts, as a fraction of spot
    fills: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    log: list[dict[str, Any]] = field(default_factory=list)
    transfers: list[dict[str, Any]] = field(default_factory=list)
    withdrawals: list[dict[str, Any]] = field(default_factory=list)
    key: dict[str, Any] = field(
        default_factory=lambda: {
            "id": "13770661",
            "readOnly": 1,
            "secret": "",
            "permissions": {"ContractTrade": ["Order", "Position"], "Spot": ["SpotTrade"], "Wallet": [], "Earn": []},
            "ips": ["203.0.113.7"],
            "type": 1,
            "deadlineDay": -2,
            "expiredAt": "1970-01-01T00:00:00Z",
            "createdAt": "2026-01-16T02:24:40Z",
            "uta": 1,
            "isMaster": True,
        }
    )

    def mark(self, market_id: str) -> Decimal:
        base, delivery = CONTRACTS[market_id][1], CONTRACTS[market_id][5]
        if market_id in self.marks:
            return self.marks[market_id]
        return self.prices[base] * (1 + self.basis) if delivery else self.prices[base]

    def price(self, coin: str) -> Decimal:
        return Decimal(1) if coin in {"USDT", "USD"} else self.prices[coin]

    # public

    def instruments(self, asked: dict[str, str]) -> dict[str, Any]:
        category = asked["category"]
        if category == "spot":
            return {"category": category, "list": [self._spot_market(coin) for coin in COINS]}
        found = [] if "status" in asked else [m for m, row in CONTRACTS.items() if row[0] == category]
        return {"category": category, "list": [self._contract(m) for m in found], "nextPageCursor": ""}

    def _spot_market(self, coin: str) -> dict[str, Any]:
        _, tick, step = COINS[coin]
        return {
            "symbol": f"{coin}USDT",
            "baseCoin": coin,
            "quoteCoin": "USDT",
            "innovation": "0",
            "status": self.spot_status.get(coin, "Trading"),
            "marginTrading": "utaOnly",
            "lotSizeFilter": {
                "basePrecision": step,
                "quotePrecision": "0.0000001",
                "minOrderQty": step,
                "maxOrderQty": "4000",
                "minOrderAmt": "5",
            },
            "priceFilter": {"tickSize": tick},
        }

    def _contract(self, market_id: str) -> dict[str, Any]:
        _, base, quote, settle, kind, delivery, tick, lot, notional = CONTRACTS[market_id]
        minutes = self.funding_minutes.get(market_id, 480)
        return {
            "symbol": market_id,
            "contractType": kind,
            "status": self.contract_status.get(market_id, "Trading"),
            "baseCoin": base,
            "quoteCoin": quote,
            "launchTime": "1615766400000",
            "deliveryTime": str(self.delivery.get(market_id, delivery)),
            "priceScale": "2",
            "leverageFilter": {"minLeverage": "1", "maxLeverage": "100.00", "leverageStep": "0.01"},
            "priceFilter": {"minPrice": tick, "maxPrice": "1999999.80", "tickSize": tick},
            "lotSizeFilter": {
                "maxOrderQty": "7240.00",
                "minOrderQty": "10" if market_id == "ETHUSD" else lot,  # more than one contract
                "qtyStep": lot,
                "minNotionalValue": notional,
            },
            "unifiedMarginTrade": True,
            "fundingInterval": 0 if delivery else minutes,
            "settleCoin": settle,
        }

    def tickers(self, asked: dict[str, str]) -> dict[str, Any]:
        category = asked["category"]
        if category == "spot":
            rows = [self._spot_ticker(coin) for coin in self.prices]
        else:
            rows = [self._ticker(market_id) for market_id, row in CONTRACTS.items() if row[0] == category]
        return {"category": category, "list": rows}

    def _spot_ticker(self, coin: str) -> dict[str, Any]:
        price = self.prices[coin]
        return {
            "symbol": f"{coin}USDT",
            "bid1Price": f"{price * (1 - SPREAD):.8f}",
            "ask1Price": f"{price * (1 + SPREAD):.8f}",
            "lastPrice": f"{price:.8f}",
            "usdIndexPrice": f"{price:.8f}",
        }

    def _ticker(self, market_id: str) -> dict[str, Any]:
        _, base, _, _, _, delivery, *_ = CONTRACTS[market_id]
        mark = self.mark(market_id)
        return {
            "symbol": market_id,
            "lastPrice": f"{mark:.4f}",
            "indexPrice": f"{self.prices[base]:.4f}",
            "markPrice": f"{mark:.4f}",
            "openInterest": "373504107",
            "fundingRate": "" if delivery else f"{self.funding_rate:.8f}",
            "nextFundingTime": "0" if delivery else str((self.now() // 28_800_000 + 1) * 28_800_000),
            "basisRate": "0.01" if delivery else "",
            "deliveryTime": str(delivery),
            "bid1Price": f"{mark * (1 - SPREAD):.4f}",
            "ask1Price": f"{mark * (1 + SPREAD):.4f}",
            "bid1Size": "2.5",
            "ask1Size": "40",
            # of a linear contract turnover is in the quote currency, of an inverse one volume is
            "turnover24h": "235294950000.5",
            "volume24h": "49337318000",
            "highPrice24h": f"{mark + 1}",
            "lowPrice24h": f"{mark - 1}",
        }

    def risk_limits(self, asked: dict[str, str]) -> dict[str, Any]:
        market_id = asked["symbol"]
        rows = [
            {
                "id": number,
                "symbol": market_id,
                "riskLimitValue": limit,
                "maintenanceMargin": rate,
                "initialMargin": initial,
                "isLowestRisk": int(number == 1),
                "maxLeverage": leverage,
                "mmDeduction": "",
            }
            for number, limit, rate, initial, leverage in (
                (1, "2000000", "0.005", "0.01", "100.00"),
                (2, "2600000", "0.0056", "0.0111", "90.00"),
            )
        ]
        return {"category": asked["category"], "list": rows, "nextPageCursor": ""}

    # the account

    def wallet_balance(self) -> dict[str, Any]:
        rows = [self._coin_row(coin) for coin in sorted({*self.coins, *(self._settle(m) for m in self.positions)})]
        equity = sum((Decimal(row["usdValue"]) for row in rows), ZERO)
        maintenance = sum((self.maintenance(m) * self.price(self._settle(m)) for m in self.positions), ZERO)
        backing = equity - self.haircut
        wide = {
            "accountIMRate": "0.0101",
            "accountMMRate": f"{(maintenance / backing).quantize(Decimal('0.0001')):f}" if backing else "0",
            "totalWalletBalance": f"{equity:.8f}",
            "totalMarginBalance": f"{equity:.8f}",
            "totalAvailableBalance": f"{backing - maintenance * 2:.8f}",
            "totalPerpUPL": "0.00000000",
            "totalInitialMargin": f"{maintenance * 2:.8f}",
            "totalMaintenanceMargin": f"{maintenance:.8f}",
        }
        if self.isolated:
            wide = dict.fromkeys(wide, "")
        return {
            "list": [{"accountType": "UNIFIED", "accountLTV": "", "totalEquity": f"{equity:.8f}", **wide, "coin": rows}]
        }

    def _coin_row(self, coin: str) -> dict[str, Any]:
        held = self.coins.get(coin, Coin())
        profit = sum((self.profit(m) for m in self.positions if self._settle(m) == coin), ZERO)
        equity = held.wallet - held.borrowed + profit
        return {
            "coin": coin,
            "equity": f"{equity:.8f}",
            "usdValue": f"{equity * self.price(coin):.8f}",
            "walletBalance": f"{held.wallet:.8f}",
            "locked": f"{held.locked:.8f}",
            "borrowAmount": f"{held.borrowed + max(-held.wallet, ZERO):.8f}",
            "spotBorrow": f"{held.borrowed:.8f}",
            "accruedInterest": f"{held.interest:.8f}",
            "bonus": f"{held.bonus:f}",
            "unrealisedPnl": f"{profit:.8f}",
            "availableToWithdraw": "",
            "availableToBorrow": "",
            "marginCollateral": True,
            "collateralSwitch": True,
        }

    def funding_wallet(self) -> dict[str, Any]:
        rows = [
            {"coin": coin, "transferBalance": f"{amount:f}", "walletBalance": f"{amount:f}", "bonus": ""}
            for coin, amount in self.funding.items()
        ]
        return {"memberId": "533285", "accountType": "FUND", "balance": rows}

    def earn_positions(self, asked: dict[str, str]) -> dict[str, Any]:
        rows = [
            {"coin": coin, "productId": str(number), "amount": f"{amount:f}", "totalPnl": "0", "claimableYield": "0"}
            for number, (coin, amount) in enumerate(self.earn.get(asked["category"], []))
        ]
        return {"list": rows}

    def _settle(self, market_id: str) -> str:
        return CONTRACTS[market_id][3]

    def profit(self, market_id: str) -> Decimal:
        """In the settlement coin."""
        held, mark = self.positions[market_id], self.mark(market_id)
        if CONTRACTS[market_id][0] == "linear":
            return held.amount * (mark - held.entry)
        return held.amount * (1 / held.entry - 1 / mark)

    def maintenance(self, market_id: str) -> Decimal:
        """In the settlement coin."""
        held, mark = self.positions[market_id], self.mark(market_id)
        value = abs(held.amount) * mark if CONTRACTS[market_id][0] == "linear" else abs(held.amount) / mark
        return value * MAINTENANCE_RATE

    def position_list(self, asked: dict[str, str]) -> dict[str, Any]:
        category, settle = asked["category"], asked.get("settleCoin")
        if (symbol := asked.get("symbol")) is not None:  # then it tells of what is not held as well
            return {"category": category, "list": self._places(symbol), "nextPageCursor": ""}
        if category == "linear" and settle is None:
            raise VenueRefuses(10001, "Missing some parameters that must be filled in, symbol or settleCoin")
        mine = [
            self._position(market_id)
            for market_id in self.positions
            if CONTRACTS[market_id][0] == category and settle in {None, CONTRACTS[market_id][3]}
        ]
        mine += [self._option(symbol, size) for symbol, size in self.options.items() if category == "option"]
        start = int(asked.get("cursor", "0%3A").split("%3A")[0])
        rows = mine[start : start + min(self.page, int(asked.get("limit", "20")))]
        end = start + len(rows)  # the venue gives a cursor behind the last row, too
        return {"category": category, "list": rows, "nextPageCursor": f"{end}%3A1%2C{end}%3A1" if rows else ""}

    def _places(self, market_id: str) -> list[dict[str, Any]]:
        if market_id in self.positions:
            return [self._position(market_id)]
        empty = {"symbol": market_id, "side": "", "size": "0", "positionValue": "", "avgPrice": "0", "liqPrice": ""}
        return [{**empty, "positionIdx": place} for place in ((1, 2) if self.hedge_mode else (0,))]

    def _option(self, symbol: str, size: str) -> dict[str, Any]:
        told = {"symbol": symbol, "side": "Buy", "size": size, "positionIdx": 0, "positionValue": "420"}
        return {**told, "avgPrice": "420", "markPrice": "421", "liqPrice": "", "unrealisedPnl": "1", "leverage": ""}

    def _position(self, market_id: str) -> dict[str, Any]:
        held, mark = self.positions[market_id], self.mark(market_id)
        size = abs(held.amount)
        value = size * held.entry if CONTRACTS[market_id][0] == "linear" else size / held.entry
        return {
            "positionIdx": (1 if held.amount > 0 else 2) if self.hedge_mode else 0,
            "riskId": 1,
            "riskLimitValue": "150",
            "symbol": market_id,
            "side": "Buy" if held.amount > 0 else "Sell",
            "size": f"{size:f}",
            "avgPrice": f"{held.entry:f}",
            "positionValue": f"{value:.10f}",
            "tradeMode": 0,
            "positionStatus": "Normal",
            "autoAddMargin": 0,
            "leverage": "10",
            "markPrice": f"{mark:.4f}",
            "liqPrice": f"{mark * 2:.4f}" if held.amount < 0 and self.tells_liquidation else "",
            "bustPrice": "",
            "positionIM": f"{self.maintenance(market_id) * 2:.10f}",
            "positionMM": f"{self.maintenance(market_id):.10f}",
            "unrealisedPnl": f"{self.profit(market_id):.10f}",
            "cumRealisedPnl": "-0.1",
            "createdTime": "1676538056258",
            "updatedTime": str(self.now()),
            "seq": 4688002127,
        }
