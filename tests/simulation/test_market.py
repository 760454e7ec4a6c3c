"""The simulated market: deterministic, continuous, fast, with funding, convergence and a story to tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hedged.simulation.coins import COINS, base_of, list_instruments, quarterly_expiries
from hedged.simulation.market import SimulatedMarket, funding_times
from hedged.simulation.paths import MINUTES
from hedged.simulation.story import STORY, STORY_DAYS, story_anchor
from tests.support import T0

ETH = "ETH/USDT:USDT"
DAY = timedelta(days=1)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**40), st.lists(st.integers(0, 30 * MINUTES), min_size=1, max_size=6))
def test_the_path_does_not_depend_on_what_was_asked_before(seed: int, minutes: list[int]) -> None:
    """Any order of questions gives the prices that a fresh market gives."""
    asked = SimulatedMarket(seed, T0)
    at = [T0 + timedelta(minutes=m) for m in minutes]
    assert [asked.quote(ETH, t) for t in at] == [SimulatedMarket(seed, T0).quote(ETH, t) for t in at]


def test_seeds_differ_and_the_anchor_only_shifts() -> None:
    """Another seed is another path; another anchor is the same path at another time."""
    later = T0 + timedelta(hours=5)
    one, other, shifted = SimulatedMarket(1, T0), SimulatedMarket(2, T0), SimulatedMarket(1, T0 + DAY)
    assert one.price("ETH", later) != other.price("ETH", later)
    assert one.price("ETH", later) == shifted.price("ETH", later + DAY)


def test_the_market_begins_at_its_listed_prices_and_stands_still_before() -> None:
    """At the anchor, and at any time before it."""
    market = SimulatedMarket(7, T0)
    for coin in COINS:
        assert market.price(coin.asset, T0) == market.price(coin.asset, T0 - DAY) == Decimal(str(coin.start))
    assert (market.price("USDT", T0), market.price("GHOST", T0)) == (Decimal(1), None)


def test_days_join_without_a_step() -> None:
    """Over midnight of the path a minute's move is like any other minute's."""
    market = SimulatedMarket(3, T0)
    steps = np.abs(np.diff(np.log(market.marks(ETH, 0, 40 * MINUTES))))
    assert steps[MINUTES - 1 :: MINUTES].max() < 0.02


def test_coins_are_correlated_and_their_tails_fat() -> None:
    """Daily returns of two years: correlated coins, more than normal kurtosis, a dollar that stays a dollar."""
    market = SimulatedMarket(11, T0)
    closes = np.array(
        [[float(market.price(c.asset, T0 + day * DAY) or 0) for c in COINS] for day in range(730)], dtype=float
    )
    returns = np.diff(np.log(closes), axis=0)
    correlation = np.corrcoef(returns[:, :10].T)
    assert correlation[1, 2:].min() > 0.4
    assert correlation[np.triu_indices(10, 1)].max() < 0.95
    centred = returns[:, 1] - returns[:, 1].mean()
    assert (centred**4).mean() / (centred**2).mean() ** 2 > 4
    assert np.abs(closes[:, COINS.index(next(c for c in COINS if c.stable))] - 1).max() < 0.01


def test_funding_times_are_0_8_and_16_utc() -> None:
    """Strictly after the first time, up to and with the last."""
    start = datetime(2026, 11, 2, 8, tzinfo=UTC)
    assert [t.hour for t in funding_times(start, start + DAY)] == [16, 0, 8]
    assert list(funding_times(start - timedelta(minutes=1), start)) == [start]


def test_the_rate_told_is_the_rate_settled() -> None:
    """What a quote announces for the next funding time is what is then paid; rates have both signs over time."""
    market = SimulatedMarket(5, T0)
    quote = market.quote(ETH, T0 + timedelta(hours=1))
    assert quote is not None
    assert quote.funding_next is not None
    assert quote.funding_next == datetime(2026, 11, 2, 16, tzinfo=UTC)
    assert market.funding_rate(ETH, quote.funding_next) == quote.funding_rate
    rates = [market.funding_rate(ETH, t) for t in funding_times(T0, T0 + 300 * DAY)]
    assert min(r for r in rates if r is not None) < 0 < max(r for r in rates if r is not None)


def test_a_perpetual_stays_near_its_index_with_the_book_around_the_mark() -> None:
    """Premium within half a percent, bid < mark < ask."""
    market = SimulatedMarket(5, T0)
    for hour in range(0, 200, 7):
        quote = market.quote("DOGE/USDT:USDT", T0 + timedelta(hours=hour))
        assert quote is not None
        assert quote.bid is not None
        assert quote.ask is not None
        assert quote.index is not None
        assert quote.bid < quote.mark < quote.ask
        assert abs(quote.mark / quote.index - 1) < Decimal("0.005")


def test_a_dated_future_converges_to_its_index() -> None:
    """A basis weeks before, next to none an hour before, no quote from the expiry on, and no funding."""
    expiry = quarterly_expiries(T0, 1)[0]
    market = SimulatedMarket(5, expiry - 60 * DAY)
    symbol = f"ETH/USDT:USDT-{expiry:%y%m%d}"

    def basis(before: timedelta) -> Decimal:
        quote = market.quote(symbol, expiry - before)
        assert quote is not None
        assert quote.index is not None
        assert quote.funding_rate is None
        return quote.mark / quote.index - 1

    assert basis(50 * DAY) > Decimal("0.004")
    assert abs(basis(timedelta(hours=1))) < Decimal("0.00005")
    assert market.quote(symbol, expiry) is None
    last = market.price("ETH", expiry)
    assert last is not None
    assert abs(market.settlement_price(symbol) / last - 1) < Decimal("0.02")
    with pytest.raises(ValueError, match="not dated"):
        market.settlement_price(ETH)


@pytest.mark.parametrize(
    ("after", "expiry"),
    [
        ("2026-11-02", "2026-12-25"),
        ("2026-12-26", "2027-03-26"),
        ("2027-03-26", "2027-03-26"),
        ("2027-04-01", "2027-06-25"),
        ("2027-09-01", "2027-09-24"),
    ],
)
def test_quarterly_futures_expire_on_the_last_friday_at_8_utc(after: str, expiry: str) -> None:
    """Of the quarter's last month; on the day itself until 08:00."""
    (found,) = quarterly_expiries(datetime.fromisoformat(after).replace(tzinfo=UTC), 1)
    assert found == datetime.fromisoformat(expiry).replace(hour=8, tzinfo=UTC)


