"""`hedged alerts`, `hedged ack`, `hedged silence`: what fires, who was told, and a person's word on it."""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import Awaitable, Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from hedged.cli.options import EXIT_FAILED, ConfigOption, DryRunOption, JsonOption

if TYPE_CHECKING:
    from rich.console import Console

    from hedged.settings import Settings
    from hedged.tell.listing import Listing

T = TypeVar("T")

COLOURS = {"critical": "bold red", "warning": "yellow", "info": "cyan"}
ByOption = Annotated[str | None, typer.Option("--by", help="Who says so. Default: this user.")]


def alerts(
    config: ConfigOption,
    what: Annotated[
        str | None, typer.Argument(metavar="EVENT-OR-KEY", help="All of one: what it says, and every message about it.")
    ] = None,
    *,
    over: Annotated[bool, typer.Option("--over", help="Also those that ended within the last day.")] = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Show what fires, since when, who was told, what failed, and who has acknowledged or silenced it.

    With an event id, the first six characters of one or more, or a key such as margin/main: all of that one, also
    where it is over. With a pattern such as drift/* or */alts, or a kind: each that it covers, those over included.
    """
    import json as jsonlib

    from hedged.cli.tables import new_console
    from hedged.settings import load
    from hedged.tell.listing import PREFIX_MIN

    settings = load(config, dry_run=dry_run)
    if what is not None and _show_one(settings, what, json=json):
        return
    found = asyncio.run(_read(settings, lambda listing, now: listing.all(now, over=over or what is not None, of=what)))
    if what is not None and not found["alerts"]:
        typer.echo(
            f"nothing is kept of {what!r}: it must be an event id, the first {PREFIX_MIN} characters of only one or "
            "more of them, a whole key, or a pattern such as drift/*; `hedged alerts --over` lists what is kept",
            err=True,
        )
        raise typer.Exit(EXIT_FAILED)
    if json:
        typer.echo(jsonlib.dumps(found, indent=2, ensure_ascii=False))
        return
    _say_when(settings, found)
    out = new_console()
    for each in found["alerts"]:
        _head(out, each)
        _say(out, _lines(each))
    if not found["alerts"]:
        typer.echo(f"{settings.name}: no alert")
    for each in found["silences"]:
        typer.echo(_silence_line(each))
    for channel, waiting in found["waiting"].items():
        if waiting:
            typer.echo(f"{channel}: {waiting} message{'' if waiting == 1 else 's'} wait to be delivered")


def ack(
    what: Annotated[str, typer.Argument(metavar="EVENT-OR-KEY", help="An event id, or a key such as margin/main.")],
    config: ConfigOption,
    *,
    lasts: Annotated[
        str | None, typer.Option("--for", help="Only for so long, such as 2h: then it is repeated.")
    ] = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
) -> None:
    """Acknowledge what fires: it is not repeated, and goes to no further channel. Its end is told all the same."""
    from hedged.act import operator
    from hedged.adapters.clock import SystemClock
    from hedged.adapters.store.beliefs import meant
    from hedged.app import open_store
    from hedged.settings import load
    from hedged.tell.quiet import protected

    settings, span = load(config, dry_run=dry_run), _span(lasts)

    async def say() -> list[str] | None:
        clock = SystemClock()
        store = await open_store(settings, clock)
        try:
            now = clock.now()
            until = None if span is None else now + span
            if not await operator.acknowledge(store, what, by or _user(), now, until):
                return None
            known = await store.alerts()
            return [each.key for each in known if each.event_id in meant(what, known) and protected(each)]
        finally:
            await store.close()

    loud = asyncio.run(say())
    if loud is None:
        typer.echo(f"nothing fires as {what!r}: `hedged alerts` lists what does", err=True)
        raise typer.Exit(EXIT_FAILED)
    rest = f" for {lasts}" if lasts else ""
    typer.echo(f"{what}: acknowledged{rest}; it goes to no further channel and is not repeated")
    for key in loud:
        typer.echo(f"{key} is repeated all the same: nothing keeps quiet about it", err=True)


def silence(
    config: ConfigOption,
    pattern: Annotated[
        str | None, typer.Argument(metavar="KEY-PATTERN", help="drift/alts, drift/*, */alts. Without: list them.")
    ] = None,
    *,
    lasts: Annotated[str | None, typer.Option("--for", help="How long, such as 2h or 3d; at most 30d.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for whoever wonders.")] = "",
    remove: Annotated[str | None, typer.Option("--remove", metavar="ID", help="End this silence now.")] = None,
    by: ByOption = None,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Tell nothing of some alerts for a while. A pause, a halt, stale data and a critical margin are told anyway."""
    import json as jsonlib

    from hedged.settings import load

    given = [each for each in (pattern, remove) if each is not None]
    if len(given) == 2 or (pattern is None) is not (lasts is None):
        raise typer.BadParameter("give a pattern with --for, or --remove ID, or nothing to list them")
    settings, span = load(config, dry_run=dry_run), _span(lasts)
    if pattern is not None and span is not None:
        typer.echo(asyncio.run(_silence(settings, pattern, span, by or _user(), reason)))
    elif remove is not None:
        if not asyncio.run(_unsilence(settings, remove)):
            typer.echo(f"no silence {remove!r} is in force: `hedged silence --config {config}` lists them", err=True)
            raise typer.Exit(EXIT_FAILED)
        typer.echo(f"{remove}: ended")
    else:
        listed = asyncio.run(_read(settings, lambda listing, now: listing.all(now)))["silences"]
        if json:
            typer.echo(jsonlib.dumps({"schema": "hedged.silences/1", "silences": listed}, indent=2, ensure_ascii=False))
            return
        for each in listed:
            typer.echo(_silence_line(each))
        if not listed:
            typer.echo(f"{settings.name}: nothing is silenced")


def _show_one(settings: Settings, what: str, *, json: bool) -> bool:
    """Whether there is one of this name."""
    import json as jsonlib

    from hedged.adapters.log import printable
    from hedged.cli.tables import new_console

    found = asyncio.run(_read(settings, lambda listing, now: listing.one(what, now)))
    if found is None:
        return False
    if json:
        typer.echo(jsonlib.dumps(found, indent=2, ensure_ascii=False))
        return True
    _say_when(settings, found)
    out = new_console()
    for each in found["alerts"]:
        _head(out, each)
        numbers = (f"{name} = {value}" for name, value in each["values"].items())
        _say(out, [*each["body"].splitlines(), *numbers, *_lines(each)[1:]])
    for each in found["messages"]:
        out.print(f"\n{_short(each['at'])}  {printable(each['title'])}", markup=False, soft_wrap=True)
        _say(out, [*each["body"].splitlines(), *map(_delivery_line, each["deliveries"])])
    return True


def _say_when(settings: Settings, found: dict[str, Any]) -> None:
    """On stderr, above what was found: when the last cycle was, and that what follows may be old."""
    if found["last_cycle_at"] is None:
        typer.echo("no cycle has been completed yet", err=True)
        return
    age = datetime.fromisoformat(found["now"]) - datetime.fromisoformat(found["last_cycle_at"])
    line = f"last cycle {_short(found['last_cycle_at'])}, {age.total_seconds():,.0f} s ago"
    if age > 3 * settings.schedule.every:
        every = f"{settings.schedule.every.total_seconds():,.0f} s"
        line += f", at an interval of {every}: is the daemon running? What follows may be old"
    typer.echo(line, err=True)


def _head(out: Console, alert: dict[str, Any]) -> None:
    from hedged.adapters.log import printable

    out.print(f"[{COLOURS[alert['severity']]}]{alert['severity']:<8}[/]", end=" ")
    out.print(printable(_headline(alert)), markup=False, soft_wrap=True)


def _say(out: Console, lines: Iterable[str]) -> None:
    """Names in them come from venues: nothing may steer the terminal."""
    from hedged.adapters.log import printable

    for line in lines:
        out.print(f"         {printable(line)}", markup=False, soft_wrap=True)


async def _read(settings: Settings, work: Callable[[Listing, datetime], Awaitable[T]]) -> T:
    from hedged.adapters.clock import SystemClock
    from hedged.adapters.store.sql import SqlStore
    from hedged.tell.listing import Listing

    store = SqlStore(settings.store_path())
    await store.open_read_only(settings.name, settings.world)
    try:
        return await work(Listing(store, settings.name, settings.world), SystemClock().now())
    finally:
        await store.close()


async def _silence(settings: Settings, pattern: str, span: timedelta, by: str, reason: str) -> str:
    from hedged.act import operator
    from hedged.adapters.clock import SystemClock
    from hedged.app import open_store
    from hedged.tell.overview import silence_object, uncovered

    clock = SystemClock()
    store = await open_store(settings, clock)
    try:
        now = clock.now()
        try:
            made = await operator.silence(store, pattern, now + span, by, reason, now)
        except ValueError as error:
            raise typer.BadParameter(f"{pattern!a} {error}", param_hint="KEY-PATTERN") from None
        loud = uncovered(made, await store.alerts())
        told = f"\n{', '.join(loud)}: told all the same, nothing keeps quiet about it" if loud else ""
        return _silence_line(silence_object(made)) + told
    finally:
        await store.close()


async def _unsilence(settings: Settings, silence_id: str) -> bool:
    from hedged.act import operator
    from hedged.adapters.clock import SystemClock
    from hedged.app import open_store

    clock = SystemClock()
    store = await open_store(settings, clock)
    try:
        return await operator.unsilence(store, silence_id, clock.now())
    finally:
        await store.close()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return "the command line"


def _span(text: str | None) -> timedelta | None:
    from hedged.settings.fields import parse_duration, positive

    if text is None:
        return None
    try:
        span = positive(parse_duration(text))
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--for") from None
    if span > timedelta(days=30):
        raise typer.BadParameter("must be at most 30d", param_hint="--for")
    return span


def _headline(alert: dict[str, Any]) -> str:
    since = _short(alert["since"])
    if alert["state"] == "firing":
        return f"{alert['key']}  since {since}  {alert['event_id']}"
    if alert["state"] == "pending":
        return f"{alert['key']}  pending since {since}: it is told once it has lasted"
    return f"{alert['key']}  over since {_short(alert['resolved_at'])}  {alert['event_id']}"


def _lines(alert: dict[str, Any]) -> list[str]:
    lines = [alert["text"]]
    if (said := alert["acknowledged"]) is not None:
        until = f" until {_short(said['until'])}" if said["until"] else ""
        lines.append(f"acknowledged by {said['by']} {_short(said['at'])}{until}")
    if (silenced := alert["silenced"]) is not None:
        lines.append(f"silenced by {silenced['by']} until {_short(silenced['ends_at'])} ({silenced['id']})")
    if alert["explained_by"] is not None:
        lines.append(f"not told: {alert['explained_by']} explains it")
    if alert["waits_for_its_group"]:
        lines.append("waits for the next message about its kind")
    if alert["state"] == "firing" and alert["severity"] == "critical" and not alert["confirmed"]:
        lines.append("not confirmed: no service has taken it and nobody has acknowledged it")
    return [*lines, *(_delivery_line(each) for each in alert["deliveries"])]


def _delivery_line(delivery: dict[str, Any]) -> str:
    what = f"{delivery['channel']}: {delivery['kind']} of {_short(delivery['at'])}"
    if delivery["delivered_at"] is not None:
        return f"{what} delivered {_short(delivery['delivered_at'])}"
    tries = delivery["attempts"]
    failed = f", {tries} attempt{'' if tries == 1 else 's'} in vain: {delivery['error']}" if tries else ""
    return f"{what} on its way{failed}"


def _silence_line(silence: dict[str, Any]) -> str:
    why = f": {silence['reason']}" if silence["reason"] else ""
    return f"silence {silence['id']}  {silence['pattern']}  until {_short(silence['ends_at'])} by {silence['by']}{why}"


def _short(moment: str | None) -> str:
    """`2026-11-02 12:00:05 UTC` of an ISO time, which is UTC."""
    return "unknown" if moment is None else f"{moment[:19].replace('T', ' ')} UTC"
