"""The truth of a small MEXC: prices, wallets, positions, histories. Tests set it; the server speaks of it.

Replies have the fields and number formats of the venue's documentation, also those that nobody reads here: text in
spot replies, JSON numbers in contract replies.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

COINS = {  # asset → price in USDT, decimals of the price
    "BTC": ("60000", "2"),
    "ETH": ("3000", "2"),
    "SOL": ("150", "2"),
    "LINK": ("15", "3"),
    "STEPN": ("0.2", "5"),  # what everybody else calls GMT
    "USDC": ("0.9998", "4"),
}
CONTRACTS = {  # market id → base, quote, settle, contract size, tick, maximum
    "BTC_USDT": ("BTC", "USDT", "USDT", "0.0001", "0.1", 530_000),
    "ETH_USDT": ("ETH", "USDT", "USDT", "0.01", "0.01", 2_100_000),
    "SOL_USDT": ("SOL", "USDT", "USDT", "0.1", "0.001", 1_000_000),
    "ETH_USDC": ("ETH", "USDC", "USDC", "0.01", "0.01", 100_000),
    "BTC_USD": ("BTC", "USD", "BTC", "100", "0.5", 100_000),
    "ETH_USD": ("ETH", "USD", "ETH", "10", "0.05", 100_000),
}
SPREAD = Decimal("0.0001")  # half of it, as a fraction of the price
ZERO = Decimal(0)


class VenueRefuses(Exception):
    """Answered as the venue does: an HTTP status, a code and a message."""

    def __init__(self, status: int, code: int, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


@dataclass
class Lent:
    free: Decimal = ZERO
    locked: Decimal = ZERO
    borrowed: Decimal = ZERO
    interest: Decimal = ZERO


@dataclass
class Held:
    contracts: Decimal  # short is negative
    entry: Decimal
    isolated: bool = False


@dataclass
class Pool:
    wallet: Decimal  # paid in and realised
    bonus: Decimal = ZERO
    frozen: Decimal = ZERO


def _wall_clock() -> int:
    return int(time.time() * 1000)


@dataclass
class MexcVenue:
    """What the venue holds. Spot amounts in coins, positions in contracts, prices in USDT, times in milliseconds."""

    now: Callable[[], int] = _wall_clock
    prices: dict[str, Decimal] = field(default_factory=lambda: {a: Decimal(p) for a, (p, _) in COINS.items()})
    spot: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)  # free, locked
    margin: dict[str, dict[str, Lent]] = field(default_factory=dict)  # pair lent on → its two coins
    pools: dict[str, Pool] = field(default_factory=lambda: {"USDT": Pool(Decimal(10000)), "BSV": Pool(ZERO)})
    positions: dict[str, Held] = field(default_factory=dict)
    marks: dict[str, Decimal] = field(default_factory=dict)  # market id → other than its coin's price
    tells_liquidation: bool = True
    leverage: int = 10
    position_mode: int = 2  # 1 hedge, 2 one-way
    spot_status: dict[str, str] = field(default_factory=dict)  # asset → other than "1"
    contract_state: dict[str, int] = field(default_factory=dict)  # market id → other than 0
    contract_fields: dict[str, dict[str, Any]] = field(default_factory=dict)  # market id → fields of its listing
    funding_rate: dict[str, float] = field(default_factory=dict)
    funding_hours: dict[str, int] = field(default_factory=lambda: {"SOL_USDT": 4})
    scopes: str = "SPOT_ACCOUNT_READ,SPOT_DEAL_READ,CONTRACT_ACCOUNT_READ,CONTRACT_DEAL_READ"
    addresses: str = ""
    days_left: int | None = 82
    deals: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    transfers: list[dict[str, Any]] = field(default_factory=list)  # of the futures wallet
    funding_paid: list[dict[str, Any]] = field(default_factory=list)
    spot_trades: list[dict[str, Any]] = field(default_factory=list)
    spot_transfers: list[dict[str, Any]] = field(default_factory=list)
    withdrawals: list[dict[str, Any]] = field(default_factory=list)

    def mark(self, market_id: str) -> Decimal:
        return self.marks.get(market_id, self.prices[CONTRACTS[market_id][0]])

    # public

    def spot_info(self) -> dict[str, Any]:
        rows = [self._spot_market(asset) for asset in COINS]
        return {"timezone": "CST", "serverTime": self.now(), "rateLimits": [], "exchangeFilters": [], "symbols": rows}

    def _spot_market(self, asset: str) -> dict[str, Any]:
        lent = f"{asset}USDT" in self.margin
        return {
            "symbol": f"{asset}USDT",
            "status": self.spot_status.get(asset, "1"),
            "baseAsset": asset,
            "baseAssetPrecision": 5,
            "quoteAsset": "USDT",
            "quotePrecision": int(COINS[asset][1]),
            "quoteAssetPrecision": int(COINS[asset][1]),
            "baseCommissionPrecision": 5,
            "orderTypes": ["LIMIT", "MARKET", "LIMIT_MAKER"],
            "isSpotTradingAllowed": True,
            "isMarginTradingAllowed": lent,
            "quoteAmountPrecision": "1.000000000000000000000000000000",
            "baseSizePrecision": "0.0001",
            "permissions": ["SPOT", "MARGIN"] if lent else ["SPOT"],
            "filters": [],
            "maxQuoteAmount": "2000000.000000000000000000000000000000",
            "makerCommission": "0",
            "takerCommission": "0.0002",
        }

    def contract_detail(self) -> list[dict[str, Any]]:
        return [self._contract(market_id) for market_id in CONTRACTS]

    def _contract(self, market_id: str) -> dict[str, Any]:
        base, quote, settle, size, tick, most = CONTRACTS[market_id]
        row = {
            "symbol": market_id,
            "displayNameEn": f"{market_id} PERPETUAL",
            "positionOpenType": 3,
            "baseCoin": base,
            "quoteCoin": quote,
            "settleCoin": settle,
            "contractSize": float(size),
            "maxLeverage": 200,
            "priceUnit": float(tick),
            "volUnit": 1,
            "minVol": 1,
            "maxVol": most,
            "takerFeeRate": 0.0002,
            "makerFeeRate": 0,
            "maintenanceMarginRate": 0.004,
            "initialMarginRate": 0.005,
            "riskBaseVol": most,
            "riskIncrVol": most,
            "riskIncrMmr": 0.004,
            "riskIncrImr": 0.004,
            "riskLevelLimit": 1,
            "state": self.contract_state.get(market_id, 0),
            "riskLimitType": "BY_VOLUME",
            "apiAllowed": True,
        }
        return {**row, **self.contract_fields.get(market_id, {})}

    def spot_prices(self) -> list[dict[str, Any]]:
        return [{"symbol": f"{asset}USDT", "price": f"{price}"} for asset, price in self.prices.items()]

    def tickers(self) -> list[dict[str, Any]]:
        return [
            {
                "symbol": market_id,
                "lastPrice": float(self.mark(market_id)) * 1.01,  # nobody is to take this for the mark
                "bid1": float(self.mark(market_id) * (1 - SPREAD)),
                "ask1": float(self.mark(market_id) * (1 + SPREAD)),
                "holdVol": 5832946,
                "indexPrice": float(self.mark(market_id)) * 1.001,
                "fairPrice": float(self.mark(market_id)),
                "fundingRate": self.funding_rate.get(market_id, 0.0001),
                "timestamp": self.now(),
            }
            for market_id in CONTRACTS
        ]

    def funding(self, market_id: str) -> dict[str, Any]:
        if market_id not in CONTRACTS:
            raise VenueRefuses(200, 1001, "Contract does not exist")
        hours = self.funding_hours.get(market_id, 8)
        return {
            "symbol": market_id,
            "fundingRate": self.funding_rate.get(market_id, 0.0001),
            "maxFundingRate": 0.003,
            "minFundingRate": -0.003,
            "collectCycle": hours,
            "nextSettleTime": (self.now() // (hours * 3_600_000) + 1) * hours * 3_600_000,
            "timestamp": self.now(),
        }

    # the account

    def spot_account(self) -> dict[str, Any]:
        rows = [{"asset": a, "free": str(free), "locked": str(locked)} for a, (free, locked) in self.spot.items()]
        return {"canTrade": True, "canWithdraw": True, "updateTime": None, "accountType": "SPOT", "balances": rows}

    def margin_account(self, asked: dict[str, str]) -> dict[str, Any]:
        pairs = asked.get("symbols", "").split(",")
        if not 0 < len(pairs) <= 5 or any(pair not in self.margin for pair in pairs):
            raise VenueRefuses(400, 700004, "Mandatory parameter 'symbols' was not sent, was empty/null, or malformed.")
        return {"assets": [self._isolated(pair) for pair in pairs]}

    def _isolated(self, pair: str) -> dict[str, Any]:
        held = self.margin[pair]
        base, quote = pair.removesuffix("USDT"), "USDT"
        return {
            "baseAsset": self._lent(base, held.get(base, Lent())),
            "quoteAsset": self._lent(quote, held.get(quote, Lent())),
            "symbol": pair,
            "isolatedCreated": True,
            "enabled": True,
            "indexPrice": str(self.prices[base]),
            "liquidatePrice": "--",
            "tradeEnabled": True,
        }

    def _lent(self, asset: str, held: Lent) -> dict[str, Any]:
        return {
            "asset": asset,
            "borrowEnabled": True,
            "borrowed": str(held.borrowed),
            "free": str(held.free),
            "interest": str(held.interest),
            "locked": str(held.locked),
            "netAsset": str(held.free + held.locked - held.borrowed - held.interest),
            "repayEnabled": True,
            "totalAsset": str(held.free + held.locked),
        }

    def key_info(self) -> dict[str, Any]:
        return {
            "note": "hedge",
            "createTime": "2026-09-14T18:53:36.000+00:00",
            "permissions": self.scopes,
            "remainingValidity": self.days_left,
            "ipWhiteList": self.addresses,
            "status": "VALID",
        }

    def assets(self) -> list[dict[str, Any]]:
        return [self._pool(currency, pool) for currency, pool in self.pools.items()]

    def _pool(self, currency: str, pool: Pool) -> dict[str, Any]:
        mine = [market_id for market_id in self.positions if CONTRACTS[market_id][2] == currency]
        gain = sum((self._profit(market_id) for market_id in mine), ZERO)
        used = sum((self._initial(market_id) for market_id in mine), ZERO)
        return {
            "currency": currency,
            "positionMargin": float(used),
            "availableBalance": float(pool.wallet + pool.bonus - used - pool.frozen),
            "cashBalance": float(pool.wallet - used - pool.frozen),
            "frozenBalance": float(pool.frozen),
            "equity": float(pool.wallet + pool.bonus + gain),
            "unrealized": float(gain),
            "bonus": float(pool.bonus),
        }

    def _profit(self, market_id: str) -> Decimal:
        """In the settlement currency."""
        held, mark, size = self.positions[market_id], self.mark(market_id), Decimal(CONTRACTS[market_id][3])
        if CONTRACTS[market_id][1] == "USD":
            return held.contracts * size * (1 / held.entry - 1 / mark)
        return held.contracts * size * (mark - held.entry)

    def _initial(self, market_id: str) -> Decimal:
        held, size = self.positions[market_id], Decimal(CONTRACTS[market_id][3])
        value = size / held.entry if CONTRACTS[market_id][1] == "USD" else size * held.entry
        return abs(held.contracts) * value / self.leverage

    def open_positions(self) -> list[dict[str, Any]]:
        return [
            {
                "positionId": 1394650 + number,
                "symbol": market_id,
                "positionType": 1 if held.contracts > 0 else 2,
                "openType": 1 if held.isolated else 2,
                "state": 1,
                "holdVol": float(abs(held.contracts)),
                "frozenVol": 0,
                "closeVol": 0,
                "holdAvgPrice": float(held.entry),
                "openAvgPrice": float(held.entry),
                "closeAvgPrice": 0,
                "liquidatePrice": float(self.mark(market_id) * 2)
                if held.contracts < 0 and self.tells_liquidation
                else 0,
                "oim": float(self._initial(market_id)),
                "im": float(self._initial(market_id)),
                "holdFee": 0,
                "realised": -0.0073,
                "leverage": self.leverage,
                "createTime": self.now(),
                "updateTime": self.now(),
                "autoAddIm": False,
            }
            for number, (market_id, held) in enumerate(self.positions.items())
        ]
