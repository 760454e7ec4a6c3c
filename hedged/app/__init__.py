"""The composition root: settings in, a wired portfolio out. The only place that knows every adapter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
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
    heartbeat_of,
    mqtt_discovery,
    mqtt_options,
    open_channels,
    telegram_chat,
    telegram_desk,
    web_loops,
)
from hedged.app.opened import LEASE_MIN, Opened, Outside, open_all, open_store
from hedged.cycle import Portfolio
from hedged.daemon.book_watch import BookWatch
from hedged.daemon.clock_watch import ClockWatch
from hedged.daemon.exchanges import Exchanges
from hedged.daemon.history import HistoryKeeper
from hedged.daemon.payments import PaymentKeeper
from hedged.daemon.portfolio import App
from hedged.daemon.wakes import Wakes
from hedged.errors import StoreError
from hedged.model.policy import Mode
from hedged.ports import AccountReader, Clock, Ids, OrderGateway, Store
from hedged.settings import Settings

if TYPE_CHECKING:
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
    opened = await open_all(settings, clock, ids, outside or Outside())
    log.info(
        "portfolio",
        name=settings.name,
        mode=settings.mode.value,
        world=settings.world.value,
        every_s=settings.schedule.every.total_seconds(),
        store=str(settings.store_path()),
        channels=[channel.name for channel in opened.channels],
        version=__version__,
    )
    clock_watch = clock_watch or ClockWatch(clock)
    portfolio = _told(settings, opened, clock, ids, asked=asked, clock_watch=clock_watch)
    history = HistoryKeeper(portfolio.policy, opened.exchanges.candles, opened.store, clock)
    try:
        await history.recall(await opened.store.latest_state())
    except StoreError as error:
        log.warning("past prices could not be recalled", error=str(error))
    app = _app(settings, opened, portfolio, history, clock_watch)
    clock_watch.ask(opened.exchanges.clocks)
    app.background = [*app.background, *_watches(settings, opened, app)]
    return app


def _told(
    settings: Settings, opened: Opened, clock: Clock, ids: Ids, *, asked: Asked | None, clock_watch: ClockWatch
) -> Portfolio:
    """The portfolio, and who is told of what it finds, in which order."""
    first, exchanges, store = opened.first, opened.exchanges, opened.store
    portfolio = wire(settings, exchanges, store, clock, ids, channels=first, asked=asked, clock_watch=clock_watch)
    portfolio.further, portfolio.digest_at, portfolio.url = opened.further, settings.digest_at(), settings.web.url
    portfolio.confirming = frozenset(channel.name for channel in opened.channels if channel.confirms)
    if opened.further:
        confirm = CONFIRM_WITHIN if portfolio.confirming.intersection(first) else None
        after = settings.alerts.escalate_after
        portfolio.rules = replace(portfolio.rules, further_after=after, confirm_within=confirm)
    opened.commands.brake = portfolio.brake
    portfolio.lease = opened.lease
    return portfolio


def _app(
    settings: Settings, opened: Opened, portfolio: Portfolio, history: HistoryKeeper, clock_watch: ClockWatch
) -> App:
    from hedged.tell.outbox import Courier

    store, clock, exchanges, channels = opened.store, portfolio.clock, opened.exchanges, opened.channels
    tell_payments = {name: venue.payments for name, venue in exchanges.venues.items() if venue.payments is not None}
    payments = PaymentKeeper(tell_payments, clock)  # paper books tell theirs, so that none is asked for
    rate = settings.alerts.messages_minute_max
    couriers = [
        Courier(store, channel, clock, minute_max=None if channel.name == "log" else rate) for channel in channels
    ]
    chats = telegram_desk(settings, channels, store, opened.commands, clock)
    return App(
        portfolio=portfolio,
        channels=channels,
        couriers=couriers,
        background=[*opened.loops, *chats, *(courier.run for courier in couriers), history.run, payments.run],
        heartbeat=heartbeat_of(settings, store, clock),
        exchanges=exchanges,
        keys=opened.keys,
        live=tuple(sorted(live_accounts(settings))),
        history=history,
        payments=payments,
        commands=opened.commands,
        books=BookWatch(exchanges.books, sending_instruments(settings), store, clock, settings.schedule.every),
        lock=opened.lock,
        clock_watch=clock_watch,
        wakes=Wakes(settings.schedule.every_min),
    )


def _watches(settings: Settings, opened: Opened, app: App) -> Iterator[Loop]:
    """What goes on beside the cycles and needs the app itself."""
    yield app.watch_stops
    if opened.exchanges.books:
        yield app.watch_books
    if any(each.mode is Mode.APPROVE for each in app.portfolio.policy.hedges):
        yield app.watch_approvals
    yield partial(opened.keys.run, app.halt)
    for streams in opened.exchanges.streams.values():
        yield partial(app.listen, streams)
    yield from web_loops(settings, app, opened.web_token, app.portfolio.clock)


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
