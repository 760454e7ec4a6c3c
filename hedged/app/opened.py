"""What is opened before a portfolio can be wired, in the order in which it can be refused; all or nothing."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from hedged.adapters.credentials import Secret
from hedged.app.accounts import (
    open_exchanges,
    open_gateways,
    require_go_live,
    require_keys,
    require_one_way,
    watch_keys,
)
from hedged.app.channels import command_desk, open_channels
from hedged.daemon.commands import Commands
from hedged.daemon.exchanges import Exchanges
from hedged.daemon.keys import KeyWatch
from hedged.errors import StoreError
from hedged.ports import Channel, Clock, CommandTaker, Ids, StandingAlerts, Store
from hedged.settings import Settings

if TYPE_CHECKING:
    from hedged.adapters.store.lock import StoreLock
    from hedged.daemon.background import Loop

LEASE_CYCLES, LEASE_MIN = 3, timedelta(minutes=1)  # how long another machine waits for one that is not heard of


class Outside:
    """What lies beyond the process, as `build` opens it. The simulation puts its own world in the place of this one."""

    def process_name(self) -> str:
        from hedged.adapters.clock import process_name

        return process_name()

    def lock(self, store: Path) -> StoreLock:
        from hedged.adapters.store.lock import StoreLock

        return StoreLock(store)

    async def store(self, settings: Settings, clock: Clock) -> Store:
        return await open_store(settings, clock)

    async def exchanges(self, settings: Settings, store: Store, clock: Clock) -> Exchanges:
        return await open_exchanges(settings, store, clock)

    async def gateways(self, settings: Settings, exchanges: Exchanges, clock: Clock) -> None:
        await open_gateways(settings, exchanges, clock)

    def channels(
        self, settings: Settings, clock: Clock, ids: Ids, standing: StandingAlerts, commands: CommandTaker
    ) -> tuple[list[Channel], list[Loop]]:
        return open_channels(settings, clock, ids, standing, commands)


@dataclass(frozen=True, slots=True)
class Opened:
    """All that a running portfolio needs of the outside, open."""

    lock: StoreLock
    store: Store
    lease: timedelta
    exchanges: Exchanges
    keys: KeyWatch
    commands: Commands
    channels: list[Channel]
    loops: list[Loop]
    first: tuple[str, ...]  # channels that are told at once
    further: tuple[str, ...]  # those that are told what nobody acknowledged
    web_token: Secret | None


async def open_all(settings: Settings, clock: Clock, ids: Ids, outside: Outside) -> Opened:
    """Raises `ConfigurationError` and `StoreError`, with nothing left open."""
    from hedged.tell.standing import Standing

    lock = outside.lock(settings.store_path())  # before the store is opened, which may migrate it
    exchanges = Exchanges()
    store: Store | None = None
    try:
        store = await outside.store(settings, clock)
        lease = max(LEASE_CYCLES * settings.schedule.every, LEASE_MIN)
        await store.take_lease(outside.process_name(), clock.now(), lease)
        await require_go_live(settings, store)
        exchanges = await outside.exchanges(settings, store, clock)
        keys = await watch_keys(settings, exchanges, clock)
        require_keys(settings, keys, clock.now())
        await require_one_way(settings, exchanges)
        await outside.gateways(settings, exchanges, clock)
        standing = Standing(store, clock, settings.name, settings.world, settings.web.url)
        commands = command_desk(settings, store, clock)
        channels, loops = outside.channels(settings, clock, ids, standing, commands)
        first, further = settings.route(tuple(channel.name for channel in channels))
        web_token = settings.web_token() if settings.web.listen is not None else None
    except BaseException:
        try:
            await exchanges.close()
        finally:
            await _give_back(store, lock)
        raise
    return Opened(lock, store, lease, exchanges, keys, commands, channels, loops, first, further, web_token)


async def _give_back(store: Store | None, lock: StoreLock) -> None:
    """Who comes next need not wait for us."""
    try:
        if store is not None:
            if not lock.shared:
                with suppress(StoreError):
                    await store.release_lease()
            await store.close()
    finally:
        lock.release()


async def open_store(settings: Settings, clock: Clock) -> Store:
    from hedged.adapters.store.sql import SqlStore

    store = SqlStore(settings.store_path(), retention=settings.retention())
    await store.open(settings.name, settings.world, clock.now())
    return store
