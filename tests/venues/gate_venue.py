"""The truth of a small Gate: prices, wallets, positions, books. Tests set it; the server speaks of it.

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
QUARTER = 1798185600  # 2026-12-25 08:00 UTC
CONTRACTS = {  # name → segment, coins a contract, tick, smallest order, whether parts of contracts trade
    "BTC_USDT": ("futures/usdt", "0.0001", "0.1", "1", False),
    "ETH_USDT": ("futures/usdt", "0.01", "0.01", "0.1", True),
    "SOL_USDT": ("futures/usdt", "1", "0.001", "1", False),
    "BTC_USD": ("futures/btc", "0", "0.1", "1", False),
    "ETH_USDT_20261225": ("delivery/usdt", "0.01", "0.05", "1", False),
}
TIERS = (("600000", "0.005", "100"), ("1600000", "0.01", "50"), ("9000000", "0.025", "20"))  # limit, rate, leverage
RATE = Decimal("0.005")
MODES = {"multi_currency": 1, "portfolio": 2, "single_currency": 3}  # of a unified account, as a futures account has it
HAIRCUT = Decimal("0.95")  # of a coin's worth as collateral
SPREAD = Decimal("0.0001")


@dataclass
class Held:
    """A position in contracts, negative when short."""

    size: Decimal
    entry: Decimal
    isolated: Decimal | None = None  # margin of its own; None: cross


@dataclass
class Coin:
    """In a unified account; without what futures made of it."""

    available: Decimal = ZERO
    freeze: Decimal = ZERO
    borrowed: Decimal = ZERO


@dataclass
class Lent:
    available: Decimal = ZERO
    locked: Decimal = ZERO
    borrowed: Decimal = ZERO
    interest: Decimal = ZERO


def _wall_clock() -> int:
    return int(time.time() * 1000)


@dataclass
class GateVenue:
    """What the venue holds. Amounts in coins, positions in contracts, prices in USDT, times in milliseconds."""

    now: Callable[[], int] = _wall_clock
    prices: dict[str, Decimal] = field(default_factory=lambda: {each: Decimal(price) for each, price in COINS.items()})
    marks: dict[str, Decimal] = field(default_factory=dict)  # contract → other than the coin's price
    spot: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)  # available, locked
    margin: dict[str, tuple[Lent, Lent]] = field(default_factory=dict)  # pair → base, quote
    lent: dict[str, Decimal] = field(default_factory=dict)  # Simple Earn
    futures: dict[str, Decimal] = field(default_factory=dict)  # segment → wallet; none: never used
    positions: dict[str, Held] = field(default_factory=dict)
    mode_of_account: str = ""  # of a unified account; "": a classic one
    coins: dict[str, Coin] = field(default_factory=dict)  # of a unified account
    collateral: bool = True  # all coins, not only USDT, back contracts
    unified: dict[str, Any] = field(default_factory=dict)  # what a unified account says besides
    settings: dict[str, Any] = field(default_factory=dict)
    newer: bool = True  # the classic account's newer margin mode
    account: dict[str, Any] = field(default_factory=dict)  # what a futures account says besides
    tells_liquidation: bool = True
    options: list[dict[str, Any]] | None = None  # None: there is no such account
    mode: str = "single"
    status: dict[str, str] = field(default_factory=dict)  # contract or pair → other than trading, tradable
    delisting: set[str] = field(default_factory=set)
    perms: list[dict[str, Any]] = field(default_factory=lambda: [{"name": "futures", "read_only": True}])
    shown_key: str = ""
    ip_whitelist: list[str] = field(default_factory=list)
    fills: list[dict[str, Any]] = field(default_factory=list)
    events: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # liquidates, settlements …
    books: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # spot, margin, earn or a segment

    def mark(self, name: str) -> Decimal:
        return self.marks.get(name, self.prices[name.split("_", maxsplit=1)[0]])

    # public

    def currency_pairs(self) -> list[dict[str, Any]]:
        return [
            {
                "id": f"{coin}_USDT",
                "base": coin,
                "quote": "USDT",
                "fee": "0.2",
                "min_base_amount": "0.001",
                "min_quote_amount": "3",
                "amount_precision": 4,
                "precision": 2,
                "trade_status": self.status.get(f"spot {coin}_USDT", "tradable"),
                "sell_start": 0,
                "buy_start": 0,
            }
            for coin in self.prices
        ]

    def contracts(self, segment: str) -> list[dict[str, Any]]:
        return [self._contract(name) for name, row in CONTRACTS.items() if row[0] == segment]

    def _contract(self, name: str) -> dict[str, Any]:
        segment, size, tick, smallest, parts = CONTRACTS[name]
        inverse = size == "0"
        row: dict[str, Any] = {
            "name": name,
            "type": "inverse" if inverse else "direct",
            "quanto_multiplier": size,
            "order_price_round": tick,
            "order_size_min": smallest if parts else int(smallest),
            "order_size_max": 1000000,
            "order_price_deviate": "0.5",
            "mark_price": str(self.mark(name)),
            "index_price": str(self.prices[name.split("_", maxsplit=1)[0]]),
            "maintenance_rate": "0.005",
            "leverage_min": "1",
            "leverage_max": "100",
            "maker_fee_rate": "-0.0001",
            "taker_fee_rate": "0.00075",
            "in_delisting": name in self.delisting,
        }
        if segment.startswith("delivery"):
            return row | {"underlying": "ETH_USDT", "cycle": "QUARTERLY", "expire_time": QUARTER}
        interval = 14_400 if name.startswith("SOL") else 28_800
        after = (self.now() // 1000 // interval + 1) * interval
        funding = {"funding_rate": "0.0001", "funding_interval": interval, "funding_next_apply": after}
        return row | funding | {"enable_decimal": parts, "status": self.status.get(name, "trading")}

    def spot_tickers(self) -> list[dict[str, Any]]:
        return [
            {"currency_pair": f"{coin}_USDT", "last": str(price), **_book(price), "base_volume": "1"}
            for coin, price in self.prices.items()
        ]

    def tickers(self, segment: str) -> list[dict[str, Any]]:
        return [
            {
                "contract": name,
                "last": str(self.mark(name)),
                "mark_price": str(self.mark(name)),
                "index_price": str(self.prices[name.split("_", maxsplit=1)[0]]),
                "funding_rate": "0.0001",
                "funding_rate_indicative": "0.0002",
                **_book(self.mark(name)),
            }
            for name, row in CONTRACTS.items()
            if row[0] == segment
        ]

    def tiers(self, name: str) -> list[dict[str, Any]]:
        return [
            {"tier": tier, "risk_limit": limit, "initial_rate": "0.01", "maintenance_rate": rate}
            | {"leverage_max": leverage, "contract": name, "deduction": "0"}
            for tier, (limit, rate, leverage) in enumerate(TIERS, 1)
        ]

    # the account

    def spot_accounts(self) -> list[dict[str, Any]]:
        return [
            {"currency": coin, "available": str(available), "locked": str(locked), "update_id": 1}
            for coin, (available, locked) in self.spot.items()
        ]

    def margin_accounts(self) -> list[dict[str, Any]]:
        return [
            {
                "currency_pair": pair,
                "account_type": "mmr",
                "locked": False,
                "risk": "9999.99",
                "base": _lent(pair.split("_")[0], base),
                "quote": _lent(pair.split("_")[1], quote),
            }
            for pair, (base, quote) in self.margin.items()
        ]

    def lends(self) -> list[dict[str, Any]]:
        return [
            {"currency": coin, "current_amount": str(amount), "amount": str(amount), "lent_amount": "1"}
            for coin, amount in self.lent.items()
        ]

    def _mine(self, segment: str) -> list[str]:
        return [name for name in self.positions if CONTRACTS[name][0] == segment]

    def _coins(self, name: str) -> Decimal:
        """Coins a contract (linear), or dollars (inverse)."""
        return Decimal(CONTRACTS[name][1]) or ONE

    def _inverse(self, name: str) -> bool:
        return CONTRACTS[name][0] == "futures/btc"

    def profit(self, name: str) -> Decimal:
        """In the settlement currency."""
        held, mark = self.positions[name], self.mark(name)
        if self._inverse(name):
            return held.size * (1 / held.entry - 1 / mark)
        return held.size * self._coins(name) * (mark - held.entry)

    def value(self, name: str) -> Decimal:
        held, mark = self.positions[name], self.mark(name)
        return abs(held.size) / mark if self._inverse(name) else abs(held.size) * self._coins(name) * mark

    def futures_account(self, segment: str) -> dict[str, Any] | None:
        """None: never used, so there is none."""
        if segment not in self.futures:
            return None
        wallet, mine = self.futures[segment], self._mine(segment)
        profit = sum((self.profit(name) for name in mine), ZERO)
        crossed = [name for name in mine if self.positions[name].isolated is None]
        needed = sum((self.value(name) * RATE for name in crossed), ZERO)
        row: dict[str, Any] = {
            "user": 1666,
            "currency": segment.split("/")[1].upper(),
            "total": str(wallet),
            "unrealised_pnl": str(profit),
            "position_margin": "0",
            "order_margin": "0",
            "available": str(wallet + 10),
            "point": "0",
            "bonus": "10",
            "in_dual_mode": False,
            "enable_credit": False,
            "margin_mode": 0,
            "enable_evolved_classic": self.newer,
            "history": {"dnw": "10000", "pnl": "68.3685"},
        }
        if self.newer:
            row |= {"cross_maintenance_margin": str(needed), "cross_available": str(wallet + profit - 10 * needed)}
            row |= {"cross_margin_balance": str(wallet + profit), "cross_mmr": "797.2134"}
        if self.mode_of_account and segment == "futures/usdt":
            row |= {"margin_mode": MODES[self.mode_of_account], "enable_evolved_classic": False}
        return row | self.account

    def unified_account(self) -> dict[str, Any]:
        equities = {name: coin.available + coin.freeze - coin.borrowed for name, coin in self.coins.items()}
        mine = [name for name in self._mine("futures/usdt") if self.positions[name].isolated is None]
        if "USDT" in equities:
            equities["USDT"] += self.futures.get("futures/usdt", ZERO) + sum(map(self.profit, mine), ZERO)
        needed = sum((self.value(name) * RATE for name in mine), ZERO)
        worth = {name: equity * self.prices.get(name, ONE) for name, equity in equities.items() if name != "POINT"}
        backing = sum((self._collateral(name, value) for name, value in worth.items()), ZERO)
        single = self.mode_of_account == "single_currency"
        totals = {
            "total_initial_margin": needed * 2,
            "total_margin_balance": backing,
            "total_maintenance_margin": needed,
            "total_available_margin": backing - needed * 10,
        }
        return {
            "mode": self.mode_of_account,
            "user_id": 10001,
            "refresh_time": self.now() // 1000,
            "locked": False,
            "balances": {
                name: {
                    "available": str(coin.available),
                    "freeze": str(coin.freeze),
                    "borrowed": str(coin.borrowed),
                    "negative_liab": "0",
                    "futures_pos_liab": "0",
                    "equity": str(equities[name]),
                    "total_freeze": "0",
                    "total_liab": str(coin.borrowed),
                    "spot_in_use": "0",
                    "funding": "0",
                    "cross_balance": "0",
                    "iso_balance": "0",
                    "mm": str(needed if single and name == "USDT" else ZERO),
                    "margin_balance": str(equities[name] if single and name == "USDT" else ZERO),
                    "available_margin": str(equities[name] - 10 * needed if single and name == "USDT" else ZERO),
                    "enabled_collateral": self.collateral or name == "USDT",
                }
                for name, coin in self.coins.items()
            },
            "borrowed": str(sum((coin.borrowed for coin in self.coins.values()), ZERO)),
            **{name: str(ZERO if single else value) for name, value in totals.items()},
            "unified_account_total_equity": str(sum(worth.values(), ZERO)),
            "leverage": "2",
            "spot_hedge": False,
            "use_funding": False,
            "is_all_collateral": self.collateral,
            **self.unified,
        }

    def _collateral(self, name: str, value: Decimal) -> Decimal:
        if value < 0 or name == "USDT":
            return value
        return value * HAIRCUT if self.collateral else ZERO

    def unified_mode(self) -> dict[str, Any]:
        return {"mode": self.mode_of_account, "settings": {"usdt_futures": True, "options": True, **self.settings}}

    def position_rows(self, segment: str) -> list[dict[str, Any]]:
        return [self._position(name) for name in self._mine(segment)]

    def _position(self, name: str) -> dict[str, Any]:
        held, mark = self.positions[name], self.mark(name)
        return {
            "user": 10000,
            "contract": name,
            "size": str(held.size) if name == "ETH_USDT" else int(held.size),
            "leverage": "0" if held.isolated is None else "10",
            "pos_margin_mode": "cross" if held.isolated is None else "isolated",
            "cross_leverage_limit": "10",
            "risk_limit": "100",
            "leverage_max": "100",
            "maintenance_rate": "0.005",
            "average_maintenance_rate": "0.005",
            "value": str(self.value(name)),
            "margin": str(held.isolated or ZERO),
            "entry_price": str(held.entry),
            "liq_price": str(mark * 2) if held.size < 0 and self.tells_liquidation else "0",
            "mark_price": str(mark),
            "initial_margin": str(self.value(name) / 10),
            "maintenance_margin": str(self.value(name) * RATE),
            "unrealised_pnl": str(self.profit(name)),
            "realised_pnl": "0.045543982432",
            "adl_ranking": 5,
            "pending_orders": 0,
            "close_order": None,
            "mode": self.mode,
            "update_time": 1684994406,
        }

    def detail(self) -> dict[str, Any]:
        who = {"user_id": 10406147, "currency_pairs": [], "key": {"mode": 1}, "tier": 0, "copy_trading_role": 0}
        return {**who, "ip_whitelist": self.ip_whitelist}

    def main_keys(self) -> list[dict[str, Any]]:
        other = {"state": 1, "mode": 1, "name": "other", "perms": [{"name": "wallet", "read_only": False}]}
        mine = {"state": 1, "mode": 1, "name": "hedged", "perms": self.perms, "key": self.shown_key}
        return [{**other, "key": "c5dcfbf1f3a7*****"}, mine]


def _book(price: Decimal) -> dict[str, str]:
    return {"highest_bid": str(price * (1 - SPREAD)), "lowest_ask": str(price * (1 + SPREAD))}


def _lent(coin: str, lent: Lent) -> dict[str, Any]:
    return {
        "currency": coin,
        "available": str(lent.available),
        "locked": str(lent.locked),
        "borrowed": str(lent.borrowed),
        "interest": str(lent.interest),
    }
