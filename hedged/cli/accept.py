"""What only a person can say: that what vanished is really gone, and what became of an order nobody can look up."""

from __future__ import annotations

import asyncio
from decimal import Decimal, InvalidOperation
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


def accept_order(
    client_order_id: Annotated[str, typer.Argument(help="The order's id, hd… , as its alert and `status` name it.")],
    filled: Annotated[str, typer.Option(help="Contracts that were filled, by the exchange's own page; 0: none.")],
    config: ConfigOption,
    dry_run: DryRunOption = False,
) -> None:
    """Say what became of an order that the exchange shows no more; its hedge is traded again."""
    from hedged.adapters.clock import SystemClock
    from hedged.app import open_store
    from hedged.model.order import Absent, Fill, OrderState
    from hedged.settings import load

    try:
        quantity = Decimal(filled)
    except InvalidOperation:
        quantity = Decimal(-1)
    settings = load(config, dry_run=dry_run)

    async def accept() -> str | None:
        clock = SystemClock()
        store = await open_store(settings, clock)
        try:
            rows = {row.intent.client_order_id: row for row in await store.open_orders()}
            row = rows.get(client_order_id)
            if row is None:
                doubtful = ", ".join(rows) or "none is"
                return f"no order {client_order_id} is in doubt here: {doubtful}"
            intent, now = row.intent, clock.now()
            if not (quantity.is_finite() and 0 <= quantity <= intent.quantity):
                return f"--filled {filled}: a number of contracts from 0 to {intent.quantity:f}, which were ordered"
            if row.state is OrderState.PLANNED:
                return f"{client_order_id} was never sent: the next cycle closes it by itself"
            end = (
                Absent(client_order_id)
                if not quantity
                else Fill(
                    client_order_id,
                    intent.instrument,
                    intent.side,
                    quantity,
                    price=intent.price,
                    fee=Decimal(0),
                    at=now,
                    estimated=True,
                )
            )
            await store.record_outcome(end, now)
            return None
        finally:
            await store.close()

    problem = asyncio.run(accept())
    if problem is not None:
        typer.echo(problem, err=True)
        raise typer.Exit(EXIT_FAILED)
    typer.echo(f"{client_order_id}: accepted, {quantity:f} contracts filled; the next cycle goes on from there")


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
