"""`hedged notify test`: one message to each channel, now, and what became of it."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from hedged.cli.options import EXIT_FAILED, ConfigOption, JsonOption

if TYPE_CHECKING:
    from datetime import datetime

    from hedged.model.alert import Message
    from hedged.ports import Channel
    from hedged.settings import Settings

WITHIN = 15.0  # seconds

notify = typer.Typer(no_args_is_help=True, help="The channels that alerts go to.")


@notify.callback()
def _group() -> None:
    """The channels that alerts go to."""


@notify.command("test")
def try_all(
    config: ConfigOption,
    channel: Annotated[list[str] | None, typer.Option("--channel", help="This channel alone; again for more.")] = None,
    json: JsonOption = False,
) -> None:
    """Send a test message over each channel, a line each; exit 1 if one did not take it.

    What was taken is remembered for `hedged go-live`.
    """
    import json as jsonlib

    from hedged.adapters import log
    from hedged.cli.tables import new_console
    from hedged.settings import load

    log.configure(sys.stderr, level="info" if not channel or "log" in channel else "error")
    settings = load(config)
    settings.check_credentials()
    results = asyncio.run(_tried(settings, channel))
    if json:
        rows = [{"channel": name, "taken": error is None, "error": error} for name, error in results.items()]
        typer.echo(jsonlib.dumps({"schema": "hedged.notify/1", "channels": rows}, indent=2, ensure_ascii=False))
    else:
        out = new_console()
        for name, error in results.items():
            mark, said = ("[green]✓[/]", "taken") if error is None else ("[bold red]✗[/]", error)
            out.print(mark, end=" ")
            out.print(f"{name}: {said}", markup=False, soft_wrap=True)
    if any(error is not None for error in results.values()):
        raise typer.Exit(EXIT_FAILED)


async def _tried(settings: Settings, names: list[str] | None) -> dict[str, str | None]:
    from hedged.act.tested import keep_tested
    from hedged.adapters.clock import SystemClock
    from hedged.app import open_store
    from hedged.errors import StoreError

    results, clock = await try_channels(settings, names), SystemClock()
    try:
        store = await open_store(settings, clock)
        try:
            await keep_tested(store, [name for name, error in results.items() if error is None], clock.now())
        finally:
            await store.close()
    except StoreError as error:
        typer.echo(f"not remembered for `hedged go-live`: {error}", err=True)
    return results


async def try_channels(settings: Settings, names: list[str] | None = None) -> dict[str, str | None]:
    """Channel → why it did not take a message; None: it did. Keeps nothing, and leaves a running daemon alone."""
    from hedged.adapters.clock import SystemClock, SystemIds
    from hedged.adapters.store.memory import MemoryStore
    from hedged.app import open_channels
    from hedged.daemon.commands import Commands
    from hedged.tell.standing import Standing

    clock, ids, scratch = SystemClock(), SystemIds(), MemoryStore()
    standing = Standing(scratch, clock, settings.name, settings.world, settings.web.url)
    commands = Commands(scratch, settings.name, [], (), clock)
    channels, _ = open_channels(settings, clock, ids, standing, commands)
    there = [each.name for each in channels]
    wrong = [name for name in names or () if name not in there]
    if wrong:
        raise typer.BadParameter(
            f"{wrong[0]!r} is no channel that there is: {', '.join(there)}", param_hint="--channel"
        )
    message = _message(settings, ids.new(), clock.now())
    chosen = [each for each in channels if names is None or each.name in names]
    try:
        errors = await asyncio.gather(*(_try(each, message, settings) for each in chosen))
    finally:
        for each in channels:
            await each.close()
    return {each.name: error for each, error in zip(chosen, errors, strict=True)}


async def _try(channel: Channel, message: Message, settings: Settings) -> str | None:
    from hedged.errors import DeliveryError

    try:
        async with asyncio.timeout(WITHIN):
            if channel.name == "mqtt":
                await _leave(message, settings)
            else:
                await channel.deliver(message)
    except TimeoutError:
        return f"no answer within {WITHIN:g} s"
    except DeliveryError as error:
        return str(error)
    except Exception as error:  # noqa: BLE001 - one that breaks says nothing about the others
        return f"{type(error).__name__}: {error}"
    return None


async def _leave(message: Message, settings: Settings) -> None:
    """Over a connection of our own: the channel's would take the running daemon's from it."""
    import json as jsonlib

    from hedged.adapters.channels.mqtt_visit import leave
    from hedged.app import mqtt_options
    from hedged.tell.message import message_object

    if settings.mqtt is not None:
        options = mqtt_options(settings, settings.mqtt)
        payload = jsonlib.dumps(message_object(message), ensure_ascii=False)
        await leave(options, options.topics.alert(message.event_id), payload)


def _message(settings: Settings, event_id: str, now: datetime) -> Message:
    from hedged.model.alert import Message, MessageKind
    from hedged.model.finding import Severity
    from hedged.tell.pipeline import addressed

    message = Message(
        event_id=event_id,
        kind=MessageKind.TEST,
        key=f"test/{settings.name}",
        severity=Severity.INFO,
        title="Test: this channel works",
        body=f"This is a test of {settings.name}'s alerts. Nothing has happened, and nothing is to be done.",
        at=now,
    )
    return addressed(message, settings.name, settings.world)
