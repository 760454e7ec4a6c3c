"""The truth of a small OKX: prices, accounts, positions, bills. Tests set it; the server speaks of it.

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
CONTRACTS = {  # instId → type, contract value, its currency, settlement, expiry, tick, lot
    "BTC-USDT-SWAP": ("SWAP", "0.01", "BTC", "USDT", "", "0.1", "0.01"),
    "ETH-USDT-SWAP": ("SWAP", "0.1", "ETH", "USDT", "", "0.01", "0.01"),
    "SOL-USDT-SWAP": ("SWAP", "1", "SOL", "USDT", "", "0.01", "0.01"),
    "BTC-USD-SWAP": ("SWAP", "100", "USD", "BTC", "", "0.1", "1"),
    "ETH-USDT-261225": ("FUTURES", "0.1", "ETH", "USDT", str(QUARTER), "0.01", "0.01"),
    "BTC-USD-261225": ("FUTURES", "100", "USD", "BTC", str(QUARTER), "0.1", "1"),
}
MAINTENANCE_RATE = Decimal("0.005")
SPREAD = Decimal("0.0001")
TIERS = (("20000", "0.01", "50"), ("0", "0.004", "100"), ("1000", "0.005", "75"))  # contracts, mmr, leverage


@dataclass
class Coin:
    """One currency of the trading account; `cash` is net of what was borrowed automatically."""

    cash: Decimal = ZERO
    frozen: Decimal = ZERO
    liab: Decimal = ZERO
    interest: Decimal = ZERO


@dataclass
class Held:
    pos: Decimal
    entry: Decimal
    margin: Decimal | None = None  # None: cross


def _wall_clock() -> int:
    return int(time.time() * 1000)


@dataclass
class OkxVenue:
    """What the venue holds. Amounts in coins, positions in contracts, prices in USDT, times in milliseconds."""

    now: Callable[[], int] = _wall_clock
    prices: dict[str, Decimal] = field(
        default_factory=lambda: {asset: Decimal(price) for asset, price in COINS.items()}
    )
    futures_mode: bool = False  # else multi-currency margin
    trading: dict[str, Coin] = field(default_factory=dict)
    positions: dict[str, Held] = field(default_factory=dict)
    marks: dict[str, Decimal] = field(default_factory=dict)  # instId → other than its coin's price
    tells_liquidation: bool = True
    pos_side: str = "net"
    funding: dict[str, tuple[Decimal, Decimal]] = field(default_factory=dict)  # available, frozen
    savings: dict[str, Decimal] = field(default_factory=dict)
    state: dict[str, str] = field(default_factory=dict)  # instId → other than live
    delisting: dict[str, str] = field(default_factory=dict)
    basis: Decimal = Decimal("0.01")
    perm: str = "read_only"
    pos_mode: str = "net_mode"
    ip: str = ""
    fills: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    bills: list[dict[str, Any]] = field(default_factory=list)
    funding_bills: list[dict[str, Any]] = field(default_factory=list)

    def mark(self, inst_id: str) -> Decimal:
        if inst_id in self.marks:
            return self.marks[inst_id]
        price = self.prices[inst_id.split("-", maxsplit=1)[0]]
        return price * (1 + self.basis) if CONTRACTS[inst_id][0] == "FUTURES" else price

    # public

    def instruments(self, kind: str) -> list[dict[str, Any]]:
        if kind == "SPOT":
            return [self._spot(asset) for asset in COINS]
        return [self._contract(inst_id) for inst_id, row in CONTRACTS.items() if row[0] == kind]

    def _spot(self, asset: str) -> dict[str, Any]:
        inst_id = f"{asset}-USDT"
        pair = {"instId": inst_id, "instType": "SPOT", "baseCcy": asset, "quoteCcy": "USDT", "settleCcy": ""}
        rules = {"tickSz": "0.01", "lotSz": "0.0001", "minSz": "0.001", "lever": "10", "maxMktSz": "1000000"}
        blank = dict.fromkeys(("ctVal", "ctValCcy", "ctMult", "ctType", "expTime", "uly", "instFamily"), "")
        return {**pair, **rules, **blank, "state": self.state.get(inst_id, "live"), "listTime": "1611907686000"}

    def _contract(self, inst_id: str) -> dict[str, Any]:
        kind, value, currency, settle, expiry, tick, lot = CONTRACTS[inst_id]
        family = "-".join(inst_id.split("-")[:2])
        return {
            "instId": inst_id,
            "instType": kind,
            "uly": family,
            "instFamily": family,
            "baseCcy": "",
            "quoteCcy": "",
            "settleCcy": settle,
            "ctVal": value,
            "ctMult": "1",
            "ctValCcy": currency,
            "ctType": "inverse" if currency == "USD" else "linear",
            "expTime": self.delisting.get(inst_id, expiry),
            "tickSz": tick,
            "lotSz": lot,
            "minSz": lot,
            "lever": "100",
            "listTime": "1573557408000",
            "state": self.state.get(inst_id, "live"),
        }

    def mark_prices(self, kind: str) -> list[dict[str, Any]]:
        return [
            {"instId": inst_id, "instType": kind, "markPx": str(self.mark(inst_id)), "ts": str(self.now())}
            for inst_id, row in CONTRACTS.items()
            if row[0] == kind
        ]

    def tickers(self, kind: str) -> list[dict[str, Any]]:
        if kind == "SPOT":
            return [self._ticker(f"{asset}-USDT", kind, price) for asset, price in self.prices.items()]
        return [self._ticker(inst_id, kind, self.mark(inst_id)) for inst_id, row in CONTRACTS.items() if row[0] == kind]

    def _ticker(self, inst_id: str, kind: str, price: Decimal) -> dict[str, Any]:
        book = {"bidPx": str(price * (1 - SPREAD)), "bidSz": "10", "askPx": str(price * (1 + SPREAD)), "askSz": "10"}
        day = {"volCcy24h": "22225000.5", "vol24h": "222250005", "high24h": str(price + 1), "low24h": str(price - 1)}
        return {"instId": inst_id, "instType": kind, "last": str(price), **book, **day, "ts": str(self.now())}

    def funding_rates(self) -> list[dict[str, Any]]:
        rows = []
        for inst_id, row in CONTRACTS.items():
            if row[0] == "SWAP":
                period = 14_400_000 if inst_id.startswith("SOL") else 28_800_000
                end = (self.now() // period + 1) * period
                times = {"prevFundingTime": str(end - period), "fundingTime": str(end)}
                rate = {"fundingRate": "0.0001", "nextFundingRate": "", "nextFundingTime": str(end + period)}
                rows.append({"instId": inst_id, "instType": "SWAP", **rate, **times, "ts": str(self.now())})
        return rows

    def index_tickers(self, quote: str) -> list[dict[str, Any]]:
        return [
            {"instId": f"{asset}-{quote}", "idxPx": str(price), "ts": str(self.now())}
            for asset, price in self.prices.items()
        ]

    def position_tiers(self, families: str) -> list[dict[str, Any]]:
        return [
            {"instFamily": family, "uly": family, "instId": "", "tier": str(tier), "minSz": floor, "maxSz": "0"}
            | {"mmr": rate, "imr": "0.01", "maxLever": leverage}
            for family in families.split(",")
            for tier, (floor, rate, leverage) in enumerate(TIERS, 1)
        ]

    # the account

    def position_rows(self) -> list[dict[str, Any]]:
        return [self._position(inst_id) for inst_id in self.positions]

    def _position(self, inst_id: str) -> dict[str, Any]:
        held, (kind, *_) = self.positions[inst_id], CONTRACTS[inst_id]
        worth = abs(held.pos) * self._face(inst_id) * (ONE if self._inverse(inst_id) else self.mark(inst_id))
        return {
            "instId": inst_id,
            "instType": kind,
            "pos": str(held.pos),
            "posSide": self.pos_side,
            "mgnMode": "cross" if held.margin is None else "isolated",
            "ccy": CONTRACTS[inst_id][3],
            "margin": "" if held.margin is None else str(held.margin),
            "avgPx": str(held.entry),
            "markPx": str(self.mark(inst_id)),
            "liqPx": str(self.mark(inst_id) * 2) if held.pos < 0 and self.tells_liquidation else "",
            "upl": str(self.profit(inst_id)),
            "mmr": str(self.maintenance(inst_id)),
            "mgnRatio": "" if held.margin is None else str(held.margin / self.maintenance(inst_id)),
            "notionalUsd": str(worth),
            "lever": "3",
            "uTime": str(self.now()),
        }

    def _face(self, inst_id: str) -> Decimal:
        return Decimal(CONTRACTS[inst_id][1])

    def _inverse(self, inst_id: str) -> bool:
        return CONTRACTS[inst_id][2] == "USD"

    def profit(self, inst_id: str) -> Decimal:
        """In the settlement currency."""
        held, mark = self.positions[inst_id], self.mark(inst_id)
        if self._inverse(inst_id):
            return held.pos * self._face(inst_id) * (1 / held.entry - 1 / mark)
        return held.pos * self._face(inst_id) * (mark - held.entry)

    def maintenance(self, inst_id: str) -> Decimal:
        worth = abs(self.positions[inst_id].pos) * self._face(inst_id) * MAINTENANCE_RATE
        return worth / self.mark(inst_id) if self._inverse(inst_id) else worth * self.mark(inst_id)

    def account(self) -> list[dict[str, Any]]:
        details = [self._detail(ccy, coin) for ccy, coin in self.trading.items()]
        total = sum((Decimal(row["eqUsd"]) for row in details), ZERO)
        needed = sum((self.maintenance(i) * self._usd(CONTRACTS[i][3]) for i in self._cross()), ZERO)
        blank = {"adjEq": "", "mmr": "", "mgnRatio": "", "availEq": ""}
        ratio = str(total / needed) if needed else ""
        shared = {"adjEq": str(total), "mmr": str(needed), "mgnRatio": ratio, "availEq": str(total - needed * 10)}
        top = blank if self.futures_mode else shared
        return [{"uTime": str(self.now()), "totalEq": str(total), "isoEq": "0", **top, "details": details}]

    def _cross(self) -> list[str]:
        return [inst_id for inst_id, held in self.positions.items() if held.margin is None]

    def _usd(self, ccy: str) -> Decimal:
        return self.prices.get(ccy, ONE)

    def _detail(self, ccy: str, coin: Coin) -> dict[str, Any]:
        mine = [inst_id for inst_id in self.positions if CONTRACTS[inst_id][3] == ccy]
        profit = sum((self.profit(inst_id) for inst_id in mine), ZERO)
        isolated = [(self.positions[i].margin or ZERO) + self.profit(i) for i in mine if i not in self._cross()]
        needed = sum((self.maintenance(inst_id) for inst_id in mine if inst_id in self._cross()), ZERO)
        apart = sum((self.positions[i].margin or ZERO for i in mine), ZERO)
        equity = coin.cash - coin.interest + profit + apart
        cross = equity - sum(isolated, ZERO)
        return {
            "ccy": ccy,
            "eq": str(equity),
            "eqUsd": str(equity * self._usd(ccy)),
            "cashBal": str(coin.cash),
            "availBal": str(max(coin.cash - coin.frozen, ZERO)),
            "availEq": str(cross),
            "frozenBal": str(coin.frozen),
            "ordFrozen": "0",
            "upl": str(profit),
            "isoUpl": "0",
            "isoEq": str(sum(isolated, ZERO)),
            "liab": str(coin.liab),
            "crossLiab": str(coin.liab),
            "isoLiab": "0",
            "uplLiab": "0",
            "interest": str(coin.interest),
            "mmr": str(needed) if self.futures_mode else "",
            "mgnRatio": str(cross / needed) if self.futures_mode and needed else "",
            "stgyEq": "0",
            "rewardBal": "0",
            "uTime": "1705449605015",
        }

    def funding_rows(self) -> list[dict[str, Any]]:
        return [
            {"ccy": ccy, "bal": str(free + frozen), "availBal": str(free), "frozenBal": str(frozen)}
            for ccy, (free, frozen) in self.funding.items()
        ]

    def savings_rows(self) -> list[dict[str, Any]]:
        return [
            {
                "ccy": ccy,
                "amt": str(amount),
                "earnings": "0.01",
                "loanAmt": str(amount),
                "pendingAmt": "0",
                "rate": "0.01",
            }
            for ccy, amount in self.savings.items()
        ]

    def config(self) -> list[dict[str, Any]]:
        level = "2" if self.futures_mode else "3"
        return [{"acctLv": level, "posMode": self.pos_mode, "perm": self.perm, "ip": self.ip, "label": "hedged"}]


ONE = Decimal(1)
