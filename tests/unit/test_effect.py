"""What the days of a hedge say together: effectiveness, its alarm, and the price of a rally."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pytest

from hedged.assess.effect import findings, health
from hedged.estimate.effect import DAYS_MIN, Health, effect_of, health_of, usable
from hedged.model.effect import EffectDay, Parts
from hedged.model.finding import HedgeGroup, HedgeStatus, Kind
from tests.support import T0

D = Decimal
DAY = timedelta(days=1)
MIDNIGHT = T0.replace(hour=0)


def days_of(unhedged: np.ndarray, hedged: np.ndarray, full: np.ndarray | None = None) -> list[EffectDay]:
    """A day for each pair of returns, on 10,000."""
    taken = unhedged - hedged if full is None else full
    return [
        EffectDay(
            "alts",
            MIDNIGHT + n * DAY,
            D(10_000),
            86_400.0,
            exposure=D(f"{u * 10_000:.4f}"),
            full_hedge=D(f"{x * 10_000:.4f}"),
            parts=Parts(proxy=D(f"{h * 10_000:.4f}")),
        )
        for n, (u, h, x) in enumerate(zip(unhedged, hedged, taken, strict=True))
    ]


def market(
    days: int, left: float | np.ndarray, seed: int = 3, volatility: float | np.ndarray = 0.04
) -> list[EffectDay]:
    """Returns of which a share `left` of the variance stays with the hedge."""
    rng = np.random.default_rng(seed)
    hedged = np.sqrt(left) * volatility * rng.normal(size=days)
    return days_of(np.sqrt(1 - np.minimum(left, 1)) * volatility * rng.normal(size=days) + hedged, hedged)


def random() -> np.random.Generator:
    return np.random.default_rng(1)


def test_the_price_of_a_rally_is_shown_beside_what_it_bought() -> None:
    """+100 and the hedge −90, −50 and +40, +10 and −5: 95 lost while it rose, 40 gained while it fell."""
    days = days_of(np.array([0.01, -0.005, 0.001]), np.array([0.001, -0.001, 0.0005]))
    found = effect_of(days, random())
    assert (found.exposure, found.hedge_pnl, found.parts.total) == (D(60), D(-55), D(5))
    assert (found.lost_while_rising, found.gained_while_falling) == (D(95), D(40))
    assert found.hedge_pnl == found.gained_while_falling - found.lost_while_rising


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ([(3, 3), (3, 3)], (6, 6)),
        ([(3, 2), (3, 3)], (6, 5)),
        ([(3, 2), (0, 1)], (3, 3)),  # read a day later
        ([(0, 1), (3, 3)], (3, 3)),  # of a day before the first
        ([(0, 0), (3, 3)], (4, 3)),  # written before settlements were counted
    ],
)
def test_settlements_are_counted_over_the_days(counts: list[tuple[int, int]], expected: tuple[int, int]) -> None:
    """Those booked, and those for which the account itself said what it was; never more read than there were."""
    day = replace(market(1, 0.1)[0], parts=Parts(funding=D(1)))
    days = [replace(day, funding_settled=settled, funding_read=read) for settled, read in counts]
    found = effect_of(days, random())
    assert (found.funding_settled, found.funding_read) == expected
    assert effect_of([replace(day, parts=Parts())], random()).funding_settled == 0


def test_too_few_days_are_unknown() -> None:
    """Nineteen days say nothing of a variance; sums are shown all the same."""
    found = effect_of(market(DAYS_MIN - 1, 0.1), random())
    assert (found.days, found.effectiveness, found.interval, found.regression) == (19, None, None, None)
    assert (found.offset, found.ratio_error, found.idiosyncratic) == (None, None, None)
    assert health_of(market(DAYS_MIN - 1, 3.0)) == Health(19)
    assert effect_of(market(DAYS_MIN, 0.1), random()).effectiveness is not None


def test_effectiveness_is_that_of_the_newest_sixty_days() -> None:
    """With its interval around it, the same for the same randomness; slope, R² and offset beside it."""
    days = market(100, np.array([0.9] * 40 + [0.1] * 60))
    found = effect_of(days, random())
    unhedged, hedged = (
        np.array([float(each) for each in pair])
        for pair in zip(*((day.exposure, day.parts.total) for day in days[-60:]), strict=True)
    )
    assert found.effectiveness == pytest.approx(1 - hedged.var() / unhedged.var(), rel=1e-6)
    assert found.interval is not None
    assert found.interval[0] < found.effectiveness < found.interval[1]
    assert found == effect_of(days, random())
    assert found.regression is not None
    assert found.regression.r2 == pytest.approx(0.9, abs=0.06)
    assert found.offset == pytest.approx(1 - float(found.parts.total / found.exposure))


def test_the_error_of_the_ratio_is_found_in_hindsight() -> None:
    """The exposure moves 1.25 for each 1 of the full hedge: a quarter of that is the ratio's, the rest its own."""
    rng = np.random.default_rng(2)
    full = rng.normal(0.01, 0.03, 50)
    found = effect_of(days_of(1.25 * full, 0.25 * full, full), random())
    assert found.ratio_error is not None
    assert float(found.ratio_error) == pytest.approx(0.25 * full.sum() * 10_000, rel=1e-4)
    assert found.idiosyncratic is not None
    assert found.ratio_error + found.idiosyncratic == found.parts.proxy
    assert abs(found.idiosyncratic) < D("0.1")


