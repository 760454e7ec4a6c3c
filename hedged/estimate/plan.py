"""Which contracts to hedge a group of assets with, how many of each, what to expect of them and what they cost.

    proposal = Planner(candidates, history, options, betas, rng).propose("alts", holdings)

Sets of one to four contracts are chosen on the past year (`selection.choose_sets`), with what each costs a year weighed
against what it removes; contracts are whole lots, enumerated around the optimum. Where the past is too short for that,
the prior betas of the list of sectors say how much, and nothing says how well.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import ROUND_HALF_EVEN, Decimal

import numpy as np

from hedged.estimate.effectiveness import Floats
from hedged.estimate.past_prices import PastPrices
from hedged.estimate.plan_margin import MarginPlanner, subject_of
from hedged.estimate.plan_words import compared, listed, symbol_of
from hedged.estimate.prior import Betas, base_of, prior_ratios
from hedged.estimate.selection import (
    KNOWN_MIN,
    SPAN,
    ChosenSet,
    RankedSet,
    SelectionSettings,
    choose_sets,
    effectiveness_interval,
    recommended,
    whole_contracts,
)
from hedged.estimate.sizing import order_min
from hedged.model.chain import Cadence, cadence_of
from hedged.model.instrument import ContractKind, Instrument, InstrumentId, bundle
from hedged.model.plan import (
    SIZES,
    Alternative,
    Candidate,
    PlanCost,
    PlanHolding,
    PlannedLeg,
    PlannedSet,
    PlanOptions,
    PlanProposal,
)
from hedged.model.policy import PRICE_COLLAR, Target

GAP_LEAST = 0.05
"""Annual volatility of target − hedge that rebalancing is counted for at least: the basis moves, deposits come."""

_OBSERVATIONS_DAYS = 10
_YEAR = 365 * 86_400
_ZERO = Decimal(0)


def is_on(base: str, asset: str) -> bool:
    """Whether a contract with this base is on that coin, perhaps a thousand of it."""
    return asset in {base, bundle(base)[0]}


class Planner:
    """One portfolio's candidates and past; `rng` is the injected randomness of the margin's bootstrap."""

    def __init__(
        self,
        candidates: Sequence[Candidate],
        history: PastPrices,
        options: PlanOptions,
        betas: Betas,
        rng: np.random.Generator,
    ) -> None:
        self._candidates = tuple(candidates)
        self._history = history
        self._options = options
        self._betas = betas
        self._margins = MarginPlanner(history, options.top_up_within, options.probability, rng)

    def propose(self, name: str, holdings: Sequence[PlanHolding]) -> PlanProposal:
        """For these assets together, each once. Raises `ValueError` for a quantity or price that is no number."""
        if not all(each.quantity.is_finite() and each.price.is_finite() and each.price > 0 for each in holdings):
            raise ValueError("quantities must be finite and prices above 0")
        exposure = sum((each.value for each in holdings), _ZERO)
        assets = tuple(each.asset for each in holdings)
        if exposure < max(self._options.dust_value, Decimal("0.01")):
            note = "nothing to hedge" if exposure >= 0 else "net short: there is no long to hedge"
            return PlanProposal(name, assets, exposure, None, (), (), (note,))
        group = _Group(holdings, exposure)
        usable, dropped = self._usable(group)
        if not usable:
            note = "no contract to hedge with" + ("" if self._options.own else " once the coins' own are left out")
            return PlanProposal(name, assets, exposure, None, (), (), (note,))
        chosen = self._choose(group, usable)
        notes = list(self._short_history(group, chosen=bool(chosen)))
        if not chosen:
            best = self._by_prior(group, usable)
            return PlanProposal(name, assets, exposure, best, (best,), _beside(best, dropped), (*notes, _NO_HISTORY))
        sets = tuple(self._planned(group, usable, each) for each in chosen)
        wanted = [each for each in chosen if len(each.instruments) == self._options.size]
        pick = wanted[0] if wanted else recommended(chosen)
        if self._options.size and not wanted:
            notes.append(f"there are not {self._options.size} contracts to choose from")
        at = next(index for index, each in enumerate(chosen) if each is pick)
        lost = (*self._alternatives(chosen, at, usable), *self._unknown(chosen, usable), *_beside(sets[at], dropped))
        return PlanProposal(name, assets, exposure, sets[at], sets, lost, (*notes, *_assumptions(sets[at])))

    def _usable(self, group: _Group) -> tuple[list[Candidate], list[tuple[str, Alternative]]]:
        """One contract for each coin or index, the cheapest to hold; and by base why the others are not."""
        cheapest: dict[str, Candidate] = {}
        lost: list[tuple[str, Alternative]] = []
        for each in sorted(self._candidates, key=lambda one: one.instrument.kind is not ContractKind.PERPETUAL):
            base = each.instrument.base
            if not self._options.own and any(is_on(base, asset) for asset in group.assets):
                continue
            other = cheapest.setdefault(base, each)
            if other is not each:
                dearer = cost_year(each) - cost_year(other)  # NaN where one is unknown: the first one stays
                better, worse = (each, other) if dearer < 0 else (other, each)
                cheapest[base] = better
                cost = "no cheaper" if not abs(dearer) >= 0.0005 else f"{abs(dearer):.1%} a year dearer"
                reason = f"the same coin as {better.instrument.id}, {cost}"
                lost.append((base, Alternative(worse.instrument.id, reason)))
        return list(cheapest.values()), lost

    def _choose(self, group: _Group, usable: Sequence[Candidate]) -> tuple[ChosenSet, ...]:
        subjects = [subject_of(each, self._history) for each in usable]
        settings = SelectionSettings(
            step=self._history.step,
            sizes=SIZES,
            risk_price=float(self._options.risk_cost_year),
            alternatives=self._options.alternatives,
        )
        costs = np.array([charged_year(each) for each in usable])
        past = self._history
        return choose_sets(
            past.returns(*group.assets), past.returns(*subjects), group.weights, settings, cost_year=costs
        )

    def _planned(self, group: _Group, usable: Sequence[Candidate], chosen: ChosenSet) -> PlannedSet:
        best = chosen.best
        legs = [usable[column] for column in best.instruments]
        h = group.own_ratios(legs) if group.is_hedged_by_its_own(legs) else best.h
        planned = sized_legs(h, best.covariance, group.exposure, legs, self._options.price_collar)
        expected = best.expected - given_away(best.h, planned, best.covariance, group.exposure)
        low, high = effectiveness_interval(expected, chosen.observations * max(self._history.step, SPAN) / 86_400)
        risk = math.sqrt(best.covariance[-1, -1] * _YEAR / max(self._history.step, SPAN))  # annual, of the exposure
        left = math.sqrt(max(1 - expected, 0.0)) * risk
        return self._set(group, planned, legs, (expected, low, high), left)

    def _by_prior(self, group: _Group, usable: Sequence[Candidate]) -> PlannedSet:
        """The coins' own contracts, else ETH, else BTC, else whatever there is, at the prior's ratio."""
        by_base = {each.instrument.base: each for each in usable}
        own = [by_base[asset] for asset in group.assets if asset in by_base]
        if not len(own) == len(group.assets) <= len(SIZES):
            own = [next((by_base[base] for base in ("ETH", "BTC") if base in by_base), usable[0])]
        names, directions = [each.instrument.id for each in own], [each.direction for each in own]
        h = group.weights @ prior_ratios(group.assets, names, directions, self._betas)
        if group.is_hedged_by_its_own(own):
            h = group.own_ratios(own)
        planned = sized_legs(h, np.eye(len(h) + 1), group.exposure, own, self._options.price_collar)
        return self._set(group, planned, own, (None, None, None), None)

    def _set(
        self,
        group: _Group,
        legs: tuple[PlannedLeg, ...],
        candidates: Sequence[Candidate],
        expected: tuple[float | None, float | None, float | None],
        left: float | None,
    ) -> PlannedSet:
        by_id = {each.instrument.id: each for each in candidates}
        return PlannedSet(
            legs,
            Target.QUANTITY if group.is_hedged_by_its_own(candidates) else Target.MINIMUM_VARIANCE,
            *expected,
            cost=_cost(legs, by_id, left or GAP_LEAST, float(self._options.band)),
            margin=self._margins.margins(legs, by_id),
            residual_year=None if left is None else _cents(Decimal(repr(left)) * group.exposure),
        )

    def _alternatives(self, chosen: Sequence[ChosenSet], at: int, usable: Sequence[Candidate]) -> Iterator[Alternative]:
        """Runners-up of the size proposed, then the best of the other sizes."""
        pick = chosen[at].best

        def against(other: RankedSet, trailer: str = "") -> Alternative:
            names = listed([usable[column].instrument.id for column in other.instruments])
            reason = compared(other.expected - pick.expected, _cost_rate(other, usable) - _cost_rate(pick, usable))
            return Alternative(names, reason + trailer)

        for other in chosen[at].runners_up:
            yield against(other)
        for index, each in enumerate(chosen):
            if index != at:
                more = len(each.instruments) - len(pick.instruments)
                trailer = f", with {more} contract{'s' if more > 1 else ''} more to watch" if more > 0 else ""
                yield against(each.best, trailer)

    def _unknown(self, chosen: Sequence[ChosenSet], usable: Sequence[Candidate]) -> Iterator[Alternative]:
        whole = len(self._history.times) * self._history.step / 86_400
        for column in chosen[0].excluded:
            days = self._history.days(subject_of(usable[column], self._history))
            known = f"{days:.0f} of {whole:.0f} days of prices are known, {KNOWN_MIN:.0%} are needed"
            yield Alternative(symbol_of(usable[column].instrument.id), known)

    def _short_history(self, group: _Group, *, chosen: bool) -> Iterator[str]:
        whole = len(self._history.times) * self._history.step / 86_400
        for asset in group.assets:
            days = self._history.days(asset)
            if days < KNOWN_MIN * whole or days < _OBSERVATIONS_DAYS:
                rest = ": its part is taken to move like the rest" if chosen and len(group.assets) > 1 else ""
                yield f"{asset}: only {days:.0f} days of prices are known{rest}"
        if chosen and whole < 360:
            yield f"the past that this rests on is {whole:.0f} days long, not a year: the interval says how sure it is"


_NO_HISTORY = (
    "too little history to choose by: the number of contracts rests on the betas of the list of sectors, "
    "and how well they will hedge is unknown"
)


class _Group:
    """Holdings hedged together. `weights` (p,): their shares of the exposure, together 1."""

    def __init__(self, holdings: Sequence[PlanHolding], exposure: Decimal) -> None:
        self.assets = tuple(each.asset for each in holdings)
        self.weights = np.array([float(each.value / exposure) for each in holdings])
        self.exposure = exposure
        self._quantities = {each.asset: each.quantity for each in holdings}

    def is_hedged_by_its_own(self, candidates: Sequence[Candidate]) -> bool:
        """Whether these are the assets' own contracts, one each and nothing beside them."""
        return sorted(each.instrument.base for each in candidates) == sorted(self.assets)

    def own_ratios(self, candidates: Sequence[Candidate]) -> Floats:
        """As many coins short as are held, whatever the basis: no estimate beats that for a coin on itself."""
        values = [self._quantities[each.instrument.base] * each.mark * each.rate for each in candidates]
        return np.array([float(value / self.exposure) for value in values])


