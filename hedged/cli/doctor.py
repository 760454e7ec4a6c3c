"""`hedged doctor`: is everything there that the daemon needs? A line a check, with the fix for each red one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Collection, Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from hedged.cli.check import MARKS, Check
from hedged.cli.options import EXIT_FAILED, ConfigOption, DryRunOption, JsonOption

if TYPE_CHECKING:
    from datetime import datetime

    from hedged.adapters.exchanges.ccxt_account import CcxtVenue
    from hedged.daemon.exchanges import Exchanges
    from hedged.daemon.history import HistoryKeeper
    from hedged.model.instrument import InstrumentId
    from hedged.model.permissions import Permissions
    from hedged.model.policy import HedgePolicy
    from hedged.ports import AccountReader, Clock
    from hedged.settings import Settings


def doctor(
    config: ConfigOption,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
    notify: Annotated[bool, typer.Option("--notify", help="Send a test message where nothing else can tell.")] = False,
) -> None:
    """Check configuration, database, exchanges, keys, clocks and the broker; exit 1 if anything is red."""
    import json as jsonlib

    from hedged.adapters import log
    from hedged.cli.tables import new_console
    from hedged.settings import load

    log.configure(sys.stderr, level="error")
    settings = load(config, dry_run=dry_run)
    settings.check_credentials()
    checks = asyncio.run(examine(settings, send=notify))
    if json:
        typer.echo(
            jsonlib.dumps({"schema": "hedged.doctor/1", "checks": [asdict(check) for check in checks]}, indent=2)
        )
    else:
        out = new_console()
        for check in checks:
            mark, colour = MARKS[check.result]
            out.print(f"[{colour}]{mark}[/] {check.what}: {check.text}", soft_wrap=True)
    if any(check.result == "failed" for check in checks):
        raise typer.Exit(EXIT_FAILED)


async def examine(settings: Settings, *, send: bool = False) -> list[Check]:
    """Everything that the daemon needs. `send`: every channel is sent a message that says it is a test."""
    from hedged.adapters.clock import SystemClock
    from hedged.adapters.store.memory import MemoryStore
    from hedged.app import legs_by_account, open_exchanges
    from hedged.cli.doctor_broker import mqtt_checks
    from hedged.cli.doctor_channels import heartbeat_checks, notify_checks, telegram_checks
    from hedged.model.policy import Mode

    checks = [Check("configuration", "ok", f"{settings.path} is valid"), await _database(settings)]
    clock, scratch = SystemClock(), MemoryStore()
    await scratch.open(settings.name, settings.world, clock.now())
    confirmed = {account.name: account.withdraw_disabled_confirmed for account in settings.accounts}
    hedging = legs_by_account(settings, Mode.MONITOR, Mode.APPROVE, Mode.LIVE)
    unable = settings.order_faults()
    exchanges = await open_exchanges(settings, scratch, clock)
    try:
        for name, market in exchanges.markets.items():
            checks.append(await _reachable(name, market.instruments()))
            checks += [Check(f"{name}: orders", "failed", why) for why in unable.get(name, ())]
            reader = exchanges.readers.get(name)
            if reader is None:
                looked = " or ".join(str(place) for place in exchanges.unkeyed.get(name, ()))
                text = (
                    f"none is there ({looked}): only public prices are read, and nothing that is held there counts; "
                    "what stands under [[holdings]] does"
                )
                checks.append(Check(f"{name}: key", "unknown", text))
                continue
            checks += await _reading(name, reader, exchanges.venues.get(name), hedging.get(name, ()))
            if name in exchanges.venues:
                checks += await _key(name, exchanges.venues[name], confirmed.get(name))
        checks += await _past(settings, exchanges, clock)
        checks += await notify_checks(settings, send=send)
        checks += await telegram_checks(settings, clock)
        checks += await heartbeat_checks(settings, clock.now())
    finally:
        await exchanges.close()
    return [*checks, *await mqtt_checks(settings)]


async def _database(settings: Settings) -> Check:
    from hedged.adapters.store.sql import SqlStore
    from hedged.adapters.store.sqlite import exists
    from hedged.errors import StoreError

    path = settings.store_path()
    store = SqlStore(path)
    try:
        if not exists(path):
            return Check("database", "ok", f"{path} is made at the first start")
        await store.open_read_only(settings.name, settings.world)
    except StoreError as error:
        return Check("database", "failed", str(error))
    await store.close()
    return Check("database", "ok", f"{path} is this portfolio's, {settings.world.value} world")


async def _past(settings: Settings, exchanges: Exchanges, clock: Clock) -> list[Check]:
    """Of each hedge that learns from past prices, whether they are told, and how many are kept."""
    from hedged.adapters.store.memory import MemoryStore
    from hedged.adapters.store.overlay import OverlayStore
    from hedged.adapters.store.sql import SqlStore
    from hedged.daemon.history import HistoryKeeper
    from hedged.errors import StoreError

    base, store = SqlStore(settings.store_path()), MemoryStore()
    try:
        await base.open_read_only(settings.name, settings.world)
        store = OverlayStore(base)
    except StoreError:
        pass  # nothing has run yet, or the database has its own red line
    await store.open(settings.name, settings.world, clock.now())
    try:
        keeper = HistoryKeeper(settings.policy(), exchanges.candles, store, clock, pause=0.0)
        await keeper.recall(await store.latest_state())
        return [await _past_of(hedge, keeper, settings.quote) for hedge in keeper.hedges()]
    finally:
        await base.close()


async def _past_of(hedge: HedgePolicy, keeper: HistoryKeeper, quote: str) -> Check:
    from hedged.errors import VenueError

    what = f"{hedge.name}: past prices"
    names = list(dict.fromkeys([*keeper.subjects_of(hedge), *(f"{asset}/{quote}" for asset in hedge.assets)]))
    try:
        unlisted = [name for name in names if not await keeper.prices.is_listed(name)]
    except VenueError as error:
        return Check(what, "failed", f"{error.account}: {error.call}: {error.detail}")
    if unlisted:
        text = f"no exchange of an account lists {', '.join(unlisted)}: its ratios there are taken as usual"
        return Check(what, "failed", text)
    kept = [(await keeper.prices.extent(name)).bars for name in names]
    days = f"{min(kept) // 24} days of each are kept" if any(kept) else "none are kept until the daemon has run"
    return Check(what, "ok", f"{len(names)} markets are read; {days}")


async def _reachable(name: str, listing: object) -> Check:
    from hedged.errors import VenueError

    try:
        count = len(await listing)  # type: ignore[misc]
    except VenueError as error:
        return Check(f"{name}: reachable", "failed", f"{error.call}: {error.detail}")
    return Check(f"{name}: reachable", "ok", f"lists {count} contracts")


async def _reading(
    name: str, reader: AccountReader, venue: CcxtVenue | None = None, legs: Collection[InstrumentId] = ()
) -> list[Check]:
    """Each wallet, the positions, and their mode; `legs`: what hedges hold here, or are to."""
    from hedged.errors import VenueError

    checks = []
    for wallet in reader.wallets:
        try:
            read = await reader.balances(wallet)
            checks.append(
                Check(f"{name}: {wallet} wallet", "ok", f"{len(read.value)} asset{'' if len(read.value) == 1 else 's'}")
            )
        except VenueError as error:
            checks.append(Check(f"{name}: {wallet} wallet", "failed", f"{error.call}: {error.detail}"))
    try:
        derivatives = (await reader.derivatives()).value
        held = sum(1 for position in derivatives.positions if position.contracts)
        checks.append(Check(f"{name}: positions", "ok", f"{held} open"))
        checks.append(await position_mode(name, venue, legs, held=bool(held)))
    except VenueError as error:
        checks.append(Check(f"{name}: positions", "failed", f"{error.call}: {error.detail}"))
    return checks


async def position_mode(
    name: str, venue: CcxtVenue | None, legs: Collection[InstrumentId], *, held: bool = False
) -> Check:
    """Hedge mode is refused with the first position that shows it: better to hear of it before there is one.

    It is no fault of an account without hedges: new accounts are in it.
    """
    from hedged.errors import VenueError

    what = f"{name}: position mode"
    try:
        hedge_mode = await venue.hedge_mode(legs) if venue is not None else None
    except VenueError as error:
        return Check(what, "unknown", f"{error.call}: {error.detail}")
    if hedge_mode and venue is not None:
        text = venue.hedge_words if legs else f"{venue.hedge_words}, before a position is opened"
        return Check(what, "failed" if legs else "unknown", text)
    if hedge_mode is False or held:  # positions in hedge mode would not have been read
        return Check(what, "ok", "one-way")
    return Check(what, "unknown", "shown once a position is open")


async def _key(name: str, venue: CcxtVenue, confirmed: datetime | None) -> list[Check]:
    from hedged.errors import VenueError

    checks = []
    try:
        permissions = await venue.permissions()
    except VenueError as error:
        checks.append(Check(f"{name}: key", "unknown", f"{error.call}: {error.detail}"))
    else:
        checks += _permission_checks(name, permissions, confirmed)
    skew = venue.skew_seconds
    if skew is None:
        checks.append(Check(f"{name}: clock", "unknown", "not compared with the venue's"))
    elif abs(skew) > 1:
        checks.append(Check(f"{name}: clock", "failed", f"{skew:+.1f} s off: let this machine set its clock by NTP"))
    else:
        checks.append(Check(f"{name}: clock", "ok", "within a second of the venue's"))
    return checks


def _permission_checks(name: str, permissions: Permissions | None, confirmed: datetime | None) -> Iterator[Check]:
    what = f"{name}: key"
    sure = f"you looked on {confirmed:%Y-%m-%d}" if confirmed is not None else "make sure that it cannot withdraw"
    if permissions is None:
        yield Check(what, "unknown", f"the venue does not tell what it may do: {sure}")
        return
    if permissions.withdraw:
        yield Check(what, "failed", "it may withdraw, so hedged refuses it: make one that can read and nothing else")
    elif permissions.withdraw is None:
        yield Check(what, "unknown", f"the venue does not tell whether it may withdraw: {sure}")
    else:
        yield Check(what, "ok", "it cannot withdraw")
    if permissions.read is False:
        yield Check(what, "failed", "it may not read what hedged reads: allow reading for it")
    elif permissions.read:
        yield Check(what, "ok", "it may read")
    if permissions.trade:
        yield Check(what, "ok", "it may trade")
    if permissions.bound_to_address is False:
        yield Check(what, "unknown", "any address may use it: bind it to this machine's if it has a fixed one")
    elif permissions.bound_to_address:
        yield Check(what, "ok", "it is bound to an address")
