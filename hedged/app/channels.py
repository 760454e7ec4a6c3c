"""Where messages go and come from: channels, commands, the heartbeat, the pages for machines."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hedged.daemon.portfolio import App
from hedged.model.policy import World
from hedged.ports import (
    Channel,
    Clock,
    CommandTaker,
    Ids,
    StandingAlerts,
    Store,
)
from hedged.settings import Settings

if TYPE_CHECKING:
    from hedged.adapters.channels.heartbeat import Heartbeat
    from hedged.adapters.channels.home_assistant import Discovery
    from hedged.adapters.channels.mqtt_client import MqttOptions
    from hedged.adapters.channels.telegram_api import Chat
    from hedged.adapters.credentials import Secret
    from hedged.daemon.background import Loop
    from hedged.daemon.commands import Commands
    from hedged.settings.schema import MqttSettings, TelegramSettings


def channels_of(settings: Settings, store: Store, clock: Clock, ids: Ids) -> list[Channel]:
    """The channels alone, not connected: to be asked what they are."""
    from hedged.tell.standing import Standing

    standing = Standing(store, clock, settings.name, settings.world, settings.web.url)
    return open_channels(settings, clock, ids, standing, command_desk(settings, store, clock))[0]


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

        channels.extend(apprise_channels(urls, str(settings.path)))
    if settings.telegram is not None:
        from hedged.adapters.channels.telegram import TelegramChannel

        channels.append(TelegramChannel(telegram_chat(settings, settings.telegram, clock), str(settings.path)))
    return channels, loops


def telegram_chat(settings: Settings, telegram: TelegramSettings, clock: Clock) -> Chat:
    """Raises `ConfigurationError` for a secret file that cannot be used."""
    from hedged.adapters.channels.telegram_api import BotApi, Chat

    login = settings.telegram_login(telegram)
    token = login.token.reveal()
    return Chat(BotApi(token, clock, server=telegram.server), token, login.chat_id, login.users)


def telegram_desk(
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


def command_desk(settings: Settings, store: Store, clock: Clock) -> Commands:
    from hedged.daemon.commands import Commands

    allowed = settings.mqtt.commands if settings.mqtt is not None else ()
    return Commands(store, settings.name, [hedge.name for hedge in settings.hedges], allowed, clock)


def heartbeat_of(settings: Settings, store: Store, clock: Clock) -> Heartbeat | None:
    notify = settings.notify
    if notify.heartbeat_url is None:
        return None
    from hedged.adapters.channels.heartbeat import Heartbeat

    return Heartbeat(notify.heartbeat_url, store, clock, signals=notify.heartbeat_signals)


def web_loops(settings: Settings, app: App, token: Secret | None, clock: Clock) -> list[Loop]:
    """The server of pages and figures, where one is asked for."""
    if settings.web.listen is None:
        return []
    from hedged.adapters.store.sqlite import size
    from hedged.tell.listing import Listing
    from hedged.web.address import parse_address
    from hedged.web.alerts import AlertPages
    from hedged.web.figures import Figures
    from hedged.web.server import WebOptions, WebServer

    host, port = parse_address(settings.web.listen)
    names = (*settings.web.names, *([] if settings.web.url is None else [urlsplit(settings.web.url).hostname or ""]))
    secret = None if token is None else token.reveal()
    options = WebOptions(host, port, names, secret)
    figures = Figures(app, partial(size, settings.store_path()))
    listing = Listing(app.portfolio.store, settings.name, settings.world)
    pages = AlertPages(listing, app.portfolio, app.vitals, clock, secret)
    return [WebServer(options, figures, pages, app.vitals, clock).run]