def trading_year(candidate: Candidate) -> float:
    """Fees and spread of a year in which a unit is opened, rolled as it falls due and closed."""
    return float(candidate.trade_cost) * (2 + 2 * rolls_year(candidate.instrument))


def rolls_year(contract: Instrument) -> int:
    """How often a dated contract is rolled in a year: as often as its kind ends, by the month where that is unknown."""
    if contract.kind is not ContractKind.FUTURE:
        return 0
    return (cadence_of(contract.expiry) or Cadence.MONTH).a_year


def cost_year(candidate: Candidate) -> float:
    """What holding a unit of it costs a year by funding or basis, below 0: earns; NaN where that is unknown."""
    carry = math.nan if candidate.carry_year is None else float(candidate.carry_year)
    return candidate.direction * carry + trading_year(candidate)


def charged_year(candidate: Candidate) -> float:
    """What sets are ranked by: carry that is paid counts, carry that is earned does not.

    Funding changes its sign within weeks, and hedges are held for longer: the best paid set of today is the one whose
    funding is about to fall.
    """
    return max(candidate.direction * float(candidate.carry_year or _ZERO), 0.0) + trading_year(candidate)


def _cost_rate(ranked: RankedSet, usable: Sequence[Candidate]) -> float:
    """Share of the exposure a year, NaN where it is not known."""
    sizes: list[float] = np.abs(ranked.h).tolist()
    return sum(size * cost_year(usable[column]) for size, column in zip(sizes, ranked.instruments, strict=True))


