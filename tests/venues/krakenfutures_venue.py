"""The truth of a small Kraken Futures: prices, wallets, positions, the log. Tests set it; the server speaks of it.

Replies have the fields and number formats of the venue's documentation (docs.kraken.com, Derivatives REST v3 and
History v3), also those that nobody reads here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

ZERO = Decimal(0)
COINS = {"XBT": "60000", "ETH": "3000", "SOL": "150"}  # coin → index price in dollars
EXPIRY = "2026-12-25T16:00:00.000Z"
CONTRACTS = {  # symbol → type, tick, digits of a quantity
    "PF_XBTUSD": ("flexible_futures", 1, 4),
    "PF_ETHUSD": ("flexible_futures", 0.1, 3),
    "PF_SOLUSD": ("flexible_futures", 0.01, 2),
    "FF_ETHUSD_261225": ("flexible_futures", 0.1, 3),
    "PI_XBTUSD": ("futures_inverse", 0.5, 0),
    "FI_XBTUSD_261225": ("futures_inverse", 0.5, 0),
}
TIERS = (("0", "0.01"), ("500000", "0.02"), ("2000000", "0.05"))  # dollars, maintenance rate


@dataclass
class Held:
    size: Decimal  # signed
    entry: Decimal
    isolated: bool = False


def _wall_clock() -> int:
    return int(time.time() * 1000)


def number(value: Decimal) -> float | int:
    """As JSON has it: a number."""
    return int(value) if value == value.to_integral_value() else float(value)


@dataclass
class KrakenFuturesVenue:
    """What the venue holds. Amounts in coins, positions in contracts, prices in dollars, times in milliseconds."""

    now: Callable[[], int] = _wall_clock
    prices: dict[str, Decimal] = field(default_factory=lambda: {coin: Decimal(price) for coin, price in COINS.items()})
    marks: dict[str, Decimal] = field(default_factory=dict)  # symbol → other than its coin's price
    tiers: tuple[tuple[str, str], ...] = TIERS
    retail_tiers: tuple[tuple[str, str], ...] | None = None  # None: the same
    halted: set[str] = field(default_factory=set)
    flex: dict[str, Decimal] = field(default_factory=dict)
    cash: dict[str, Decimal] = field(default_factory=dict)
    single: dict[str, Decimal] = field(default_factory=dict)  # coin → collateral of its inverse contracts
    positions: dict[str, Held] = field(default_factory=dict)
    log: list[dict[str, Any]] = field(default_factory=list)
    general: str = "READ_ONLY"
    transfer: str = "NO_ACCESS"
    blocks: list[str] = field(default_factory=list)

    def stamp(self) -> str:
        return datetime.fromtimestamp(self.now() / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")

    def mark(self, symbol: str) -> Decimal:
        return self.marks.get(symbol, self.prices[_coin(symbol)])

    # public

    def instruments(self) -> list[dict[str, Any]]:
        index = {"symbol": "in_xbtusd", "type": "spot index", "tradeable": False}
        return [*(self._instrument(symbol) for symbol in CONTRACTS), index]

    def _instrument(self, symbol: str) -> dict[str, Any]:
        kind, tick, digits = CONTRACTS[symbol]
        row: dict[str, Any] = {
            "symbol": symbol,
            "type": kind,
            "tickSize": tick,
            "contractSize": 1,
            "tradeable": symbol not in self.halted,
            "impactMidSize": 1,
            "maxPositionSize": 1000000,
            "openingDate": "2022-01-01T00:00:00.000Z",
            "marginLevels": self._levels(symbol, self.tiers),
            "retailMarginLevels": self._levels(symbol, self.retail_tiers or self.tiers),
            "contractValueTradePrecision": digits,
            "postOnly": False,
            "feeScheduleUid": "5b755fea-c5b0-4307-a66e-b392cd5bd931",
            "mtf": False,
            "base": _coin(symbol).replace("XBT", "BTC"),
            "quote": "USD",
            "pair": f"{_coin(symbol)}:USD",
            "tags": [],
        }
        return row | ({"lastTradingTime": EXPIRY} if symbol.startswith("F") else {"fundingRateCoefficient": 8})

    def _levels(self, symbol: str, tiers: tuple[tuple[str, str], ...]) -> list[dict[str, Any]]:
        floor_name = "contracts" if _inverse(symbol) else "numNonContractUnits"
        return [
            {
                floor_name: number(Decimal(floor)),
                "initialMargin": number(2 * Decimal(rate)),
                "maintenanceMargin": number(Decimal(rate)),
            }
            for floor, rate in tiers
        ]

    def tickers(self) -> list[dict[str, Any]]:
        index = {"symbol": "in_xbtusd", "last": number(self.prices["XBT"]), "lastTime": self.stamp()}
        return [*(self.ticker(symbol) for symbol in CONTRACTS), index]

    def ticker(self, symbol: str) -> dict[str, Any]:
        mark, index = self.mark(symbol), self.prices[_coin(symbol)]
        row = {
            "symbol": symbol,
            "last": number(mark),
            "lastTime": "2026-11-01T00:00:00.000000Z",
            "tag": "perpetual" if symbol.startswith("P") else "quarter",
            "pair": f"{_coin(symbol)}:USD",
            "markPrice": number(mark),
            "bid": number(mark * Decimal("0.9999")),
            "bidSize": 10,
            "ask": number(mark * Decimal("1.0001")),
            "askSize": 10,
            "vol24h": 1000,
            "openInterest": 1000,
            "open24h": number(mark),
            "indexPrice": number(index),
            "lastSize": 1,
            "suspended": symbol in self.halted,
            "postOnly": False,
        }
        # an hour's funding at 0.001 %: dollars for a coin, or coins for a dollar
        rate = Decimal("0.00001") / index if _inverse(symbol) else Decimal("0.00001") * index
        paying = {"fundingRate": number(rate), "fundingRatePrediction": number(rate)}
        return row | (paying if symbol.startswith("P") else {})

    # the account

    def open_positions(self) -> list[dict[str, Any]]:
        return [self._position(symbol) for symbol in self.positions]

    def _position(self, symbol: str) -> dict[str, Any]:
        held = self.positions[symbol]
        row = {
            "side": "long" if held.size > 0 else "short",
            "symbol": symbol,
            "price": number(held.entry),
            "fillTime": "2026-11-01T11:47:01.000Z",
            "size": number(abs(held.size)),
            "unrealizedFunding": -0.0018,
        }
        if not _inverse(symbol):
            row |= {"pnlCurrency": "USD", "unrealizedPnl": number(self.profit(symbol))}
        return row | ({"maxFixedLeverage": 5} if held.isolated else {})

    def profit(self, symbol: str) -> Decimal:
        """In dollars (linear) or coins (inverse)."""
        held, mark = self.positions[symbol], self.mark(symbol)
        if _inverse(symbol):
            return held.size * (1 / held.entry - 1 / mark)
        return held.size * (mark - held.entry)

    def maintenance(self, symbol: str) -> Decimal:
        """In dollars: each part of the position at the rate of its bracket."""
        worth = abs(self.positions[symbol].size) * (1 if _inverse(symbol) else self.mark(symbol))
        floors = [Decimal(floor) for floor, _ in self.tiers]
        total = ZERO
        for (_, rate), floor, end in zip(self.tiers, floors, [*floors[1:], None], strict=True):
            part = (worth if end is None else min(worth, end)) - floor
            total += max(part, ZERO) * Decimal(rate)
        return total

    def accounts(self) -> dict[str, Any]:
        cash = {"balances": {coin.lower(): str(amount) for coin, amount in self.cash.items()}, "type": "cashAccount"}
        single = {f"fi_{coin.lower()}usd": self._single(coin) for coin in self.single}
        return {"cash": cash, **single, "flex": self._flex()}

    def _single(self, coin: str) -> dict[str, Any]:
        held = [symbol for symbol in self.positions if _inverse(symbol) and _coin(symbol) == coin]
        profit = sum((self.profit(symbol) for symbol in held), ZERO)
        needed = sum((self.maintenance(symbol) for symbol in held), ZERO) / self.prices[coin]
        value = self.single[coin] + profit
        contracts = {symbol: str(self.positions[symbol].size) for symbol in held}
        return {
            "auxiliary": {
                "usd": 0,
                "pv": number(value),
                "pnl": number(profit),
                "af": number(value - 2 * needed),
                "funding": 0,
            },
            "marginRequirements": {
                name: number(needed * k) for name, k in (("im", 2), ("mm", 1), ("lt", Decimal("1.5")), ("tt", 0))
            },
            "triggerEstimates": {"im": 61000, "mm": 80000, "lt": 80000, "tt": 90000},
            "balances": {coin.lower(): str(self.single[coin]), **contracts},
            "currency": coin.lower(),
            "type": "marginAccount",
        }

    def _flex(self) -> dict[str, Any]:
        worth = {coin: amount * self.prices.get(coin, Decimal(1)) for coin, amount in self.flex.items()}
        haircut = {coin: value * (1 if coin == "USD" else Decimal("0.97")) for coin, value in worth.items()}
        linear = [symbol for symbol in self.positions if not _inverse(symbol)]
        profit = sum((self.profit(symbol) for symbol in linear), ZERO)
        needed = sum((self.maintenance(symbol) for symbol in linear), ZERO)
        equity = sum(haircut.values(), ZERO) + profit
        return {
            "currencies": {
                coin: {
                    "quantity": number(amount),
                    "value": number(worth[coin]),
                    "collateral": number(haircut[coin]),
                    "available": number(amount),
                }
                for coin, amount in self.flex.items()
            },
            "initialMargin": number(2 * needed),
            "initialMarginWithOrders": number(2 * needed),
            "maintenanceMargin": number(needed),
            "balanceValue": number(sum(worth.values(), ZERO)),
            "portfolioValue": number(sum(worth.values(), ZERO) + profit),
            "collateralValue": number(sum(haircut.values(), ZERO)),
            "pnl": number(profit),
            "unrealizedFunding": 0,
            "totalUnrealized": number(profit),
            "totalUnrealizedAsMargin": number(profit),
            "availableMargin": number(equity - 2 * needed),
            "marginEquity": number(equity),
            "type": "multiCollateralMarginAccount",
        }

    def key(self) -> dict[str, Any]:
        return {
            "apiKey": "the key in full",
            "accountUid": "3c90c3cc-0d44-4b50-8888-8dd25736052a",
            "iiban": "AA08 N84G CPAR UN7A",
            "createdAt": "2026-08-24T14:15:22Z",
            "permissions": {"general": self.general, "transfer": self.transfer},
            "allowedCidrBlock": self.blocks[0] if self.blocks else None,
            "allowedCidrBlocks": self.blocks,
        }

    def log_row(
        self, asset: str, old: str, new: str, info: str, *, contract: str | None = None, wallet: str = "flex"
    ) -> None:
        """Something happened now."""
        self.log.append(
            {
                "asset": asset,
                "booking_uid": "10ca244e-1b73-4467-8c3c-74539c7ae677",
                "contract": contract,
                "date": self.stamp(),
                "execution": None,
                "fee": None,
                "id": len(self.log) + 1,
                "info": info,
                "margin_account": wallet,
                "old_balance": number(Decimal(old)),
                "new_balance": number(Decimal(new)),
                "realized_pnl": None,
            }
        )


def _coin(symbol: str) -> str:
    return symbol.split("_")[1].removesuffix("USD")


def _inverse(symbol: str) -> bool:
    return symbol[1] == "I"
