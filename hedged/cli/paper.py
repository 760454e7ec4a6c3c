"""`hedged paper reset`: paper accounts begun anew."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from hedged.cli.options import ConfigOption, DryRunOption

if TYPE_CHECKING:
    from decimal import Decimal

    from hedged.settings import Settings

paper = typer.Typer(help="The paper accounts.", no_args_is_help=True)


@paper.callback()
def _paper() -> None:
    """The paper accounts."""


@paper.command()
def reset(
    config: ConfigOption,
    account: Annotated[str | None, typer.Option("--account", "-a", help="This one alone; else all.")] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do it without being asked.")] = False,
    dry_run: DryRunOption = False,
) -> None:
    """Drop the positions of paper accounts and give them the configured cash; the history of orders stays.

    Not while the daemon runs. A portfolio in the real world has none.
    """
    from hedged.adapters.store.lock import StoreLock
    from hedged.errors import ConfigurationError
    from hedged.model.policy import Mode, World
    from hedged.settings import load

    settings = load(config, dry_run=dry_run)
    policy = settings.policy()
    modes = {policy.mode, *(hedge.mode for hedge in policy.hedges)}
    if settings.world is World.REAL or Mode.PAPER not in modes:
        raise ConfigurationError(
            f"{settings.path}: no paper account here: mode {policy.mode.value}, {settings.world.value} world"
        )
    names = [each.name for each in settings.accounts]
    if account is not None and account not in names:
        raise typer.BadParameter(f"{account!r} is not an account of {config}: {', '.join(names)}")
    lock = StoreLock(settings.store_path())
    try:
        for line in asyncio.run(_reset(settings, [account] if account is not None else names, sure=yes)):
            typer.echo(line)
    finally:
        lock.release()


async def _reset(settings: Settings, accounts: list[str], *, sure: bool) -> list[str]:
    from hedged.adapters.clock import SystemClock, SystemIds, process_name
    from hedged.adapters.exchanges.paper_reset import ledgers, places, reset
    from hedged.app import LEASE_MIN, open_store

    clock = SystemClock()
    policy = settings.policy()
    wanted = [place for name in accounts for place in places(name, policy.paper, policy.quote)]
    anew = [_amount(each.amount, each.currency, policy.quote) for each in places("", policy.paper, policy.quote)]
    start = " and ".join(anew)
    store = await open_store(settings, clock)
    try:
        before = await ledgers(store, wanted)
        for place, ledger in before.items():
            held = ", ".join(
                f"{position.contracts:f} {symbol}" for symbol, position in ledger.account.positions.items()
            )
            wallet = _amount(ledger.account.wallet, place.currency, policy.quote)
            typer.echo(f"{place.account}: wallet {wallet}, holds {held or 'nothing'}")
        if not before:
            return ["nothing to reset: no paper account has been used"]
        asked = not sure and sys.stdin.isatty()
        if not sure and not (asked and typer.confirm(f"Drop that, and start with {start} each?")):
            return ["nothing was changed" + ("" if asked else ": --yes does it")]
        # A daemon that was killed still has its name in the database; no other can be alive under our lock.
        await store.take_lease(process_name(), clock.now(), LEASE_MIN)
        await reset(store, before, clock.now(), SystemIds())
        await store.release_lease()
        return [
            f"{name}: reset to {start} and no position" for name in dict.fromkeys(place.account for place in before)
        ]
    finally:
        await store.close()


def _amount(amount: Decimal, currency: str, quote: str) -> str:
    return f"{amount:,.2f} {quote}" if currency == quote else f"{amount.normalize():,f} {currency}"
