"""`hedged pause` and `hedged resume`: no new order from now on, until a person says so here."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from hedged.cli.options import EXIT_FAILED, ConfigOption, DryRunOption

if TYPE_CHECKING:
    from pathlib import Path

    from hedged.adapters.pause_file import PauseFile
    from hedged.errors import ConfigurationError, StoreError
    from hedged.model.stop import Stop
    from hedged.ports import Clock, Store
    from hedged.settings import Settings

_REASON_MAX = 200
_LOOK_EVERY = 0.2  # seconds


def pause(
    config: ConfigOption,
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever reads the alert.")] = "",
    *,
    cancel: Annotated[bool, typer.Option("--cancel", help="Cancel hedged's orders that rest in a book, too.")] = False,
    wait: Annotated[float, typer.Option(min=0, max=3600, help="Seconds for the daemon to answer.")] = 60,
    no_wait: Annotated[bool, typer.Option("--no-wait", help="Do not wait for the daemon's answer.")] = False,
    dry_run: DryRunOption = False,
) -> None:
    """Stop making orders, durably; watching and alerts go on. Ends with `hedged resume` alone."""
    from hedged.act.brake import keep_pause, kept
    from hedged.adapters.clock import SystemClock
    from hedged.adapters.pause_file import PauseFile
    from hedged.adapters.store.lock import holder
    from hedged.app import open_store
    from hedged.errors import ConfigurationError, StoreError
    from hedged.model.stop import Stop
    from hedged.settings import load

    try:
        settings = load(config, dry_run=dry_run)
    except ConfigurationError as error:
        _despite(error, config, reason)
        return
    clock = SystemClock()
    stop = Stop(clock.now(), "`hedged pause`", " ".join(reason.split())[:_REASON_MAX], cancel)

    async def keep() -> tuple[Stop, bool | None]:
        """The pause in force, and whether the daemon has answered; None: there is none, or nobody waited."""
        store = await open_store(settings, clock)
        try:
            before = (await kept(store)).paused
            held = stop if before is None else replace(before, cancel=before.cancel or cancel)
            if held != before:
                await keep_pause(store, held)
            running = holder(settings.store_path()) is not None
            if not running or no_wait:
                return held, None if not running else False
            return held, await _answered(store, clock.monotonic() + wait, clock)
        finally:
            await store.close()

    try:
        held, answered = asyncio.run(keep())
    except StoreError as error:
        _by_file(PauseFile(settings.store_path()), stop.reason, error)
        return
    again = "" if held.since == stop.since else f", as it has been since {held.since:%Y-%m-%d %H:%M:%S} UTC"
    if answered:
        typer.echo(f"{settings.name} is paused{again}: the daemon has seen it and sends no new order")
    elif answered is None:
        typer.echo(f"{settings.name} is paused{again}: no daemon runs on it now, and one that starts finds it")
        if cancel:
            typer.echo("nothing is cancelled before a daemon runs: look at the exchange's open orders", err=True)
    elif no_wait:
        typer.echo(f"{settings.name}: the pause is kept{again}; it holds from the next cycle on at the latest")
    else:
        typer.echo(
            f"{settings.name}: the pause is kept{again}, but the daemon has not answered within {wait:g} s: an order "
            "of the cycle in hand may still be on its way (`hedged status` shows when it has seen it)",
            err=True,
        )
        raise typer.Exit(EXIT_FAILED)


async def _answered(store: Store, until: float, clock: Clock) -> bool:
    """Whether a cycle that knew of this pause has been completed: it and all that follow send nothing."""
    from hedged.act.brake import kept
    from hedged.tell.stops import stops_object

    while True:
        state = await store.latest_state() or {}
        wanted = stops_object(await kept(store))["paused"]
        if wanted is not None and state.get("paused") == wanted:
            return True
        if clock.monotonic() >= until:
            return False
        await clock.sleep(_LOOK_EVERY)


def _despite(error: ConfigurationError, config: Path, reason: str) -> None:
    """A mistake in the file must not keep anybody from stopping: the daemon runs on with what it read before."""
    from hedged.adapters.pause_file import NAME, PauseFile
    from hedged.adapters.store.lock import holder
    from hedged.errors import StoreUnavailable
    from hedged.settings import database_folder

    typer.echo(str(error), err=True)
    folder = database_folder(config)
    file = PauseFile(folder / NAME)
    processes = []
    with suppress(StoreUnavailable, OSError):
        processes = [each for lock in sorted(folder.glob("*.lock")) if (each := holder(lock.with_suffix("")))]
    if not processes:
        typer.echo(
            f"NOT paused: the configuration is wrong, and no daemon has its database in {folder}. Wherever it lies, a "
            f"file {NAME} beside it pauses, and so does the signal USR1 (`systemctl kill -s USR1 hedged`)",
            err=True,
        )
        raise typer.Exit(EXIT_FAILED)
    try:
        file.write(" ".join(reason.split())[:_REASON_MAX] or "hedged pause")
    except OSError as second:
        typer.echo(f"NOT paused: {file.path} cannot be made ({second.strerror}): send the signal USR1", err=True)
        raise typer.Exit(EXIT_FAILED) from None
    typer.echo(
        f"the configuration is wrong, so this goes by the file {file.path}: process {', '.join(processes)} sees it "
        "within seconds, and before each order"
    )


def _by_file(file: PauseFile, reason: str, error: StoreError) -> None:
    """The database cannot be used: the file does the same."""
    try:
        file.write(reason or "hedged pause")
    except OSError as second:
        typer.echo(f"NOT paused: {error}; and {file.path} cannot be made ({second.strerror})", err=True)
        typer.echo("send the daemon the signal USR1, or stop it", err=True)
        raise typer.Exit(EXIT_FAILED) from None
    typer.echo(f"the database cannot be used ({error})", err=True)
    typer.echo(f"paused by the file {file.path}: the daemon sees it within seconds, and before each order")


def resume(config: ConfigOption, dry_run: DryRunOption = False) -> None:
    """End a pause or a halt: orders are made again from the next cycle on."""
    from hedged.adapters.pause_file import PauseFile
    from hedged.settings import load

    settings = load(config, dry_run=dry_run)
    file = PauseFile(settings.store_path())
    try:
        file.remove()  # first: the daemon would take it up again
    except OSError as error:
        typer.echo(f"still paused: {file.path} cannot be removed ({error.strerror})", err=True)
        raise typer.Exit(EXIT_FAILED) from None
    typer.echo(asyncio.run(_resume(settings)))


async def _resume(settings: Settings) -> str:
    from hedged.act.brake import Kept, keep_resumed, kept
    from hedged.adapters.clock import SystemClock
    from hedged.app import open_store
    from hedged.errors import StoreError, StoreUnavailable

    clock = SystemClock()
    store = await open_store(settings, clock)
    try:
        try:
            before = await kept(store)
        except StoreUnavailable:
            raise
        except StoreError as error:  # what is there cannot be understood: this is how it is cleared
            typer.echo(str(error), err=True)
            before = Kept()
        await keep_resumed(store, clock.now())
    finally:
        await store.close()
    stops = {"paused": before.paused, "halted": before.halted}
    ended = [f"{word} {stop.text}" for word, stop in stops.items() if stop is not None]
    if not ended:
        return f"{settings.name}: nothing was paused or halted in its database"
    return f"{settings.name}: orders are made again from the next cycle on; it was {' and '.join(ended)}"
