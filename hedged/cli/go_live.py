"""`hedged go-live`: is everything in order for real orders? A line a condition, with the fix for each red one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncGenerator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hedged.cli.check import MARKS, Check
from hedged.cli.doctor import position_mode
from hedged.cli.options import EXIT_FAILED, ConfigOption, JsonOption

if TYPE_CHECKING:
    from hedged.adapters.store.sql import SqlStore
    from hedged.model.permissions import Permissions
    from hedged.model.policy import World
    from hedged.settings import Settings

PAPER_DAYS_MIN, PAPER_WITHIN = 7, timedelta(days=30)
DELIVERED_WITHIN = timedelta(hours=24)
CHANNELS_MIN = 2
LIMITS = ("order_notional_max", "position_notional_max", "turnover_day_max")
SCHEMA = "hedged.go-live/1"

PaperStoreOption = Annotated[
    Path | None,
    typer.Option(
        "--paper-store", help="The database of the time on paper. Default: the one that this portfolio has by default."
    ),
]


def go_live(
    config: ConfigOption,
    *,
    check: Annotated[bool, typer.Option("--check", help="Examine all conditions; green is kept for `run`.")] = False,
    paper_store: PaperStoreOption = None,
    json: JsonOption = False,
) -> None:
    """Say whether hedges with mode = "live" may trade: exit 0 if every condition is green, else 1.

    With --check all conditions are examined anew. Green is kept in the database for this configuration: other hedges,
    limits or accounts have to be examined again before `run` trades live with them.
    """
    import json as jsonlib

    from hedged.adapters import log
    from hedged.cli.tables import new_console
    from hedged.model.policy import World
    from hedged.settings import load

    log.configure(sys.stderr, level="error")
    settings = load(config)
    enforced = settings.world is World.REAL
    checks = asyncio.run(_examined(settings, paper_store) if check else _kept(settings))
    green = all(each.result != "failed" for each in checks)
    if json:
        said = {"schema": SCHEMA, "portfolio": settings.name, "world": settings.world.value}
        listed = [asdict(each) for each in checks]
        typer.echo(jsonlib.dumps({**said, "green": green, "enforced": enforced, "checks": listed}, indent=2))
    else:
        out = new_console()
        for each in checks:
            mark, colour = MARKS[each.result]
            out.print(f"[{colour}]{mark}[/]", end=" ")
            out.print(f"{each.what}: {each.text}", soft_wrap=True, markup=False)
        if not enforced:
            typer.echo(f"the {settings.world.value} world asks for none of this: no real money is at stake there")
    if not green:
        raise typer.Exit(EXIT_FAILED)


async def _kept(settings: Settings) -> list[Check]:
    """What an earlier examination left."""
    from hedged.act.go_live import kept, stands_in_the_way
    from hedged.settings.digest import trading_digest

    async with _opened(settings.store_path(), settings, settings.world) as store:
        if isinstance(store, str):
            return [Check("go-live", "failed", f"{store}; `hedged go-live --check` examines everything")]
        passed = await kept(store)
    why = stands_in_the_way(passed, trading_digest(settings.document))
    if why is not None or passed is None:
        return [Check("go-live", "failed", why or "")]
    return [Check("go-live", "ok", f"green since {passed.at:%Y-%m-%d %H:%M} UTC for this configuration")]


async def _examined(settings: Settings, paper_store: Path | None) -> list[Check]:
    from hedged import __version__
    from hedged.act.go_live import GoLive, keep
    from hedged.adapters.clock import SystemClock
    from hedged.app import open_store
    from hedged.settings.digest import trading_digest

    clock = SystemClock()
    checks = await examine(settings, clock.now(), paper_store)
    if all(each.result != "failed" for each in checks):
        store = await open_store(settings, clock)
        try:
            await keep(store, GoLive(clock.now(), trading_digest(settings.document), __version__))
        finally:
            await store.close()
    return checks


async def examine(settings: Settings, now: datetime, paper_store: Path | None = None) -> list[Check]:
    """Every condition, in the order in which one gets them right."""
    from hedged.act.tested import tested
    from hedged.cli.doctor import examine as examine_health
    from hedged.model.policy import World

    paper, looked = _paper_path(settings, paper_store)
    async with (
        _opened(paper, settings, World.PAPER) as before,
        _opened(settings.store_path(), settings, settings.world) as own,
    ):
        stores = [store for store in (before, own) if not isinstance(store, str)]
        delivered: dict[str, datetime] = {}
        beaten: list[datetime] = []
        for store in stores:
            for channel, at in (*(await store.last_delivered()).items(), *(await tested(store)).items()):
                delivered[channel] = max(at, delivered.get(channel, at))
            beaten += await _beaten(store)
        checks = [await _on_paper(before, looked, now)]
        health = await examine_health(settings)
        bad = [each for each in health if each.result == "failed"]
        text = f"{len(health)} checks, none of them red" if not bad else "; ".join(f"{e.what}: {e.text}" for e in bad)
        checks.append(Check("doctor", "failed" if bad else "ok", text))
        checks += [_limits(settings), *await _keys(settings, now)]
        checks.append(_channels(await confirming(settings), delivered, now))
        checks.append(_heartbeat(settings, max(beaten, default=None), now))
        checks += await _orders(settings, own)
    return checks


@asynccontextmanager
async def _opened(path: Path, settings: Settings, world: World) -> AsyncGenerator[SqlStore | str]:
    """The database, to be read; or why it cannot be."""
    from hedged.adapters.store.sql import SqlStore
    from hedged.errors import StoreError

    store = SqlStore(path)
    try:
        await store.open_read_only(settings.name, world)
    except StoreError as error:
        yield str(error)
        return
    try:
        yield store
    finally:
        await store.close()


def _paper_path(settings: Settings, given: Path | None) -> tuple[Path, str]:
    """The database of the time on paper, and where it was looked for."""
    from urllib.parse import quote

    if given is not None:
        return given, str(given)
    own = settings.store_path()
    usual = settings.state_directory() / f"{quote(settings.name, safe=' ')}-paper.sqlite"
    places = [usual, own.with_name(f"{own.name}.paper")]  # of `mode = "paper"`, and of `--dry-run`
    return next((place for place in places if place.exists()), usual), " and ".join(map(str, places))


async def _on_paper(store: SqlStore | str, looked: str, now: datetime) -> Check:
    what = "days on paper"
    if isinstance(store, str):
        return Check(what, "failed", f"{store}; looked for at {looked}: run with --dry-run, or name it: --paper-store")
    days = await store.days_with_cycles(now - PAPER_WITHIN)
    text = f"cycles on {days} days of the last {PAPER_WITHIN.days}"
    if days < PAPER_DAYS_MIN:
        return Check(what, "failed", f"{text}, at least {PAPER_DAYS_MIN} are needed: go on with `hedged run --dry-run`")
    return Check(what, "ok", text)


def _limits(settings: Settings) -> Check:
    missing = [name for name in LIMITS if getattr(settings.limits, name) is None]
    if missing:
        return Check("limits", "failed", f"set {', '.join(missing)} under [limits]: without them no order is too large")
    return Check("limits", "ok", ", ".join(f"{name} {getattr(settings.limits, name):f}" for name in LIMITS))


async def _keys(settings: Settings, now: datetime) -> list[Check]:
    """Of each account on which a hedge may trade: its key trades and does not withdraw; it is in one-way mode."""
    from hedged.adapters.clock import SystemClock
    from hedged.adapters.store.memory import MemoryStore
    from hedged.app import legs_by_account, open_exchanges
    from hedged.errors import VenueError
    from hedged.model.policy import Mode

    legs = legs_by_account(settings, Mode.APPROVE, Mode.LIVE)
    clock, scratch = SystemClock(), MemoryStore()
    await scratch.open(settings.name, settings.world, clock.now())
    confirmed = {account.name: account.withdraw_disabled_confirmed for account in settings.accounts}
    exchanges = await open_exchanges(settings, scratch, clock)
    checks = []
    try:
        for name in sorted(legs):
            venue = exchanges.venues.get(name)
            if venue is None:
                continue  # the simulated exchange has no keys
            if venue.reader is None:
                checks.append(Check(f"{name}: key", "failed", "there is none: make one that can read and trade"))
                continue
            try:
                permissions = await venue.permissions()
            except VenueError as error:
                checks.append(Check(f"{name}: key", "failed", f"it could not be asked: {error.call}: {error.detail}"))
                continue
            checks.append(key_check(name, permissions, confirmed.get(name), now))
            checks.append(await position_mode(name, venue, legs[name]))
    finally:
        await exchanges.close()
    return checks


def key_check(name: str, permissions: Permissions | None, confirmed: datetime | None, now: datetime) -> Check:
    """`confirmed`: when its user looked at the exchange that it cannot withdraw."""
    from hedged.daemon.keys import CONFIRMED_FOR, is_confirmed
    from hedged.model.permissions import Permissions as Unknown

    what, told = f"{name}: key", permissions or Unknown()
    if told.withdraw:
        return Check(what, "failed", "it may withdraw: make one that cannot, and delete this one")
    if told.trade is False:
        return Check(what, "failed", "it may not trade: allow orders on derivatives for it, and nothing more")
    fresh = confirmed is not None and is_confirmed(confirmed, now)
    if told.withdraw is None and not fresh:
        return Check(
            what,
            "failed",
            "the venue does not tell whether it may withdraw: look there, and write `withdraw_disabled_confirmed = "
            f"{now:%Y-%m-%d}` under the account; that is good for {CONFIRMED_FOR.days} days",
        )
    word = "cannot withdraw" if told.withdraw is False else f"cannot withdraw, as you saw on {confirmed:%Y-%m-%d}"
    if told.trade is None:
        return Check(what, "unknown", f"it {word}; whether it may trade the venue does not tell: the first order shows")
    return Check(what, "ok", f"it may trade and {word}")


async def confirming(settings: Settings) -> list[str]:
    """The channels whose acknowledgement is with a service that tells people."""
    from hedged.adapters.clock import SystemClock, SystemIds
    from hedged.adapters.store.memory import MemoryStore
    from hedged.app import channels_of

    clock, scratch = SystemClock(), MemoryStore()
    channels = channels_of(settings, scratch, clock, SystemIds())
    names = [channel.name for channel in channels if channel.confirms]
    for channel in channels:
        await channel.close()
    return names


def _channels(confirming: Collection[str], delivered: Mapping[str, datetime], now: datetime) -> Check:
    what = "two channels"
    alive = [name for name in confirming if name in delivered and abs(now - delivered[name]) <= DELIVERED_WITHIN]
    if len(confirming) < CHANNELS_MIN:
        have = ", ".join(confirming) or "none"
        text = f"at least {CHANNELS_MIN} that reach people are needed, there is {have}: add addresses to `notify`"
        return Check(what, "failed", f"{text} (the log and MQTT reach nobody by themselves)")
    if len(alive) < CHANNELS_MIN:
        silent = ", ".join(name for name in confirming if name not in alive)
        text = f"{silent}: nothing was delivered within {DELIVERED_WITHIN.total_seconds() / 3600:.0f} h"
        return Check(what, "failed", f"{text}: try them with `hedged notify test`")
    return Check(what, "ok", f"{', '.join(alive)} delivered within {DELIVERED_WITHIN.total_seconds() / 3600:.0f} h")


async def _beaten(store: SqlStore) -> list[datetime]:
    beat = (await store.get_blob("heartbeat") or {}).get("delivered_at")
    try:
        at = datetime.fromisoformat(str(beat)) if beat is not None else None
    except ValueError:
        return []
    return [at] if at is not None and at.tzinfo is not None else []


def _heartbeat(settings: Settings, at: datetime | None, now: datetime) -> Check:
    what = "heartbeat"
    if settings.notify.heartbeat_url is None:
        text = "set heartbeat_url under [notify]: a daemon that is dead tells nobody that it is"
        return Check(what, "failed", text)
    if at is None or abs(now - at) > DELIVERED_WITHIN:
        last = "it was never answered" if at is None else f"it was last answered on {at:%Y-%m-%d %H:%M} UTC"
        return Check(what, "failed", f"{last}: see what the log says of it, and let a daemon run")
    return Check(what, "ok", f"answered on {at:%Y-%m-%d %H:%M} UTC")


async def _orders(settings: Settings, store: SqlStore | str) -> list[Check]:
    """No order that nobody knows the end of, and nothing that stops them."""
    from hedged.act.brake import kept
    from hedged.adapters.pause_file import PauseFile
    from hedged.errors import StoreError

    if isinstance(store, str):
        if settings.store_path().exists():
            return [Check("journal", "failed", store)]
        return [Check("journal", "ok", "no order was ever sent"), Check("not stopped", "ok", "nothing stops orders")]
    checks = []
    rows = await store.open_orders()
    listed = ", ".join(f"{row.intent.client_order_id} on {row.intent.instrument}" for row in rows)
    if rows:
        text = f"nobody knows the end of {listed}: let a daemon look them up, or say with `hedged accept-order`"
        checks.append(Check("journal", "failed", text))
    else:
        checks.append(Check("journal", "ok", "every order has come to an end"))
    try:
        stops = await kept(store)
    except StoreError as error:
        return [*checks, Check("not stopped", "failed", str(error))]
    said = PauseFile(settings.store_path()).read()
    stopped = [
        *(f"{word} {stop.text}" for word, stop in (("paused", stops.paused), ("halted", stops.halted)) if stop),
        *(["paused by the file PAUSED"] if said is not None else []),
    ]
    if stopped:
        return [*checks, Check("not stopped", "failed", f"{' and '.join(stopped)}: `hedged resume` ends it")]
    return [*checks, Check("not stopped", "ok", "nothing stops orders")]
