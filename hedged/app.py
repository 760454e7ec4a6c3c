"""The composition root: settings in, a wired portfolio out. The only place that knows every adapter."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from hedged import __version__
from hedged.cycle import CycleReport, Portfolio, run_cycle
from hedged.errors import ConfigurationError, DeliveryError, StoreError, VenueError
from hedged.model.alert import Message, MessageKind
from hedged.model.finding import Finding, Kind, Severity
from hedged.model.policy import Mode
from hedged.model.snapshot import Balance
from hedged.ports import AccountReader, Channel, Clock, Ids, MarketReader, OrderGateway, Store
from hedged.settings import Settings
from hedged.tell.pipeline import addressed

if TYPE_CHECKING:
    from hedged.adapters.channels.heartbeat import Heartbeat
    from hedged.adapters.exchanges.ccxt_account import CcxtVenue
    from hedged.adapters.store.lock import StoreLock
    from hedged.daemon.background import Loop
    from hedged.settings.schema import AccountSettings
    from hedged.tell.outbox import Courier

log = structlog.get_logger(__name__)

THIN_EVERY = timedelta(hours=1)
SKEW_SECONDS_MAX = 1.0
FAILURE_REPEAT = timedelta(minutes=30)
UNDELIVERED_MAX = 200  # messages a channel
DIRECT_DELIVERY_WITHIN = 10.0  # seconds, for messages that the store could not keep

Close = Callable[[], Awaitable[None]]


@dataclass(slots=True)
class Exchanges:
    """Every account's ports, and what has to be closed after them."""

    markets: dict[str, MarketReader] = field(default_factory=dict)
    readers: dict[str, AccountReader] = field(default_factory=dict)
    venues: dict[str, CcxtVenue] = field(default_factory=dict)  # those reached through ccxt
    closers: list[Close] = field(default_factory=list)

    async def close(self) -> None:
        for close in self.closers:
            await close()


@dataclass(slots=True)
class App:
    """A portfolio with its channels: what the daemon runs."""

    portfolio: Portfolio
    channels: Sequence[Channel]
    couriers: Sequence[Courier]
    background: Sequence[Loop]
    heartbeat: Heartbeat | None
    exchanges: Exchanges
    lock: StoreLock | None = None
    _thinned_at: datetime | None = None
    _failing: tuple[str, datetime] | None = None  # event id and last message of a run of failed cycles
    _undelivered: dict[str, list[Message]] = field(default_factory=dict)  # by channel, kept by nobody else
    _direct: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def name(self) -> str:
        return self.portfolio.policy.name

    @property
    def every(self) -> timedelta:
        return self.portfolio.policy.every

    async def cycle(self, now: datetime, extra: Sequence[Finding]) -> CycleReport:
        cycle_id = self.portfolio.ids.new()
        structlog.contextvars.bind_contextvars(cycle=cycle_id)  # on every line until the next cycle
        try:
            report = await run_cycle(self.portfolio, now, [*extra, *self._skews()], cycle_id=cycle_id)
        except Exception as error:
            self._tell_failure(error, now)
            raise
        self._failing = None
        log.info("cycle", decision=report.decision.reason, messages=len(report.messages))
        for order in report.orders():
            log.info("order", **order)
        return report

    async def after_cycle(self, report: CycleReport) -> None:
        """Show the state, wake the couriers, ping the heartbeat, thin the store now and then."""
        for courier in self.couriers:
            courier.kick()
        if report.store_error is not None:
            log.error("the cycle could not be recorded", error=report.store_error)
            self._deliver_directly(report.messages)
        elif any(self._undelivered.values()):
            self._deliver_directly([])
        for channel in self.channels:
            await channel.publish_state(report.state)
        if self.heartbeat is not None:
            self.heartbeat.ping()
        await self._thin(report.assessment.now)

    async def close(self) -> None:
        for task in self._direct:
            task.cancel()
        await self.exchanges.close()
        for channel in self.channels:
            await channel.close()
        if self.heartbeat is not None:
            await self.heartbeat.close()
        await self.portfolio.store.close()
        if self.lock is not None:
            self.lock.release()

    def _skews(self) -> Iterator[Finding]:
        """Accounts whose venue's clock and this machine's are apart."""
        for name, venue in self.exchanges.venues.items():
            skew = venue.skew_seconds
            if skew is not None and abs(skew) > SKEW_SECONDS_MAX:
                text = f"{name}: this machine's clock is {abs(skew):.1f} s {'ahead' if skew > 0 else 'behind'}."
                yield Finding(Kind.CLOCK_SKEW, name, Severity.WARNING, text, {"skew_ms": round(skew * 1000)})

    def _tell_failure(self, error: Exception, now: datetime) -> None:
        """A cycle that fails as a whole can record no alert, and the next may fail too: say so at once, once."""
        policy = self.portfolio.policy
        if self._failing is not None and now - self._failing[1] < FAILURE_REPEAT:
            return
        self._failing = (self._failing[0] if self._failing else self.portfolio.ids.new(), now)
        message = Message(
            event_id=self._failing[0],
            kind=MessageKind.FIRING,
            key=f"{Kind.CYCLE_FAILED.value}/{self.name}",
            severity=Severity.CRITICAL,
            title=f"Critical: {self.name} could not complete a cycle",
            body=(
                f"{self.name}: a cycle failed ({type(error).__name__}, see the log). Nothing is watched or traded "
                "until one completes; hedged tries again at every interval."
            ),
            at=now,
        )
        self._deliver_directly([addressed(message, policy.name, policy.world)])

    def _deliver_directly(self, messages: Sequence[Message]) -> None:
        """With no outbox to keep them, messages go out at once: better told and forgotten than not told."""

        async def deliver(channel: Channel) -> None:
            waiting = self._undelivered.pop(channel.name, [])
            for message in (*waiting, *messages):
                try:
                    await asyncio.wait_for(channel.deliver(message), DIRECT_DELIVERY_WITHIN)
                except (DeliveryError, TimeoutError) as error:
                    log.warning("message not delivered, tried again", channel=channel.name, error=str(error))
                    kept = self._undelivered.setdefault(channel.name, [])
                    kept[:] = [*kept, message][-UNDELIVERED_MAX:]

        for channel in self.channels:
            task = asyncio.create_task(deliver(channel))
            self._direct.add(task)
            task.add_done_callback(self._direct.discard)

    async def _thin(self, now: datetime) -> None:
        if self._thinned_at is not None and now - self._thinned_at < THIN_EVERY:
            return
        self._thinned_at = now
        try:
            await self.portfolio.store.thin(now)
        except StoreError as error:
            log.warning("old rows could not be thinned out", error=str(error))


