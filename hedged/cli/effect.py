"""`hedged effect`: what each hedge did, what it cost, and whether it still hedges. From the daemon's own record."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from hedged.cli.options import EXIT_FAILED, ConfigOption, DryRunOption, JsonOption

if TYPE_CHECKING:  # these read numpy
    from decimal import Decimal

    from hedged.estimate.effect import Effect
    from hedged.model.effect import EffectDay
    from hedged.settings import Settings

SCHEMA = "hedged.effect/1"
DAYS = 90
_SEED = 1  # the same record shows the same interval
_KEPT_DAYS = 400


def effect(
    config: ConfigOption,
    days: Annotated[
        int, typer.Option("--days", min=1, max=_KEPT_DAYS, help="UTC days to look back, today's too.")
    ] = DAYS,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Show what each hedge did: PnL in parts that add up, costs, what it lost in rallies, and its effectiveness.

    Amounts are gains where positive. A hedge exists to lose when the coins gain: look at both together.
    """
    import json as jsonlib

    from hedged.settings import load

    settings = load(config, dry_run=dry_run)
    found = asyncio.run(_read(settings, days))
    if json:
        shown = {
            "schema": SCHEMA,
            "portfolio": settings.name,
            "world": settings.world.value,
            "quote": settings.quote,
            "days": days,
            "funding": "paid" if is_paper(settings) or _is_all_read(found) else "computed",
            "hedges": [effect_object(each, paper=is_paper(settings)) for each in found],
        }
        typer.echo(jsonlib.dumps(shown, indent=2))
    else:
        _show(found, settings)
    if not found:
        typer.echo(f"nothing is on record for the last {days} days: `hedged run` keeps it", err=True)
        raise typer.Exit(EXIT_FAILED)


def is_paper(settings: Settings) -> bool:
    """Whether the accounts are paper, whose books tell what funding they paid."""
    from hedged.model.policy import Mode

    policy = settings.policy()
    return Mode.PAPER in {policy.mode, *(hedge.mode for hedge in policy.hedges)}


def _is_all_read(effects: Sequence[Effect]) -> bool:
    """Whether there was funding, and no figure of it is computed."""
    return {funding_source(each) for each in effects} - {None} == {"read"}


def funding_source(found: Effect) -> str | None:
    """Whether its funding is what the account itself told, computed from announced rates, or in part; None: none."""
    if not found.funding_settled:
        return None
    if not found.funding_read:
        return "computed"
    return "read" if found.funding_read == found.funding_settled else "partly"


async def _read(settings: Settings, days: int) -> list[Effect]:
    from hedged.adapters.clock import SystemClock
    from hedged.adapters.store.sql import SqlStore

    store = SqlStore(settings.store_path())
    await store.open_read_only(settings.name, settings.world)
    try:
        today = SystemClock().now().replace(hour=0, minute=0, second=0, microsecond=0)
        return effects_of(await store.effects(today - timedelta(days=days - 1)))
    finally:
        await store.close()


def effects_of(rows: Sequence[EffectDay]) -> list[Effect]:
    """By hedge (hedges that share an instrument are one, `a+b`), in the order of their names."""
    from hedged.adapters.clock import seeded_generator
    from hedged.estimate.effect import effect_of

    by_hedge: dict[str, list[EffectDay]] = {}
    for row in rows:
        by_hedge.setdefault(row.hedge, []).append(row)
    return [effect_of(by_hedge[name], seeded_generator(_SEED)) for name in sorted(by_hedge)]


def effect_object(found: Effect, *, paper: bool) -> dict[str, object]:
    """One hedge of `effect --json`: money as decimal strings, ratios as numbers, unknown null."""
    from hedged.model.effect import PART_NAMES
    from hedged.tell.state import money, time

    regression = found.regression
    return {
        "hedge": found.hedge,
        "from": time(found.first),
        "to": time(found.last),
        "days": found.days,
        "seconds": found.seconds,
        "unknown_seconds": found.unknown_seconds,
        "exposure_pnl": money(found.exposure),
        "hedge_pnl": money(found.hedge_pnl),
        "total_pnl": money(found.parts.total),
        "flows": money(found.flows),
        "funding_source": "read" if paper and found.funding_settled else funding_source(found),
        "funding_settlements": found.funding_settled,
        "funding_settlements_read": found.funding_read,
        "parts": {name: money(getattr(found.parts, name)) for name in PART_NAMES},
        "ratio_error": money(found.ratio_error),
        "idiosyncratic": money(found.idiosyncratic),
        "costs": money(found.parts.costs),
        "opportunity_cost": money(found.lost_while_rising),
        "gained_while_falling": money(found.gained_while_falling),
        "effectiveness": found.effectiveness,
        "effectiveness_interval": None if found.interval is None else list(found.interval),
        "slope": None if regression is None else regression.slope,
        "slope_se": None if regression is None else regression.slope_se,
        "r2": None if regression is None else regression.r2,
        "dollar_offset": found.offset,
    }


