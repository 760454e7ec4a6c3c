"""The truth of a small Bitget whose account is a unified one: a pool of coins behind the contracts, and its replies."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.venues.bitget_venue import CONTRACTS, ZERO, BitgetVenue


@dataclass
class UnifiedVenue(BitgetVenue):
    """`pool`: coins without open profit, negative where they are owed; the funding wallet is `funding`."""

    pool: dict[str, Decimal] = field(default_factory=dict)
    haircut: Decimal = ZERO  # of the worth of coins that are not dollars
    bonus: Decimal = ZERO
    perm_type: str = "read-only"
    rights: list[str] = field(default_factory=lambda: ["uta_mgt", "uta_trade"])
    traded: list[dict[str, Any]] = field(default_factory=list)  # fills
    ended: list[dict[str, Any]] = field(default_factory=list)  # orders
    records: list[dict[str, Any]] = field(default_factory=list)  # the newest first

    def account_info(self) -> dict[str, Any]:
        who = {"userId": "1", "inviterId": "", "parentId": "", "channelCode": "6258", "channel": "official"}
        told = {"ips": self.ips, "permType": self.perm_type, "permissions": self.rights}
        return {**who, **told, "regisTime": "1704067200000"}

    def settings(self) -> dict[str, Any]:
        return {
            "uid": "1111111111",
            "accountMode": "hybrid",
            "assetMode": "multi_assets",
            "accountLevel": "advanced",
            "holdMode": self.pos_mode,
            "stpMode": "none",
            "symbolConfigList": [],
            "coinConfigList": [],
        }

    def assets(self) -> dict[str, Any]:
        """Only coins that are not zero; amounts of the account in dollars, which are USDT here."""
        profits: dict[str, Decimal] = {}
        for symbol, held in self.positions.items():
            profits[held.coin] = profits.get(held.coin, ZERO) + self.profit(symbol)
        coins = [
            self._coin(coin, self.pool.get(coin, ZERO), profits.get(coin, ZERO)) for coin in {**self.pool, **profits}
        ]
        equity = sum((Decimal(row["usdValue"]) for row in coins), ZERO)
        effective = sum((Decimal(row["usdValue"]) * self._counts(row["coin"]) for row in coins), ZERO) + self.bonus
        needed = sum((self.maintenance(each) * self._dollars(each) for each in self.positions), ZERO)
        profit = sum((self.profit(each) * self._dollars(each) for each in self.positions), ZERO)
        return {
            "accountEquity": str(equity),
            "usdtEquity": str(equity),
            "btcEquity": "0",
            "unrealisedPnl": str(profit),
            "usdtUnrealisedPnl": str(profit),
            "btcUnrealizedPnl": "0",
            "effEquity": str(effective),
            "mmr": str(needed),
            "imr": str(4 * needed),
            "mgnRatio": str(needed / effective) if effective else "0",
            "positionMgnRatio": "0",
            "bonus": str(self.bonus),
            "assets": coins,
        }

    def _counts(self, coin: str) -> Decimal:
        return Decimal(1) if coin in {"USDT", "USDC"} else 1 - self.haircut

    def _coin(self, coin: str, net: Decimal, profit: Decimal) -> dict[str, Any]:
        equity = net + profit
        return {
            "coin": coin,
            "equity": str(equity),
            "usdValue": str(equity * self.prices.get(coin, Decimal(1))),
            "balance": str(net),
            "available": str(max(equity, ZERO)),
            "debt": str(max(-equity, ZERO)),
            "locked": "0",
        }

    def current_positions(self, product: str) -> dict[str, Any]:
        return {"list": [self._unified(each) for each in self.positions if CONTRACTS[each][0] == product] or None}

    def _unified(self, symbol: str) -> dict[str, Any]:
        row = self._position(symbol)
        return {
            "category": CONTRACTS[symbol][0],
            "symbol": symbol,
            "marginCoin": row["marginCoin"],
            "holdMode": row["posMode"],
            "posSide": row["holdSide"],
            "marginMode": row["marginMode"],
            "positionBalance": row["marginSize"],
            "available": row["available"],
            "frozen": "0",
            "total": row["total"],
            "leverage": row["leverage"],
            "curRealisedPnl": "0",
            "avgPrice": row["openPriceAvg"],
            "positionStatus": "normal",
            "unrealisedPnl": row["unrealizedPL"],
            "liquidationPrice": row["liquidationPrice"],
            "mmr": row["keepMarginRate"],
            "profitRate": "0.0008647337475591",
            "markPrice": row["markPrice"],
            "breakEvenPrice": "3100",
            "totalFunding": "0",
            "openFeeTotal": "-0.06444618",
            "closeFeeTotal": "0",
            "createdTime": "1750495670699",
            "updatedTime": str(self.now()),
        }

    def financial_records(self, asked: dict[str, str]) -> dict[str, Any]:
        """A page, from behind the record that is named; null where there are none."""
        rows = [
            row
            for row in self.records
            if (row["category"], row["type"]) == (asked["category"], asked["type"])
            and int(row["ts"]) >= int(asked["startTime"])
        ]
        behind = [row["id"] for row in rows].index(asked["cursor"]) + 1 if "cursor" in asked else 0
        page = rows[behind:][: int(asked["limit"])]
        return {"list": page or None, "cursor": page[-1]["id"] if page else None}

    def unified_funding(self) -> list[dict[str, Any]]:
        return [
            {"coin": coin, "available": str(free), "frozen": str(frozen), "balance": str(free + frozen)}
            for coin, (free, frozen) in self.funding.items()
        ]
