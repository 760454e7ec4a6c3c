"""`hedged unwind`: close a hedge, and keep it closed until somebody wants it again."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated

import typer

from hedged.cli.options import ConfigOption, DryRunOption

if TYPE_CHECKING:
    from hedged.cycle import CycleReport
    from hedged.model.order import Intent
    from hedged.model.policy import PortfolioPolicy
    from hedged.model.proposal import Proposal
    from hedged.model.timing import Override
    from hedged.settings import Settings

_ZERO = Decimal(0)


def unwind(
    hedge: Annotated[str, typer.Argument(help="The hedge's name in the configuration.")],
    config: ConfigOption,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it without being asked.")] = False,
    dry_run: DryRunOption = False,
) -> None:
    """Show what closing a hedge would buy back, cost and leave unhedged; with your yes the daemon does it.

    It closes reduce-only, through every limit, and keeps the hedge closed until `hedged set-ratio NAME --clear`.
    """
    from hedged.adapters import log
    from hedged.cli.once import look_once
    from hedged.model.timing import Override
    from hedged.settings import load

    log.configure(sys.stderr, level="warning")
    settings = load(config, dry_run=dry_run)
    names = [each.name for each in settings.hedges]
    if hedge not in names:
        raise typer.BadParameter(
            f"{hedge!r} is not a hedge of {config}: {', '.join(names) or 'it has none'}. hedged trades only what a "
            "hedge of the file names: put one that was removed back, unwind it, and remove it then; or close its "
            "position at the exchange"
        )
    wish = Override(_ZERO, None)
    report, _ = asyncio.run(look_once(settings, {hedge: wish}))
    for line in proposal(hedge, report, settings.policy()):
        typer.echo(line)
    if not yes and not (sys.stdin.isatty() and typer.confirm("Close it, and keep it closed?")):
        typer.echo("nothing was changed" + ("" if sys.stdin.isatty() else ": --yes does it"))
        return
    asyncio.run(_keep(settings, hedge, wish))
    typer.echo(f"{hedge}: closed from the next cycle on, and kept closed until `hedged set-ratio {hedge} --clear`")


async def _keep(settings: Settings, hedge: str, wish: Override) -> None:
    from hedged.act.overrides import set_override
    from hedged.adapters.clock import SystemClock
    from hedged.app import open_store

    clock = SystemClock()
    store = await open_store(settings, clock)
    try:
        await set_override(store, hedge, wish, clock.now())
    finally:
        await store.close()


def proposal(hedge: str, report: CycleReport, policy: PortfolioPolicy) -> Iterable[str]:
    """What closing it means, in lines: orders, their cost, what is left unhedged, and what stands against it."""
    from hedged.assess.costs import one_way_cost
    from hedged.model.policy import Mode

    quote = policy.quote
    group = next(group for group in report.assessment.groups if hedge in group.hedges)
    state = next(each for each in report.assessment.hedges if each.name == hedge)
    decision = report.decision
    sent = [approved.intent for approved in decision.intents if approved.intent.hedge == group.name]
    by_person = [each for each in (*decision.proposals, *decision.by_hand) if each.hedge == group.name]
    asked = [each for each in decision.awaiting if each.hedge == group.name]
    orders: tuple[Intent | Proposal, ...] = (*sent, *by_person, *asked)
    total: Decimal | None = _ZERO
    for intent in orders:
        rate = one_way_cost(intent.instrument, report.snapshot, policy)
        later = _later(intent)
        whole = intent.notional * (1 + later / intent.quantity)
        total = None if rate is None or total is None else total + rate * whole
        yield f"{hedge}: {_order(intent)}, {intent.notional:,.2f} {quote}"
        if later:
            yield f"{hedge}: {later:f} more in the cycles that follow: no order is above order_notional_max"
    if orders:
        cost = "unknown" if total is None else f"{total:,.2f} {quote}"
        yield f"expected cost in fees, spread and slippage: {cost}"
    elif not group.blocked_by and not any(refusal.intent.hedge == group.name for refusal in decision.refused):
        why = "the rest of its group needs it" if len(group.hedges) > 1 else "nothing is held"
        yield f"{hedge}: nothing to trade now, {why}"
    naked = "unknown" if state.exposure_value is None else f"{state.exposure_value:,.2f} {quote}"
    yield f"left without a hedge: {naked} of {', '.join(_assets(hedge, report)) or 'nothing'}"
    if len(group.hedges) > 1:
        others = ", ".join(name for name in group.hedges if name != hedge)
        yield f"its contract is shared with {others}: what they need of it stays, inside the band"
    if orders and any(each.mode is Mode.APPROVE for each in policy.hedges if each.name in group.hedges):
        yield "hedged proposes these orders and sends them once they are approved: `hedged proposals` shows them"
    elif by_person:
        yield "hedged does not send these orders (monitor mode, or a broker by hand): place them yourself"
    for why in group.blocked_by:
        yield f"not now, because {hedge} is blocked: {why}"
    for refusal in decision.refused:
        if refusal.intent.hedge == group.name:
            yield f"not now: {_order(refusal.intent)} is refused: {refusal.reason}"


def _later(intent: Intent | Proposal) -> Decimal:
    """Contracts of a position that is closed by parts which this order leaves; not told of what waits already."""
    from hedged.model.order import Purpose
    from hedged.model.proposal import Proposal

    if isinstance(intent, Proposal):
        return Decimal(0)
    return abs(intent.held) - intent.quantity if intent.purpose is Purpose.CLOSE and intent.held else Decimal(0)


def _order(intent: Intent | Proposal) -> str:
    word = ", reduce-only" if intent.reduce_only else ""
    return f"{intent.side.value} {intent.quantity:f} {intent.instrument} near {intent.price:,f}{word}"


def _assets(hedge: str, report: CycleReport) -> list[str]:
    return sorted(row.asset for row in report.assessment.exposures if row.hedge == hedge)
