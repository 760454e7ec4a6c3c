"""The truth of a small Kraken: prices, balances, margin positions, the ledger. Tests set it; the server speaks of it.

Replies have the fields and number formats of the venue's documentation (docs.kraken.com, Spot REST), also those that
nobody reads here.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

ZERO = Decimal(0)
PAIRS = {  # id → altname, base, quote
    "XXBTZUSD": ("XBTUSD", "XXBT", "ZUSD"),
    "XETHZUSD": ("ETHUSD", "XETH", "ZUSD"),
    "XETHZEUR": ("ETHEUR", "XETH", "ZEUR"),
    "SOLUSD": ("SOLUSD", "SOL", "ZUSD"),
    "USDTZUSD": ("USDTUSD", "USDT", "ZUSD"),
    "ETHUSD:BTNL": ("ETHUSD:BTNL", "XETH", "ZUSD"),
}
PRICES = {
    "XXBTZUSD": "60000",
    "XETHZUSD": "3000",
    "XETHZEUR": "2600",
    "SOLUSD": "150",
    "USDTZUSD": "0.9998",
    "ETHUSD:BTNL": "1",
}


@dataclass
class Coins:
    balance: Decimal
    held: Decimal = ZERO
    credit_used: Decimal | None = None


@dataclass
class Held:
    """A spot margin position: volume of the base, what of it is closed, cost of all of it in the quote."""

    pair: str
    side: str
    vol: Decimal
    cost: Decimal
    closed: Decimal = ZERO


def _wall_clock() -> int:
    return int(time.time() * 1000)


@dataclass
class KrakenVenue:
    """What the venue holds. Amounts in coins under the venue's own names, times in milliseconds."""

    now: Callable[[], int] = _wall_clock
    prices: dict[str, Decimal] = field(default_factory=lambda: {pair: Decimal(price) for pair, price in PRICES.items()})
    halted: set[str] = field(default_factory=set)
    coins: dict[str, Coins] = field(default_factory=dict)
    positions: list[Held] = field(default_factory=list)
    ledger: list[dict[str, Any]] = field(default_factory=list)
    permissions: tuple[str, ...] = ("query-funds", "query-open-trades", "query-ledger")
    ips: tuple[str, ...] = ()
    valid_until: int = 0

    def asset_pairs(self) -> dict[str, Any]:
        return {pair: self._pair(pair) for pair in PAIRS}

    def _pair(self, pair: str) -> dict[str, Any]:
        altname, base, quote = PAIRS[pair]
        return {
            "altname": altname,
            "wsname": f"{base}/{quote}",
            "aclass_base": "currency",
            "base": base,
            "aclass_quote": "currency",
            "quote": quote,
            "pair_decimals": 2,
            "cost_decimals": 5,
            "lot_decimals": 8,
            "lot_multiplier": 1,
            "leverage_buy": [2, 3],
            "leverage_sell": [2, 3],
            "fees": [[0, 0.4]],
            "fees_maker": [[0, 0.25]],
            "fee_volume_currency": "ZUSD",
            "margin_call": 80,
            "margin_stop": 40,
            "ordermin": "0.001",
            "costmin": "0.5",
            "tick_size": "0.01",
            "status": "cancel_only" if pair in self.halted else "online",
        }

    def ticker(self, asked: str) -> dict[str, Any]:
        return {pair: self._ticker(self.prices[pair]) for pair in asked.split(",")}

    def _ticker(self, price: Decimal) -> dict[str, Any]:
        last = f"{price:.5f}"
        return {
            "a": [last, "1", "1.000"],
            "b": [last, "1", "1.000"],
            "c": [last, "0.00067643"],
            "v": ["4083.67", "4412.73"],
            "p": [last, last],
            "t": [34619, 38907],
            "l": [last, last],
            "h": [last, last],
            "o": last,
        }

    def balance_ex(self) -> dict[str, Any]:
        return {asset: self._coins(coins) for asset, coins in self.coins.items()}

    def _coins(self, coins: Coins) -> dict[str, Any]:
        row = {"balance": f"{coins.balance:.10f}", "hold_trade": f"{coins.held:.10f}"}
        if coins.credit_used is None:
            return row
        return {**row, "credit": "100000.0000", "credit_used": f"{coins.credit_used:.4f}"}

    def open_positions(self) -> dict[str, Any]:
        return {f"TGUFMY-FLESJ-VYIX{number}": self._position(held) for number, held in enumerate(self.positions)}

    def _position(self, held: Held) -> dict[str, Any]:
        return {
            "ordertxid": "O3LRNU-ZKDG5-XNCDFR",
            "posstatus": "open",
            "pair": held.pair,
            "time": 1611557231.4584,
            "type": held.side,
            "ordertype": "market",
            "cost": f"{held.cost:.5f}",
            "fee": "0.07979",
            "vol": f"{held.vol:.8f}",
            "vol_closed": f"{held.closed:.8f}",
            "margin": f"{held.cost / 2:.5f}",
            "terms": "0.0200% per 4 hours",
            "rollovertm": "1611571631",
            "misc": "",
            "oflags": "",
        }

    def ledgers(self, start: int) -> dict[str, Any]:
        """The newest fifty."""
        recent = [row for row in self.ledger if row["time"] >= start]
        page = {f"LPUAIB-TS774-UKH{number}": row for number, row in enumerate(recent[-50:])}
        return {"ledger": page, "count": len(recent)}

    def booked(self, asset: str, amount: str, kind: str, fee: str = "0") -> None:
        """Something happened now."""
        row = {"aclass": "currency", "subtype": "", "refid": "A2B4HBV-L4MDIE-JU4N3N", "balance": "0"}
        self.ledger.append(
            {**row, "time": self.now() / 1000, "type": kind, "asset": asset, "amount": amount, "fee": fee}
        )

    def key_info(self) -> dict[str, Any]:
        return {
            "apiKeyName": "hedged",
            "apiKey": "the key in full",
            "nonce": "1772627060997",
            "nonceWindow": 0,
            "permissions": list(self.permissions),
            "iban": "AA88 N84G WOAK NMOI",
            "validUntil": str(self.valid_until),
            "queryFrom": "0",
            "queryTo": "0",
            "createdTime": "1772542900",
            "modifiedTime": "1772543095",
            "ipAllowlist": list(self.ips),
            "lastUsed": "1772627061",
        }
