"""The composition root: settings in, a wired portfolio out. The only place that knows every adapter."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from hedged import __version__
from hedged.act.brake import Asked
from hedged.app.accounts import (
    legs_by_account,
    live_accounts,
    open_exchanges,
    open_gateways,
    require_go_live,
    require_keys,
    require_one_way,
    sending_accounts,
    sending_instruments,
    watch_keys,
)
from hedged.app.channels import (
    channels_of,
    command_desk,
    heartbeat_of,
    mqtt_discovery,
    mqtt_options,
    open_channels,
    telegram_chat,
    telegram_desk,
    web_loops,
)
from hedged.cycle import Portfolio
from hedged.daemon.book_watch import BookWatch
from hedged.daemon.clock_watch import ClockWatch
from hedged.daemon.history import HistoryKeeper
from hedged.daemon.portfolio import App, Exchanges
from hedged.daemon.wakes import Wakes
from hedged.errors import StoreError
from hedged.model.policy import Mode
from hedged.ports import (
    AccountReader,
    Channel,
    Clock,
    CommandTaker,
    Ids,
    OrderGateway,
    StandingAlerts,
    Store,
)
from hedged.settings import Settings

if TYPE_CHECKING:
    from hedged.adapters.store.lock import StoreLock
    from hedged.daemon.background import Loop

__all__ = [
    "LEASE_MIN",
    "App",
    "Exchanges",
    "Outside",
    "build",
    "channels_of",
    "legs_by_account",
    "live_accounts",
    "mqtt_discovery",
    "mqtt_options",
    "open_channels",
    "open_exchanges",
    "open_gateways",
    "open_store",
    "require_go_live",
    "require_keys",
    "require_one_way",
    "sending_accounts",
    "telegram_chat",
    "watch_keys",
    "wire",
]

log = structlog.get_logger(__name__)

CONFIRM_WITHIN = timedelta(minutes=1)
"""Where a channel of the first ones can confirm: how long a critical alert may go without, before it goes further."""
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


async def build(
    settings: Settings,
    clock: Clock,
    ids: Ids,
    asked: Asked | None = None,
    outside: Outside | None = None,
    *,
    clock_watch: ClockWatch | None = None,
) -> App:
    """Everything that `settings` asks for, wired and open. Raises `ConfigurationError` and `StoreError`.

    `asked`: where the process's signal asks for a pause; `clock_watch`: whether the process believes its clock.
    """
    from hedged.tell.outbox import Courier
    from hedged.tell.standing import Standing

    outside = outside or Outside()
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
        clock_watch = clock_watch or ClockWatch(clock)
        standing = Standing(store, clock, settings.name, settings.world, settings.web.url)
        commands = command_desk(settings, store, clock)
        channels, loops = outside.channels(settings, clock, ids, standing, commands)
        names = tuple(channel.name for channel in channels)
        first, further = settings.route(names)
        web_token = settings.web_token() if settings.web.listen is not None else None
    except BaseException:
        await exchanges.close()
        if store is not None:
            if not lock.shared:
                with suppress(StoreError):
                    await store.release_lease()
            await store.close()
        lock.release()
        raise
    log.info(
        "portfolio",
        name=settings.name,
        mode=settings.mode.value,
        world=settings.world.value,
        every_s=settings.schedule.every.total_seconds(),
        store=str(settings.store_path()),
        channels=[channel.name for channel in channels],
        version=__version__,
    )
    portfolio = wire(settings, exchanges, store, clock, ids, channels=first, asked=asked, clock_watch=clock_watch)
    portfolio.further, portfolio.digest_at, portfolio.url = further, settings.digest_at(), settings.web.url
    portfolio.confirming = frozenset(channel.name for channel in channels if channel.confirms)
    if further:
        confirm = CONFIRM_WITHIN if portfolio.confirming.intersection(first) else None
        after = settings.alerts.escalate_after
        portfolio.rules = replace(portfolio.rules, further_after=after, confirm_within=confirm)
    commands.brake = portfolio.brake
    portfolio.lease = lease
    history = HistoryKeeper(portfolio.policy, exchanges.candles, store, clock)
    try:
        await history.recall(await store.latest_state())
    except StoreError as error:
        log.warning("past prices could not be recalled", error=str(error))
    wakes = Wakes(settings.schedule.every_min)
    loops += telegram_desk(settings, channels, store, commands, clock)
    rate = settings.alerts.messages_minute_max
    couriers = [
        Courier(store, channel, clock, minute_max=None if channel.name == "log" else rate) for channel in channels
    ]
    app = App(
        portfolio=portfolio,
        channels=channels,
        couriers=couriers,
        background=[*loops, *(courier.run for courier in couriers), history.run],
        heartbeat=heartbeat_of(settings, store, clock),
        exchanges=exchanges,
        keys=keys,
        live=tuple(sorted(live_accounts(settings))),
        history=history,
        commands=commands,
        books=BookWatch(exchanges.books, sending_instruments(settings), store, clock, settings.schedule.every),
        lock=lock,
        clock_watch=clock_watch,
        wakes=wakes,
    )
    clock_watch.ask(exchanges.clocks)
    app.background = [
        *app.background,
        app.watch_stops,
        *([app.watch_books] if exchanges.books else []),
        *([app.watch_approvals] if any(each.mode is Mode.APPROVE for each in portfolio.policy.hedges) else []),
        partial(keys.run, app.halt),
        *(partial(app.listen, streams) for streams in exchanges.streams.values()),
        *web_loops(settings, app, web_token, clock),
    ]
    return app


def wire(
    settings: Settings,
    exchanges: Exchanges,
    store: Store,
    clock: Clock,
    ids: Ids,
    *,
    channels: tuple[str, ...] = (),
    asked: Asked | None = None,
    clock_watch: ClockWatch | None = None,
) -> Portfolio:
    """The portfolio over these ports. In monitor there is no gateway at all, so nothing can be sent.

    Real ones are those of `open_gateways`: without it, as for a look, there are none either.
    """
    from hedged.adapters.clock import seeded_generator
    from hedged.adapters.exchanges.by_hand import ByHandAccount
    from hedged.adapters.exchanges.paper import PaperAccount
    from hedged.adapters.pause_file import PauseFile
    from hedged.observe.margin_risk import MarginRisk

    policy = settings.policy()
    by_hand = {
        broker.name: ByHandAccount(broker, exchanges.markets, policy.quote, clock) for broker in settings.brokers
    }
    accounts: Mapping[str, AccountReader] = {**exchanges.readers, **by_hand}
    gateways: dict[str, OrderGateway] = {**exchanges.gateways}
    positions_of = "venue"
    if any(hedge.mode is Mode.PAPER for hedge in policy.hedges) or policy.mode is Mode.PAPER:
        paper = {
            name: PaperAccount(
                name,
                market,
                real=exchanges.readers.get(name),
                store=store,
                policy=policy.paper,
                quote=policy.quote,
                clock=clock,
                in_doubt=lambda: clock_watch is not None and clock_watch.in_doubt,
            )
            for name, market in exchanges.markets.items()
        }
        accounts, gateways, positions_of = {**paper, **by_hand}, {**paper}, "paper"
    return Portfolio(
        policy=policy,
        markets={**exchanges.markets, **by_hand},
        accounts=accounts,
        gateways=gateways,
        store=store,
        channels=channels,
        rules=settings.alert_rules(),
        clock=clock,
        ids=ids,
        positions_of=positions_of,
        stop_file=PauseFile(settings.store_path()),
        asked=asked or Asked(),
        risk=MarginRisk(store, policy, seeded_generator),
    )


async def open_store(settings: Settings, clock: Clock) -> Store:
    from hedged.adapters.store.sql import SqlStore

    store = SqlStore(settings.store_path(), retention=settings.retention())
    await store.open(settings.name, settings.world, clock.now())
    return store
