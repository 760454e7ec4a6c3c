"""From an account's pool and the past of its prices to what is told of it: odds, top-up, breach, what to buy back."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import TypeAlias

import numpy as np

from hedged.estimate.breach import common_breach_move, contracts_to_close
from hedged.estimate.innovations import Innovations
from hedged.estimate.liquidation_odds import PATHS, Need, RiskyPosition, account_need
from hedged.estimate.margin_pool import Pool, pool_breaches
from hedged.estimate.price_past import PricePast, common_innovations
from hedged.estimate.volatility import DAYS_A_YEAR
from hedged.model.instrument import InstrumentId
from hedged.model.policy import MarginPolicy
from hedged.model.statistics import MarginOdds, Survival, Untold

Numbers: TypeAlias = Callable[[Sequence[int]], np.random.Generator]
"""The injected randomness: the same numbers for the same seed."""

DRIFT_MAX = 0.02
"""How far a position's value may move by its price before its needs are drawn anew."""

_DAY = 86_400
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True, eq=False)
class DrawnNeed:
    """The costly part, good for an hour and while no position changes: by how much is the odds' own question."""

    need: Need
    notionals: Mapping[InstrumentId, float]
    contracts: Mapping[InstrumentId, Decimal]
    survives: Mapping[InstrumentId, Survival]
    move_until_read: float  # what prices move until the next reading, one standard deviation, fraction
    basis: str

    def holds_for(self, pool: Pool) -> bool:
        """Whether the pool is still what was drawn: the same contracts, worth about the same."""
        if {each.instrument.id: each.contracts for each in pool.positions} != dict(self.contracts):
            return False
        return all(
            abs(float(each.notional) - self.notionals[each.instrument.id])
            <= DRIFT_MAX * abs(self.notionals[each.instrument.id])
            for each in pool.positions
        )


def draw(
    pool: Pool,
    pasts: Mapping[InstrumentId, PricePast],
    candidates: Sequence[InstrumentId],
    policy: MarginPolicy,
    every: timedelta,
    *,
    seed: Sequence[int],
    numbers: Numbers,
    paths: int = PATHS,
) -> DrawnNeed:
    """What the pool may need within the user's time. `pasts` has every position and candidate.

    `candidates`: instruments that orders may open, for whose room the moves to survive are told. `seed`: the same one
    gives the same paths of `numbers`, which makes a generator of it.
    """
    years = policy.top_up_within.total_seconds() / _DAY / DAYS_A_YEAR
    names = [each.instrument.id for each in pool.positions]
    risky = [each.risky(pasts[each.instrument.id].volatilities) for each in pool.positions]
    history = common_innovations([pasts[name] for name in names])
    need = account_need(risky, years, history=history, rng=numbers(seed), paths=paths)
    sigma = sum(abs(each.notional) * each.volatility_prudent for each in risky) / need.gross if need.gross else 0.0
    return DrawnNeed(
        need=need,
        notionals={each.instrument.id: float(each.notional) for each in pool.positions},
        contracts={each.instrument.id: each.contracts for each in pool.positions},
        survives={name: _survives(pasts[name], years, policy.probability, seed, numbers, paths) for name in candidates},
        move_until_read=sigma * math.sqrt(every.total_seconds() / _DAY / DAYS_A_YEAR),
        basis=_basis([pasts[name] for name in names or candidates], history, assumed=pool.assumed),
    )


def _survives(  # noqa: PLR0917
    past: PricePast, years: float, probability: float, seed: Sequence[int], numbers: Numbers, paths: int
) -> Survival:
    """The rise that a short and the fall that a long must live through: what a position of 1 needs before any
    maintenance. The same for any size, so that the need of any size follows.
    """
    current, prudent = past.volatilities.current.value_year, past.volatilities.prudent
    history = common_innovations([past])
    moves = [
        account_need(
            [RiskyPosition(side, current, prudent, ())],
            years,
            history=history,
            rng=numbers(seed),
            paths=paths,
        ).equity_for(probability)
        for side in (-1.0, 1.0)
    ]
    return Survival(moves[0], min(moves[1], 1.0))


def _basis(pasts: Sequence[PricePast], history: Innovations | None, *, assumed: bool) -> str:
    days = min(((past.until - past.since) / _DAY for past in pasts), default=0.0)
    said = f"from {days:,.0f} days of prices" if days >= 1 else "estimated from a prior"
    if history is None and days >= 1:
        said += " (a walk alone)"
    return f"{said}, maintenance as asked now" if assumed else said


def odds_of(pool: Pool, drawn: DrawnNeed, policy: MarginPolicy, fees: Mapping[InstrumentId, Decimal]) -> MarginOdds:
    """All that is told of a pool. `fees`: of each position, the share of its value that closing it costs."""
    need, equity = drawn.need, float(pool.equity)
    # The needs were drawn at other prices, at most DRIFT_MAX away: they grow with the value of what is held.
    gross = float(sum(abs(each.notional) for each in pool.positions))
    scale = gross / need.gross if need.gross else 1.0
    odds = need.probability(equity / scale)
    needed = need.equity_for(policy.probability) * scale
    fee = float(max(fees.values(), default=Decimal(0)))
    keep = need.keep_ratio(equity / scale, policy.probability, fee, drawn.move_until_read)
    risky = [each.still for each in pool.positions]
    breaches = pool_breaches(pool)
    return MarginOdds(
        account=pool.account,
        as_of=pool.as_of,
        horizon=policy.top_up_within,
        currency=pool.currency,
        coin=pool.coin,
        apart=pool.apart,
        walk=odds.walk,
        bootstrap=odds.bootstrap,
        equity=round(pool.equity, 8),
        equity_needed=_cents_up(needed),
        breaches=breaches,
        breach_common=common_breach_move(risky, equity) if len(risky) > 1 else None,
        leverage_lowest=need.leverage_lowest(equity / scale, policy.probability) if risky else None,
        to_close={
            each.instrument.id: contracts_to_close(each.contracts, keep, each.instrument.lot_size)
            for each in pool.positions
            if keep < 1
        },
        survives=drawn.survives,
        basis=drawn.basis,
    )


def together(pools: Sequence[MarginOdds], untold: Sequence[Untold] = ()) -> MarginOdds:
    """Of an account's pools, at least one: the one in most danger speaks, with what is to be closed in any of them."""
    worst, *others = sorted(pools, key=lambda each: -(each.probability or 0.0))
    closing = {name: contracts for each in pools for name, contracts in each.to_close.items()}
    rooms = tuple(room for each in others for room in each.pools)
    survives = {name: moves for each in reversed(pools) for name, moves in each.survives.items()}
    return replace(worst, to_close=closing, survives=survives, others=rooms, untold=tuple(untold))


def _cents_up(amount: float) -> Decimal:
    """Rounded up: what is told is enough."""
    return (Decimal(repr(amount)) / _CENT).to_integral_value(rounding="ROUND_CEILING") * _CENT