def test_only_whole_known_days_are_returns() -> None:
    """Half a day, several in one, one with something unknown and one without exposure are sums and no returns."""
    day = market(1, 0.1)[0]
    others = [
        replace(day, seconds=40_000.0),
        replace(day, seconds=200_000.0),
        replace(day, unknown_seconds=60.0),
        replace(day, exposure_value=D(0)),
    ]
    assert usable([day, *others]) == [day]
    assert effect_of([day, *others], random()).exposure == 5 * day.exposure


@pytest.mark.parametrize("left", [0.01, 0.15, 0.35])
def test_a_hedge_that_works_is_left_alone(left: float) -> None:
    """A year and a half of days, each judged by those before it: hardly ever an alarm."""
    days = market(540, left)
    alarms = sum(health_of(days[n - 120 : n]).alarm is not None for n in range(120, 540))
    assert alarms <= 8


def test_a_wild_market_alone_is_no_alarm() -> None:
    """Three times the volatility on both sides leaves the effectiveness where it was."""
    wild = np.where(np.arange(120) < 80, 0.03, 0.09)
    assert health_of(market(120, 0.25, volatility=wild)).alarm is None


def test_a_hedge_that_still_hedges_well_needs_no_alarm() -> None:
    """Ten times what it left before is still a twentieth of the risk: nothing that anybody must be told."""
    assert health_of(market(120, np.array([0.002] * 80 + [0.05] * 40))).alarm is None


@pytest.mark.parametrize("before", [0.01, 0.1])
def test_a_hedge_that_stops_hedging_is_found(before: float) -> None:
    """The coins go their own way for 25 days; the alarm goes again once that is what is usual."""
    state = health_of(market(120, np.array([before] * 95 + [1.0] * 25)))
    assert (state.alarm, state.days) == ("variance", 120)
    assert state.recent is not None
    assert state.recent < 0.5
    assert health_of(market(240, np.array([before] * 95 + [1.0] * 145))).alarm is None


def _group(*hedges: str) -> HedgeGroup:
    return HedgeGroup(hedges, None, None, None, None, D(1), D("0.05"), D("0.05"), None, HedgeStatus.OK, (), ())


def test_the_finding_says_on_how_many_days_it_rests() -> None:
    """One for each hedge of the group, with the figures; none without an alarm, for today's row or for a stranger."""
    days = market(120, np.array([0.05] * 95 + [1.0] * 25))
    states = health(days, MIDNIGHT + 120 * DAY)
    found = findings(states, [_group("alts"), _group("btc")])
    assert [(each.kind, each.subject) for each in found] == [(Kind.HEDGE_INEFFECTIVE, "alts")]
    assert "120 days on record" in found[0].text
    assert found[0].values["days"] == 120
    assert health(days, MIDNIGHT + 119 * DAY)["alts"].days == 119
    shared = findings({"a+b": states["alts"]}, [_group("a", "b")])
    assert [each.subject for each in shared] == ["a", "b"]
    assert findings(health(days[:100], MIDNIGHT + 120 * DAY), [_group("alts")]) == []
