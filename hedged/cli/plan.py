"""`hedged plan`: what to hedge with, how much of it, what that is worth and what it costs."""

from __future__ import annotations

import asyncio
import json as json_
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hedged.cli.options import EXIT_FAILED, ConfigOption, JsonOption

if TYPE_CHECKING:  # these read numpy
    from hedged.cli.plan_inputs import PlanInputs
    from hedged.model.plan import PlanHolding, PlanOptions, PlanProposal
    from hedged.model.policy import PortfolioPolicy
    from hedged.settings import Settings
    from hedged.settings.write import NewHedge

_UNSURE = "with too little history to say how well it will hedge"


class Group(StrEnum):
    HEDGE = "hedge"
    ALL = "all"
    SECTOR = "sector"
    ASSET = "asset"


def plan(
    *,
    config: ConfigOption,
    holdings: Annotated[
        Path | None, typer.Option("--holdings", help="Plan for these instead: a file of asset,quantity.")
    ] = None,
    prices: Annotated[
        Path | None,
        typer.Option("--prices", help="Offline: hourly to daily closes as for replay; contracts are assumed."),
    ] = None,
    funding: Annotated[
        Path | None, typer.Option("--funding", help="With --prices: ts,symbol,funding_rate, as for replay.")
    ] = None,
    group: Annotated[
        Group | None, typer.Option("--group", help="What is hedged together. Default: as configured, else all.")
    ] = None,
    per_asset: Annotated[bool, typer.Option("--per-asset", help="Every asset by itself; --group asset.")] = False,
    own: Annotated[
        bool, typer.Option("--own/--no-own", help="Whether the held coins' own contracts may be used.")
    ] = True,
    size: Annotated[int | None, typer.Option("--size", min=1, max=4, help="Contracts in the set.")] = None,
    top_up_within: Annotated[str, typer.Option("--top-up-within", help="How long you take to add collateral.")] = "1d",
    probability: Annotated[
        float, typer.Option("--probability", help="Of a liquidation within that time, at most.")
    ] = 0.01,
    json: JsonOption = False,
    write: Annotated[bool, typer.Option("--write", help="Append the hedges to the configuration.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="With --write: do not ask.")] = False,
) -> None:
    """Propose instruments and whole contracts, with effectiveness, cost and margin, and why others lost.

    Contracts that the accounts list are chosen from, linear and coin-margined: the coins' own, BTC, ETH, indices, and
    the first coins of each sector. Nothing is traded. Exit status 1 for files that cannot be right, 78 for the
    configuration.
    """
    from dataclasses import replace

    from hedged.adapters import log
    from hedged.adapters.clock import seeded_generator
    from hedged.cli.plan_show import as_json, show_plan
    from hedged.errors import DataError
    from hedged.estimate.plan import Planner
    from hedged.settings import load

    options = _options(size, own, top_up_within, probability)
    if funding is not None and prices is None:
        raise typer.BadParameter("goes with --prices; online, venues tell their funding", param_hint="'--funding'")
    if per_asset and group not in {None, Group.ASSET}:
        raise typer.BadParameter("contradicts --group", param_hint="'--per-asset'")
    settings = load(config, dry_run=True)
    log.configure(sys.stderr, level="error")
    inputs = _read(settings, holdings, prices, funding)
    groups = _groups(inputs, settings, Group.ASSET if per_asset else group, own_file=holdings is not None)
    if not groups:
        raise DataError("there are no holdings to plan for")
    policy = settings.policy()
    betas = {asset: profile.betas for asset, profile in settings.sectors.items()}
    planner = Planner(
        inputs.candidates,
        inputs.history,
        replace(options, dust_value=policy.dust_value, price_collar=policy.limits.price_collar),
        betas,
        seeded_generator(0),  # the same question gets the same answer
    )
    proposals = [planner.propose(name, held) for name, held in groups.items()]
    if json:
        typer.echo(json_.dumps(as_json(proposals, settings.name, policy.quote, options, inputs.notes), indent=2))
    else:
        show_plan(proposals, policy.quote, options, inputs.notes)
    if write:
        _write(config, proposals, policy, yes=yes)


def _options(size: int | None, own: bool, within: str, probability: float) -> PlanOptions:
    from hedged.model.plan import PlanOptions
    from hedged.settings.fields import parse_duration

    if not 0 < probability < 1:
        raise typer.BadParameter("must be between 0 and 1", param_hint="'--probability'")
    try:
        time = parse_duration(within)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="'--top-up-within'") from None
    days = time.total_seconds() / 86_400
    if not 0 < days <= 90:
        raise typer.BadParameter("must be above 0 and at most 90d", param_hint="'--top-up-within'")
    return PlanOptions(size=size, own=own, top_up_within=days / 365, probability=probability)


def _read(settings: Settings, holdings: Path | None, prices: Path | None, funding: Path | None) -> PlanInputs:
    from hedged.cli.plan_holdings import read_holdings
    from hedged.cli.plan_inputs import from_files

    quantities = None if holdings is None else read_holdings(holdings)
    if prices is not None:
        return from_files(settings, prices, funding, quantities)
    from hedged.adapters.clock import SystemClock, SystemIds
    from hedged.cli.plan_venues import from_venues

    with _progress() as progress:
        return asyncio.run(from_venues(settings, SystemClock(), SystemIds(), quantities, progress))


def _groups(
    inputs: PlanInputs, settings: Settings, by: Group | None, *, own_file: bool
) -> dict[str, list[PlanHolding]]:
    """Holdings by the name of their group, largest first. Default: as the hedges have them, if any."""
    if by is None:
        by = Group.HEDGE if settings.hedges and not own_file else Group.ALL
    names: Mapping[Group, Callable[[str], str]] = {
        Group.HEDGE: lambda asset: inputs.hedges.get(asset, "unhedged"),
        Group.ALL: lambda _: "all",
        Group.SECTOR: lambda asset: _sector(settings, asset),
        Group.ASSET: lambda asset: asset,
    }
    groups: dict[str, list[PlanHolding]] = {}
    for held in sorted(inputs.holdings, key=lambda each: -each.value):
        groups.setdefault(names[by](held.asset), []).append(held)
    return groups


def _sector(settings: Settings, asset: str) -> str:
    profile = settings.sectors.get(asset)
    return "other" if profile is None else profile.sector.replace(" ", "-")


def _write(config: Path, proposals: Sequence[PlanProposal], policy: PortfolioPolicy, *, yes: bool) -> None:
    """Show what would be appended, ask, and put the new file in the old one's place once it is known to be right."""
    from hedged.adapters.clock import SystemClock
    from hedged.settings.write import difference, read_exactly, replace_checked, with_hedges

    hedges = _hedges(proposals, policy, SystemClock().now().date().isoformat())
    if not hedges:
        typer.echo("nothing to write", err=True)
        raise typer.Exit(EXIT_FAILED)
    before = read_exactly(config)
    after = with_hedges(before, hedges)
    typer.echo(difference(before, after, str(config)), err=True)
    if not yes and not typer.confirm(f"Write this to {config}?", err=True):
        typer.echo("nothing was written", err=True)
        raise typer.Exit(EXIT_FAILED)
    replace_checked(config, after)
    typer.echo(f"{config}: {len(hedges)} hedge{'s' if len(hedges) > 1 else ''} appended", err=True)


def _hedges(proposals: Sequence[PlanProposal], policy: PortfolioPolicy, day: str) -> list[NewHedge]:
    """As they are written. Coins to be bought to back contracts are exposure: of the first hedge that they back, where
    no other covers them.
    """
    from hedged.settings.write import NewHedge

    covered = {asset for each in proposals for asset in each.assets}
    covered |= {asset for hedge in policy.hedges for asset in hedge.assets}
    rest_taken = any(hedge.takes_rest for hedge in policy.hedges)
    hedges = []
    for each in proposals:
        if each.best is None or not any(leg.contracts for leg in each.best.legs):
            continue
        bought = dict.fromkeys(margin.currency for margin in each.best.margin if margin.bought)
        own = () if rest_taken else tuple(coin for coin in bought if coin not in covered)
        covered.update(own)
        hedges.append(
            NewHedge(
                name=each.name,
                assets=(*each.assets, *own),
                instruments=tuple(leg.instrument for leg in each.best.legs if leg.contracts),
                target=each.best.target.value,
                comment=_comment(each, policy.quote, day),
            )
        )
    return hedges


def _comment(proposal: PlanProposal, quote: str, day: str) -> tuple[str, ...]:
    from hedged.cli.plan_show import leg_text

    best = proposal.best
    if best is None:
        return ()
    orders = ", ".join(leg_text(leg, quote) for leg in best.legs if leg.contracts)
    sure = (
        _UNSURE if best.expected is None else f"effectiveness {best.expected:.2f} ({best.low:.2f} to {best.high:.2f})"
    )
    return (f"From `hedged plan` of {day}: {orders};", f"{sure}. Sized anew in every cycle.")


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, from the second second on; nothing without a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from hedged.adapters.clock import SystemClock

    console, clock = Console(stderr=True), SystemClock()
    columns = (TextColumn("past prices"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
    task, begun = bar.add_task("past prices", total=None), clock.monotonic()

    def show(done: int, total: int) -> None:
        if clock.monotonic() - begun > 1:
            bar.start()
        bar.update(task, completed=done, total=total)

    try:
        yield show
    finally:
        bar.stop()
