"""What Hyperliquid holds for an address, from its replies: coins, collateral, positions and margin. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal

from hedged.adapters.exchanges.dialects.base import NOTIONAL_TOLERANCE, Markets
from hedged.adapters.exchanges.guard import Endpoint
from hedged.adapters.exchanges.shapes import (
    Misshapen,
    Record,
    Row,
    Rows,
    Scalar,
    liquidation_or_none,
    not_negative,
    number,
    positive,
    text,
)
from hedged.estimate.liquidation import maintenance_margin
from hedged.model.snapshot import Balance, Margin, Position

TEXT, NUMBER, PRESENT = Scalar.TEXT, Scalar.NUMBER, Scalar.PRESENT
ZERO = Decimal(0)

_LEVERAGE = Record({"type": TEXT})
_POSITION = Record(
    {
        "coin": TEXT,
        "szi": NUMBER,
        "entryPx": NUMBER,
        "positionValue": NUMBER,
        "unrealizedPnl": NUMBER,
        "marginUsed": NUMBER,
        "leverage": _LEVERAGE,
        "liquidationPx": PRESENT,
    }
)
_SUMMARY = Record({"accountValue": NUMBER})
ENDPOINTS = {
    ("POST", "/info#clearinghouseState"): Endpoint(
        "positions",
        Record(
            {
                "assetPositions": Rows({"type": TEXT, "position": _POSITION}),
                "marginSummary": _SUMMARY,
                "crossMarginSummary": _SUMMARY,
                "crossMaintenanceMarginUsed": NUMBER,
                "withdrawable": NUMBER,
                "time": NUMBER,
            }
        ),
    ),
    ("POST", "/info#spotClearinghouseState"): Endpoint(
        "spot coins", Record({"balances": Rows({"coin": TEXT, "token": NUMBER, "hold": NUMBER, "total": NUMBER})})
    ),
    ("POST", "/info#delegatorSummary"): Endpoint(
        "staked HYPE", Record({"delegated": NUMBER, "undelegated": NUMBER, "totalPendingWithdrawal": NUMBER})
    ),
}

_STAKED = ("delegated", "undelegated", "totalPendingWithdrawal")
_ISOLATED = "isolated"


def coins(state: Row, name: Callable[[Row], str]) -> tuple[Balance, ...]:
    """One for each token with an amount; below zero it is borrowed (portfolio margin)."""
    found = []
    for row in state["balances"]:
        total = number(row, "total")
        locked = min(not_negative(row, "hold"), max(total, ZERO))
        if total:
            found.append(Balance(name(row), max(total, ZERO) - locked, locked, max(-total, ZERO)))
    if len({balance.asset for balance in found}) < len(found):
        raise Misshapen("the reply has a token twice")
    return tuple(found)


def staked(row: Row) -> tuple[Balance, ...]:
    total = sum((not_negative(row, name) for name in _STAKED), ZERO)
    return (Balance("HYPE", total),) if total else ()


def collateral(states: Mapping[str, Row], settle: Mapping[str, str]) -> tuple[Balance, ...]:
    """What backs the contracts on all dexes, without open profit, by currency."""
    amounts: dict[str, Decimal] = {}
    for dex, state in states.items():
        profit = sum((number(row["position"], "unrealizedPnl") for row in open_rows(state)), ZERO)
        amounts[settle[dex]] = amounts.get(settle[dex], ZERO) + number(state["marginSummary"], "accountValue") - profit
    return tuple(Balance(asset, amount) for asset, amount in amounts.items() if amount)


def open_rows(state: Row) -> list[Row]:
    return [row for row in state["assetPositions"] if number(row["position"], "szi")]


def position(entry: Row, markets: Markets) -> Position:
    """In coins, signed. Its value has to be what entry and profit make of it: mark · size = entry · size + profit."""
    row = entry["position"]
    if entry["type"] != "oneWay":
        raise Misshapen(f"the position in {row['coin']} is not one-way")
    instrument = markets.contract(row["coin"])
    contracts, worth = number(row, "szi"), not_negative(row, "positionValue")
    entry_price, profit = positive(row, "entryPx"), number(row, "unrealizedPnl")
    ours = contracts * entry_price + profit
    return Position(
        instrument=instrument.id,
        contracts=contracts,
        entry_price=entry_price,
        liquidation_price=liquidation_or_none(row, "liquidationPx"),
        unrealised_pnl=profit,
        maintenance_margin=maintenance_margin(worth, instrument.tiers),
        trusted=abs(ours - worth.copy_sign(contracts)) <= NOTIONAL_TOLERANCE * worth,
        isolated_equity=number(row, "marginUsed") if _margin_mode(row) == _ISOLATED else None,
    )


def cross_pool(state: Row) -> Margin:
    """A dex's cross margin, by the venue's own figures."""
    return Margin(
        equity=number(state["crossMarginSummary"], "accountValue"),
        maintenance=not_negative(state, "crossMaintenanceMarginUsed"),
        available=not_negative(state, "withdrawable"),
    )


def unified_pools(states: Mapping[str, Row], spot: Row, tokens: Mapping[str, int]) -> dict[int, Margin]:
    """A pool for each coin that dexes take as collateral: all of it but what isolated positions have set apart.

    The venue's ratio of a unified account is the largest of maintenance ÷ that.
    """
    totals = {int(number(row, "token")): number(row, "total") for row in spot["balances"]}
    needed: dict[int, Decimal] = {}
    apart: dict[int, Decimal] = {}
    for dex, state in states.items():
        token = tokens[dex]
        needed[token] = needed.get(token, ZERO) + not_negative(state, "crossMaintenanceMarginUsed")
        isolated = sum((number(row["position"], "marginUsed") for row in _isolated(state)), ZERO)
        apart[token] = apart.get(token, ZERO) + isolated
    return {token: Margin(totals.get(token, ZERO) - apart[token], amount) for token, amount in needed.items()}


def isolated_pools(states: Mapping[str, Row], markets: Markets) -> list[Margin]:
    """Each isolated position by itself; the venue does not tell its maintenance, its table does."""
    pools = []
    for state in states.values():
        for entry in _isolated(state):
            row = entry["position"]
            needed = maintenance_margin(number(row, "positionValue"), markets.contract(row["coin"]).tiers)
            pools.append(Margin(number(row, "marginUsed"), needed, estimated=True))
    return pools


def _isolated(state: Row) -> list[Row]:
    return [row for row in open_rows(state) if _margin_mode(row["position"]) == _ISOLATED]


def _margin_mode(row: Row) -> str:
    mode = text(row["leverage"], "type")
    if mode not in {"cross", _ISOLATED}:
        raise Misshapen(f"the margin mode of {row['coin']} is none that is understood")
    return mode


def tightest(pools: Iterable[Margin]) -> Margin | None:
    """The pool nearest to its liquidation; where none needs anything, the one with most in it."""
    return max(pools, key=lambda pool: (pool.tightness, pool.equity), default=None)
