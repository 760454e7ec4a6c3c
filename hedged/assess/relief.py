"""What brings an account back below its warning: money to add, or contracts to buy back.

It rests on the pools that the odds rest on (`hedged.estimate.margin_pool`): where nobody can tell what backs what, the
reason is said instead of a figure. Everything is counted in the portfolio's quote currency.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_UP, Context, Decimal

import numpy as np

from hedged.assess.costs import one_way_cost
from hedged.assess.rates import rate_of
from hedged.estimate.breach import contracts_to_close
from hedged.estimate.liquidation import maintenance_margin
from hedged.estimate.margin_pool import Pool, PooledPosition, pools_of
from hedged.model.finding import MarginStatus, Scalar
from hedged.model.instrument import InstrumentId
from hedged.model.policy import PortfolioPolicy
from hedged.model.snapshot import Snapshot
from hedged.model.statistics import Untold

ZERO = Decimal(0)
_THREE_DIGITS = Context(prec=3, rounding=ROUND_UP)
_WHOLE_FROM = 100  # units of money that are told without a fraction
_LEAST = Decimal("0.01")
_BELOW = 1 - 1e-9  # at the warning's own figure the warning stands: a lot more is closed
_FLOAT = Decimal("1e-9")  # by how much a need may be wrong for being a float, as a fraction


@dataclass(frozen=True, slots=True)
class Relief:
    """Either is enough by itself. `top_up`: amounts with their units; `to_close`: contracts, signed (buy > 0).

    `unknown`: why it is not known what to buy back, or what to add either where `top_up` is empty.
    """

    top_up: tuple[tuple[Decimal, str], ...] = ()
    to_close: Mapping[InstrumentId, Decimal] = field(default_factory=dict)
    unknown: str = ""

    def values(self) -> dict[str, Scalar]:
        """What the text says, as numbers and words. `top_up`: all of it together, in the portfolio's currency."""
        return {
            "top_up": sum((amount for amount, _ in self.top_up), ZERO) if self.top_up else None,
            "adding": adding_text(self.top_up) or None,
            "closing": closing_text(self.to_close) or None,
        }


@dataclass(frozen=True, slots=True)
class _Short:
    """A pool with less equity than it needs to be below the warning. `fixed`: of the need, what no position causes."""

    pool: Pool
    equity: Decimal
    needed: Decimal
    fixed: Decimal = ZERO


def margin_relief(row: MarginStatus, snapshot: Snapshot, policy: PortfolioPolicy) -> Relief:
    """What takes maintenance over equity below the warning's; `row` has a ratio at or above it."""
    warning = policy.thresholds.margin_ratio_warning
    equity, maintenance = row.equity or ZERO, row.maintenance or ZERO
    pools, untold = _pools(row.account, snapshot, policy)
    if untold is None and len(pools) == 1:
        asked = min(_asked(pools[0], snapshot, policy), maintenance)
        short = _Short(pools[0], equity, maintenance / warning, fixed=(maintenance - asked) / warning)
        return _relief([short], snapshot, policy)
    if untold is None:
        # Several pools: the figures are those of the one nearest to its end, and others may be beyond the warning too.
        asked_by = [(pool, _asked(pool, snapshot, policy)) for pool in pools]
        short_ones = [
            _Short(pool, pool.equity, asked / warning) for pool, asked in asked_by if asked >= warning * pool.equity
        ]
        if short_ones:
            return _relief(short_ones, snapshot, policy)
        untold = "what backs each of its positions is not told apart"
    return Relief(top_up=((above(maintenance / warning - equity), policy.quote),), unknown=untold)


def liquidation_relief(
    account: str, near: Iterable[InstrumentId], snapshot: Snapshot, policy: PortfolioPolicy
) -> Relief:
    """What takes the liquidation of these positions further away than the warning's distance, the others' prices
    standing still.
    """
    wanted = frozenset(near)
    pools, untold = _pools(account, snapshot, policy)
    held = {position.instrument.id for pool in pools for position in pool.positions}
    if untold is not None and not wanted <= held:
        return Relief(unknown=untold)
    distance = float(policy.thresholds.liquidation_distance_near)
    short = []
    for pool in pools:
        needs = [
            need for each in pool.positions if each.instrument.id in wanted for need in (_need(pool, each, distance),)
        ]
        needed = max(needs, default=ZERO) * _rate(pool, snapshot, policy)
        if needs and needed >= pool.equity:
            short.append(_Short(pool, pool.equity, needed))
    if not short:
        return Relief(unknown="the exchange's liquidation price is another than its own figures give")
    return _relief(short, snapshot, policy)


def relief_text(relief: Relief, goal: str) -> str:
    """`Top up 2,300 USDT or buy back 4 contracts of ETH/USDT:USDT to get below the warning.`"""
    adding = adding_text(relief.top_up)
    closing = closing_text(relief.to_close)
    if not adding:
        return f"What to top up or to buy back is not known, because {relief.unknown}."
    if closing:
        return f"Top up {adding} or {closing} {goal}."
    if relief.unknown:
        return f"Top up {adding} {goal}; how much to buy back instead is not known, because {relief.unknown}."
    return f"Top up {adding} {goal}; buying back alone is not enough."