def test_the_listing_rolls_with_the_quarter() -> None:
    """Two quarters of BTC and ETH futures are listed, quoted, and replaced at an expiry."""
    expiry = quarterly_expiries(T0, 1)[0]
    market = SimulatedMarket(5, T0)
    before, after = list_instruments("sim", expiry - DAY), list_instruments("sim", expiry)
    dated = {i.symbol for i in before if i.expiry}
    assert len(dated) == 4
    assert len(dated & {i.symbol for i in after}) == 2
    for instrument in after:
        assert instrument.tiers
        assert base_of(instrument.symbol) == instrument.base
        assert market.quote(instrument.symbol, expiry) is not None
    for unlisted in ("USDC/USDT:USDT", "ETH/BTC:BTC", "GHOST/USDT:USDT", "ETH/USDT:USDT-990101"):
        assert market.quote(unlisted, T0) is None


def test_the_story_moves_as_its_timeline_says() -> None:
    """Whatever the seed, each beat's move shows, within a few percent of noise."""
    for seed in range(5):
        market = SimulatedMarket(seed, T0, "story")
        for beat in STORY:
            for asset in ("ETH", "UNI", "SOL", "BTC", "USDC"):
                first, last = market.price(asset, T0 + beat.start), market.price(asset, T0 + beat.end)
                assert first is not None
                assert last is not None
                assert float(last / first - 1) == pytest.approx(beat.move(asset), abs=0.05)


def test_calm_has_no_story_and_the_story_ends() -> None:
    """Without the scenario nothing is added; after its days the same moves follow from a shifted level."""
    calm, story = SimulatedMarket(4, T0), SimulatedMarket(4, T0, "story")
    rally = T0 + timedelta(hours=24)
    assert abs(float(calm.price("ETH", rally) or 0) / 3000 - 1) < 0.2
    first, last = STORY_DAYS * MINUTES, (STORY_DAYS + 3) * MINUTES
    moves = [np.diff(np.log(market.marks(ETH, first, last))) for market in (calm, story)]
    assert np.allclose(moves[0], moves[1], atol=1e-9)


@pytest.mark.parametrize("after", ["2026-11-22T10:00", "2026-12-16T20:00", "2026-12-16T20:01", "2027-12-31T00:00"])
def test_the_storys_anchor_puts_seven_days_to_expiry_at_its_last_beat(after: str) -> None:
    """From any day on there is an anchor at which the front quarterly turns seven days old-to-go on cue."""
    wanted = datetime.fromisoformat(after).replace(tzinfo=UTC)
    anchor = story_anchor(wanted)
    assert anchor >= wanted
    beat = next(beat for beat in STORY if beat.name == "expiry")
    assert quarterly_expiries(anchor, 1)[0] - (anchor + beat.start) == timedelta(days=7)
