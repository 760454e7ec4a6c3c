"""`hedged set-ratio`: another hedge ratio for a while, by hand."""

from __future__ import annotations

import asyncio
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from hedged.cli.options import ConfigOption, DryRunOption

_RATIO_MAX = Decimal("1.5")


def set_ratio(
    hedge: Annotated[str, typer.Argument(help="The hedge's name in the configuration.")],
    config: ConfigOption,
    ratio: Annotated[str | None, typer.Argument(help="The hedge ratio wanted, 0 to 1.5.")] = None,
    *,
    lasts: Annotated[str, typer.Option("--for", help="How long, such as 12h or 3d.")] = "1d",
    clear: Annotated[bool, typer.Option("--clear", help="Take back what was set.")] = False,
    dry_run: DryRunOption = False,
) -> None:
    """Set a hedge's ratio by hand for a while; it goes back to the configured one by itself."""
    from hedged.act.overrides import set_override
    from hedged.adapters.clock import SystemClock
    from hedged.app import open_store
    from hedged.model.timing import Override
    from hedged.settings import load
    from hedged.settings.fields import parse_duration, positive

    if (ratio is None) is not clear:
        raise typer.BadParameter("give the ratio, or --clear to take back what was set")
    wanted = _ratio(ratio) if ratio is not None else None
    try:
        duration = positive(parse_duration(lasts))
    except ValueError as error:
        raise typer.BadParameter(f"--for {lasts}: {error}") from error
    settings = load(config, dry_run=dry_run)
    names = [each.name for each in settings.hedges]
    if hedge not in names:
        raise typer.BadParameter(f"{hedge!r} is not a hedge of {config}: {', '.join(names) or 'it has none'}")
    clock = SystemClock()
    now = clock.now()
    override = Override(wanted, now + duration) if wanted is not None else None

    async def keep() -> None:
        store = await open_store(settings, clock)
        try:
            await set_override(store, hedge, override, now)
        finally:
            await store.close()

    asyncio.run(keep())
    if override is None:
        typer.echo(f"{hedge}: the configured ratio holds again, from the next cycle on")
    else:
        typer.echo(f"{hedge}: {override.ratio} until {override.until:%Y-%m-%d %H:%M} UTC, from the next cycle on")


def _ratio(text: str) -> Decimal:
    try:
        ratio = Decimal(text)
    except InvalidOperation:
        ratio = Decimal("NaN")
    if not ratio.is_finite() or not 0 <= ratio <= _RATIO_MAX:
        raise typer.BadParameter(f"{text} is no hedge ratio: expected a number from 0 to {_RATIO_MAX}")
    return ratio
