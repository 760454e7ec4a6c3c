"""`hedged commands`: what was asked from outside, and what came of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from hedged.cli.options import ConfigOption, DryRunOption, JsonOption

if TYPE_CHECKING:
    from hedged.model.command import CommandRow
    from hedged.settings import Settings


def commands(
    config: ConfigOption,
    *,
    last: Annotated[int, typer.Option("--last", min=1, max=10_000, help="How many, the newest first.")] = 20,
    json: JsonOption = False,
    dry_run: DryRunOption = False,
) -> None:
    """Show what was asked over MQTT or Telegram: done, refused or dropped, and why."""
    import json as jsonlib

    from hedged.cli.tables import new_console
    from hedged.settings import load

    settings = load(config, dry_run=dry_run)
    found = [_object(row) for row in asyncio.run(_newest(settings, last))]
    if json:
        shown = {"schema": "hedged.commands/1", "portfolio": settings.name, "commands": found}
        typer.echo(jsonlib.dumps(shown, indent=2))
        return
    out = new_console()
    for row in found:
        line = f"{row['at']}  {row['outcome']:>7}  {row['verb']} by {row['by'] or row['source']}: {row['text'] or ''}"
        out.print(line.rstrip(": "), markup=False, soft_wrap=True)
    if not found:
        typer.echo(f"{settings.name}: nothing was asked from outside")


async def _newest(settings: Settings, last: int) -> Sequence[CommandRow]:
    from hedged.adapters.store.sql import SqlStore

    store = SqlStore(settings.store_path())
    await store.open_read_only(settings.name, settings.world)
    try:
        return await store.past_commands(last)
    finally:
        await store.close()


def _object(row: CommandRow) -> dict[str, object]:
    from hedged.tell.state import time

    named = {key: row.data.get(key) for key in ("request", "by", "why", "text")}
    return {"at": time(row.at), "source": row.source, "verb": row.verb, "outcome": row.outcome.value, **named}