async def build(settings: Settings, clock: Clock, ids: Ids) -> App:
    """Everything that `settings` asks for, wired and open. Raises `ConfigurationError` and `StoreError`."""
    from hedged.adapters.store.lock import StoreLock
    from hedged.tell.outbox import Courier

    lock = StoreLock(settings.store_path())  # before the store is opened, which may migrate it
    exchanges = Exchanges()
    store: Store | None = None
    try:
        store = await open_store(settings, clock)
        exchanges = await open_exchanges(settings, store, clock)
        await refuse_withdrawing_keys(settings, exchanges)
        channels, loops = open_channels(settings, clock, ids)
    except BaseException:
        await exchanges.close()
        if store is not None:
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
    names = tuple(channel.name for channel in channels)
    portfolio = wire(settings, exchanges, store, clock, ids, channels=names)
    couriers = [Courier(store, channel, clock) for channel in channels]
    return App(
        portfolio=portfolio,
        channels=channels,
        couriers=couriers,
        background=[*loops, *(courier.run for courier in couriers)],
        heartbeat=_heartbeat(settings),
        exchanges=exchanges,
        lock=lock,
    )


def wire(
    settings: Settings, exchanges: Exchanges, store: Store, clock: Clock, ids: Ids, *, channels: tuple[str, ...] = ()
) -> Portfolio:
    """The portfolio over these ports. In monitor there is no gateway at all, so nothing can be sent."""
    from hedged.adapters.exchanges.paper import PaperAccount

    policy = settings.policy()
    accounts: Mapping[str, AccountReader] = exchanges.readers
    gateways: dict[str, OrderGateway] = {}
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
            )
            for name, market in exchanges.markets.items()
        }
        accounts, gateways, positions_of = {**paper}, {**paper}, "paper"
    return Portfolio(
        policy=policy,
        markets=exchanges.markets,
        accounts=accounts,
        gateways=gateways,
        store=store,
        channels=channels,
        rules=settings.alert_rules(),
        clock=clock,
        ids=ids,
        positions_of=positions_of,
    )


