"""The truth of a small Deribit: index prices, currencies, positions, logs. Tests set it; the server speaks of it.

Replies have the fields of the venue's documentation, also those that nobody reads here; numbers are JSON numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

ZERO, ONE = Decimal(0), Decimal(1)
COINS = {"btc_usd": "60000", "eth_usd": "3000", "btc_usdc": "60010", "eth_usdc": "3000", "sol_usdc": "150"}
INDICES = {**COINS, "usdc_usd": "0.9998", "usdt_usd": "1.0002", "sol_usd": "150", "usdt_usdc": "1.0003"}
QUARTER, NEVER = 1_798_185_600_000, 32_503_708_800_000  # 2026-12-25 08:00 UTC; the year 3000
CONTRACTS = {  # instrument → index, settlement, contract size, smallest order, tick, expiry
    "BTC-PERPETUAL": ("btc_usd", "BTC", "10", "10", "0.5", NEVER),
    "ETH-PERPETUAL": ("eth_usd", "ETH", "1", "1", "0.05", NEVER),
    "BTC-25DEC26": ("btc_usd", "BTC", "10", "10", "2.5", QUARTER),
    "ETH_USDC-PERPETUAL": ("eth_usdc", "USDC", "0.001", "0.01", "0.05", NEVER),
    "SOL_USDC-PERPETUAL": ("sol_usdc", "USDC", "0.1", "0.1", "0.001", NEVER),
    "ETH_USDC-25DEC26": ("eth_usdc", "USDC", "0.001", "0.01", "0.05", QUARTER),
}
CURRENCIES = ("BTC", "ETH", "USDC", "USDT", "SOL")
SPREAD = Decimal("0.0001")


@dataclass
class Funds:
    """One currency: cash, what the session's trades realised, what is reserved for spot orders."""

    balance: Decimal = ZERO
    realised: Decimal = ZERO
    reserved: Decimal = ZERO


@dataclass
class Held:
    """`amount` in dollars (inverse) or coins (linear), signed; `settled` is the price profit counts from."""

    amount: Decimal
    entry: Decimal
    settled: Decimal | None = None  # None: not settled since it was opened


def _wall_clock() -> int:
    return int(time.time() * 1000)


