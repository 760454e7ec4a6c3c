"""`hedged proposals`, `hedged approve`, `hedged reject`: a person's word for orders that wait for it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from hedged.cli.options import EXIT_FAILED, ConfigOption, JsonOption

if TYPE_CHECKING:
    from hedged.model.proposal import Proposal
    from hedged.settings import Settings

LISTED = timedelta(days=1)
SCHEMA = "hedged.proposals/1"

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="The proposal's id, as `hedged proposals` shows it.")]


def proposals(config: ConfigOption, json: JsonOption = False) -> None:
    """Show the orders that wait for your word, and what became of those of the last day."""
    import json as jsonlib

    from hedged.cli.tables import new_console
    from hedged.settings import load
    from hedged.tell.state import proposal_object

    settings = load(config)
    found = [proposal_object(each) for each in asyncio.run(_listed(settings))]
    if json:
        typer.echo(jsonlib.dumps({"schema": SCHEMA, "portfolio": settings.name, "proposals": found}, indent=2))
        return
    out = new_console()
    for each in found:
        out.print(_line(each, settings.quote), markup=False)
    if not found:
        typer.echo(f"{settings.name}: nothing waits for your word")


def approve(
    proposal_id: IdArgument,
    config: ConfigOption,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Approve what is shown without being asked.")] = False,
    digest: Annotated[
        str | None, typer.Option("--digest", help="Approve these numbers alone, as `hedged proposals --json` has them.")
    ] = None,
) -> None:
    """Approve a proposed order: it is decided and priced again in the next cycle, and sent once if it still fits."""
    _answer(proposal_id, config, approve=True, unasked=yes or digest is not None, digest=digest)


def reject(
    proposal_id: IdArgument,
    config: ConfigOption,
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever looks at it later.")] = "",
) -> None:
    """Say no to a proposed order, or take an approval back that no order has used yet."""
    _answer(proposal_id, config, approve=False, unasked=True, reason=reason)


async def _listed(settings: Settings) -> Sequence[Proposal]:
    from hedged.adapters.clock import SystemClock
    from hedged.adapters.store.sql import SqlStore

    store = SqlStore(settings.store_path())
    await store.open_read_only(settings.name, settings.world)
    try:
        return await store.proposals(SystemClock().now() - LISTED)
    finally:
        await store.close()


def _answer(
    proposal_id: str, config: ConfigOption, *, approve: bool, unasked: bool, digest: str | None = None, reason: str = ""
) -> None:
    """Show the numbers, ask where a person can be asked, and keep the answer for exactly what was shown."""
    from hedged.adapters.store.lock import holder
    from hedged.errors import ProposalError
    from hedged.settings import load
    from hedged.tell.state import proposal_object

    settings = load(config)
    shown = next((each for each in asyncio.run(_listed(settings)) if each.id == proposal_id), None)
    if shown is None:
        raise ProposalError(f"no proposal {proposal_id!r} is known here: `hedged proposals` lists them")
    typer.echo(_line(proposal_object(shown), settings.quote))
    typer.echo(f"         {shown.reason}")
    if not unasked and not (sys.stdin.isatty() and typer.confirm("Approve this order?")):
        typer.echo("nothing was changed" + ("" if sys.stdin.isatty() else ": --yes or --digest does it"), err=True)
        raise typer.Exit(EXIT_FAILED)
    typer.echo(asyncio.run(_decide(settings, shown, digest or shown.digest, approve=approve, reason=reason)))
    if approve and holder(settings.store_path()) is None:
        typer.echo("no daemon runs on it now: the order is sent only if one does in time (`hedged run`)", err=True)


async def _decide(settings: Settings, shown: Proposal, digest: str, *, approve: bool, reason: str) -> str:
    from hedged.act.proposals import decide
    from hedged.adapters.clock import SystemClock
    from hedged.app import open_store

    clock = SystemClock()
    store = await open_store(settings, clock)
    try:
        return await decide(store, shown.id, digest=digest, approve=approve, by="cli", now=clock.now(), reason=reason)
    finally:
        await store.close()


def _line(proposal: dict[str, object], quote: str) -> str:
    from hedged.cli.show import proposal_line

    because = proposal["ended_because"]
    return f"{proposal['verdict']!s:>8}  {proposal_line(proposal, quote)}" + (f": {because}" if because else "")
