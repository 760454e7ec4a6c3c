"""A squeeze, lived through and not; and positions that the venue itself has made smaller."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

import pytest

from hedged.adapters.clock import seeded_generator
from hedged.adapters.exchanges.paper import PaperAccount
from hedged.adapters.store.memory import MemoryStore
from hedged.cycle import CycleReport, Portfolio, run_cycle
from hedged.model.alert import MessageKind
from hedged.model.finding import Kind, Severity
from hedged.model.order import Fill, Purpose
from hedged.model.policy import Holding, Limits, MarginPolicy, OnCritical, PaperPolicy
from hedged.observe.margin_risk import MarginRisk
from hedged.tell.rules import AlertRules
from tests.build import ETH_PERP, hedge, policy
from tests.fakes import FakeVenue, wire
from tests.margin import contract
from tests.support import T0, CountingIds, ManualClock

D = Decimal
REDUCE = MarginPolicy(on_critical=OnCritical.REDUCE)


@dataclass
class Squeeze:
    """3 ETH of a cold wallet, hedged on paper with 1,800 of cash, while ETH rises by a third."""

    portfolio: Portfolio
    venue: FakeVenue
    paper: PaperAccount
    clock: ManualClock

    async def run(self, moves: Mapping[int, Decimal] | None = None) -> list[CycleReport]:
        reports = []
        for cycle in range(60):
            step = (moves or {}).get(cycle, D("1.005"))
            mark = (self.venue.marks[ETH_PERP] * step).quantize(D("0.01"))
            self.venue.marks[ETH_PERP] = self.venue.price["ETH"] = mark
            reports.append(await run_cycle(self.portfolio, self.clock.now()))
            self.clock.advance(600)
        return reports


async def squeeze(margin: MarginPolicy) -> Squeeze:
    clock = ManualClock()
    venue = FakeVenue(clock)
    venue.listed = {ETH_PERP: contract()}
    # The guard aside, which halts where one order after the other lacks margin, and with hardly any margin left free.
    limits = Limits(rejections_max=1_000, free_margin_min=D(0))
    setup = policy(hedge("ETH"), holdings=[Holding("ETH", D(3), T0)], limits=limits)
    rules = replace(setup, margin=margin, paper=PaperPolicy(cash=D(1_800)))
    store = MemoryStore()
    await store.open(rules.name, rules.world, T0)
    paper = PaperAccount("main", venue, real=None, store=store, policy=rules.paper, quote="USDT", clock=clock)
    by_name = {"main": paper}
    portfolio = Portfolio(
        rules, {"main": venue}, by_name, by_name, store, ("log",), AlertRules(), clock, CountingIds(),
        risk=MarginRisk(store, rules, seeded_generator),
    )  # fmt: skip
    return Squeeze(portfolio, venue, paper, clock)


def odds_told(reports: list[CycleReport]) -> list[tuple[MessageKind, Severity]]:
    return [
        (message.kind, message.severity)
        for report in reports
        for message in report.messages
        if message.key == "margin_odds/main" and message.kind is not MessageKind.REPEAT
    ]


async def test_a_squeeze_that_is_only_told_ends_in_a_liquidation() -> None:
    """The warning comes first, then the critical one, both before the venue closes the short; that is told as well."""
    rig = await squeeze(MarginPolicy())
    reports = await rig.run()
    assert (await rig.paper.totals()).liquidations > 0
    assert odds_told(reports)[:2] == [
        (MessageKind.FIRING, Severity.WARNING),
        (MessageKind.ESCALATED, Severity.CRITICAL),
    ]
    told_at = next(i for i, report in enumerate(reports) for m in report.messages if m.kind is MessageKind.ESCALATED)
    closed_at, closed = next(
        (i, m) for i, report in enumerate(reports) for m in report.messages if m.key.startswith("position_closed/")
    )
    assert told_at < closed_at
    assert closed.severity is Severity.CRITICAL
    assert "(liquidation by the venue)" in closed.body
    bodies = [m.body for report in reports for m in report.messages if m.key == "margin_odds/main"]
    assert "Top up" in bodies[0]
    assert 'on_critical = "reduce"' in bodies[0]


async def test_the_same_squeeze_is_survived_by_buying_back() -> None:
    """Alert first; then part of the short is bought back, told as that, and the rest of it lives on."""
    rig = await squeeze(REDUCE)
    reports = await rig.run()
    assert (await rig.paper.totals()).liquidations == 0
    held = reports[-1].snapshot.accounts["main"].derivatives.value.positions  # type: ignore[union-attr]
    assert held[0].contracts < 0
    told = odds_told(reports)
    assert told[:2] == [(MessageKind.FIRING, Severity.WARNING), (MessageKind.ESCALATED, Severity.CRITICAL)]
    escalated = next(m for report in reports for m in report.messages if m.kind is MessageKind.ESCALATED)
    assert "hedged bought " in escalated.body
    intents = {a.intent.client_order_id: a.intent for report in reports for a in report.decision.intents}
    fills = [o for report in reports for o in report.outcomes if isinstance(o, Fill)]
    rescues = [intents[f.client_order_id] for f in fills if intents[f.client_order_id].purpose is Purpose.REDUCE]
    assert 1 <= len(rescues) <= 8
    assert all(intent.reduce_only for intent in rescues)
    sold = [f for f in fills if intents[f.client_order_id].purpose is Purpose.REBALANCE]
    assert len(sold) == 1, "only the hedge itself: what was bought back is not sold again while margin is lacking"
    for report in reports:
        odds = report.snapshot.margin_odds["main"]
        assert (odds.probability or 0) < 0.25, "no cycle comes anywhere near"
    assert any("safe from liquidation" in r.reason for report in reports for r in report.decision.refused)


async def test_after_the_pullback_the_hedge_is_whole_again() -> None:
    """Once there is room for all of it, the normal cycle builds the hedge again."""
    rig = await squeeze(REDUCE)
    reports = await rig.run({cycle: D("0.99") for cycle in range(25, 60)})
    assert any(a.intent.purpose is Purpose.REDUCE for report in reports for a in report.decision.intents)
    assert abs(reports[-1].assessment.groups[0].drift or D(9)) <= D("0.0501")
    assert reports[-1].snapshot.margin_odds["main"].alarm is None


async def test_an_alarm_outlives_a_restart_with_its_hysteresis() -> None:
    """Between the odds that begin an alarm and those that end it, it is what it was before, by the store's memory."""
    rig = await squeeze(MarginPolicy())
    still = dict.fromkeys(range(60), D(1))
    reports = await rig.run({**still, **{cycle: D("1.005") for cycle in range(20)}, 20: D("0.9985"), 21: D("0.9985")})
    began = next(i for i, each in enumerate(reports) if each.snapshot.margin_odds["main"].alarm == "critical")
    assert (await rig.portfolio.store.memory()).margin_alarms == {"main": "critical"}
    assert began < 21
    last = reports[-1].snapshot.margin_odds["main"]
    assert 0.035 < (last.probability or 0) < 0.05
    assert last.alarm == "critical"


