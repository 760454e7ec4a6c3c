"""Collateral for the legs of a plan, so that a liquidation within the time it takes to top up is unlikely enough."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import ROUND_CEILING, ROUND_HALF_EVEN, Decimal

import numpy as np

from hedged.estimate.innovations import Innovations, innovations
from hedged.estimate.liquidation_odds import RiskyPosition, account_need
from hedged.estimate.past_prices import PastPrices
from hedged.estimate.volatility import PRICE_PRIOR, Volatilities
from hedged.model.instrument import InstrumentId, MarginTier
from hedged.model.plan import Candidate, PlannedLeg, PlannedMargin

TYPICAL_TIERS = (MarginTier(Decimal(0), Decimal("0.01"), Decimal(50)),)
"""Where a venue does not tell its own: above the rate that most ask of the majors, below that of small coins."""

_DAY = 86_400
_COIN_STEP = Decimal("0.0001")


class MarginPlanner:
    """Of one plan: the same volatilities serve every set that a contract is in.

    `years` > 0 and `probability` in (0, 1): liquidation within the one is at most as likely as the other.
    """

    def __init__(self, history: PastPrices, years: float, probability: float, rng: np.random.Generator) -> None:
        self._history = history
        self._years = years
        self._probability = probability
        self._rng = rng
        self._volatilities: dict[str, Volatilities] = {}

    def margins(
        self, legs: Sequence[PlannedLeg], candidates: Mapping[InstrumentId, Candidate], coins: Mapping[str, Decimal]
    ) -> tuple[PlannedMargin, ...]:
        """One for each account and currency that collateral is posted in; nothing for what is rounded to nothing.

        `coins`: those that are held and may be posted.
        """
        accounts: dict[tuple[str, str], list[PlannedLeg]] = {}
        for leg in legs:
            if leg.contracts:
                contract = candidates[leg.instrument].instrument
                accounts.setdefault((contract.account, contract.settle), []).append(leg)
        found = (self._margin(*key, held, candidates) for key, held in accounts.items())
        return tuple(_with_bought(each, coins.get(each.currency, Decimal(0))) for each in found)

    def coins_share(self, candidate: Candidate) -> float:
        """What a short margined in its coin needs in coins, per unit of its value; by the walk alone, to compare."""
        volatilities = self._of(subject_of(candidate, self._history))
        return account_need([_risky(-1.0, candidate, volatilities)], self._years).equity_for(self._probability)

    def _margin(
        self, account: str, currency: str, legs: Sequence[PlannedLeg], candidates: Mapping[InstrumentId, Candidate]
    ) -> PlannedMargin:
        positions, subjects = [], []
        assumed = False
        for leg in legs:
            candidate = candidates[leg.instrument]
            subject = subject_of(candidate, self._history)
            volatilities = self._of(subject)
            assumed |= not candidate.instrument.tiers or volatilities.long_run.prior_share > 0.5
            subjects.append(subject)
            positions.append(_risky(float(leg.notional / candidate.rate), candidate, volatilities))
        rng = copy.deepcopy(self._rng)  # the same legs need the same, whatever was asked before
        need = account_need(positions, self._years, history=self._innovations(subjects), rng=rng)
        candidate = candidates[legs[0].instrument]
        amount = Decimal(repr(need.equity_for(self._probability)))
        coin = not candidate.instrument.linear
        if coin:
            collateral = (amount / candidate.mark).quantize(_COIN_STEP, ROUND_CEILING)
            amount = collateral * candidate.mark
        else:
            amount = collateral = amount.quantize(Decimal(1), ROUND_CEILING)
        leverage = max(math.floor(need.gross / float(amount)), 1) if amount else 1
        value = (amount * candidate.rate).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
        short = coin and all(leg.notional < 0 for leg in legs)
        safe_at = Decimal(repr(need.gross)) / candidate.mark if short else None
        return PlannedMargin(account, currency, collateral, leverage, assumed, value, coin, safe_at=safe_at)

    def _of(self, subject: str) -> Volatilities:
        if subject not in self._volatilities:
            found = Volatilities.starting_at(PRICE_PRIOR)
            for move in self._history.returns(subject)[:, 0].tolist():
                if math.isfinite(move):
                    found = found.observed(math.log1p(move), self._history.step / _DAY)
            self._volatilities[subject] = found
        return self._volatilities[subject]

    def _innovations(self, subjects: Sequence[str]) -> Innovations | None:
        past = self._history
        if not set(subjects) <= past.close.keys():
            return None
        tables = [np.column_stack([column[name] for name in subjects]) for column in (past.close, past.high, past.low)]
        rows = np.logical_and.reduce([np.isfinite(table).all(axis=1) for table in tables])
        close, high, low = (table[rows] for table in tables)
        return innovations(close, high, low, past.step / _DAY)


def _risky(notional: float, candidate: Candidate, volatilities: Volatilities) -> RiskyPosition:
    """In the currency that the contract is priced in."""
    return RiskyPosition(
        notional=notional,
        volatility_current=volatilities.current.value_year,
        volatility_prudent=volatilities.prudent,
        tiers=candidate.instrument.tiers or TYPICAL_TIERS,
        inverse=not candidate.instrument.linear,
    )


def _with_bought(margin: PlannedMargin, held: Decimal) -> PlannedMargin:
    return replace(margin, bought=max(margin.collateral - max(held, Decimal(0)), Decimal(0))) if margin.coin else margin


def subject_of(candidate: Candidate, history: PastPrices) -> str:
    """Whose past stands for a contract's: its own, or its coin's where it is dated, margined in it, or has none."""
    return candidate.instrument.id if candidate.instrument.id in history.close else candidate.instrument.base
