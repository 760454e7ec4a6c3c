"""Past prices kept beside the cycles: fetched once, then hourly, through failures and restarts, in nobody's way."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from structlog.testing import capture_logs

from hedged.adapters.clock import seeded_generator
from hedged.adapters.store.memory import MemoryStore
from hedged.app import App, Exchanges
from hedged.cycle import CycleReport, Portfolio, run_cycle
from hedged.daemon.history import DAYS, HistoryKeeper
from hedged.daemon.past_prices import AFTER_THE_HOUR, PATIENCE, PAUSE, RETRY_FIRST, subject_of
from hedged.errors import Unreachable, Unreadable, VenueError
from hedged.estimate.hedge_feed import HedgeFeed
from hedged.model.finding import HedgeStatus, Kind
from hedged.model.history import STEP, Bar, full_hour
from hedged.model.instrument import InstrumentId
from hedged.model.policy import HedgePolicy, Target
from hedged.model.snapshot import Margin
from hedged.model.timing import Measure, Signal
from hedged.observe.margin_risk import MarginRisk
from tests.build import ETH_PERP, hedge, perp, policy
from tests.fakes import BrokenStore, FakeVenue, wire
from tests.margin import FLAT
from tests.support import T0, ManualClock
from tests.venues.candles import HOUR, Candles

PAGE = 500


class Past:
    """A `CandleReader` over the paths that the local venues answer with too; `calls` is what it was asked for."""

    def __init__(self, clock: ManualClock, account: str = "main") -> None:
        self.account = account
        self._clock = clock
        self._candles = Candles(lambda: int(clock.now().timestamp() * 1000))
        self.calls: list[tuple[str, datetime]] = []
        self.faults: dict[str, VenueError] = {}  # subject or "*"
        self.unlisted: set[str] = set()
        self.held: asyncio.Event | None = None

    async def bars(self, subject: str, quote: str, since: datetime) -> Sequence[Bar] | None:
        self.calls.append((subject, since))
        if self.held is not None:
            await self.held.wait()
        fault = self.faults.get(subject, self.faults.get("*"))
        if fault is not None:
            raise fault
        if subject in self.unlisted:
            return None
        begin, end = int(since.timestamp() * 1000), int(full_hour(self._clock.now()).timestamp() * 1000) - HOUR
        rows = self._candles.between(subject.removeprefix("main:"), begin, end, PAGE) if end >= begin else []
        return [
            Bar(datetime.fromtimestamp(opened // 1000, since.tzinfo) + STEP, close, high, low)
            for opened, _, high, low, close in rows
        ]

    def asked(self) -> list[str]:
        """Subjects since the last call of this."""
        subjects = [subject for subject, _ in self.calls]
        self.calls.clear()
        return subjects


def estimated(*assets: str, **changes: object) -> HedgePolicy:
    """A hedge of least variance with the band that costs least."""
    wanted = {"target": Target.MINIMUM_VARIANCE, "band_optimal": True, **changes}
    return replace(hedge(*assets), **wanted)


class Stage:
    """A portfolio of ETH and SOL over a fake venue, its keeper, and a reader of past prices."""

    def __init__(self, portfolio: Portfolio, venue: FakeVenue, clock: ManualClock, past: Past) -> None:
        self.portfolio, self.venue, self.clock, self.past = portfolio, venue, clock, past
        self.keeper = self.another_keeper()

    @classmethod
    async def set_up(cls, *hedges: HedgePolicy, store: MemoryStore | None = None) -> Stage:
        clock = ManualClock(T0 + timedelta(minutes=20))
        venue = FakeVenue(clock)
        venue.price |= {"SOL": Decimal(150), "XRP": Decimal("0.5")}
        venue.hold(ETH=10, SOL=100)
        portfolio = await wire(policy(*(hedges or (estimated("ETH", "SOL"),))), clock, venue, store=store)
        return cls(portfolio, venue, clock, Past(clock))

    def another_keeper(self) -> HistoryKeeper:
        portfolio = self.portfolio
        return HistoryKeeper(portfolio.policy, {"main": self.past}, portfolio.store, self.clock)

    async def cycle(self) -> CycleReport:
        self.portfolio.statistics = self.keeper.statistics
        report = await run_cycle(self.portfolio, self.clock.now(), [*self.keeper.findings(self.clock.now())])
        self.keeper.learn(report)
        return report


async def test_the_past_is_fetched_in_pages_with_a_pause_between() -> None:
    """Two hundred days of each instrument and asset that is held, so many bars at a time, and then nothing more."""
    stage = await Stage.set_up()
    await stage.cycle()
    assert await stage.keeper.turn()
    pages = -(-DAYS * 24 // PAGE)
    assert stage.past.asked() == [ETH_PERP] * pages + ["ETH"] * pages + ["SOL"] * pages
    assert stage.clock.slept == [PAUSE] * 3 * pages
    for name in (ETH_PERP, "ETH/USDT", "SOL/USDT"):
        bars = await stage.portfolio.store.bars(name, T0 - timedelta(days=400))
        assert [bars[0].at, bars[-1].at, len(bars)] == [T0 - timedelta(days=DAYS) + STEP, T0, DAYS * 24]
    assert await stage.keeper.turn()
    assert stage.past.asked() == []


async def test_a_hedge_of_least_variance_is_blocked_until_its_past_is_there() -> None:
    """Before, no ratio is known and no order is made; after, the hedge trades by estimated ratios and bands."""
    stage = await Stage.set_up()
    report = await stage.cycle()
    assert report.assessment.hedges[0].status is HedgeStatus.BLOCKED
    await stage.keeper.turn()
    report = await stage.cycle()
    (state,) = report.assessment.hedges
    assert state.blocked_by == ()
    assert state.band != state.band_configured
    statistics = stage.keeper.statistics["alts"]
    assert statistics.as_of == T0
    assert statistics.text.startswith(("estimated", "naive"))
    assert set(statistics.betas) == {"ETH", "SOL"}
    shown = report.state["hedges"][0]["statistics"]
    assert shown["text"] == statistics.text
    assert 0 < shown["band_inner"] <= float(state.band)


async def test_every_hour_brings_one_bar_of_each() -> None:
    """A minute after the full hour each subject is asked once, and the statistics are as of that hour."""
    stage = await Stage.set_up()
    await stage.cycle()
    await stage.keeper.turn()
    stage.past.asked()
    stage.clock.set(T0 + STEP + AFTER_THE_HOUR - timedelta(seconds=1))
    await stage.keeper.turn()
    assert stage.past.asked() == []
    stage.clock.advance(1)
    await stage.keeper.turn()
    assert stage.past.asked() == [ETH_PERP, "ETH", "SOL"]
    assert stage.keeper.statistics["alts"].as_of == T0 + STEP


async def test_hour_by_hour_ends_where_all_at_once_does() -> None:
    """Three days fed as they came give the very ratios that a restart makes of the stored bars."""
    stage = await Stage.set_up()
    await stage.cycle()
    await stage.keeper.turn()
    for _ in range(72):
        stage.clock.set(full_hour(stage.clock.now()) + STEP + AFTER_THE_HOUR)
        await stage.keeper.turn()
    again = stage.another_keeper()
    again.prices._reach += timedelta(days=3)  # from the same first bar
    await again.recall(await _state(stage))
    kept, made = stage.keeper.statistics["alts"], again.statistics["alts"]
    assert made.as_of == kept.as_of == T0 + 72 * STEP
    assert made.ratios == kept.ratios
    assert made.gap_volatility == pytest.approx(kept.gap_volatility, rel=1e-12)


async def test_a_restart_goes_on_from_what_is_stored() -> None:
    """With the bars and the last state kept, ratios are known before the first cycle, and only new bars are asked."""
    stage = await Stage.set_up()
    await stage.cycle()
    await stage.keeper.turn()
    await stage.cycle()
    stage.past.asked()
    stage.clock.set(T0 + 5 * STEP + AFTER_THE_HOUR)
    stage.keeper = stage.another_keeper()
    await stage.keeper.recall(await _state(stage))
    assert stage.past.asked() == []
    assert (await stage.cycle()).assessment.hedges[0].blocked_by == ()
    await stage.keeper.turn()
    assert stage.past.asked() == [ETH_PERP, "ETH", "SOL"]
    assert stage.keeper.statistics["alts"].as_of == T0 + 5 * STEP


async def _state(stage: Stage) -> dict[str, object]:
    return dict((await stage.cycle()).state)


async def test_a_failing_venue_is_asked_again_after_growing_pauses_and_told_once() -> None:
    """One warning, one line when it works again, a doubled wait each time, and the past is whole in the end."""
    stage = await Stage.set_up()
    await stage.cycle()
    stage.past.faults["*"] = Unreachable("main", "candles", "no answer")
    waits = []
    with capture_logs() as logs:
        for _ in range(9):
            await stage.keeper.turn()
            assert len(stage.past.asked()) == 1, "the others are not asked while the venue does not answer"
            subject = stage.keeper.prices._subjects[ETH_PERP]
            waits.append(subject.ask_at - stage.clock.now())
            stage.clock.set(subject.ask_at)
    assert waits == [min(RETRY_FIRST * 2**n, timedelta(hours=1)) for n in range(9)]
    assert [line["log_level"] for line in logs] == ["warning"]
    stage.past.faults.clear()
    with capture_logs() as logs:
        await stage.keeper.turn()
    assert [line["event"] for line in logs] == ["past prices are read again", "the past is known"]
    assert (await stage.cycle()).assessment.hedges[0].blocked_by == ()
    assert list(stage.keeper.findings(stage.clock.now())) == []


async def test_bars_that_come_late_are_worked_in() -> None:
    """An asset whose prices could not be read for hours has them in its statistics once they can be."""
    stage, other = await Stage.set_up(), await Stage.set_up()
    for each in (stage, other):
        await each.cycle()
        await each.keeper.turn()
    stage.past.faults["SOL"] = Unreadable("main", "candles", "an HTML page")
    for hour in range(1, 40):
        if hour == 30:
            stage.past.faults.clear()
        for each in (stage, other):
            each.clock.set(T0 + hour * STEP + AFTER_THE_HOUR)
            await each.keeper.turn()
    assert stage.keeper._feeds["alts"] is not other.keeper._feeds["alts"]
    told, whole = stage.keeper.statistics["alts"], other.keeper.statistics["alts"]
    assert told.gap_volatility == pytest.approx(whole.gap_volatility, rel=1e-3)
    assert told.as_of == whole.as_of


async def test_a_market_that_nobody_lists_is_told_at_once() -> None:
    """The finding names what is missing, since when, and what happens meanwhile; the rest is estimated all the same."""
    stage = await Stage.set_up()
    stage.past.unlisted = {"SOL"}
    await stage.cycle()
    await stage.keeper.turn()
    since = stage.clock.now()
    stage.clock.advance(7200)
    (finding,) = stage.keeper.findings(stage.clock.now())
    assert (finding.kind, finding.subject) == (Kind.HISTORY_MISSING, "alts")
    assert "no past prices of SOL/USDT since 2026-11-02 12:2" in finding.text
    assert "taken as usual" in finding.text
    assert "too little is known of SOL, taken as usual" in stage.keeper.statistics["alts"].text
    assert finding.values["missing"] == "SOL/USDT"
    assert since - T0 < STEP
    report = await stage.cycle()
    assert report.assessment.hedges[0].blocked_by == ()
    assert [each.key for each in report.messages if each.key.startswith("history")] == ["history_missing/alts"]


async def test_a_passing_fault_is_no_finding_and_a_lasting_one_is() -> None:
    """For an hour a venue may fail in silence; then it is told, with the hedge's blocking, and over when it is."""
    stage = await Stage.set_up()
    await stage.cycle()
    stage.past.faults["*"] = Unreadable("main", "candles", "an HTML page")
    await stage.keeper.turn()
    assert list(stage.keeper.findings(stage.clock.now() + PATIENCE - timedelta(minutes=1))) == []
    (finding,) = stage.keeper.findings(stage.clock.now() + PATIENCE)
    assert "an HTML page" in finding.text
    assert "makes no order" in finding.text