def sized_legs(
    h: Floats,
    covariance: Floats,
    exposure: Decimal,
    candidates: Sequence[Candidate],
    collar: Decimal = PRICE_COLLAR,
) -> tuple[PlannedLeg, ...]:
    """Whole lots for the ratios `h` (k,).

    `covariance` (k + 1, k + 1): of the returns of the contracts and, last, of the exposure. A short of h > 0 comes out
    as negative contracts. A leg below half the smallest order is left out, one above it is raised to it.
    """
    per_contract = [each.instrument.notional(Decimal(1), each.mark) * each.rate for each in candidates]
    optimum = np.array([-ratio * float(exposure / value) for ratio, value in zip(h, per_contract, strict=True)])
    money = np.array([float(value) for value in per_contract])
    sigma = np.outer(money, money) * covariance[:-1, :-1]
    lots = np.array([float(each.instrument.lot_size) for each in candidates])
    whole = whole_contracts(optimum, sigma, lots=lots)
    legs = []
    for at, each in enumerate(candidates):
        contracts = _tradable(float(whole[at]), float(optimum[at]), each.instrument, each.mark, collar)
        notional = contracts * per_contract[at]
        legs.append(PlannedLeg(each.instrument.id, float(h[at]), float(optimum[at]), contracts, notional, each.assumed))
    return tuple(legs)


