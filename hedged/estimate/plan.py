"""Which contracts to hedge a group of assets with, how many of each, what to expect of them and what they cost.

    proposal = Planner(candidates, history, options, betas, rng).propose("alts", holdings)

Sets of one to four contracts are chosen on the past year (`selection.choose_sets`), with what each costs a year weighed
against what it removes; contracts are whole lots, enumerated around the optimum. Where the past is too short for that,
the prior betas of the list of sectors say how much, and nothing says how well.

A contract margined in its coin is counted by its face value. The coins that back it are exposure: those that are held
are in the holdings already, and moving them changes nothing; those that have to be bought are covered by more
contracts, so that the contracts less these coins are the hedge (the delta beside the wallet, never counted twice).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import numpy as np

from hedged.estimate.effectiveness import Floats
from hedged.estimate.past_prices import PastPrices
from hedged.estimate.plan_cost import GAP_LEAST, cents, charged_year, cost_year, plan_cost
from hedged.estimate.plan_margin import MarginPlanner, subject_of
from hedged.estimate.plan_size import given_away, sized_legs
from hedged.estimate.plan_words import assumptions, collateral_of, compared, listed, symbol_of
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
)
from hedged.model.instrument import ContractKind, InstrumentId, bundle
from hedged.model.plan import (
    SIZES,
    Alternative,
    Candidate,
    PlanHolding,
    PlannedLeg,
    PlannedSet,
    PlanOptions,
    PlanProposal,
)
from hedged.model.policy import Target

_OBSERVATIONS_DAYS = 10
_ROUNDS_MAX = 50
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
            notes += [_NO_HISTORY, *assumptions(best)]
            return PlanProposal(name, assets, exposure, best, (best,), _beside(best, dropped), tuple(notes))
        sets = tuple(self._planned(group, usable, each) for each in chosen)
        wanted = [each for each in chosen if len(each.instruments) == self._options.size]
        pick = wanted[0] if wanted else recommended(chosen)
        if self._options.size and not wanted:
            notes.append(f"there are not {self._options.size} contracts to choose from")
        at = next(index for index, each in enumerate(chosen) if each is pick)
        lost = (
            *self._alternatives(chosen, at, usable, group),
            *self._unknown(chosen, usable),
            *_beside(sets[at], dropped),
        )
        return PlanProposal(name, assets, exposure, sets[at], sets, lost, (*notes, *assumptions(sets[at])))

    def _usable(self, group: _Group) -> tuple[list[Candidate], list[tuple[str, Alternative]]]:
        """One contract for each coin or index, the cheapest to hold; and by base why the others are not."""
        cheapest: dict[str, Candidate] = {}
        lost: list[tuple[str, Alternative]] = []
        for each in sorted(self._candidates, key=_plainest):
            base = each.instrument.base
            if not self._options.own and any(is_on(base, asset) for asset in group.assets):
                continue
            other = cheapest.setdefault(base, each)
            if other is not each:
                # NaN where one is unknown: the first one stays.
                dearer = self._cost_year(each, group) - self._cost_year(other, group)
                better, worse = (each, other) if dearer < 0 else (other, each)
                cheapest[base] = better
                cost = "no cheaper" if not abs(dearer) >= 0.0005 else f"{abs(dearer):.1%} a year dearer"
                reason = f"the same coin as {better.instrument.id}, {cost}{collateral_of(worse, group.assets)}"
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
        costs = np.array([charged_year(each) * self._size(each, group) for each in usable])
        past = self._history
        return choose_sets(
            past.returns(*group.assets), past.returns(*subjects), group.weights, settings, cost_year=costs
        )

    def _planned(self, group: _Group, usable: Sequence[Candidate], chosen: ChosenSet) -> PlannedSet:
        best = chosen.best
        legs = [usable[column] for column in best.instruments]
        h = group.own_ratios(legs) if group.is_hedged_by_its_own(legs) else best.h
        planned = self._sized(group, h, best.covariance, legs)
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
        planned = self._sized(group, h, np.eye(len(h) + 1), own)
        return self._set(group, planned, own, (None, None, None), None)

    def _sized(
        self, group: _Group, h: Floats, covariance: Floats, candidates: Sequence[Candidate]
    ) -> tuple[PlannedLeg, ...]:
        """Whole lots, with more of them for coins that have to be bought to back them.

        More contracts need more coins, but fewer than they cover: the numbers grow until they hold.
        """
        by_id = {each.instrument.id: each for each in candidates}
        bought: dict[InstrumentId, Decimal] = {}
        for _ in range(_ROUNDS_MAX):
            legs = sized_legs(
                h, covariance, group.exposure, candidates, collar=self._options.price_collar, bought=bought
            )
            before, bought = bought, self._bought(group, legs, by_id)
            if bought == before:
                break
        return legs

    def _bought(
        self, group: _Group, legs: Sequence[PlannedLeg], candidates: Mapping[InstrumentId, Candidate]
    ) -> dict[InstrumentId, Decimal]:
        """Value of the coins that are lacking to back each leg."""
        in_coins = [leg for leg in legs if not candidates[leg.instrument].instrument.linear]
        lacking = {each.currency: each.bought for each in self._margins.margins(in_coins, candidates, group.coins)}
        found = {}
        for leg in in_coins:
            candidate = candidates[leg.instrument]
            if lacking.get(candidate.instrument.settle):
                found[leg.instrument] = lacking[candidate.instrument.settle] * candidate.mark * candidate.rate
        return found

    def _size(self, candidate: Candidate, group: _Group) -> float:
        """Contracts per unit of hedge: more where its collateral are coins to be bought and covered, too."""
        instrument = candidate.instrument
        if instrument.linear or instrument.base in group.assets or candidate.direction < 0:
            return 1.0
        return 1 / (1 - self._margins.coins_share(candidate))

    def _cost_year(self, candidate: Candidate, group: _Group) -> float:
        return cost_year(candidate) * self._size(candidate, group)

    def _cost_rate(self, ranked: RankedSet, usable: Sequence[Candidate], group: _Group) -> float:
        """Share of the exposure a year, NaN where it is not known."""
        sizes: list[float] = np.abs(ranked.h).tolist()
        return sum(
            size * self._cost_year(usable[column], group)
            for size, column in zip(sizes, ranked.instruments, strict=True)
        )

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
            cost=plan_cost(legs, by_id, left or GAP_LEAST, float(self._options.band)),
            margin=self._margins.margins(legs, by_id, group.coins),
            residual_year=None if left is None else cents(Decimal(repr(left)) * group.exposure),
        )

    def _alternatives(
        self, chosen: Sequence[ChosenSet], at: int, usable: Sequence[Candidate], group: _Group
    ) -> Iterator[Alternative]:
        """Runners-up of the size proposed, then the best of the other sizes."""
        pick = chosen[at].best

        def against(other: RankedSet, trailer: str = "") -> Alternative:
            names = listed([usable[column].instrument.id for column in other.instruments])
            dearer = self._cost_rate(other, usable, group) - self._cost_rate(pick, usable, group)
            reason = compared(other.expected - pick.expected, dearer)
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
        self.coins = {each.asset: each.quantity for each in holdings}

    def is_hedged_by_its_own(self, candidates: Sequence[Candidate]) -> bool:
        """Whether these are the assets' own contracts, one each and nothing beside them."""
        return sorted(each.instrument.base for each in candidates) == sorted(self.assets)

    def own_ratios(self, candidates: Sequence[Candidate]) -> Floats:
        """As many coins short as are held, whatever the basis: no estimate beats that for a coin on itself."""
        values = [self.coins[each.instrument.base] * each.mark * each.rate for each in candidates]
        return np.array([float(value / self.exposure) for value in values])


def _plainest(candidate: Candidate) -> tuple[bool, bool]:
    """Of equals the first is taken: perpetuals, then those that money backs."""
    return candidate.instrument.kind is not ContractKind.PERPETUAL, not candidate.instrument.linear


def _beside(planned: PlannedSet, dropped: Sequence[tuple[str, Alternative]]) -> tuple[Alternative, ...]:
    """Why the other contracts on the coins of this set were not taken."""
    bases = {base_of(leg.instrument) for leg in planned.legs}
    return tuple(each for base, each in dropped if base in bases)