@dataclass
class DeribitVenue:
    """What the venue holds. Times in milliseconds."""

    now: Callable[[], int] = _wall_clock
    indices: dict[str, Decimal] = field(default_factory=lambda: {name: Decimal(p) for name, p in INDICES.items()})
    marks: dict[str, Decimal] = field(default_factory=dict)  # where not the index, dated 1 % above
    funds: dict[str, Funds] = field(default_factory=dict)
    positions: dict[str, Held] = field(default_factory=dict)
    extra_positions: list[dict[str, Any]] = field(default_factory=list)
    linear_size_in_quote: bool = False
    tiers: tuple[tuple[Decimal, Decimal], ...] = ((ZERO, Decimal("0.005")),)  # from this notional, this rate
    cross: bool = False
    tells_liquidation: bool = True
    scope: str = "account:read trade:read wallet:read block_trade:none"
    ip_whitelist: list[str] | None = None
    second_factor: bool = False
    trades: list[dict[str, Any]] = field(default_factory=list)
    has_more: bool = False
    logs: list[dict[str, Any]] = field(default_factory=list)
    continuation: int | None = None

    def index(self, name: str) -> Decimal:
        return self.indices[CONTRACTS[name][0]]

    def mark(self, name: str) -> Decimal:
        dated = CONTRACTS[name][5] != NEVER
        return self.marks.get(name, self.index(name) * (Decimal("1.01") if dated else ONE))

    # public

    def instruments(self) -> list[dict[str, Any]]:
        return [_instrument(name) for name in CONTRACTS]

    def book_summaries(self, currency: str) -> list[dict[str, Any]]:
        return [self._summary(name) for name, rules in CONTRACTS.items() if rules[1] == currency]

    def _summary(self, name: str) -> dict[str, Any]:
        mark, base, quote = self.mark(name), *_pair(name)
        funding = {"funding_8h": 0.00001469, "current_funding": 0.00004689} if CONTRACTS[name][5] == NEVER else {}
        return {
            "instrument_name": name,
            "base_currency": base,
            "quote_currency": quote,
            "mark_price": _json(mark),
            "bid_price": _json(mark * (1 - SPREAD)),
            "ask_price": _json(mark * (1 + SPREAD)),
            "mid_price": _json(mark),
            "last": _json(mark),
            "estimated_delivery_price": _json(self.index(name)),
            "open_interest": 1000,
            "volume": 12.5,
            "creation_timestamp": self.now() - 150,
            **funding,
        }

    # private

    def summaries(self) -> list[dict[str, Any]]:
        return [self._currency(currency) for currency in CURRENCIES]

    def _currency(self, currency: str) -> dict[str, Any]:
        funds = self.funds.get(currency, Funds())
        mine = [name for name in self.positions if CONTRACTS[name][1] == currency]
        open_profit = sum((self._profit(name) for name in mine), ZERO)
        equity = funds.balance + funds.realised + open_profit
        needed = sum((self._maintenance(name) for name in mine), ZERO)
        whole = {"margin_balance": equity, "maintenance_margin": needed}
        if self.cross:
            whole = {key: self._dollars(key) / self._price(currency) for key in whole}
        amounts = {
            "balance": funds.balance,
            "equity": equity,
            "futures_session_rpl": funds.realised,
            "futures_session_upl": open_profit,
            "session_rpl": funds.realised,
            "session_upl": open_profit,
            "spot_reserve": funds.reserved,
            "additional_reserve": ZERO,
            "fee_balance": ONE,
            "options_value": ZERO,
            "initial_margin": whole["maintenance_margin"] * 2,
            "available_funds": whole["margin_balance"] - whole["maintenance_margin"] * 2,
            **whole,
        }
        model = "cross_sm" if self.cross else "segregated_sm"
        return {
            "currency": currency,
            "margin_model": model,
            "cross_collateral_enabled": self.cross,
            "portfolio_margining_enabled": False,
            **{key: _json(amount) for key, amount in amounts.items()},
        }

    def _dollars(self, key: str) -> Decimal:
        """The whole account's, as cross collateral shows it in every currency."""
        total = ZERO
        for currency in CURRENCIES:
            funds = self.funds.get(currency, Funds())
            mine = [name for name in self.positions if CONTRACTS[name][1] == currency]
            if key == "maintenance_margin":
                amount = sum((self._maintenance(name) for name in mine), ZERO)
            else:
                amount = funds.balance + funds.realised + sum((self._profit(name) for name in mine), ZERO)
            total += amount * self._price(currency)
        return total

    def _price(self, currency: str) -> Decimal:
        return ONE if currency.startswith("USD") else self.indices[f"{currency.lower()}_usd"]

    def position_rows(self) -> list[dict[str, Any]]:
        return [*(self._position(name) for name in self.positions), *self.extra_positions]

    def _position(self, name: str) -> dict[str, Any]:
        held, mark, inverse = self.positions[name], self.mark(name), _is_inverse(name)
        coins = held.amount / mark if inverse else held.amount
        size = held.amount * mark if self.linear_size_in_quote and not inverse else held.amount
        maintenance, told = self._maintenance(name), self.tells_liquidation and not self.cross
        return {
            "instrument_name": name,
            "kind": "future",
            "direction": "buy" if held.amount > 0 else "sell",
            "size": _json(size),
            "size_currency": _json(coins),
            "average_price": _json(held.entry),
            "mark_price": _json(mark),
            "index_price": _json(self.index(name)),
            "settlement_price": _json(held.settled or ZERO),
            "delta": _json(coins),
            "floating_profit_loss": _json(self._profit(name)),
            "total_profit_loss": _json(self._profit(name, held.entry)),
            "realized_profit_loss": 0,
            "maintenance_margin": _json(maintenance),
            "initial_margin": _json(maintenance * 2),
            "open_orders_margin": 0,
            "leverage": 50,
            "estimated_liquidation_price": _json(mark * 2 if held.amount < 0 else mark / 2) if told else None,
        }

    def _profit(self, name: str, since: Decimal | None = None) -> Decimal:
        """Open profit in the settlement currency, since the last settlement unless said otherwise."""
        held, mark = self.positions[name], self.mark(name)
        start = since or held.settled or held.entry
        return held.amount * (1 / start - 1 / mark) if _is_inverse(name) else held.amount * (mark - start)

    def _maintenance(self, name: str) -> Decimal:
        """By brackets of the notional, each at its own rate; in the settlement currency."""
        held, mark = self.positions[name], self.mark(name)
        worth = abs(held.amount) * (ONE if _is_inverse(name) else mark)
        ends = [*(floor for floor, _ in self.tiers[1:]), Decimal("Infinity")]
        brackets = zip(self.tiers, ends, strict=True)
        needed = sum((max(min(worth, end) - floor, ZERO) * rate for (floor, rate), end in brackets), ZERO)
        return needed / mark if _is_inverse(name) else needed

    def keys(self, client_id: str) -> list[dict[str, Any]]:
        other = {"client_id": "another", "max_scope": "account:read_write wallet:read_write trade:read_write", "id": 1}
        mine = {"client_id": client_id, "max_scope": self.scope, "id": 2, "enabled": True, "default": False}
        listed = {} if self.ip_whitelist is None else {"ip_whitelist": self.ip_whitelist}
        return [other, {**mine, **listed, "client_secret": "shown-to-nobody", "timestamp": self.now(), "name": ""}]


def _is_inverse(name: str) -> bool:
    return "_" not in name


def _pair(name: str) -> tuple[str, str]:
    base, _, quote = CONTRACTS[name][0].upper().partition("_")
    return base, quote


def _instrument(name: str) -> dict[str, Any]:
    index, settle, size, smallest, tick, expiry = CONTRACTS[name]
    base, quote = _pair(name)
    kind = "reversed" if _is_inverse(name) else "linear"
    return {
        "instrument_name": name,
        "kind": "future",
        "instrument_type": kind,
        "future_type": kind,
        "settlement_period": "perpetual" if expiry == NEVER else "month",
        "base_currency": base,
        "quote_currency": quote,
        "counter_currency": quote,
        "settlement_currency": settle,
        "price_index": index,
        "contract_size": _json(Decimal(size)),
        "min_trade_amount": _json(Decimal(smallest)),
        "tick_size": _json(Decimal(tick)),
        "tick_size_steps": [],
        "expiration_timestamp": expiry,
        "creation_timestamp": 1534167754000,
        "max_leverage": 50,
        "maker_commission": 0.0,
        "taker_commission": 0.0005,
        "is_active": True,
        "rfq": False,
    }


def _json(value: Decimal) -> Any:
    """As the venue writes numbers: JSON's own, with as many digits as a float has."""
    return int(value) if value == value.to_integral_value() else float(value)
