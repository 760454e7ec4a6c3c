"""The truth of a small Coinbase: prices, accounts, futures, transactions. Tests set it; the server speaks of it.

Replies have the fields and number formats of the venue's documentation (docs.cdp.coinbase.com, Advanced Trade), also
those that nobody reads here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

ZERO = Decimal(0)
COINS = {"BTC": "60000", "ETH": "3000", "SOL": "150", "USDC": "1"}  # coin → spot price in dollars
CONTRACTS = {  # product → coin, coins a contract, expiry, display name, price increment, venue
    "BIT-24DEC26-CDE": ("BTC", "0.01", "2026-12-24T16:00:00Z", "BTC 24 DEC 26", "5", "FCM"),
    "BTI-24DEC26-CDE": ("BTC", "1", "2026-12-24T16:00:00Z", "BTC 24 DEC 26", "5", "FCM"),
    "ET-24DEC26-CDE": ("ETH", "0.1", "2026-12-24T16:00:00Z", "ETH 24 DEC 26", "0.5", "FCM"),
    "BIP-20DEC30-CDE": ("BTC", "0.01", "2030-12-20T00:00:00Z", "BTC PERP", "5", "FCM"),
    "ETP-20DEC30-CDE": ("ETH", "0.1", "2030-12-20T00:00:00Z", "ETH PERP", "0.5", "FCM"),
    "ETH-PERP-OTHER": ("ETH", "1", "2030-12-20T00:00:00Z", "ETH PERP", "0.5", "DERIBIT"),
}
TIERS = ((Decimal(0), Decimal("0.1")),)  # dollars, maintenance rate


@dataclass
class Held:
    contracts: Decimal  # signed
    entry: Decimal


def _wall_clock() -> int:
    return int(time.time() * 1000)


@dataclass
class CoinbaseVenue:
    """What the venue holds. Amounts in coins, positions in contracts, prices in dollars, times in milliseconds."""

    now: Callable[[], int] = _wall_clock
    prices: dict[str, Decimal] = field(default_factory=lambda: {coin: Decimal(price) for coin, price in COINS.items()})
    mids: dict[str, Decimal | None] = field(default_factory=dict)  # product → middle of its book, other than its coin's
    halted: set[str] = field(default_factory=set)
    coins: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)  # available, on hold
    more_accounts: list[dict[str, Any]] = field(default_factory=list)
    page: int = 250
    cash: Decimal = ZERO  # dollars in the futures account
    futures: bool = True  # whether there is one
    positions: dict[str, Held] = field(default_factory=dict)
    tiers: tuple[tuple[Decimal, Decimal], ...] = TIERS
    fills: list[dict[str, Any]] = field(default_factory=list)
    transactions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)  # uuid → rows
    rights: tuple[bool, bool, bool] = (True, False, False)

    def stamp(self, digits: str = "microseconds") -> str:
        told = datetime.fromtimestamp(self.now() / 1000, UTC).isoformat(timespec=digits)
        return told.replace("+00:00", "Z")

    def mid(self, product: str) -> Decimal | None:
        return self.mids.get(product, self.prices[CONTRACTS[product][0]])

    def mark(self, product: str) -> Decimal:
        return self.mid(product) or self.prices[CONTRACTS[product][0]]

    # public

    def time(self) -> dict[str, Any]:
        return {
            "iso": self.stamp("seconds"),
            "epochSeconds": str(self.now() // 1000),
            "epochMillis": str(self.now()),
        }

    def products(self, kind: str, ids: list[str]) -> dict[str, Any]:
        rows = (
            [self._spot(coin) for coin in COINS]
            if kind == "SPOT"
            else [self._contract(product) for product in CONTRACTS]
        )
        rows = [row for row in rows if not ids or row["product_id"] in ids]
        return {"products": rows, "num_products": len(rows)}

    def _product(self, product: str, price: Decimal, mid: str) -> dict[str, Any]:
        return {
            "product_id": product,
            "price": str(price),
            "price_percentage_change_24h": "0.14",
            "volume_24h": "1000",
            "volume_percentage_change_24h": "-1",
            "quote_increment": "0.01",
            "quote_min_size": "1",
            "quote_max_size": "150000000",
            "base_name": "",
            "quote_name": "US Dollar",
            "watched": False,
            "is_disabled": False,
            "new": False,
            "status": "online",
            "cancel_only": False,
            "limit_only": False,
            "post_only": False,
            "trading_disabled": product in self.halted,
            "auction_mode": False,
            "quote_currency_id": "USD",
            "mid_market_price": mid,
            "alias": "",
            "alias_to": [],
            "base_display_symbol": "",
            "quote_display_symbol": "USD",
            "view_only": False,
        }

    def _spot(self, coin: str) -> dict[str, Any]:
        product = f"{coin}-USD"
        return self._product(product, self.prices[coin], "") | {
            "base_increment": "0.00000001",
            "base_min_size": "0.00000001",
            "base_max_size": "42000",
            "product_type": "SPOT",
            "base_currency_id": coin,
            "fcm_trading_session_details": None,
            "price_increment": "0.01",
            "display_name": product,
            "product_venue": "CBE",
        }

    def _contract(self, product: str) -> dict[str, Any]:
        coin, size, expiry, name, increment, venue = CONTRACTS[product]
        mid = self.mid(product)
        perpetual = name.endswith("PERP")
        paying = {
            "funding_interval": "3600s",
            "funding_rate": "0.00001",
            "funding_time": self.stamp("seconds")[:14] + "00:00Z",
        }
        return self._product(product, self.prices[coin], "" if mid is None else str(mid)) | {
            "base_increment": "1",
            "base_min_size": "1",
            "base_max_size": "100000000",
            "product_type": "FUTURE",
            "base_currency_id": "",
            "fcm_trading_session_details": {"is_session_open": True},
            "price_increment": increment,
            "display_name": name,
            "product_venue": venue,
            "future_product_details": {
                "venue": "cde",
                "contract_code": product.split("-", maxsplit=1)[0],
                "contract_expiry": expiry,
                "contract_size": size,
                "contract_root_unit": coin,
                "group_description": "Nano Futures",
                "contract_expiry_timezone": "Europe/London",
                "group_short_description": "Nano",
                "risk_managed_by": "MANAGED_BY_FCM",
                "contract_expiry_type": "EXPIRING",
                "contract_display_name": name,
                "non_crypto": False,
                "twenty_four_by_seven": True,
                "open_interest": "1000",
                "index_price": str(self.prices[coin]),
                **(paying if perpetual else {}),
            },
        }

    def book(self, product: str) -> dict[str, Any]:
        mid, half = self.mid(product), Decimal("0.5")
        levels = (None, None) if mid is None else (mid - half, mid + half)
        bids, asks = ([] if price is None else [{"price": str(price), "size": "10"}] for price in levels)
        return {"pricebook": {"product_id": product, "bids": bids, "asks": asks, "time": self.stamp()}}

    # the account

    def accounts(self, cursor: str) -> dict[str, Any]:
        rows = [self.account(coin, *amounts) for coin, amounts in self.coins.items()] + self.more_accounts
        start = int(cursor or 0)
        end = start + self.page
        more = end < len(rows)
        return {
            "accounts": rows[start:end],
            "has_next": more,
            "cursor": str(end) if more else "",
            "size": len(rows[start:end]),
        }

    def account(self, coin: str, available: Decimal, hold: Decimal, **more: Any) -> dict[str, Any]:
        return {
            "uuid": f"uuid-{coin}",
            "name": f"{coin} Wallet",
            "currency": coin,
            "available_balance": {"value": f"{available:.16f}", "currency": coin},
            "default": True,
            "active": True,
            "created_at": "2023-01-04T06:20:06.456Z",
            "updated_at": "2023-01-04T06:20:07.181Z",
            "deleted_at": None,
            "type": "ACCOUNT_TYPE_CRYPTO",
            "ready": True,
            "hold": {"value": f"{hold:.16f}", "currency": coin},
            "retail_portfolio_id": "b87a2d3f-8a1e-49b3-a4ea-402d8c389aca",
            "platform": "ACCOUNT_PLATFORM_CONSUMER",
            **more,
        }

    def cfm_positions(self) -> dict[str, Any]:
        return {"positions": [self._position(product) for product in self.positions]}

    def _position(self, product: str) -> dict[str, Any]:
        held = self.positions[product]
        return {
            "product_id": product,
            "expiration_time": CONTRACTS[product][2],
            "side": "LONG" if held.contracts > 0 else "SHORT",
            "number_of_contracts": str(abs(held.contracts)),
            "current_price": str(self.mark(product)),
            "avg_entry_price": str(held.entry),
            "unrealized_pnl": str(self.profit(product)),
            "daily_realized_pnl": "0",
        }

    def profit(self, product: str) -> Decimal:
        held = self.positions[product]
        return held.contracts * Decimal(CONTRACTS[product][1]) * (self.mark(product) - held.entry)

    def maintenance(self, product: str) -> Decimal:
        """Each part of the position at the rate of its bracket."""
        worth = abs(self.positions[product].contracts) * Decimal(CONTRACTS[product][1]) * self.mark(product)
        floors = [floor for floor, _ in self.tiers]
        ends: list[Decimal | None] = [*floors[1:], None]
        return sum(
            (
                max((worth if end is None else min(worth, end)) - floor, ZERO) * rate
                for (floor, rate), end in zip(self.tiers, ends, strict=True)
            ),
            ZERO,
        )

    def balance_summary(self) -> dict[str, Any]:
        if not self.futures:
            return {"balance_summary": None}
        spot = self.coins.get("USD", (ZERO, ZERO))[0]
        profit = sum(map(self.profit, self.positions), ZERO)
        needed = sum(map(self.maintenance, self.positions), ZERO)
        available = spot + self.cash + profit
        amounts = {
            "futures_buying_power": available - 2 * needed,
            "total_usd_balance": spot + self.cash,
            "cbi_usd_balance": spot,
            "cfm_usd_balance": self.cash,
            "total_open_orders_hold_amount": ZERO,
            "unrealized_pnl": profit,
            "daily_realized_pnl": ZERO,
            "initial_margin": 2 * needed,
            "available_margin": available,
            "liquidation_threshold": needed,
            "liquidation_buffer_amount": available - needed,
        }
        told = {name: {"value": str(amount), "currency": "USD"} for name, amount in amounts.items()}
        return {"balance_summary": {**told, "liquidation_buffer_percentage": "1000"}}

    def key_permissions(self) -> dict[str, Any]:
        view, trade, transfer = self.rights
        return {
            "can_view": view,
            "can_trade": trade,
            "can_transfer": transfer,
            "portfolio_uuid": "b87a2d3f-8a1e-49b3-a4ea-402d8c389aca",
            "portfolio_type": "DEFAULT",
        }

    def moved(self, coin: str, amount: str, kind: str, status: str = "completed") -> None:
        """Something happened now."""
        row = {
            "id": "57ffb4ae-0c59-5430-bcd3-3f98f797a66c",
            "type": kind,
            "status": status,
            "amount": {"amount": amount, "currency": coin},
            "native_amount": {"amount": "1", "currency": "USD"},
            "created_at": self.stamp("seconds"),
            "resource": "transaction",
        }
        self.transactions.setdefault(f"uuid-{coin}", []).insert(0, row)

    def filled(self, product: str, side: str, size: str) -> None:
        self.fills.insert(
            0,
            {
                "entry_id": "b88b82cc89e326a2778874795102cbafd08dd979a2a7a3c69603fc4c23c2e010",
                "trade_id": "cdc39e45-bbd3-44ec-bf02-61742dfb16a1",
                "order_id": "813a53c5-3e39-47bb-863d-2faf685d22d8",
                "trade_time": self.stamp(),
                "trade_type": "FILL",
                "price": "3000",
                "size": size,
                "commission": "0.1",
                "product_id": product,
                "sequence_timestamp": self.stamp(),
                "liquidity_indicator": "TAKER",
                "size_in_quote": False,
                "side": side,
            },
        )