async def test_no_ratio_rests_on_half_a_past() -> None:
    """An asset's prior would soon be traded away again: a hedge waits for prices that fail, for an hour."""
    stage = await Stage.set_up()
    await stage.cycle()
    stage.past.faults["SOL"] = Unreadable("main", "candles", "an HTML page")
    await stage.keeper.turn()
    assert stage.keeper.statistics == {}
    stage.clock.advance(PATIENCE.total_seconds())
    await stage.keeper.turn()
    assert stage.keeper.statistics["alts"].betas["SOL"] == 1


@pytest.mark.parametrize("assets", [("ETH", "SOL", "XRP"), ("*",)])
async def test_assets_that_come_and_go_are_followed(assets: tuple[str, ...]) -> None:
    """A coin that is bought gets its past, one that is sold leaves the estimate, and dust is neither."""
    rest = assets == ("*",)
    stage = await Stage.set_up(estimated(*(() if rest else assets), takes_rest=rest))
    stage.venue.hold(ETH=10, SOL=100, XRP=1)
    await stage.cycle()
    await stage.keeper.turn()
    assert set(stage.keeper.statistics["alts"].betas) == {"ETH", "SOL"}
    stage.venue.hold(ETH=10, SOL=100, XRP=90_000)
    await stage.cycle()
    stage.past.asked()
    await stage.keeper.turn()
    assert set(stage.past.asked()) == {"XRP"}
    assert set(stage.keeper.statistics["alts"].betas) == {"ETH", "SOL", "XRP"}
    stage.venue.hold(ETH=10, XRP=90_000)
    stage.portfolio.memory = replace(stage.portfolio.memory, balances={})
    await stage.cycle()
    await stage.keeper.turn()
    assert set(stage.keeper.statistics["alts"].betas) == {"ETH", "XRP"}


