"""`hedged replay`: the same cycle over the prices of the past."""

from __future__ import annotations

import asyncio
import json as json_
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from hedged.cli.replay_compare import Asked, compare_policies, writable
from hedged.replay.options import BarTime, parse_frequency, parse_moment
from hedged.replay.variations import choose

if TYPE_CHECKING:  # these read numpy
    from hedged.adapters.exchanges.price_table import History
    from hedged.replay.report import ReplayReport

EX_CONFIG = 78  # sysexits.h
T = TypeVar("T")
V = TypeVar("V")

PRICES = "ts,BTC,ETH… or ts,symbol,close…; .csv or .csv.gz, times in ISO 8601 with their zone."


def replay(
    *,
    config: Annotated[Path, typer.Option("--config", "-c", help="The portfolio's TOML file; it is run on paper.")],
    spot: Annotated[Path, typer.Option("--spot", help=f"Spot prices: {PRICES} A cycle runs at each row.")],
    perp: Annotated[
        Path | None, typer.Option("--perp", help="Prices of perpetuals by base asset, like --spot. Without: spot.")
    ] = None,
    dated: Annotated[
        Path | None,
        typer.Option(
            "--dated",
            help="Prices of dated futures: ts,symbol,close with symbols like ETH/USDT:USDT-240329. "
            "Without: quarterly contracts made from spot and the 30-day mean of funding.",
        ),
    ] = None,
    funding: Annotated[
        Path | None,
        typer.Option("--funding", help="ts,symbol,funding_rate at settlement, by ETH or ETH/USDT:USDT. Without: 0."),
    ] = None,
    start: Annotated[str | None, typer.Option("--start", help="First ts to replay; UTC unless it has a zone.")] = None,
    end: Annotated[str | None, typer.Option("--end", help="Replay up to, but not including, this ts.")] = None,
    bar_time: Annotated[
        BarTime, typer.Option("--bar-time", help="What ts is: the bar's opening (known a step later) or its close.")
    ] = BarTime.OPEN,
    frequency: Annotated[
        str, typer.Option("--frequency", help="Of the returns that effectiveness is measured on: 1d, 4h, 1h …")
    ] = "1d",
    compare: Annotated[bool, typer.Option("--compare", help="Replay several policies and compare them.")] = False,
    policies: Annotated[
        str | None,
        typer.Option(
            "--policies",
            help="With --compare: some of configured, naive, band-1, band-5, band-10, optimal, minimum-variance and "
            "none (unhedged), with commas. Without: all; minimum-variance only where there are several instruments.",
        ),
    ] = None,
    report: Annotated[
        Path | None, typer.Option("--report", help="With --compare: write charts and tables into this HTML file.")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help="One JSON object on stdout; with --compare a list, one for each policy.")
    ] = False,
) -> None:
    """Run the cycle over historical prices and report how well the hedge held, and what it cost.

    A missing price is missing: no order is made on it, and no return is taken across it. Exit status 1 for a price file
    with an impossible row, 78 for a fault in the configuration.
    """
    returns_every = _option("--frequency", parse_frequency, frequency)
    begin = None if start is None else _option("--start", parse_moment, start)
    until = None if end is None else _option("--end", parse_moment, end)
    if begin is not None and until is not None and begin >= until:
        raise typer.BadParameter(f"must be after --start, {start}", param_hint="'--end'")
    for name, given in (("--policies", policies), ("--report", report)):
        if given is not None and not compare:
            raise typer.BadParameter("goes with --compare", param_hint=f"'{name}'")
    if report is not None:
        _option("--report", writable, report)

    from hedged.adapters.clock import SystemClock
    from hedged.errors import ConfigurationError, HedgedError
    from hedged.replay import run
    from hedged.settings import load

    try:
        settings = load(config, dry_run=True)
        policy, rules = settings.policy(), settings.alert_rules()
        chosen = _option("--policies", lambda names: choose(names, policy), policies) if compare else ()
        history = _read(spot, perp, dated, funding, bar_time)
        _option("--frequency", lambda _: run.check_frequency(returns_every, history), frequency)
        window = run.Window(begin, until, returns_every, frequency)
        if compare:
            files = {"spot": spot, "perp": perp, "dated": dated, "funding": funding}
            others = {"start": start, "end": end, "bar-time": bar_time, "frequency": frequency, "policies": policies}
            asked = Asked(settings.name, {"config": config, **files, **others, "report": report}, tuple(files), report)
            compare_policies(policy, chosen, asked, history=history, window=window, rules=rules, json=json)
            return
        with _progress() as progress:
            found = asyncio.run(
                run.replay(policy, history, window, rules=rules, stopwatch=SystemClock(), progress=progress)
            )
    except HedgedError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(EX_CONFIG if isinstance(error, ConfigurationError) else 1) from None
    _print(found, settings.name, json=json)


def _read(spot: Path, perp: Path | None, dated: Path | None, funding: Path | None, bar_time: BarTime) -> History:
    from hedged.adapters.exchanges.price_table import History
    from hedged.replay.files import read_dated, read_funding, read_prices

    return History(
        spot=read_prices(spot, bar_time),
        perp=None if perp is None else read_prices(perp, bar_time),
        dated=None if dated is None else read_dated(dated, bar_time),
        funding={} if funding is None else read_funding(funding),
    )


def _option(name: str, read: Callable[[V], T], text: V) -> T:
    """The option's value; what is wrong with it is a usage error."""
    try:
        return read(text)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint=f"'{name}'") from None


@contextmanager
def _progress() -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr while the replay runs; nothing without a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (TextColumn("replay"), BarColumn(), MofNCompleteColumn(), TextColumn("bars"), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("replay", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print(report: ReplayReport, name: str, *, json: bool) -> None:
    """Data on stdout; with --json the notes, which are for people, on stderr."""
    if json:
        for note in report.notes:
            typer.echo(note, err=True)
        typer.echo(json_.dumps(report.as_json(), indent=2))
        return
    from hedged.cli.tables import new_console, print_table
    from hedged.replay.report import report_table

    console = new_console()
    print_table(console, report_table(report, name))
    for note in report.notes:
        console.print(note, highlight=False, soft_wrap=True)
