"""`hedged accept-position` and `hedged accept-balance`: a person says that what vanished is really gone."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from hedged.cli.options import EXIT_FAILED, ConfigOption, DryRunOption


def accept_position(
    account: Annotated[str, typer.Argument(help="The account's name in the configuration.")],
    symbol: Annotated[str, typer.Argument(help="The instrument's symbol, such as ETH/USDT:USDT.")],
    config: ConfigOption,
    dry_run: DryRunOption = False,
) -> None:
    """Accept that a position which vanished without a reason is gone; the hedge is traded again."""
    from hedged.model.instrument import instrument_id

    _accept(
        config, dry_run, account, str(instrument_id(account, symbol)), f"no position {account}:{symbol} is in doubt"
    )


def accept_balance(
    account: Annotated[str, typer.Argument(help="The account's name in the configuration.")],
    config: ConfigOption,
    dry_run: DryRunOption = False,
) -> None:
    """Accept that what vanished from an account's wallets without a reason is gone."""
    _accept(config, dry_run, account, account, f"no balance of {account} is in doubt")


def _accept(config: Path, dry_run: bool, account: str, subject: str, otherwise: str) -> None:
    from hedged.adapters.clock import SystemClock
    from hedged.app import open_store
    from hedged.settings import load

    settings = load(config, dry_run=dry_run)
    names = [each.name for each in settings.accounts]
    if account not in names:
        raise typer.BadParameter(f"{account!r} is not an account of {config}: {', '.join(names)}")

    async def accept() -> bool:
        clock = SystemClock()
        store = await open_store(settings, clock)
        try:
            return await store.accept(subject, clock.now())
        finally:
            await store.close()

    if not asyncio.run(accept()):
        typer.echo(otherwise, err=True)
        raise typer.Exit(EXIT_FAILED)
    typer.echo(f"{subject}: accepted; the next cycle believes what it reads")
