"""Ways to run the same portfolio, each a variation of the policy that is configured, to be compared with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial

from hedged.model.policy import HedgePolicy, PortfolioPolicy, Target

ONE = Decimal(1)
ZERO = Decimal(0)
NAIVE_BAND = Decimal("0.05")
CONFIGURED = "configured"
UNHEDGED = "none"


@dataclass(frozen=True, slots=True)
class Variation:
    """`change` is pure: the policy as configured in, the one to be replayed out."""

    name: str  # as it is asked for
    words: str
    change: Callable[[PortfolioPolicy], PortfolioPolicy]


def _as_it_is(policy: PortfolioPolicy) -> PortfolioPolicy:
    return policy


def _each(change: Callable[[HedgePolicy], HedgePolicy], policy: PortfolioPolicy) -> PortfolioPolicy:
    return replace(policy, hedges=tuple(change(hedge) for hedge in policy.hedges))


def _naive(hedge: HedgePolicy) -> HedgePolicy:
    share = ONE / len(hedge.legs) if len(hedge.legs) > 1 else None
    return replace(
        _plain(hedge),
        legs=tuple(replace(leg, weight=share) for leg in hedge.legs),
        target_ratio=ONE,
        band=NAIVE_BAND,
    )


def _unhedged(hedge: HedgePolicy) -> HedgePolicy:
    """A target of 0: the cycle runs as ever, and holds nothing."""
    return replace(_plain(hedge), target_ratio=ZERO)


def _plain(hedge: HedgePolicy) -> HedgePolicy:
    """By value, at all times, and by nothing that has to be learnt from the past."""
    return replace(
        hedge,
        target=Target.VALUE,
        beta={},
        beta_estimated=False,
        band_optimal=False,
        carry_shrink_max=ZERO,
        timing=None,
    )


def _fixed(band: Decimal, hedge: HedgePolicy) -> HedgePolicy:
    return replace(hedge, band=band, band_optimal=False)


def _optimal(hedge: HedgePolicy) -> HedgePolicy:
    return replace(hedge, band_optimal=True)


def _minimum_variance(hedge: HedgePolicy) -> HedgePolicy:
    legs = tuple(replace(leg, weight=None) for leg in hedge.legs)
    return replace(hedge, legs=legs, target=Target.MINIMUM_VARIANCE, beta={}, beta_estimated=False)


VARIATIONS: tuple[Variation, ...] = (
    Variation(CONFIGURED, "as configured", _as_it_is),
    Variation("naive", "ratio 1 by value, split equally, band 5 %", partial(_each, _naive)),
    Variation("band-1", "a fixed band of 1 %", partial(_each, partial(_fixed, Decimal("0.01")))),
    Variation("band-5", "a fixed band of 5 %", partial(_each, partial(_fixed, Decimal("0.05")))),
    Variation("band-10", "a fixed band of 10 %", partial(_each, partial(_fixed, Decimal("0.1")))),
    Variation("optimal", "the band that costs and volatilities make best", partial(_each, _optimal)),
    Variation("minimum-variance", "sizes of least variance, estimated as it goes", partial(_each, _minimum_variance)),
    Variation(UNHEDGED, "no hedge at all", partial(_each, _unhedged)),
)
"""In the order in which they are shown."""


def choose(names: str | None, policy: PortfolioPolicy) -> Sequence[Variation]:
    """The variations of a list such as `naive,optimal`, in its order, each once; None: those that say something here.

    Raises `ValueError` with the names that there are.
    """
    if names is None:
        several = any(len(hedge.legs) > 1 for hedge in policy.hedges)
        return [each for each in VARIATIONS if several or each.name != "minimum-variance"]
    by_name = {variation.name: variation for variation in VARIATIONS}
    wanted = list(dict.fromkeys(name.strip() for name in names.split(",")))
    for name in wanted:
        if name not in by_name:
            raise ValueError(f"{name!r} is no policy to compare: expected some of {', '.join(by_name)}")
    return [by_name[name] for name in wanted]


def distinct(
    variations: Iterable[Variation], policy: PortfolioPolicy
) -> tuple[Sequence[tuple[Variation, PortfolioPolicy]], tuple[str, ...]]:
    """Each with its policy, those that come to the same left out; and a sentence for each of these."""
    kept: list[tuple[Variation, PortfolioPolicy]] = []
    notes = []
    for variation in variations:
        varied = variation.change(policy)
        twin = next((other.name for other, known in kept if known == varied), None)
        if twin is None:
            kept.append((variation, varied))
        else:
            notes.append(f"Policy {variation.name} comes to the same as {twin} here, and is shown once.")
    return kept, tuple(notes)
