"""The truth of a small Bitget (classic account): prices, wallets, positions, bills. Tests set it; the server speaks of it.

Replies have the fields and the number formats of the venue's documentation, also those that nobody reads here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

ZERO = Decimal(0)
COINS = {"BTC": "60000", "ETH": "3000", "SOL": "150", "USDC": "0.9998"}  # asset → price in USDT
QUARTER = 1798185600000  # 2026-12-25 08:00 UTC
COIN_MARGINS = ["BTC", "STETH", "XRP", "ETH", "USDC", "BGB"]
CONTRACTS = {  # symbol → product, base, quote, margin coins, delivery, decimals and end step of the price, size step
    "BTCUSDT": ("USDT-FUTURES", "BTC", "USDT", ["USDT"], "", "1", "1", "0.0001"),
    "ETHUSDT": ("USDT-FUTURES", "ETH", "USDT", ["USDT"], "", "2", "1", "0.01"),
    "SOLUSDT": ("USDT-FUTURES", "SOL", "USDT", ["USDT"], "", "3", "1", "0.1"),
    # none is listed today: the venue's dated contracts are margined in coins, but its listing has a place for it
    "ETHUSDTZ26": ("USDT-FUTURES", "ETH", "USDT", ["USDT"], str(QUARTER), "2", "1", "0.01"),
    "ETHPERP": ("USDC-FUTURES", "ETH", "USDC", ["USDC"], "", "2", "1", "0.01"),
    "BTCUSD": ("COIN-FUTURES", "BTC", "USD", COIN_MARGINS, "", "1", "5", "0.0001"),
    "ETHUSD": ("COIN-FUTURES", "ETH", "USD", COIN_MARGINS, "", "2", "1", "0.001"),
    "ETHUSDZ26": ("COIN-FUTURES", "ETH", "USD", COIN_MARGINS, str(QUARTER), "2", "1", "0.001"),
}
TIERS = (("0", "0.005", "100"), ("600000", "0.01", "50"), ("1600000", "0.025", "20"))  # floor, rate, leverage
SPREAD = Decimal("0.0001")
LEVERAGE = 5


@dataclass
class Held:
    """A position: coins of the contract, negative when short."""

    total: Decimal
    entry: Decimal
    coin: str = "USDT"  # that backs it
    isolated: Decimal | None = None  # margin of its own, in that coin; None: cross


@dataclass
class Lent:
    available: Decimal = ZERO
    frozen: Decimal = ZERO
    borrow: Decimal = ZERO
    interest: Decimal = ZERO


def _wall_clock() -> int:
    return int(time.time() * 1000)


@dataclass
class BitgetVenue:
    """What the venue holds. Amounts in coins, prices in USDT, times in milliseconds."""

    now: Callable[[], int] = _wall_clock
    prices: dict[str, Decimal] = field(default_factory=lambda: {each: Decimal(price) for each, price in COINS.items()})
    marks: dict[str, Decimal] = field(default_factory=dict)  # symbol → other than the coin's price
    spot: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)  # available, frozen
    funding: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)
    crossed: dict[str, Lent] = field(default_factory=dict)
    isolated: dict[tuple[str, str], Lent] = field(default_factory=dict)  # (symbol, coin)
    earn: dict[str, Decimal] = field(default_factory=dict)
    futures: dict[tuple[str, str], Decimal] = field(default_factory=dict)  # (product, coin) → wallet
    coupon: Decimal = ZERO  # trading bonus in every futures account
    positions: dict[str, Held] = field(default_factory=dict)
    tells_liquidation: bool = True
    pos_mode: str = "one_way_mode"
    asset_mode: str = "single"
    status: dict[str, str] = field(default_factory=dict)  # symbol → other than normal or online
    off_time: dict[str, str] = field(default_factory=dict)
    authorities: list[str] = field(default_factory=lambda: ["coor", "cpor", "stor", "smor"])
    ips: str = ""
    fills: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    bills: list[dict[str, Any]] = field(default_factory=list)
    spot_bills: list[dict[str, Any]] = field(default_factory=list)
    margin_bills: list[dict[str, Any]] = field(default_factory=list)

    def mark(self, symbol: str) -> Decimal:
        return self.marks.get(symbol, self.prices[CONTRACTS[symbol][1]])

    # public

    def symbols(self) -> list[dict[str, Any]]:
        return [
            {
                "symbol": f"{coin}USDT",
                "baseCoin": coin,
                "quoteCoin": "USDT",
                "minTradeAmount": "0",
                "pricePrecision": "2",
                "quantityPrecision": "4",
                "quotePrecision": "6",
                "status": self.status.get(f"spot {coin}USDT", "online"),
                "minTradeUSDT": "1",
            }
            for coin in self.prices
        ]

    def contracts(self, product: str) -> list[dict[str, Any]]:
        return [self._contract(symbol) for symbol, row in CONTRACTS.items() if row[0] == product]

    def _contract(self, symbol: str) -> dict[str, Any]:
        _, base, quote, margins, delivery, places, end, step = CONTRACTS[symbol]
        return {
            "symbol": symbol,
            "baseCoin": base,
            "quoteCoin": quote,
            "supportMarginCoins": margins,
            "minTradeNum": step,
            "priceEndStep": end,
            "volumePlace": str(len(step.partition(".")[2])),
            "pricePlace": places,
            "sizeMultiplier": step,
            "symbolType": "delivery" if delivery else "perpetual",
            "minTradeUSDT": "5",
            "symbolStatus": self.status.get(symbol, "normal"),
            "offTime": self.off_time.get(symbol, "-1"),
            "limitOpenTime": "-1",
            "deliveryTime": delivery,
            "makerFeeRate": "0.0002",
            "takerFeeRate": "0.0006",
            "fundInterval": "8",
            "minLever": "1",
            "maxLever": "125",
        }

    def spot_tickers(self) -> list[dict[str, Any]]:
        return [self._ticker(f"{coin}USDT", price) for coin, price in self.prices.items()]

    def tickers(self, product: str) -> list[dict[str, Any]]:
        rows = []
        for symbol, row in CONTRACTS.items():
            if row[0] == product:
                more = {"indexPrice": str(self.prices[row[1]]), "fundingRate": "" if row[4] else "0.0001"}
                more |= {"markPrice": str(self.mark(symbol)), "deliveryTime": row[4] or None, "deliveryStatus": ""}
                rows.append(self._ticker(symbol, self.mark(symbol)) | more)
        return rows

    def _ticker(self, symbol: str, price: Decimal) -> dict[str, Any]:
        book = {"bidPr": str(price * (1 - SPREAD)), "askPr": str(price * (1 + SPREAD)), "bidSz": "1", "askSz": "1"}
        return {"symbol": symbol, "lastPr": str(price), **book, "ts": str(self.now())}

    def funding_rates(self, product: str) -> list[dict[str, Any]]:
        rows = []
        for symbol, row in CONTRACTS.items():
            if row[0] == product and not row[4]:
                hours = 4 if row[1] == "SOL" else 8
                after = (self.now() // (hours * 3_600_000) + 1) * hours * 3_600_000
                times = {"fundingRateInterval": str(hours), "nextUpdate": str(after)}
                rows.append({"symbol": symbol, "fundingRate": "0.0001", **times, "minFundingRate": "-0.003"})
        return rows

    def tiers(self, symbol: str) -> list[dict[str, Any]]:
        return [
            {"symbol": symbol, "level": str(level), "startUnit": floor, "endUnit": "0", "leverage": leverage}
            | {"keepMarginRate": rate}
            for level, (floor, rate, leverage) in enumerate(TIERS, 1)
        ]

    # the account

    def info(self) -> dict[str, Any]:
        who = {"userId": "1", "inviterId": "", "parentId": 1, "traderType": "not_trader", "regisTime": "1246566789345"}
        return {**who, "ips": self.ips, "authorities": self.authorities}

    def spot_assets(self) -> list[dict[str, Any]]:
        return [
            {"coin": coin, "available": str(free), "frozen": str(frozen), "locked": "0", "limitAvailable": "0"}
            for coin, (free, frozen) in self.spot.items()
        ]

    def funding_assets(self) -> list[dict[str, Any]]:
        return [
            {"coin": coin, "available": str(free), "frozen": str(frozen), "usdtValue": "1"}
            for coin, (free, frozen) in self.funding.items()
        ]

    def crossed_assets(self) -> list[dict[str, Any]]:
        return [_lent(coin, lent) for coin, lent in self.crossed.items()]

    def isolated_assets(self) -> list[dict[str, Any]]:
        return [{"symbol": symbol, **_lent(coin, lent)} for (symbol, coin), lent in self.isolated.items()]

    def earn_assets(self) -> list[dict[str, Any]]:
        return [{"coin": coin, "amount": str(amount)} for coin, amount in self.earn.items()]

    def profit(self, symbol: str) -> Decimal:
        """In the coin that backs the position."""
        held, mark = self.positions[symbol], self.mark(symbol)
        return held.total * (mark - held.entry) / self._dollars(symbol)

    def _dollars(self, symbol: str) -> Decimal:
        held, product = self.positions[symbol], CONTRACTS[symbol][0]
        if product != "COIN-FUTURES":
            return Decimal(1)
        return self.mark(symbol) if held.coin == CONTRACTS[symbol][1] else self.prices[held.coin]

    def maintenance(self, symbol: str) -> Decimal:
        """In the coin that backs the position."""
        return abs(self.positions[symbol].total) * self.mark(symbol) * Decimal("0.005") / self._dollars(symbol)

    def accounts(self, product: str) -> list[dict[str, Any]]:
        return [
            self._account(product, coin, wallet) for (each, coin), wallet in self.futures.items() if each == product
        ]

    def _account(self, product: str, coin: str, wallet: Decimal) -> dict[str, Any]:
        mine = [each for each, held in self.positions.items() if (CONTRACTS[each][0], held.coin) == (product, coin)]
        profit = sum((self.profit(each) for each in mine), ZERO)
        equity = wallet + profit + self.coupon
        apart = [(self.positions[each].isolated or ZERO) + self.profit(each) for each in mine if self._apart(each)]
        cross = wallet + profit - sum(apart, ZERO)
        needed = sum((self.maintenance(each) for each in mine if not self._apart(each)), ZERO)
        return {
            "marginCoin": coin,
            "locked": "0",
            "available": str(wallet),
            "crossedMaxAvailable": str(cross - 10 * needed),
            "isolatedMaxAvailable": str(cross - 10 * needed),
            "maxTransferOut": str(wallet),
            "accountEquity": str(equity),
            "usdtEquity": str(equity * self.prices.get(coin, Decimal(1))),
            "btcEquity": "0",
            "crossedRiskRate": str(needed / cross) if needed else "0",
            "unrealizedPL": str(profit) if mine else "",
            "coupon": str(self.coupon) if self.coupon else "",
            "grant": "",
            "assetMode": self.asset_mode,
            "posMode": self.pos_mode,
            "crossedUnrealizedPL": None,
        }

    def _apart(self, symbol: str) -> bool:
        return self.positions[symbol].isolated is not None

    def position_rows(self, product: str) -> list[dict[str, Any]]:
        return [self._position(symbol) for symbol in self.positions if CONTRACTS[symbol][0] == product]

    def _position(self, symbol: str) -> dict[str, Any]:
        held, mark = self.positions[symbol], self.mark(symbol)
        margin = abs(held.total) * mark / LEVERAGE / self._dollars(symbol)
        return {
            "marginCoin": held.coin,
            "symbol": symbol,
            "holdSide": "long" if held.total > 0 else "short",
            "openDelegateSize": "0",
            "marginSize": str(margin if held.isolated is None else held.isolated),
            "available": str(abs(held.total)),
            "locked": "0",
            "total": str(abs(held.total)),
            "leverage": str(LEVERAGE),
            "achievedProfits": "0",
            "openPriceAvg": str(held.entry),
            "marginMode": "crossed" if held.isolated is None else "isolated",
            "posMode": self.pos_mode,
            "unrealizedPL": str(self.profit(symbol)),
            "liquidationPrice": str(mark * 2) if held.total < 0 and self.tells_liquidation else "-1",
            "keepMarginRate": "0.005",
            "markPrice": str(mark),
            "marginRatio": "0.0028541392311979",
            "assetMode": self.asset_mode,
            "cTime": "1691382137448",
            "uTime": str(self.now()),
        }


def _lent(coin: str, lent: Lent) -> dict[str, Any]:
    net = lent.available + lent.frozen - lent.borrow - lent.interest
    return {
        "coin": coin,
        "totalAmount": str(lent.available + lent.frozen),
        "available": str(lent.available),
        "frozen": str(lent.frozen),
        "borrow": str(lent.borrow),
        "interest": str(lent.interest),
        "net": str(net),
        "coupon": "0",
        "cTime": "1759828511592",
        "uTime": "1759828511592",
    }
