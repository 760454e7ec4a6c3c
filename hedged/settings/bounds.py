"""What the value of one key must be beyond its kind, and the words a wrong one is met with."""

from __future__ import annotations

import re
from datetime import UTC, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit

from hedged.adapters.credentials import CHANNEL_NAME
from hedged.model.command import Verb
from hedged.web.address import is_loopback, parse_address

_NUMBER = re.compile(r"[-+0-9._eE]+")
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")


def loopback(value: str) -> str:
    """`host:port` on this machine; anything else would send real keys to a stranger."""
    try:
        local = is_loopback(parse_address(value)[0])
    except ValueError:
        local = False
    if not local:
        raise ValueError('must be a port of this machine, such as "127.0.0.1:8443"')
    return value


def listen(value: str) -> str:
    try:
        parse_address(value)
    except ValueError:
        raise ValueError('must be an address and a port, such as "127.0.0.1:9464"') from None
    return value


def host(value: str) -> str:
    if not _HOST.fullmatch(value) or (":" in value and not _is_address(value)):
        raise ValueError("must be a host name or an address alone: port, user and password have places of their own")
    return value


def _is_address(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True


def topic(value: str) -> str:
    if not re.fullmatch(r"[^\s#+$/\x00][^\s#+\x00]*", value) or value.endswith("/"):
        raise ValueError("must be an MQTT topic without #, +, spaces, a leading $ or / and a trailing /")
    return value


def http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not value.isprintable() or " " in value:
        raise ValueError("must be an http:// or https:// address")
    return value


def bot_server(value: str) -> str:
    """The bot's token goes there in each address."""
    parts = urlsplit(http_url(value))
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError("must be the address of a Bot API server alone, without user, query or fragment")
    if parts.scheme != "https" and not is_loopback(parts.hostname or ""):
        raise ValueError("must begin with https:// unless it is on this machine")
    return value


def page_url(value: str) -> str:
    """It goes into messages: what is secret has no place in it."""
    parts = urlsplit(http_url(value))
    if parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError('must be an address alone, without user, query or fragment, such as "https://hedged.example"')
    return value.rstrip("/")


def optimal(value: object) -> object:
    if isinstance(value, str) and value != "optimal" and not _NUMBER.fullmatch(value):
        raise ValueError('must be a fraction between 0 and 1, or "optimal"')
    return None if value == "optimal" else value


def estimated(value: object) -> object:
    if isinstance(value, str) and value != "estimated":
        raise ValueError('must be a table such as { UNI = 1.2 }, or "estimated"')
    return None if value == "estimated" else value


def crontab(value: str) -> str:
    """Five fields, checked by the library that will evaluate them."""
    from apscheduler.triggers.cron import CronTrigger  # noqa: PLC0415 - only where somebody uses it

    try:
        CronTrigger.from_crontab(value, timezone=UTC)
    except ValueError as error:
        raise ValueError('must be five crontab fields in UTC, such as "0 20 * * fri"') from error
    return value


def ladder(value: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
    if len(set(value)) != len(value) or not 1 <= len(value) <= 10:
        raise ValueError("must be 1 to 10 different durations")
    return tuple(sorted(value, reverse=True))


def once_each(value: tuple[Verb, ...]) -> tuple[Verb, ...]:
    if len(set(value)) != len(value):
        raise ValueError("must name each command once")
    return value


def at_most_a_month(value: timedelta) -> timedelta:
    if value > timedelta(days=30):
        raise ValueError("must be at most 30d")
    return value


def an_answers_time(value: timedelta) -> timedelta:
    if not timedelta(minutes=1) <= value <= timedelta(days=1):
        raise ValueError("must be between 1m and 24h")
    return value


def at_most_half_a_day(value: timedelta) -> timedelta:
    if value > timedelta(hours=12):
        raise ValueError("must be at most 12h")
    return value


def time_of_day(value: str) -> str:
    if not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", value):
        raise ValueError('must be a time of the day in UTC, such as "08:00"')
    return value


def channel_name(value: str) -> str:
    if not CHANNEL_NAME.fullmatch(value):
        raise ValueError('must be the name of a channel, such as "mqtt" or "notify-1"')
    return value


def once_each_name(value: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(value)) != len(value):
        raise ValueError("must name each channel once")
    return value


def command(value: tuple[str, ...]) -> tuple[str, ...]:
    if value and not value[0].strip():
        raise ValueError('must begin with the path of a program, such as ["/usr/local/bin/alert", "--loud"]')
    if any("\x00" in part for part in value):
        raise ValueError("must not contain NUL")
    return value
