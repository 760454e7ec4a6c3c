"""The demo's run: the real cycle on paper over the simulated market, with a narrator."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from importlib import resources
from pathlib import Path
from typing import cast

from rich.console import Console
from rich.text import Text

from hedged.adapters.clock import SeededIds, SystemClock
from hedged.adapters.store.memory import MemoryStore
from hedged.app import open_exchanges, wire
from hedged.cli.show import COLOURS, show_state
from hedged.cli.tables import new_console
from hedged.cycle import CycleReport, run_cycle
from hedged.errors import ConfigurationError
from hedged.model.alert import MessageKind
from hedged.model.order import Fill, Working
from hedged.model.policy import World
from hedged.settings import load
from hedged.simulation.story import STORY, story_anchor

STEP = timedelta(minutes=10)
AFTER = datetime(2026, 12, 1, tzinfo=UTC)  # the dated contract of demo.toml is the quarter's that ends after this
MARKS = {MessageKind.RESOLVED: ("✓", "green"), MessageKind.REMOVED: ("✓", "green")}


class StepClock:
    """A clock that the story moves."""

    def __init__(self, start: datetime) -> None:
        self._now = self._start = start

    def now(self) -> datetime:
        return self._now

    def monotonic(self) -> float:
        return (self._now - self._start).total_seconds()

    async def sleep(self, seconds: float) -> None:
        self._now += timedelta(seconds=seconds)

    def move_to(self, moment: datetime) -> None:
        self._now = max(self._now, moment)


@dataclass(slots=True)
class Tally:
    """What the summary counts."""

    cycles: int = 0
    messages: Counter[str] = field(default_factory=Counter)
    fills: list[Fill] = field(default_factory=list)
    margin_ratio_max: Decimal = Decimal(0)
    drift_max: Decimal = Decimal(0)
    first: CycleReport | None = None
    last: CycleReport | None = None

    def count(self, report: CycleReport) -> None:
        self.cycles += 1
        self.messages.update(message.kind.value for message in report.messages)
        self.fills += [outcome for outcome in report.outcomes if isinstance(outcome, Fill)]
        for row in report.assessment.margin:
            self.margin_ratio_max = max(self.margin_ratio_max, row.margin_ratio or Decimal(0))
        if self.first is not None:  # the first cycle builds the hedge: that is no drift
            drifts = [abs(group.drift) for group in report.assessment.groups if group.drift is not None]
            self.drift_max = max([self.drift_max, *drifts])
        self.first = self.first or report
        self.last = report


@dataclass(slots=True)
class Narrator:
    """Prints each message as it comes, the first order of a scene, and how many more there were.

    What is only told again is left out: an hour of the market is two seconds here, and the summary counts it.
    """

    out: Console
    orders: list[Fill] = field(default_factory=list)

    def scene(self, moment: timedelta, text: str) -> None:
        self.sum_up()
        self.out.print(Text(f"\n{_hour(moment)}  {text}", style="bold cyan"), soft_wrap=True)

    def tell(self, moment: timedelta, report: CycleReport) -> None:
        for message in report.messages:
            if message.kind is MessageKind.REPEAT:
                continue
            mark, colour = MARKS.get(message.kind, ("!", COLOURS[message.severity.value]))
            self.out.print(Text.assemble(f"{_hour(moment)}  ", (f"{mark} {message.title}", colour)), soft_wrap=True)
            if message.kind not in MARKS:
                self.out.print(Text(f"         {message.body.splitlines()[0]}", style="dim"), soft_wrap=True)
        for outcome in report.outcomes:
            if isinstance(outcome, Working):
                continue
            if not isinstance(outcome, Fill):
                self.out.print(Text(f"{_hour(moment)}  ✗ paper order: {outcome.reason}", style="red"), soft_wrap=True)
                continue
            if outcome.instrument not in {fill.instrument for fill in self.orders}:
                text = f"{outcome.side.value} {outcome.quantity:f} {outcome.instrument} at {outcome.price:,.2f}"
                self.out.print(Text(f"{_hour(moment)}  → paper order filled: {text}", style="magenta"), soft_wrap=True)
            self.orders.append(outcome)

    def sum_up(self) -> None:
        """The scene's later orders, in one line."""
        told = {fill.instrument for fill in self.orders}
        more = len(self.orders) - len(told)
        if more:
            self.out.print(Text(f"         and {more} more orders, each back to the edge of the band", style="magenta"))
        self.orders = []


