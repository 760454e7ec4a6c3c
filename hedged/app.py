"""The composition root: settings in, a wired portfolio out. The only place that knows every adapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from hedged import __version__
from hedged.act.brake import Asked
from hedged.act.go_live import kept, stands_in_the_way
from hedged.cycle import Portfolio
from hedged.daemon.book_watch import BookWatch
from hedged.daemon.clock_watch import ClockWatch
from hedged.daemon.history import HistoryKeeper
from hedged.daemon.keys import KeyWatch
from hedged.daemon.one_way import in_hedge_mode
from hedged.daemon.portfolio import App, Exchanges
from hedged.daemon.wakes import Wakes
from hedged.errors import ConfigurationError, StoreError, VenueError
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.policy import Mode, World
from hedged.model.snapshot import Balance
from hedged.ports import (
    AccountReader,
    Channel,
    Clock,
    CommandTaker,
    Ids,
    MarketReader,
    OrderGateway,
    StandingAlerts,
    Store,
)
from hedged.settings import Settings
from hedged.settings.digest import trading_digest

if TYPE_CHECKING:
    from hedged.adapters.channels.heartbeat import Heartbeat
    from hedged.adapters.channels.home_assistant import Discovery
    from hedged.adapters.channels.mqtt_client import MqttOptions
    from hedged.adapters.channels.telegram_api import Chat
    from hedged.adapters.credentials import Secret
    from hedged.adapters.exchanges.ccxt_streams import Watched
    from hedged.adapters.exchanges.listing import Listing
    from hedged.adapters.exchanges.live import LiveGateway
    from hedged.adapters.exchanges.simulated import SimulatedExchange
    from hedged.adapters.store.lock import StoreLock
    from hedged.daemon.background import Loop
    from hedged.daemon.commands import Commands
    from hedged.settings.schema import AccountSettings, MqttSettings, TelegramSettings

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
        standing = Standing(store, clock, settings.name, settings.world)
        commands = _commands(settings, store, clock)
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
    portfolio.further, portfolio.digest_at = further, settings.digest_at()
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
    loops += _telegram_desk(settings, channels, store, commands, clock)
    rate = settings.alerts.messages_minute_max
    couriers = [
        Courier(store, channel, clock, minute_max=None if channel.name == "log" else rate) for channel in channels
    ]
    app = App(
        portfolio=portfolio,
        channels=channels,
        couriers=couriers,
        background=[*loops, *(courier.run for courier in couriers), history.run],
        heartbeat=_heartbeat(settings, store, clock),
        exchanges=exchanges,
        keys=keys,
        live=tuple(sorted(live_accounts(settings))),
        history=history,
        commands=commands,
        books=BookWatch(exchanges.books, _sending(settings), store, clock, settings.schedule.every),
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
        *_web(settings, app, web_token, clock),
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


async def open_exchanges(settings: Settings, store: Store, clock: Clock) -> Exchanges:
    """Readers of every account. Nothing is sent yet: a venue that is down is a finding of the first cycle."""
    from hedged.adapters.exchanges.listing import Listing
    from hedged.adapters.exchanges.tiers import WithTiers

    exchanges = Exchanges()
    tiers = settings.policy().tiers
    listings: dict[tuple[object, ...], Listing] = {}  # one for each venue, also where several accounts are there
    try:
        for account in settings.accounts:
            market: MarketReader
            reader: AccountReader | None
            if account.exchange == "simulated":
                simulated = await _open_simulated(account, store, clock)
                market, reader, exchanges.candles[account.name] = simulated, simulated, simulated
                exchanges.clocks[account.name] = simulated
            else:
                key = (account.exchange, account.sandbox, account.connect_to)
                listing = listings.setdefault(key, Listing(clock))
                market, reader = await _open_ccxt(account, settings, exchanges, clock, listing)
            exchanges.markets[account.name] = WithTiers(market, tiers) if tiers else market
            if reader is not None:
                exchanges.readers[account.name] = reader
    except BaseException:
        await exchanges.close()
        raise
    return exchanges


def sending_accounts(settings: Settings) -> frozenset[str]:
    """Names of the accounts that real orders may go to."""
    return frozenset(legs_by_account(settings, Mode.APPROVE, Mode.LIVE))


def legs_by_account(settings: Settings, *modes: Mode) -> dict[str, list[InstrumentId]]:
    """The contracts of the hedges in these modes, by the account that they are at."""
    found: dict[str, list[InstrumentId]] = {}
    for hedge in settings.policy().hedges:
        for leg in hedge.legs if hedge.mode in modes else ():
            found.setdefault(leg.instrument.partition(":")[0], []).append(leg.instrument)
    return found


async def require_one_way(settings: Settings, exchanges: Exchanges) -> None:
    """No hedge is traded on an account in hedge mode. Raises `ConfigurationError` where the venue tells that one is."""
    hedged = await in_hedge_mode(exchanges.venues, legs_by_account(settings, Mode.APPROVE, Mode.LIVE))
    if hedged:
        raise ConfigurationError(*(f"{settings.path}: account {name}: {words}" for name, words in hedged.items()))


async def require_go_live(settings: Settings, store: Store) -> None:
    """Real money is traded live only after everything was in order. Raises `ConfigurationError` and `StoreError`."""
    live = [hedge.name for hedge in settings.policy().hedges if hedge.mode is Mode.LIVE]
    if not live or settings.world is not World.REAL:
        return
    why = stands_in_the_way(await kept(store), trading_digest(settings.document))
    if why is not None:
        raise ConfigurationError(f'{settings.path}: {", ".join(live)}: mode = "live", but {why}')


async def open_gateways(settings: Settings, exchanges: Exchanges, clock: Clock) -> None:
    """A line for orders to each account on which a hedge may trade; sends nothing. Raises `ConfigurationError`."""
    from hedged.adapters.exchanges.simulated import SimulatedExchange

    sending = sending_accounts(settings)
    for account in settings.accounts:
        if account.name not in sending:
            continue
        reader = exchanges.readers.get(account.name)
        if isinstance(reader, SimulatedExchange):
            exchanges.gateways[account.name] = reader
        else:
            line = await _open_line(account, settings, exchanges, clock)
            exchanges.gateways[account.name] = exchanges.books[account.name] = line


async def _open_line(account: AccountSettings, settings: Settings, exchanges: Exchanges, clock: Clock) -> LiveGateway:
    from hedged.adapters.exchanges.ccxt_orders import open_ccxt_orders
    from hedged.adapters.exchanges.live import LiveGateway
    from hedged.adapters.store.lock import lock_key

    venue = exchanges.venues[account.name]
    keys = settings.credentials().account(account.name, account.credentials_file)
    if keys is None:
        raise ConfigurationError(
            f"{settings.path}: account {account.name}: it has no key, so no order can be sent there: give it one that "
            'can trade and not withdraw, or let its hedges run with mode = "monitor"'
        )
    where = (account.exchange, str(account.sandbox), account.connect_to or "")
    locks, why = lock_key(settings.state_directory(), account.name, (*where, _public(keys.reveal())))
    exchanges.releasers += [lock.release for lock in locks]
    if why is not None:
        log.info("a daemon of another user with the same key would not be seen", account=account.name, why=why)
    line = await open_ccxt_orders(
        venue,
        account.name,
        account.exchange,
        account.wallets,
        keys.reveal(),
        clock=clock,
        sandbox=account.sandbox,
        connect_to=account.connect_to,
        ca_file=account.ca_file,
    )
    exchanges.closers.append(line.close)

    async def listed(instrument: InstrumentId) -> Instrument | None:
        try:
            return (await venue.markets()).instruments.get(instrument)
        except VenueError:
            return None

    return LiveGateway(line, listed, clock, countdown=settings.limits.countdown, traded=_traded(settings, account.name))


def _sending(settings: Settings) -> set[InstrumentId]:
    """All contracts on which hedges may send orders."""
    return {leg for legs in legs_by_account(settings, Mode.APPROVE, Mode.LIVE).values() for leg in legs}


def _traded(settings: Settings, account: str) -> frozenset[InstrumentId]:
    """The contracts of this account on which hedges may send orders."""
    return frozenset(legs_by_account(settings, Mode.APPROVE, Mode.LIVE).get(account, ()))


async def watch_keys(settings: Settings, exchanges: Exchanges, clock: Clock) -> KeyWatch:
    """What the keys may do, as far as the venues tell. Raises `ConfigurationError` for keys that can withdraw."""
    keyed = {name: venue for name, venue in exchanges.venues.items() if venue.reader is not None}
    confirmed = {account.name: account.withdraw_disabled_confirmed for account in settings.accounts}
    keys = KeyWatch(keyed, confirmed, clock, exchanges.unkeyed)
    await keys.check()
    problems = [
        f"{settings.path}: account {name}: its key may withdraw, so hedged does not use it: "
        "make one that can read and nothing else"
        for name in keys.withdrawing()
    ]
    if problems:
        raise ConfigurationError(*problems)
    return keys


def live_accounts(settings: Settings) -> frozenset[str]:
    """Names of the accounts on which real money is traded without asking anybody."""
    if settings.world is not World.REAL:
        return frozenset()
    return frozenset(legs_by_account(settings, Mode.LIVE))


def require_keys(settings: Settings, keys: KeyWatch, now: datetime) -> None:
    """Live needs keys that may trade and not withdraw, also long after `go-live`. Raises `ConfigurationError`."""
    if problems := keys.refused(sorted(live_accounts(settings)), now):
        raise ConfigurationError(*(f'{settings.path}: mode = "live", but {problem}' for problem in problems))


async def _open_ccxt(
    account: AccountSettings, settings: Settings, exchanges: Exchanges, clock: Clock, listing: Listing
) -> tuple[MarketReader, AccountReader | None]:
    from hedged.adapters.exchanges.ccxt_account import open_ccxt

    keys = settings.credentials().account(account.name, account.credentials_file)
    if keys is not None:
        _refuse_twice(account, keys.reveal(), settings, exchanges)
    venue = await open_ccxt(
        account.name,
        account.exchange,
        account.wallets,
        keys.reveal() if keys is not None else None,
        clock=clock,
        sandbox=account.sandbox,
        connect_to=account.connect_to,
        ca_file=account.ca_file,
        tiers=settings.policy().tiers,
        listing=listing,
    )
    exchanges.closers.append(venue.close)
    exchanges.venues[account.name] = exchanges.clocks[account.name] = venue
    if settings.schedule.streams:
        exchanges.streams[account.name] = venue.streams(_watched(account.name, settings), clock)
    exchanges.candles[account.name] = venue.candles
    if keys is None:
        places = exchanges.unkeyed[account.name] = settings.credentials().places_of(account.name)
        log.warning("no key: only public prices are read", account=account.name, looked_for=[str(p) for p in places])
    return venue.market, venue.reader


def _refuse_twice(account: AccountSettings, keys: Mapping[str, str], settings: Settings, exchanges: Exchanges) -> None:
    """One key under two accounts is one account read twice: its positions would count as hedge and as exposure."""
    own = account.exchange, _public(keys)
    other = exchanges.owners.setdefault(own, account.name)
    if other != account.name:
        raise ConfigurationError(
            f"{settings.path}: accounts {other} and {account.name} have the same key, so all they hold would count "
            "twice: make one account of them, with the wallets of both"
        )


def _public(keys: Mapping[str, str]) -> str:
    """What tells one key from another."""
    return keys.get("walletAddress") or keys.get("apiKey", "")


def _watched(account: str, settings: Settings) -> Watched:
    """The contracts that hedges name on this account, and the spot prices of what these hedges hold."""
    from hedged.adapters.exchanges.ccxt_streams import Watched

    policy = settings.policy()
    contracts: dict[str, None] = {}
    spot: dict[str, None] = {}
    for hedge in policy.hedges:
        named = [leg.instrument for leg in hedge.legs if leg.instrument.startswith(f"{account}:")]
        if named:
            contracts |= dict.fromkeys(instrument.removeprefix(f"{account}:") for instrument in named)
            spot |= dict.fromkeys(f"{asset}/{policy.quote}" for asset in hedge.assets)
    return Watched(tuple(contracts), tuple(spot), float(settings.schedule.jump))


async def _open_simulated(account: AccountSettings, store: Store, clock: Clock) -> SimulatedExchange:
    """A simulated market goes on after a restart where it would have been: its anchor is kept in the store."""
    from hedged.adapters.exchanges.simulated import SimulatedExchange
    from hedged.simulation.market import SimulatedMarket
    from hedged.simulation.venue import SimulatedVenue

    key = f"simulation/{account.name}"
    kept = await store.get_blob(key)
    if kept is None:
        kept = {"anchor": clock.now().isoformat()}
        await store.put_blob(key, kept, clock.now())
    anchor = datetime.fromisoformat(str(kept["anchor"]))
    spot = tuple(Balance(asset=asset, free=quantity) for asset, quantity in account.balances.items())
    market = SimulatedMarket(account.seed, anchor, account.scenario)
    venue = SimulatedVenue(market, clock, account=account.name, balances={"spot": spot}, cash=account.cash)
    return SimulatedExchange(venue, clock)


def channels_of(settings: Settings, store: Store, clock: Clock, ids: Ids) -> list[Channel]:
    """The channels alone, not connected: to be asked what they are."""
    from hedged.tell.standing import Standing

    standing = Standing(store, clock, settings.name, settings.world)
    return open_channels(settings, clock, ids, standing, _commands(settings, store, clock))[0]


def open_channels(
    settings: Settings, clock: Clock, ids: Ids, standing: StandingAlerts, commands: CommandTaker
) -> tuple[list[Channel], list[Loop]]:
    """Where messages go, and the loops that keep connections.

    `standing`: what these tell again when they come back. `commands`: who carries out what is asked over them.
    """
    channels: list[Channel] = []
    loops: list[Loop] = []
    if settings.notify.log:
        from hedged.adapters.channels.log import LogChannel

        channels.append(LogChannel())
    if settings.mqtt is not None:
        from hedged.adapters.channels.mqtt import MqttChannel

        channel = MqttChannel(
            mqtt_options(settings, settings.mqtt),
            clock,
            ids,
            standing,
            commands=commands if settings.mqtt.commands else None,
            discovery=mqtt_discovery(settings, settings.mqtt),
            offered=settings.mqtt.discovery,
        )
        channels.append(channel)
        loops.append(channel.run)
    if settings.notify.exec:
        from hedged.adapters.channels.exec import ExecChannel

        channels.append(ExecChannel(settings.notify.exec))
    urls = settings.credentials().notify(settings.notify.credentials_file)
    if urls:
        from hedged.adapters.channels.apprise import apprise_channels

        channels.extend(apprise_channels(urls, settings.more()))
    if settings.telegram is not None:
        from hedged.adapters.channels.telegram import TelegramChannel

        channels.append(TelegramChannel(telegram_chat(settings, settings.telegram, clock)))
    return channels, loops


def telegram_chat(settings: Settings, telegram: TelegramSettings, clock: Clock) -> Chat:
    """Raises `ConfigurationError` for a secret file that cannot be used."""
    from hedged.adapters.channels.telegram_api import BotApi, Chat

    login = settings.telegram_login(telegram)
    token = login.token.reveal()
    return Chat(BotApi(token, clock, server=telegram.server), token, login.chat_id, login.users)


def _telegram_desk(
    settings: Settings, channels: Sequence[Channel], store: Store, commands: Commands, clock: Clock
) -> list[Loop]:
    """The loops that answer buttons, where there are any."""
    if settings.telegram is None or not settings.telegram.buttons:
        return []
    from hedged.adapters.channels.telegram import TelegramChannel
    from hedged.adapters.channels.telegram_board import Board
    from hedged.adapters.channels.telegram_desk import TelegramDesk
    from hedged.adapters.channels.telegram_kept import TelegramMemory

    channel = next(each for each in channels if isinstance(each, TelegramChannel))
    memory = TelegramMemory(store, clock)
    sender = settings.name if settings.world is World.REAL else f"{settings.name}, {settings.world.value}"
    channel.desk = desk = TelegramDesk(
        channel.chat,
        store=store,
        memory=memory,
        board=Board(channel.chat, store, memory, clock, quote=settings.quote, sender=sender),
        commands=commands,
        clock=clock,
    )
    return [desk.poll, desk.keep_shown]


def mqtt_options(settings: Settings, mqtt: MqttSettings) -> MqttOptions:
    """Raises `ConfigurationError` for a secret file that cannot be used."""
    from hedged.adapters.channels.mqtt_client import MqttOptions

    login = settings.credentials().mqtt(mqtt.credentials_file)
    return MqttOptions(
        host=mqtt.host,
        instance=settings.instance,
        port=mqtt.port or (8883 if mqtt.tls else 1883),
        prefix=mqtt.prefix,
        protocol=mqtt.protocol,
        username=login.username if login is not None else None,
        password=login.password.reveal() if login is not None else None,
        tls=mqtt.tls,
        ca_file=mqtt.ca_file,
        cert_file=mqtt.certificate_file,
        key_file=mqtt.key_file,
    )


def mqtt_discovery(settings: Settings, mqtt: MqttSettings) -> Discovery:
    """A value is shown for three intervals, as long as data counts as fresh."""
    from hedged.adapters.channels.home_assistant import Discovery
    from hedged.adapters.channels.mqtt_topics import Topics

    topics = Topics(mqtt.prefix, settings.instance)
    return Discovery(topics, settings.policy().thresholds.stale_after, mqtt.discovery_prefix)


def _commands(settings: Settings, store: Store, clock: Clock) -> Commands:
    from hedged.daemon.commands import Commands

    allowed = settings.mqtt.commands if settings.mqtt is not None else ()
    return Commands(store, settings.name, [hedge.name for hedge in settings.hedges], allowed, clock)


def _heartbeat(settings: Settings, store: Store, clock: Clock) -> Heartbeat | None:
    notify = settings.notify
    if notify.heartbeat_url is None:
        return None
    from hedged.adapters.channels.heartbeat import Heartbeat

    return Heartbeat(notify.heartbeat_url, store, clock, signals=notify.heartbeat_signals)


def _web(settings: Settings, app: App, token: Secret | None, clock: Clock) -> list[Loop]:
    """The server of figures, where one is asked for."""
    if settings.web.listen is None:
        return []
    from hedged.adapters.store.sqlite import size
    from hedged.web.address import parse_address
    from hedged.web.figures import Figures
    from hedged.web.server import WebOptions, WebServer

    host, port = parse_address(settings.web.listen)
    options = WebOptions(host, port, settings.web.names, None if token is None else token.reveal())
    figures = Figures(app, partial(size, settings.store_path()))
    return [WebServer(options, figures, app.vitals, clock).run]