async def open_store(settings: Settings, clock: Clock) -> Store:
    from hedged.adapters.store.sql import SqlStore

    store = SqlStore(settings.store_path(), retention=settings.retention())
    await store.open(settings.name, settings.world, clock.now())
    return store


async def open_exchanges(settings: Settings, store: Store, clock: Clock) -> Exchanges:
    """Readers of every account. Nothing is sent yet: a venue that is down is a finding of the first cycle."""
    from hedged.adapters.exchanges.tiers import WithTiers

    exchanges = Exchanges()
    tiers = settings.policy().tiers
    try:
        for account in settings.accounts:
            market: MarketReader
            reader: AccountReader | None
            if account.exchange == "simulated":
                market, reader = await _open_simulated(account, store, clock)
            else:
                market, reader = await _open_ccxt(account, settings, exchanges, clock)
            exchanges.markets[account.name] = WithTiers(market, tiers) if tiers else market
            if reader is not None:
                exchanges.readers[account.name] = reader
    except BaseException:
        await exchanges.close()
        raise
    return exchanges


async def refuse_withdrawing_keys(settings: Settings, exchanges: Exchanges) -> None:
    """A key that can withdraw is refused; one nobody can tell about is used for reading, with a warning.

    Raises `ConfigurationError`.
    """

    async def problem(name: str, venue: CcxtVenue) -> str | None:
        try:
            permissions = await venue.permissions()
        except VenueError as error:
            log.warning("the key's permissions could not be checked", account=name, error=str(error))
            return None
        if permissions is None or permissions.withdraw is None:
            log.warning("the venue does not tell whether the key may withdraw", account=name)
            return None
        if not permissions.withdraw:
            return None
        return (
            f"{settings.path}: account {name}: its key may withdraw, so hedged does not use it: "
            "make one that can read and nothing else"
        )

    keyed = {name: venue for name, venue in exchanges.venues.items() if venue.reader is not None}
    found = await asyncio.gather(*(problem(name, venue) for name, venue in keyed.items()))
    if any(found):
        raise ConfigurationError(*(text for text in found if text))


async def _open_ccxt(
    account: AccountSettings, settings: Settings, exchanges: Exchanges, clock: Clock
) -> tuple[MarketReader, AccountReader | None]:
    from hedged.adapters.exchanges.ccxt_account import open_ccxt

    keys = settings.credentials().account(account.name, account.credentials_file)
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
    )
    exchanges.closers.append(venue.close)
    exchanges.venues[account.name] = venue
    if keys is None:
        log.warning("no key: only public prices are read", account=account.name)
    return venue.market, venue.reader


async def _open_simulated(account: AccountSettings, store: Store, clock: Clock) -> tuple[MarketReader, AccountReader]:
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
    venue = SimulatedVenue(market, clock, account=account.name, balances={"spot": spot})
    exchange = SimulatedExchange(venue, clock)
    return exchange, exchange


def open_channels(settings: Settings, clock: Clock, ids: Ids) -> tuple[list[Channel], list[Loop]]:
    """Where messages go, and the loops that keep connections."""
    channels: list[Channel] = []
    loops: list[Loop] = []
    if settings.notify.log:
        from hedged.adapters.channels.log import LogChannel

        channels.append(LogChannel())
    if settings.mqtt is not None:
        from hedged.adapters.channels.mqtt import MqttChannel, MqttOptions

        mqtt = settings.mqtt
        login = settings.credentials().mqtt(mqtt.credentials_file)
        channel = MqttChannel(
            MqttOptions(
                host=mqtt.host,
                instance=settings.instance,
                port=mqtt.port or (8883 if mqtt.tls else 1883),
                prefix=mqtt.prefix,
                username=login.username if login is not None else None,
                password=login.password.reveal() if login is not None else None,
                tls=mqtt.tls,
                ca_file=mqtt.ca_file,
                cert_file=mqtt.certificate_file,
                key_file=mqtt.key_file,
            ),
            clock,
            ids,
        )
        channels.append(channel)
        loops.append(channel.run)
    urls = settings.credentials().notify(settings.notify.credentials_file)
    if urls:
        from hedged.adapters.channels.apprise import apprise_channels

        channels.extend(apprise_channels("\n".join(url.reveal() for url in urls), "notify"))
    return channels, loops


def _heartbeat(settings: Settings) -> Heartbeat | None:
    if settings.notify.heartbeat_url is None:
        return None
    from hedged.adapters.channels.heartbeat import Heartbeat

    return Heartbeat(settings.notify.heartbeat_url)