async def test_a_cycle_waits_for_neither_reader_nor_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the venue does not answer for the past, cycles go on; trackers are fed on another thread."""
    stage = await Stage.set_up()
    stage.past.held = asyncio.Event()
    app = App(stage.portfolio, [], [], [], None, Exchanges(), history=stage.keeper)
    fetching = asyncio.create_task(stage.keeper.turn())
    while not stage.past.calls:
        await asyncio.sleep(0)
    report = await app.cycle(stage.clock.now(), ())
    assert not fetching.done()
    assert report.assessment.hedges[0].status is HedgeStatus.BLOCKED
    threads = []
    take = HedgeFeed.take

    def watched(self: HedgeFeed, *args: object) -> None:
        threads.append(threading.current_thread())
        take(self, *args)

    monkeypatch.setattr(HedgeFeed, "take", watched)
    stage.past.held.set()
    await fetching
    await stage.keeper.turn()
    report = await app.cycle(stage.clock.now(), ())
    assert report.assessment.hedges[0].blocked_by == ()
    assert threads
    assert threading.main_thread() not in threads


async def test_nothing_is_asked_where_nothing_is_learnt() -> None:
    """Without a hedge nothing needs a past: the keeper ends at once."""
    stage = await Stage.set_up()
    keeper = HistoryKeeper(policy(), {"main": stage.past}, stage.portfolio.store, stage.clock)
    await keeper.run()
    assert stage.past.asked() == []


async def test_the_odds_of_a_liquidation_rest_on_what_is_named_and_on_what_is_held() -> None:
    """A hedge by value with a fixed band learns nothing; what could liquidate its account is followed all the same."""
    stage = await Stage.set_up(hedge("ETH", "SOL"))
    assert stage.keeper.subjects() == [ETH_PERP]
    other = "main:SOL/USDT:USDT"
    stage.venue.listed[InstrumentId(other)] = perp(other)
    stage.venue.marks[other], stage.venue.contracts[other] = Decimal(150), Decimal(-2)
    stage.venue.margin = Margin(Decimal(6_000), Decimal(150))
    await stage.cycle()
    assert stage.keeper.subjects() == [ETH_PERP, other]
    assert await stage.keeper.turn()
    assert set(stage.past.asked()) == {ETH_PERP, other}
    stage.venue.listed = {name: replace(each, tiers=FLAT) for name, each in stage.venue.listed.items()}
    stage.portfolio.risk = MarginRisk(stage.portfolio.store, stage.portfolio.policy, seeded_generator, paths=500)
    odds = (await stage.cycle()).snapshot.margin_odds["main"]
    assert odds.basis == f"from {DAYS} days of prices"
    assert odds.bootstrap is not None


async def test_a_store_that_fails_is_told_once_and_tried_again() -> None:
    """Bars that cannot be kept are no reason to stop, or to fill the log."""
    store = BrokenStore()
    stage = await Stage.set_up(store=store)
    await stage.cycle()
    store.broken = {"put_bars"}
    with capture_logs() as logs:
        assert not await stage.keeper.turn()
        assert not await stage.keeper.turn()
    assert [line["log_level"] for line in logs] == ["warning"]
    store.broken = set()
    assert await stage.keeper.turn()
    assert stage.keeper.statistics


async def test_a_signal_asks_for_bitcoin_and_for_as_many_days_as_it_looks_back() -> None:
    """Relative strength needs BTC's past; a signal over a year needs a year of it, and then it is known."""
    signal = Signal(measure=Measure.RELATIVE_STRENGTH, days=300)
    stage = await Stage.set_up(replace(hedge("ETH", "SOL"), timing=signal))
    await stage.cycle()
    await stage.keeper.turn()
    assert set(stage.past.asked()) == {ETH_PERP, "BTC", "ETH", "SOL"}
    assert stage.keeper.statistics["alts"].change is not None


