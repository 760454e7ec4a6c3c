"""Maintenance margin, the price that liquidates, and how likely that price is to be touched.

Contracts are linear unless a name says inverse.

Sign convention: long contracts are positive, short ones negative. Prices in the quote currency. Money is exact
`Decimal`; the probability is a statistic and therefore a `float`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from statistics import NormalDist

from hedged.model.instrument import MarginTier

DEFAULT_TIERS = (
    MarginTier(notional_floor=Decimal(0), maintenance_margin_rate=Decimal("0.005"), leverage_max=Decimal(20)),
)
"""Assumed where a venue tells no tiers; whatever rests on it is to be marked as estimated."""

_ZERO = Decimal(0)
_NORMAL = NormalDist()


def tier_for(notional: Decimal, tiers: Sequence[MarginTier]) -> tuple[MarginTier, Decimal]:
    """The bracket that a position of |notional| falls in, and its maintenance amount ('cum').

    The amount keeps maintenance continuous over the brackets:
    amount_n = floor_n·(MMR_n − MMR_{n−1}) + amount_{n−1}.
    """
    size = abs(notional)
    current, amount = tiers[0], _ZERO
    for tier in tiers[1:]:
        if tier.notional_floor > size:
            break
        amount += tier.notional_floor * (tier.maintenance_margin_rate - current.maintenance_margin_rate)
        current = tier
    return current, amount


def maintenance_margin(notional: Decimal, tiers: Sequence[MarginTier]) -> Decimal:
    """Least equity that a position of |notional| may have: |notional|·MMR − amount, in the quote currency."""
    tier, amount = tier_for(notional, tiers)
    return abs(notional) * tier.maintenance_margin_rate - amount


def liquidation_price(
    *, base_quantity: Decimal, entry_price: Decimal, collateral: Decimal, tiers: Sequence[MarginTier]
) -> Decimal | None:
    """The mark at which a linear position's equity equals its maintenance margin.

    None: no price does (a long with collateral enough for a fall to 0). 0: every price does (a short whose collateral
    is lost already). `base_quantity`: coins, short negative, not 0. `collateral`: isolated margin, or for a cross
    account the wallet plus the other positions' unrealised PnL minus their maintenance.
    Short: (W + cum + q·EP) / (q·(1 + MMR)); long: (q·EP − W − cum) / (q·(1 − MMR)), with the bracket taken at the
    result itself, hence the search. Equity falls faster than maintenance, so at most one bracket agrees.
    """
    side = 1 if base_quantity > 0 else -1
    size = abs(base_quantity)
    amount = _ZERO
    previous_rate = tiers[0].maintenance_margin_rate
    price = _ZERO
    for tier, following in zip(tiers, (*tiers[1:], None), strict=True):
        rate = tier.maintenance_margin_rate
        amount += tier.notional_floor * (rate - previous_rate)
        previous_rate = rate
        price = (side * size * entry_price - collateral - amount) / (size * (side - rate))
        if following is None or price * size < following.notional_floor:
            break
    if price > 0:
        return price
    return None if side > 0 else _ZERO


def inverse_liquidation_price(
    *, notional: Decimal, entry_price: Decimal, collateral_coins: Decimal, tiers: Sequence[MarginTier]
) -> Decimal | None:
    """The mark at which a coin-margined position's equity equals its maintenance margin, both in coins.

    `notional`: face value in the quote currency, short negative, not 0; `collateral_coins`: wallet without unrealised
    PnL. With N = |face|, short: C + N/P − N/P0 = MMR·N/P, so P = N·(1 − MMR)/(N/P0 − C); None where C ≥ N/P0: such a
    short is covered by its coins at any price. Long: P = N·(1 + MMR)/(C + N/P0). The bracket is that of the face value.
    Infinity: every price does (a long whose collateral is lost already).
    """
    size = abs(notional)
    rate = maintenance_margin(size, tiers) / size
    at_entry = size / entry_price
    if notional < 0:
        return size * (1 - rate) / (at_entry - collateral_coins) if collateral_coins < at_entry else None
    coins = collateral_coins + at_entry
    return size * (1 + rate) / coins if coins > 0 else Decimal("Infinity")


def touch_probability(*, level_ratio: float, volatility_year: float, years: float, drift_year: float = 0.0) -> float:
    """Probability that a geometric Brownian price touches `level_ratio` × today's price within `years`.

    A ratio above 1 is a short's liquidation price, below 1 a long's. σ and μ are annual. First passage of Brownian
    motion, ν = μ − σ²/2 (reflection principle):
    Φ((νT − ln L)/(σ√T)) + L^{2ν/σ²}·Φ((−ln L − νT)/(σ√T)), mirrored for L < 1.
    """
    if level_ratio <= 0 or volatility_year <= 0 or years <= 0:
        raise ValueError("level_ratio, volatility_year and years must be above 0")
    log_level = math.log(level_ratio)
    if log_level == 0:
        return 1.0
    side = math.copysign(1.0, log_level)
    trend = side * (drift_year - volatility_year**2 / 2)
    distance = abs(log_level)
    spread = volatility_year * math.sqrt(years)
    direct = _phi((trend * years - distance) / spread)
    reflected = _phi((-distance - trend * years) / spread)
    exponent = 2 * trend / volatility_year**2 * distance
    # Far drifts overflow exp() just where the other factor has vanished.
    return min(1.0, direct + (reflected * math.exp(exponent) if reflected > 0 else 0.0))


def level_ratio_for(*, probability: float, volatility_year: float, years: float) -> float:
    """How far above today's price a level must be to be touched with `probability` within `years`, at ν = 0.

    L = exp(σ√T·Φ⁻¹(1 − x/2)); a short then needs collateral of notional × (L·(1 + MMR) − 1).
    """
    return math.exp(volatility_year * math.sqrt(years) * _NORMAL.inv_cdf(1 - probability / 2))


def _phi(x: float) -> float:
    # erfc, not 1 + erf: it keeps its digits in the far tail.
    return 0.5 * math.erfc(-x / math.sqrt(2))