def adding_text(amounts: Iterable[tuple[Decimal, str]]) -> str:
    """`2,300 USDT and 160 USDT set apart for ETH/USDT:USDT`."""
    return " and ".join(f"{amount:,f} {unit}" for amount, unit in amounts)


def closing_text(to_close: Mapping[InstrumentId, Decimal]) -> str:
    """`buy back 4 contracts of ETH/USDT:USDT and 1 contract of BTC/USDT:USDT`."""
    parts: dict[str, list[str]] = {}
    for name, contracts in to_close.items():
        if contracts:
            unit = "contract" if abs(contracts) == 1 else "contracts"
            said = f"{abs(contracts).normalize():f} {unit} of {name.partition(':')[2]}"
            parts.setdefault("buy back" if contracts > 0 else "sell", []).append(said)
    return " and ".join(f"{verb} {' and '.join(said)}" for verb, said in parts.items())


def above(amount: Decimal) -> Decimal:
    """A round figure above the amount: what is told is enough. Whole units of what is large, else three digits."""
    if amount >= _WHOLE_FROM:
        return amount.to_integral_value(rounding="ROUND_FLOOR") + 1
    rounded = _THREE_DIGITS.plus(max(amount, ZERO))
    return max(rounded if rounded > amount else _THREE_DIGITS.next_plus(rounded), _LEAST)


def _pools(account: str, snapshot: Snapshot, policy: PortfolioPolicy) -> tuple[list[Pool], str | None]:
    """Those with positions; and why nothing is known of another part of the account, or of how they count."""
    try:
        found = pools_of(snapshot.accounts[account], snapshot, policy.thresholds.stale_after)
    except (ValueError, ArithmeticError):
        return [], "its figures make no sense"
    pools = [each for each in found if isinstance(each, Pool) and each.positions]
    untold = [each.why for each in found if isinstance(each, Untold)]
    strange = [pool for pool in pools if rate_of(pool.positions[0].instrument, snapshot, policy) is None]
    untold += [f"what {each.positions[0].instrument.quote} is worth in {policy.quote} is not known" for each in strange]
    pools = [each for each in pools if each not in strange]
    if not pools and not untold:
        untold = ["what its positions need is not told"]
    return pools, untold[0] if untold else None


def _rate(pool: Pool, snapshot: Snapshot, policy: PortfolioPolicy) -> Decimal:
    return rate_of(pool.positions[0].instrument, snapshot, policy) or Decimal(1)


def _asked(pool: Pool, snapshot: Snapshot, policy: PortfolioPolicy) -> Decimal:
    """The maintenance margin of its positions at the mark."""
    asked = sum((maintenance_margin(each.notional, each.tiers) for each in pool.positions), ZERO)
    return asked * _rate(pool, snapshot, policy)


def _need(pool: Pool, moving: PooledPosition, distance: float) -> Decimal:
    """The equity with which the pool is liquidated where this position's price has gone `distance` against it."""
    level = 1 + distance if moving.notional < 0 else 1 - distance
    needs = (float(each.still.need(np.array(level if each is moving else 1.0))) for each in pool.positions)
    return Decimal(repr(sum(needs))) * (1 + _FLOAT)


def _relief(short: Sequence[_Short], snapshot: Snapshot, policy: PortfolioPolicy) -> Relief:
    top_up = tuple((above(each.needed - each.equity), _unit(each.pool, policy.quote)) for each in short)
    closing = [_closing(each, snapshot, policy) for each in short]
    known = [each for each in closing if each is not None]
    if len(known) < len(closing):
        return Relief(top_up)
    return Relief(top_up, {name: contracts for each in known for name, contracts in each.items()})


def _closing(short: _Short, snapshot: Snapshot, policy: PortfolioPolicy) -> Mapping[InstrumentId, Decimal] | None:
    """The same share of every position, as it costs to close; None: all of them would not be enough.

    What is kept, k of the positions, needs no more than its share of the need: brackets make a smaller position need
    less. k·(needed − fixed) + fixed = equity − cost·(1 − k)·gross.
    """
    pool, rate = short.pool, _rate(short.pool, snapshot, policy)
    costs = (
        abs(each.notional) * rate * (one_way_cost(each.instrument.id, snapshot, policy) or ZERO)
        for each in pool.positions
    )
    cost = sum(costs, ZERO)
    room, need = short.equity - short.fixed - cost, short.needed - short.fixed - cost
    if room < 0 < short.fixed or need <= 0:
        return None
    keep = float(max(room, ZERO) / need) * _BELOW
    return dict(_whole_lots(pool, keep))


def _whole_lots(pool: Pool, keep: float) -> Iterator[tuple[InstrumentId, Decimal]]:
    for each in pool.positions:
        yield each.instrument.id, contracts_to_close(each.contracts, keep, each.instrument.lot_size)


def _unit(pool: Pool, quote: str) -> str:
    """What is added: the portfolio's currency, or so much of it worth of what backs the pool."""
    backing = pool.coin or pool.currency
    unit = quote if backing == quote else f"{quote} worth of {backing}"
    return f"{unit} set apart for {pool.apart.partition(':')[2]}" if pool.apart else unit