async def play(config: Path | None, seconds: float) -> None:
    """Run the story, print what happens as it happens, then the summary. Raises `ConfigurationError`."""
    out = new_console()
    clock = StepClock(story_anchor(AFTER))
    settings = load(config or _demo_config())
    if settings.world is not World.SIMULATED:
        raise ConfigurationError(f"{settings.path}: the demo runs on simulated accounts only")
    store = MemoryStore()
    await store.open(settings.name, settings.world, clock.now())
    exchanges = await open_exchanges(settings, store, clock)
    portfolio = replace(wire(settings, exchanges, store, clock, SeededIds(1)), stop_file=None, guarded=False)
    tally = Tally()
    narrator = Narrator(out)
    steps = int(max(beat.end for beat in STORY) / STEP)
    out.print(Text(f"hedged demo: a simulated market, paper money, two days in {seconds:.0f} s", style="bold"))
    try:
        for step in range(steps + 1):
            moment = timedelta(minutes=10) * step
            clock.move_to(story_anchor(AFTER) + moment)
            for beat in STORY:
                if beat.start == moment:
                    narrator.scene(moment, beat.text)
            report = await run_cycle(portfolio, clock.now())
            narrator.tell(moment, report)
            tally.count(report)
            if seconds:
                await SystemClock().sleep(seconds / (steps + 1))
        narrator.sum_up()
    finally:
        await exchanges.close()
        await store.close()
    _summary(out, tally, settings.quote)


def _summary(out: Console, tally: Tally, quote: str) -> None:
    first, last = tally.first, tally.last
    if first is None or last is None:
        return
    out.print(Text("\nWhere it ends", style="bold cyan"))
    show_state(last.state, console=out)
    coins = _exposure(last) - _exposure(first)
    fees = sum((fill.fee for fill in tally.fills), Decimal(0))
    listed = last.snapshot.instruments
    turnover = sum(
        (abs(listed[fill.instrument].notional(fill.quantity, fill.price)) for fill in tally.fills), Decimal(0)
    )
    paper = _equity(last) - _equity(first)
    told = ", ".join(f"{count} {kind}" for kind, count in sorted(tally.messages.items()))
    out.print(Text("\nSummary", style="bold cyan"))
    rows = (
        ("cycles", f"{tally.cycles}, each observe → assess → decide → act → tell"),
        ("messages", told or "none"),
        ("paper orders", f"{len(tally.fills)}, turnover {turnover:,.0f} {quote}, fees {fees:,.2f} {quote}"),
        ("largest drift", f"{tally.drift_max:.1%} of the exposure, before it was traded back to the band's edge"),
        ("margin ratio, worst", f"{tally.margin_ratio_max:.0%} (liquidation is at 100 %)"),
        ("coins gained", f"{coins:+,.0f} {quote}"),
        ("short gained", f"{paper:+,.0f} {quote}, fees and funding included"),
        ("together", f"{coins + paper:+,.0f} {quote}"),
    )
    for name, text in rows:
        out.print(f"  {name:<20} {text}", soft_wrap=True)
    out.print("\nNext: put your own coins into config/paper.toml and run: hedged once --config config/paper.toml")


def _exposure(report: CycleReport) -> Decimal:
    return sum((row.value or Decimal(0) for row in report.assessment.exposures), Decimal(0))


def _equity(report: CycleReport) -> Decimal:
    return sum((row.equity or Decimal(0) for row in report.assessment.margin), Decimal(0))


def _hour(moment: timedelta) -> str:
    hours, minutes = divmod(int(moment.total_seconds()) // 60, 60)
    return f"{hours:02d}:{minutes:02d}"


def _demo_config() -> Path:
    """demo.toml: the file in `config/` of a checkout, else the copy that was installed with the package."""
    checkout = Path(__file__).resolve().parents[2] / "config" / "demo.toml"
    if checkout.is_file():
        return checkout
    return cast("Path", resources.files("hedged") / "demo.toml")