async def test_funding_is_learnt_hourly_and_outlives_the_process() -> None:
    """What shorts are charged is averaged over cycles, and what is known of it is there after a restart."""
    stage = await Stage.set_up(estimated("ETH", "SOL", "XRP"))
    quotes = stage.venue.quotes

    async def funded(instruments):
        found = await quotes(instruments)
        rates = {"funding_rate": Decimal("-0.0001"), "funding_interval_hours": Decimal(8)}
        return {name: replace(read, value=replace(read.value, **rates)) for name, read in found.items()}

    stage.venue.quotes = funded
    await stage.cycle()
    await stage.keeper.turn()
    cost = stage.keeper.statistics["alts"].carry_year[InstrumentId(ETH_PERP)]
    assert cost == pytest.approx(0.0001 * 3 * 365)
    again = stage.another_keeper()
    await again.recall(await _state(stage))
    assert again.statistics["alts"].carry_year == {InstrumentId(ETH_PERP): pytest.approx(cost)}
    stage.venue.hold(ETH=10, SOL=100, XRP=90_000)
    stage.venue.quotes = quotes
    await stage.cycle()
    await stage.keeper.turn()
    assert set(stage.keeper.statistics["alts"].betas) == {"ETH", "SOL", "XRP"}
    assert stage.keeper.statistics["alts"].carry_year == {InstrumentId(ETH_PERP): pytest.approx(cost)}


