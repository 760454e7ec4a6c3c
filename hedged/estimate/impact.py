"""How far an order moves the price against itself: the square-root law. Fractions of the price, the quote currency."""

from __future__ import annotations

import math
from dataclasses import dataclass

IMPACT_FACTOR = 1.0
"""Y: near 1 wherever it was measured (Tóth et al. 2011); own fills know better."""

_AVERAGE_OF_PEAK = 2 / 3  # the mean of √q over an order that is worked evenly


@dataclass(frozen=True, slots=True)
class Impact:
    """Fractions of the price: where the order leaves it, and what it pays on average on the way there."""

    peak: float
    average: float


def square_root_impact(
    *, order_value: float, volume_day: float, volatility_day: float, factor: float = IMPACT_FACTOR
) -> Impact:
    """I = Y·σ_d·√(Q / ADV), of which two thirds are paid on average.

    `volatility_day` = σ_d of the price over a day, `volume_day` = ADV > 0 in the quote currency.
    σ_d = .04, Q = 100,000 and ADV = 50 million: 17.89 bp, 11.93 bp on average.
    """
    if not volume_day > 0 or min(order_value, volatility_day, factor) < 0:
        raise ValueError("volume_day must be above 0, the other numbers at least 0")
    peak = factor * volatility_day * math.sqrt(order_value / volume_day)
    return Impact(peak, peak * _AVERAGE_OF_PEAK)


def value_within(
    *, average_max: float, volume_day: float, volatility_day: float, factor: float = IMPACT_FACTOR
) -> float:
    """The largest order, in the quote currency, that pays at most `average_max` on average: the same law turned over.

    σ_d = .04, ADV = 50 million, at most 11.93 bp: 100,000. Infinite where nothing moves.
    """
    if not volume_day > 0 or min(average_max, volatility_day, factor) < 0:
        raise ValueError("volume_day must be above 0, the other numbers at least 0")
    slope = _AVERAGE_OF_PEAK * factor * volatility_day
    return volume_day * (average_max / slope) ** 2 if slope else math.inf


def range_volatility(high: float, low: float) -> float:
    """σ of a day from its highest and lowest price (Parkinson 1980): ln(H/L) / (2·√ln 2). 1.04 over 1: 0.023554."""
    if not high >= low > 0:
        raise ValueError("high and low must be above 0, in this order")
    return math.log(high / low) / (2 * math.sqrt(math.log(2)))


def fitted_factor(paid: list[float], predicted: list[float], *, prior_weight: float = 20.0) -> float:
    """Y from own fills: Σ paid·predicted / Σ predicted², `predicted` being the average impact at Y = 1.

    Drawn to 1 with the weight of `prior_weight` fills of the usual size, because a handful of fills is mostly noise;
    never below 0. `paid`: signed fractions against the mid at decision, > 0 is a cost.
    """
    squares = [each * each for each in predicted]
    if not any(squares):
        return IMPACT_FACTOR
    prior = prior_weight * sum(squares) / len(squares)
    products = sum(p * q for p, q in zip(paid, predicted, strict=True))
    return max((products + prior * IMPACT_FACTOR) / (sum(squares) + prior), 0.0)