def given_away(h: Floats, legs: Sequence[PlannedLeg], covariance: Floats, exposure: Decimal) -> float:
    """The share of the exposure's variance that these legs leave beyond what the best ratios `h` (k,) do.

    `covariance` as for `sized_legs`.
    """
    away = np.array([-float(leg.notional / exposure) for leg in legs]) - h
    variance = float(covariance[-1, -1])
    return float(away @ covariance[:-1, :-1] @ away) / variance if variance > 0 else 0.0


def _tradable(contracts: float, optimum: float, instrument: Instrument, mark: Decimal, collar: Decimal) -> Decimal:
    step = instrument.lot_size
    whole = (Decimal(repr(contracts)) / step).to_integral_value() * step
    least = order_min(instrument, mark, collar)
    if abs(whole) >= least:
        return whole
    return least.copy_sign(Decimal(repr(optimum))) if abs(optimum) >= float(least) / 2 else _ZERO


def _cost(
    legs: Sequence[PlannedLeg], candidates: Mapping[InstrumentId, Candidate], gap: float, band: float
) -> PlanCost:
    """Rebalancing to the nearest edge of a band ±b trades η²/(2b) of the target a year, η the gap's volatility."""
    turnover = 1 + max(gap, GAP_LEAST) ** 2 / (2 * band)
    fees = roll = _ZERO
    funding: Decimal | None = _ZERO
    for leg in legs:
        candidate = candidates[leg.instrument]
        fees += abs(leg.notional) * candidate.trade_cost * Decimal(repr(turnover))
        roll += abs(leg.notional) * candidate.trade_cost * 2 * rolls_year(candidate.instrument)
        if candidate.carry_year is None or funding is None:
            funding = None if leg.contracts else funding
        else:
            funding -= leg.notional * candidate.carry_year
    held = (candidates[leg.instrument] for leg in legs if leg.contracts)
    known_of = {each.instrument.id: each.carry_of for each in held if each.carry_year is not None}
    return PlanCost(_cents(fees), None if funding is None else _cents(funding), _cents(roll), known_of)


def _beside(planned: PlannedSet, dropped: Sequence[tuple[str, Alternative]]) -> tuple[Alternative, ...]:
    """Why the other contracts on the coins of this set were not taken."""
    bases = {base_of(leg.instrument) for leg in planned.legs}
    return tuple(each for base, each in dropped if base in bases)


def _assumptions(planned: PlannedSet) -> Iterator[str]:
    small = [leg for leg in planned.legs if not leg.contracts]
    for leg in small:
        yield f"{leg.instrument}: the {abs(leg.optimum):.3g} contracts wanted are less than its smallest order"
    if planned.cost.funding is None:
        yield "funding is not known of every contract, so what the set costs a year is not either"


def _cents(value: Decimal) -> Decimal:
    return value.quantize(Decimal("0.01"), ROUND_HALF_EVEN)
