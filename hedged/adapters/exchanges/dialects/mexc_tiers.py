"""MEXC's risk limits as margin tiers.

A limit counts contracts. Up to `riskBaseVol` the first level applies, and each level above covers `riskIncrVol` more
at rates that rise by `riskIncrMmr` and `riskIncrImr`; or the listing carries a table of levels (`riskLimitCustom`).
"""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

from hedged.adapters.exchanges.shapes import Misshapen, Row, not_negative, positive
from hedged.model.instrument import Instrument, MarginTier

_LEVELS_MAX = 500  # beyond the longest table seen; a wrong number must not become a million tiers


def tiers_of(rules: Row, contract: Instrument, mark: Decimal) -> tuple[MarginTier, ...]:
    """Ascending by the position's value at `mark`; empty where the venue limits by something else, or not readably."""
    if rules.get("riskLimitType", "BY_VOLUME") != "BY_VOLUME":
        return ()
    try:
        levels = list(_table(rules) if rules.get("riskLimitCustom") else _steps(rules))
    except Misshapen:
        return ()
    return tuple(
        MarginTier(
            notional_floor=contract.notional(floor, mark), maintenance_margin_rate=maintenance, leverage_max=1 / initial
        )
        for floor, maintenance, initial in levels
    )


def _steps(rules: Row) -> Iterator[tuple[Decimal, Decimal, Decimal]]:
    """(contracts from which it applies, maintenance rate, initial rate) of each level."""
    count = min(int(positive(rules, "riskLevelLimit")), _LEVELS_MAX)
    step = not_negative(rules, "riskIncrVol")
    floor = Decimal(0)
    for level in range(count if step else 1):
        maintenance = positive(rules, "maintenanceMarginRate") + level * not_negative(rules, "riskIncrMmr")
        yield floor, maintenance, positive(rules, "initialMarginRate") + level * not_negative(rules, "riskIncrImr")
        floor = positive(rules, "riskBaseVol") + level * step


def _table(rules: Row) -> Iterator[tuple[Decimal, Decimal, Decimal]]:
    rows = rules["riskLimitCustom"]
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise Misshapen("riskLimitCustom is no table")
    floor = Decimal(0)
    for row in sorted(rows, key=lambda row: positive(row, "maxVol")):
        yield floor, positive(row, "mmr"), positive(row, "imr")
        floor = positive(row, "maxVol")