async def live(contracts: int = -10) -> tuple[Portfolio, FakeVenue, ManualClock]:
    clock = ManualClock()
    venue = FakeVenue(clock)
    portfolio = await wire(policy(hedge("ETH")), clock, venue)
    venue.contracts[ETH_PERP] = D(contracts)
    await run_cycle(portfolio, clock.now())
    clock.advance(60)
    return portfolio, venue, clock


@pytest.mark.parametrize(
    ("explanation", "severity", "words"),
    [
        ("closed by the venue since 12:00 UTC (AdlTrade)", Severity.WARNING, "(auto-deleveraging by the venue)"),
        ("closed by the venue since 12:00 UTC (BustTrade)", Severity.CRITICAL, "(liquidation by the venue)"),
        ("2 fills since 12:00 UTC, +4 contracts in all", Severity.WARNING, "2 fills"),
    ],
)
async def test_a_position_made_smaller_is_told_as_what_it_is_and_hedged_again(
    explanation: str, severity: Severity, words: str
) -> None:
    """Read again, explained, told once, and the hedge is rebuilt by the same cycle."""
    portfolio, venue, clock = await live()
    venue.contracts[ETH_PERP] = D(-6)
    venue.explanation = explanation
    report = await run_cycle(portfolio, clock.now())
    (told,) = [message for message in report.messages if message.key == f"position_reduced/{ETH_PERP}"]
    assert told.severity is severity
    assert "from" not in told.title
    assert "the position of -10 contracts is -6 now, and not by hedged's order" in told.body
    assert words in told.body
    assert [each.intent.quantity for each in report.decision.intents] == [D("3.5")]
    clock.advance(60)
    again = await run_cycle(portfolio, clock.now())
    assert not [message for message in again.messages if message.key.startswith("position_reduced/")]


async def test_a_smaller_position_waits_for_its_explanation_and_not_for_ever() -> None:
    """Unexplained, the hedge makes no order for two cycles; then what is read is believed, and told as unexplained."""
    portfolio, venue, clock = await live()
    venue.contracts[ETH_PERP] = D(-6)
    for _ in range(2):
        report = await run_cycle(portfolio, clock.now())
        assert not report.decision.intents
        assert "went from -10 to -6" in report.decision.reason
        assert not [message for message in report.messages if message.key.startswith("position_")]
        clock.advance(60)
    report = await run_cycle(portfolio, clock.now())
    (told,) = [message for message in report.messages if message.key == f"position_reduced/{ETH_PERP}"]
    assert "nothing that the venue shows explains it" in told.body
    assert report.decision.intents


async def test_what_hedged_bought_back_itself_is_no_news() -> None:
    """Its own fills are what the next cycle expects."""
    portfolio, venue, clock = await live()
    venue.hold(ETH=5)
    portfolio.memory = replace(portfolio.memory, accepted=frozenset({"main/spot/ETH"}))
    report = await run_cycle(portfolio, clock.now())
    if not report.outcomes:
        clock.advance(60)
        report = await run_cycle(portfolio, clock.now())
    assert not [f for f in report.assessment.findings if f.kind is Kind.POSITION_REDUCED]
    clock.advance(60)
    after = await run_cycle(portfolio, clock.now())
    assert not [f for f in after.assessment.findings if f.kind is Kind.POSITION_REDUCED]
    assert "explain" not in venue.calls[-12:]
