"""The truth of a small KuCoin: prices, accounts, positions, ledgers. Tests set it; the server speaks of it.

Replies have the fields and the number formats of the venue's documentation, also those that nobody reads here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

ZERO, ONE = Decimal(0), Decimal(1)
COINS = {"BTC": "60000", "ETH": "3000", "SOL": "150", "USDC": "0.9998"}  # asset → price in USDT
QUARTER = 1_798_185_600_000  # 2026-12-25 08:00 UTC
CONTRACTS = {  # symbol → base, quote, settlement, multiplier, tick, expiry
    "XBTUSDTM": ("XBT", "USDT", "USDT", "0.001", "0.1", None),
    "ETHUSDTM": ("ETH", "USDT", "USDT", "0.01", "0.01", None),
    "ETHUSDCM": ("ETH", "USDC", "USDC", "0.01", "0.01", None),
    "XBTUSDM": ("XBT", "USD", "XBT", "-1", "0.1", None),
    "XBTMZ26": ("XBT", "USD", "XBT", "-1", "0.1", QUARTER),
}
TIERS = (("100000", "0.01", 75), ("0", "0.005", 100), ("500000", "0.02", 50))  # from this notional on
SPREAD = Decimal("0.0001")


@dataclass
class Held:
    """Contracts, signed; `margin`: isolated, with so much set apart in the settlement currency."""

    contracts: Decimal
    entry: Decimal
    margin: Decimal | None = None


def _wall_clock() -> int:
    return int(time.time() * 1000)


@dataclass
class KucoinVenue:
    """What the venue holds. Times in milliseconds."""

    now: Callable[[], int] = _wall_clock
    mode: str = "CLASSIC"
    prices: dict[str, Decimal] = field(default_factory=lambda: {asset: Decimal(p) for asset, p in COINS.items()})
    marks: dict[str, Decimal] = field(default_factory=dict)  # where not the coin's price
    accounts: dict[tuple[str, str], tuple[Decimal, Decimal]] = field(default_factory=dict)  # type, asset → total, held
    cross: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)  # asset → total, owed with interest
    isolated: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)  # of a pair with USDT
    cash: dict[str, Decimal] = field(default_factory=dict)  # settlement → collateral without open profit
    positions: dict[str, Held] = field(default_factory=dict)
    position_side: str = "BOTH"
    position_mode: int = 0
    tiers: tuple[tuple[str, str, int], ...] = TIERS
    permission: str = "General"
    ip_whitelist: str = ""
    fills: list[dict[str, Any]] = field(default_factory=list)
    ledger: list[dict[str, Any]] = field(default_factory=list)
    trading_ledger: list[dict[str, Any]] = field(default_factory=list)
    futures_ledger: list[dict[str, Any]] = field(default_factory=list)
    fundings: list[dict[str, Any]] = field(default_factory=list)
    funding_goes_on: bool = False

    def mark(self, symbol: str) -> Decimal:
        base = CONTRACTS[symbol][0].replace("XBT", "BTC")
        return self.marks.get(symbol, self.prices[base])

    # public

    def symbols(self) -> list[dict[str, Any]]:
        rules = {"baseMinSize": "0.001", "quoteMinSize": "0.1", "baseMaxSize": "10000", "quoteMaxSize": "99999999"}
        steps = {"baseIncrement": "0.0001", "quoteIncrement": "0.01", "priceIncrement": "0.01", "minFunds": "0.1"}
        return [
            {
                "symbol": f"{asset}-USDT",
                "name": f"{asset}-USDT",
                "baseCurrency": asset,
                "quoteCurrency": "USDT",
                "feeCurrency": "USDT",
                "market": "USDS",
                "isMarginEnabled": True,
                "enableTrading": True,
                "makerFeeCoefficient": "1.00",
                "takerFeeCoefficient": "1.00",
                **rules,
                **steps,
            }
            for asset in COINS
        ]

    def contracts(self) -> list[dict[str, Any]]:
        return [self._contract(symbol) for symbol in CONTRACTS]

    def _contract(self, symbol: str) -> dict[str, Any]:
        base, quote, settle, multiplier, tick, expiry = CONTRACTS[symbol]
        countdown = None if expiry else 25_481_884
        funding = {
            "fundingFeeRate": 0.000535,
            "predictedFundingFeeRate": 0.002197,
            "fundingRateGranularity": 28_800_000,
            "nextFundingRateDateTime": 1_793_635_200_000,
        }
        return {
            "symbol": symbol,
            "rootSymbol": settle,
            "type": "FFICSX" if expiry else "FFWCSX",
            "firstOpenDate": 1591086000000,
            "expireDate": expiry,
            "baseCurrency": base,
            "quoteCurrency": quote,
            "settleCurrency": settle,
            "maxOrderQty": 1000000,
            "maxPrice": 1000000.0,
            "lotSize": 1,
            "tickSize": float(tick),
            "multiplier": float(multiplier),
            "isInverse": Decimal(multiplier) < 0,
            "status": "Open",
            "makerFeeRate": 0.0002,
            "takerFeeRate": 0.0006,
            "maxLeverage": 100,
            "markPrice": float(self.mark(symbol)),
            "indexPrice": float(self.mark(symbol) - 1),
            "nextFundingRateTime": countdown,
            **({} if expiry else funding),
        }

    def tickers(self) -> list[dict[str, Any]]:
        return [
            {
                "symbol": symbol,
                "sequence": 1697895885,
                "side": "buy",
                "price": str(self.mark(symbol)),
                "bestBidPrice": str(self.mark(symbol) * (1 - SPREAD)),
                "bestBidSize": 10,
                "bestAskPrice": str(self.mark(symbol) * (1 + SPREAD)),
                "bestAskSize": 12,
                "ts": self.now() * 1_000_000,
            }
            for symbol in CONTRACTS
        ]

    def spot_tickers(self) -> dict[str, Any]:
        rows = [
            {"symbol": f"{asset}-USDT", "buy": str(p), "sell": str(p), "last": str(p), "vol": "1.0"}
            for asset, p in self.prices.items()
        ]
        return {"time": self.now() - 120, "ticker": rows}

    def risk_limits(self, symbol: str) -> list[dict[str, Any]]:
        return [
            {"symbol": symbol, "level": i, "minRiskLimit": int(f), "maintainMargin": float(r), "maxLeverage": most}
            for i, (f, r, most) in enumerate(self.tiers)
        ]

    # private

    def account_rows(self) -> list[dict[str, Any]]:
        return [
            {
                "id": f"{kind}{asset}",
                "currency": asset,
                "type": kind,
                "balance": str(total),
                "available": str(total - held),
                "holds": str(held),
            }
            for (kind, asset), (total, held) in self.accounts.items()
        ]

    def cross_margin(self) -> dict[str, Any]:
        rows = [_margin(asset, total, owed) for asset, (total, owed) in self.cross.items()]
        return {"debtRatio": "0.1", "status": "EFFECTIVE", "accounts": rows}

    def isolated_margin(self) -> dict[str, Any]:
        rows = [
            {
                "symbol": f"{asset}-USDT",
                "status": "EFFECTIVE",
                "debtRatio": "0.1",
                "baseAsset": _margin(asset, total, owed),
                "quoteAsset": _margin("USDT", ZERO, ZERO),
            }
            for asset, (total, owed) in self.isolated.items()
        ]
        return {"totalAssetOfQuoteCurrency": "0", "totalLiabilityOfQuoteCurrency": "0", "assets": rows}

    def overview(self, currency: str) -> dict[str, Any]:
        cash = self.cash.get(currency, ZERO)
        profit = sum((self._profit(name) for name in self.positions if CONTRACTS[name][2] == currency), ZERO)
        return {
            "currency": currency,
            "accountEquity": float(cash + profit),
            "unrealisedPNL": float(profit),
            "marginBalance": float(cash),
            "positionMargin": 0,
            "orderMargin": 0,
            "frozenFunds": 0,
            "availableBalance": float(cash / 2),
            "riskRatio": 0.0,
        }

    def position_rows(self) -> list[dict[str, Any]]:
        return [self._position(symbol) for symbol in self.positions]

    def _position(self, symbol: str) -> dict[str, Any]:
        held, mark = self.positions[symbol], self.mark(symbol)
        isolated = held.margin is not None
        return {
            "id": "615ba79f83a3410001cde321",
            "symbol": symbol,
            "crossMode": not isolated,
            "marginMode": "ISOLATED" if isolated else "CROSS",
            "positionSide": self.position_side,
            "currentQty": int(held.contracts),
            "markPrice": float(mark),
            "markValue": float(self._value(symbol)),
            "posMargin": float(held.margin or 0),
            "posMaint": float(self._maintenance(symbol)),
            "maintMargin": float((held.margin or 0) + self._profit(symbol)),
            "unrealisedPnl": float(self._profit(symbol)),
            "avgEntryPrice": float(held.entry),
            "liquidationPrice": float(mark * 2 if held.contracts < 0 else mark / 2) if isolated else None,
            "settleCurrency": CONTRACTS[symbol][2],
            "isInverse": Decimal(CONTRACTS[symbol][3]) < 0,
            "isOpen": True,
            "realLeverage": 5.0,
        }

    def _value(self, symbol: str) -> Decimal:
        """In the settlement currency, signed."""
        multiplier, held = Decimal(CONTRACTS[symbol][3]), self.positions[symbol]
        mark = self.mark(symbol)
        return held.contracts * multiplier * mark if multiplier > 0 else held.contracts * -multiplier / mark

    def _profit(self, symbol: str) -> Decimal:
        multiplier, held, mark = Decimal(CONTRACTS[symbol][3]), self.positions[symbol], self.mark(symbol)
        if multiplier > 0:
            return held.contracts * multiplier * (mark - held.entry)
        return held.contracts * -multiplier * (1 / held.entry - 1 / mark)

    def _maintenance(self, symbol: str) -> Decimal:
        """By brackets of the notional, each at its own rate; in the settlement currency."""
        price = ONE if Decimal(CONTRACTS[symbol][3]) > 0 else self.mark(symbol)
        worth = abs(self._value(symbol)) * price
        rows = sorted((Decimal(floor), Decimal(rate)) for floor, rate, _ in self.tiers)
        ends = [*(floor for floor, _ in rows[1:]), Decimal("Infinity")]
        brackets = zip(rows, ends, strict=True)
        return sum((max(min(worth, end) - floor, ZERO) * rate for (floor, rate), end in brackets), ZERO) / price


def _margin(asset: str, total: Decimal, owed: Decimal) -> dict[str, Any]:
    return {
        "currency": asset,
        "total": str(total),
        "available": str(total),
        "hold": "0",
        "liability": str(owed),
        "maxBorrowSize": "20",
        "borrowEnabled": True,
    }
