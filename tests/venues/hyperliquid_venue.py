"""The truth of a small Hyperliquid: dexes, spot tokens, one account's coins and positions. Tests set it.

Replies have the fields of the venue's documentation, also those that nobody reads here; amounts are decimal text.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

ZERO = Decimal(0)
TOKENS = {"USDC": 0, "PURR": 1, "HYPE": 150, "UBTC": 197, "UETH": 221, "USDE": 235, "BTC": 300, "USOL": 254}
PAIRS = {"PURR/USDC": ("PURR", "USDC"), "@107": ("HYPE", "USDC"), "@142": ("UBTC", "USDC"), "@151": ("UETH", "USDC")}
PAIRS |= {"@156": ("USOL", "USDC"), "@150": ("USDE", "USDC"), "@400": ("BTC", "USDC")}
CANONICAL = {0, 1}  # by the venue's documentation of spotMeta, these two and no other
DEXES = {"": 0, "xyz": 0, "hyna": 235}  # dex → its collateral's token
CONTRACTS = {  # coin → places of the quantity, highest leverage, margin table
    "BTC": (5, 40, 56),
    "ETH": (4, 25, 55),
    "SOL": (2, 20, 20),
    "OLD": (1, 3, 3),
    "xyz:GOLD": (4, 20, 20),
    "hyna:ETH": (4, 10, 10),
}
PRICES = {"BTC": "60000", "ETH": "3000", "SOL": "150", "OLD": "0.0123", "xyz:GOLD": "2600", "hyna:ETH": "3001.5"}
SPOT = {
    "PURR/USDC": "0.2",
    "@107": "35",
    "@142": "60010",
    "@151": "3000",
    "@156": "150",
    "@150": "0.9995",
    "@400": "0.01",
}
TABLES: dict[int, list[tuple[str, int]]] = {
    56: [("0.0", 40), ("150000000.0", 20)],
    55: [("0.0", 25), ("100000000.0", 15)],
}


@dataclass
class Held:
    """Coins, signed, and the entry price; `margin`: isolated, with so much set apart."""

    size: Decimal
    entry: Decimal
    margin: Decimal | None = None


def _wall_clock() -> int:
    return int(time.time() * 1000)


@dataclass
class HyperliquidVenue:
    """What the venue holds. Times in milliseconds, prices in a dex's collateral."""

    now: Callable[[], int] = _wall_clock
    role: str = "user"
    mode: str = "default"
    tells_liquidation: bool = True
    prices: dict[str, Decimal] = field(default_factory=lambda: {coin: Decimal(p) for coin, p in PRICES.items()})
    spot_prices: dict[str, Decimal] = field(default_factory=lambda: {pair: Decimal(p) for pair, p in SPOT.items()})
    tables: dict[int, list[tuple[str, int]]] = field(default_factory=lambda: dict(TABLES))
    spot: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)  # token → total, of which on hold
    cash: dict[str, Decimal] = field(default_factory=dict)  # dex → collateral without open profit
    positions: dict[str, Held] = field(default_factory=dict)
    staked: tuple[Decimal, Decimal, Decimal] = (ZERO, ZERO, ZERO)  # delegated, not delegated, on its way out
    fills: list[dict[str, Any]] = field(default_factory=list)
    ledger: list[dict[str, Any]] = field(default_factory=list)
    fundings: list[dict[str, Any]] = field(default_factory=list)

    # public

    def dexes(self) -> list[dict[str, Any] | None]:
        return [
            None,
            *({"name": name, "fullName": name.upper(), "deployer": "0x" + "8" * 40} for name in list(DEXES)[1:]),
        ]

    def listing(self, dex: str) -> list[Any]:
        coins = _coins(dex)
        tables = [
            [number, {"description": "tiered", "marginTiers": _tiers(rows)}] for number, rows in self.tables.items()
        ]
        meta = {
            "universe": [_contract(coin) for coin in coins],
            "marginTables": tables,
            "collateralToken": DEXES[dex],
        }
        return [meta, [self._context(coin) for coin in coins]]

    def _context(self, coin: str) -> dict[str, Any]:
        mark = self.prices[coin]
        return {
            "funding": "0.0000125",
            "openInterest": "688.11",
            "prevDayPx": str(mark),
            "dayNtlVlm": "1169046.29",
            "premium": "0.00031774",
            "oraclePx": str(mark * Decimal("0.999")),
            "markPx": str(mark),
            "midPx": str(mark),
            "impactPxs": [str(mark * Decimal("0.9999")), str(mark * Decimal("1.0001"))],
        }

    def spot_listing(self) -> list[Any]:
        tokens = [
            {"name": name, "szDecimals": 4, "weiDecimals": 8, "index": number, "isCanonical": number in CANONICAL}
            for name, number in TOKENS.items()
        ]
        pairs = [
            {"name": name, "tokens": [TOKENS[base], TOKENS[quote]], "index": place, "isCanonical": "/" in name}
            for place, (name, (base, quote)) in enumerate(PAIRS.items())
        ]
        contexts = [
            {"coin": pair, "markPx": str(p), "midPx": None, "prevDayPx": str(p), "dayNtlVlm": "8906.0"}
            for pair, p in self.spot_prices.items()
        ]
        return [{"tokens": tokens, "universe": pairs}, contexts]

    # of one account

    def state(self, dex: str) -> dict[str, Any]:
        held = [coin for coin in self.positions if coin in _coins(dex)]
        cash = self.cash.get(dex, ZERO)
        apart = sum((self.positions[coin].margin or ZERO for coin in held), ZERO)
        profit = sum((self._profit(coin) for coin in held), ZERO)
        crossed = [coin for coin in held if self.positions[coin].margin is None]
        needed = sum((self._maintenance(coin) for coin in crossed), ZERO)
        cross_profit = sum((self._profit(coin) for coin in crossed), ZERO)
        pooled = self.mode in {"unifiedAccount", "portfolioMargin"}  # then what a dex says of collateral means nothing
        return {
            "assetPositions": [{"type": "oneWay", "position": self._position(coin)} for coin in held],
            "marginSummary": _summary(ZERO if pooled else cash + profit, needed * 2),
            "crossMarginSummary": _summary(ZERO if pooled else cash - apart + cross_profit, needed * 2),
            "crossMaintenanceMarginUsed": str(needed),
            "withdrawable": str(max(cash - needed * 2, ZERO)),
            "time": self.now(),
        }

    def _position(self, coin: str) -> dict[str, Any]:
        held, mark = self.positions[coin], self.prices[coin]
        worth, profit = abs(held.size) * mark, self._profit(coin)
        isolated = held.margin is not None
        leverage = {"type": "isolated", "value": 10, "rawUsd": "-1.0"} if isolated else {"type": "cross", "value": 10}
        return {
            "coin": coin,
            "szi": str(held.size),
            "leverage": leverage,
            "entryPx": str(held.entry),
            "positionValue": str(worth),
            "unrealizedPnl": str(profit),
            "returnOnEquity": "0.1",
            "liquidationPx": str(mark * 2 if held.size < 0 else mark / 2) if self.tells_liquidation else None,
            "marginUsed": str(worth / 10 if held.margin is None else held.margin + profit),
            "maxLeverage": CONTRACTS[coin][1],
            "cumFunding": {"allTime": "0.0", "sinceOpen": "0.0", "sinceChange": "0.0"},
        }

    def _profit(self, coin: str) -> Decimal:
        held = self.positions[coin]
        return held.size * (self.prices[coin] - held.entry)

    def _maintenance(self, coin: str) -> Decimal:
        """Half of the initial margin at each bracket's highest leverage."""
        worth, table = abs(self.positions[coin].size) * self.prices[coin], CONTRACTS[coin][2]
        rows = [(Decimal(floor), most) for floor, most in self.tables.get(table, [("0", CONTRACTS[coin][1])])]
        ends = [*(floor for floor, _ in rows[1:]), Decimal("Infinity")]
        return sum(
            (max(min(worth, end) - floor, ZERO) / (2 * most) for (floor, most), end in zip(rows, ends, strict=True)),
            ZERO,
        )

    def spot_state(self) -> dict[str, Any]:
        rows = [
            {"coin": name, "token": TOKENS[name], "total": str(total), "hold": str(hold), "entryNtl": "0.0"}
            for name, (total, hold) in self.spot.items()
        ]
        return {"balances": rows}

    def staking(self) -> dict[str, Any]:
        delegated, free, leaving = map(str, self.staked)
        return {
            "delegated": delegated,
            "undelegated": free,
            "totalPendingWithdrawal": leaving,
            "nPendingWithdrawals": 0,
        }


def _coins(dex: str) -> list[str]:
    return [coin for coin in CONTRACTS if coin.rpartition(":")[0] == dex]


def _contract(coin: str) -> dict[str, Any]:
    places, leverage, table = CONTRACTS[coin]
    delisted = {"isDelisted": True} if coin == "OLD" else {}
    return {"name": coin, "szDecimals": places, "maxLeverage": leverage, "marginTableId": table, **delisted}


def _tiers(rows: list[tuple[str, int]]) -> list[dict[str, Any]]:
    return [{"lowerBound": floor, "maxLeverage": most} for floor, most in rows]


def _summary(value: Decimal, used: Decimal) -> dict[str, str]:
    return {"accountValue": str(value), "totalNtlPos": "0.0", "totalRawUsd": "0.0", "totalMarginUsed": str(used)}