@pytest.mark.parametrize(
    ("instrument", "subject"),
    [
        ("main:ETH/USDT:USDT", "main:ETH/USDT:USDT"),
        ("main:ETH/USDT:USDT-261225", "ETH/USDT"),
        ("main:BTC/USD:BTC-261225", "BTC/USDT"),
        ("main:BTC/USD:BTC", "main:BTC/USD:BTC"),
        ("broker:BTC/USD:USD", "BTC/USDT"),
    ],
)
def test_whose_prices_stand_for_an_instrument(instrument: str, subject: str) -> None:
    """A perpetual's own; those of its coin for a dated contract, and for one that no venue can be asked about."""
    assert subject_of(InstrumentId(instrument), "USDT", {"main"}) == subject


async def test_another_account_is_asked_where_the_first_fails() -> None:
    """A coin is a coin on any venue: one that does not answer, or list it, leaves it to the next."""
    stage = await Stage.set_up()
    spare = Past(stage.clock, "spare")
    stage.keeper = HistoryKeeper(
        stage.portfolio.policy, {"main": stage.past, "spare": spare}, stage.portfolio.store, stage.clock
    )
    stage.past.unlisted, stage.past.faults = {"ETH"}, {"SOL": Unreadable("main", "candles", "an HTML page")}
    await stage.cycle()
    await stage.keeper.turn()
    assert set(spare.asked()) == {"ETH", "SOL"}
    assert list(stage.keeper.findings(stage.clock.now() + 2 * PATIENCE)) == []
    stage.past.asked()
    stage.clock.set(T0 + STEP + AFTER_THE_HOUR)
    await stage.keeper.turn()
    assert stage.past.asked() == [ETH_PERP], "from then on who had it is asked first"


async def test_an_instrument_without_a_past_leaves_the_usual_ratios() -> None:
    """Nothing can be estimated on it: the exposure is split equally, no error is claimed, and it is told."""
    stage = await Stage.set_up()
    stage.past.unlisted = {ETH_PERP}
    await stage.cycle()
    await stage.keeper.turn()
    statistics = stage.keeper.statistics["alts"]
    assert statistics.ratios == {ETH_PERP: 1}
    assert statistics.text.startswith(f"prior: {ETH_PERP} 1.000 over ")
    assert "nan" not in statistics.text
    (finding,) = stage.keeper.findings(stage.clock.now())
    assert f"What rests on {ETH_PERP} is taken as usual" in finding.text
    assert '"nan' not in str(dict((await stage.cycle()).state)).lower()