def effect_line(found: Effect, quote: str) -> str:
    """The same in a line, for `status`."""
    from hedged.estimate.effect import DAYS_MIN

    known = (
        f"unknown ({found.days} whole days on record, {DAYS_MIN} are needed)"
        if found.effectiveness is None
        else f"{found.effectiveness:.2f}"
    )
    return (
        f"{found.hedge}: since {found.first:%Y-%m-%d} exposure {found.exposure:+,.2f}, hedge {found.hedge_pnl:+,.2f} "
        f"{quote}, of that costs {found.parts.costs:,.2f}; effectiveness {known}"
    )


def _show(effects: Sequence[Effect], settings: Settings) -> None:
    from rich.text import Text

    from hedged.cli.tables import new_console, print_table, table

    out, paper = new_console(), is_paper(settings)
    for found in effects:
        title = f"{found.hedge}: {found.first:%Y-%m-%d} to {found.last:%Y-%m-%d}, {settings.quote}"
        shown = table(title, "", ">gained")
        for label, text, strong in _rows(found, paper=paper):
            style = "bold" if strong else ""
            shown.add_row(Text(label, style=style), Text(text, style=style))
        print_table(out, shown)
    if effects and not paper and not _is_all_read(effects):
        read = any(each.funding_read for each in effects)
        which = "where the venue's payments were not read, funding" if read else "funding"
        out.print(Text(f"{which} is computed from the rates that were announced"))
    if effects and settings.world.value != "real":
        out.print(Text(f"all of this in the {settings.world.value} world", style="magenta"))


def _rows(found: Effect, *, paper: bool) -> list[tuple[str, str, bool]]:
    """Label, text, whether it is a sum."""
    from hedged.model.effect import PART_NAMES, PART_WORDS

    rows = [
        ("exposure alone", _signed(found.exposure), True),
        ("hedge, costs included", _signed(found.hedge_pnl), True),
        ("both together", _signed(found.parts.total), True),
    ]
    for name in PART_NAMES:
        rows.append((f"  {PART_WORDS[name]}", _signed(getattr(found.parts, name)), False))
        if name == "proxy" and found.parts.proxy:
            unknown = "unknown"
            error, own = found.ratio_error, found.idiosyncratic
            rows.append(("    by the ratio's error", unknown if error is None else _signed(error), False))
            rows.append(("    of their own", unknown if own is None else _signed(own), False))
        if name == "funding" and found.funding_settled and not paper:
            of = f"{found.funding_read or 'none'} of {found.funding_settled}"
            rows.append(("    settlements read from the account", of, False))
    return [
        *rows,
        ("opportunity: hedge on rising days", _signed(-found.lost_while_rising), True),
        ("hedge on falling days", _signed(found.gained_while_falling), True),
        ("coins that came or went (no gain)", _signed(found.flows), False),
        *_working(found),
    ]


def _working(found: Effect) -> list[tuple[str, str, bool]]:
    from hedged.estimate.effect import DAYS_MIN, ROLLING_DAYS

    rows = []
    if found.unknown_seconds:
        rows.append(("nothing known of", f"{found.unknown_seconds / 3600:,.1f} h", False))
    if found.days < DAYS_MIN:
        return [*rows, ("effectiveness", f"unknown: {found.days} of {DAYS_MIN} days", True)]
    over = f"{min(found.days, ROLLING_DAYS)} days"
    effectiveness = "unknown" if found.effectiveness is None else f"{found.effectiveness:.3f}"
    interval = "unknown" if found.interval is None else f"{found.interval[0]:.3f} to {found.interval[1]:.3f}"
    rows += [(f"effectiveness over {over}", effectiveness, True), ("  90 % of resamples between", interval, False)]
    fit = found.regression
    slope, r2 = ("unknown", "unknown") if fit is None else (f"{fit.slope:.3f} ± {fit.slope_se:.3f}", f"{fit.r2:.3f}")
    rows += [("  slope (1: the ratio is right)", slope, False), ("  R²", r2, False)]
    offset = "unknown" if found.offset is None else f"{found.offset:.2f}"
    return [*rows, ("  offset of all days (1: in full)", offset, False)]


def _signed(amount: Decimal) -> str:
    """In cents; a zero has no sign."""
    text = f"{amount:+,.2f}"
    return "0.00" if text in {"+0.00", "-0.00"} else text
