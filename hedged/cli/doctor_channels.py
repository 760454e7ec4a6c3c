"""What `hedged doctor` asks of the ways to a person: the bot in Telegram, the dead-man's switch."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from hedged.cli.check import Check

if TYPE_CHECKING:
    from hedged.adapters.channels.telegram_api import BotApi
    from hedged.ports import Clock
    from hedged.settings import Settings

ANSWERED_WITHIN = timedelta(hours=24)
CONNECT_WITHIN = 5.0  # seconds


async def notify_checks(settings: Settings, *, send: bool) -> list[Check]:
    """The channels whose state only a message shows: services behind a URL, and the user's program."""
    from hedged.cli.notify import try_channels

    names = [each.name for each in settings.credentials().notify(settings.notify.credentials_file)]
    names += ["exec"] if settings.notify.exec else []
    if not send:
        text = "only a message shows whether it is taken: `hedged doctor --notify`, or `hedged notify test`"
        return [Check(f"channel {name}", "unknown", text) for name in names]
    tried = await try_channels(settings, names) if names else {}
    return [
        Check(f"channel {name}", "ok" if error is None else "failed", error or "took a test message")
        for name, error in tried.items()
    ]


async def telegram_checks(settings: Settings, clock: Clock) -> list[Check]:
    """Whether the token is valid, the chat can be written to, and buttons will be heard. Nothing is written there."""
    from hedged.adapters.channels.telegram_api import TelegramError
    from hedged.app import telegram_chat

    if settings.telegram is None:
        return []
    chat = telegram_chat(settings, settings.telegram, clock)
    checks = []
    try:
        try:
            bot = await chat.api.call("getMe", {})
            checks.append(Check("telegram: bot", "ok", f"@{_text(bot, 'username')}"))
            room = await chat.api.call("getChat", {"chat_id": chat.id})
            checks.append(Check("telegram: chat", "ok", _text(room, "title") or _text(room, "first_name") or "there"))
        except TelegramError as error:
            what = "telegram: chat" if checks else "telegram: bot"
            fix = ": write to the bot first, or add it to the group" if checks else ""
            return [*checks, Check(what, "failed", f"{error}{fix}")]
        if settings.telegram.buttons:
            checks.append(await _buttons(chat.api, len(chat.users)))
    finally:
        await chat.api.close()
    return checks


async def _buttons(api: BotApi, users: int) -> Check:
    from hedged.adapters.channels.telegram_api import TelegramError

    try:
        hook = await api.call("getWebhookInfo", {})
    except TelegramError as error:
        return Check("telegram: buttons", "unknown", str(error))
    if _text(hook, "url"):
        text = "a webhook is set, so buttons are not heard here: another program uses this bot; make one for hedged"
        return Check("telegram: buttons", "failed", text)
    return Check("telegram: buttons", "ok", f"{users} may press them")


async def heartbeat_checks(settings: Settings, now: datetime) -> list[Check]:
    """When it was answered last; else whether its host can be reached. Never fetched: that would be a sign of life."""
    url = settings.notify.heartbeat_url
    if url is None:
        return []
    delivered = (await _kept(settings)).get("delivered_at")
    age = now - datetime.fromisoformat(str(delivered)) if delivered is not None else None
    if age is not None and timedelta(0) <= age <= ANSWERED_WITHIN:
        return [Check("heartbeat", "ok", f"answered {age.total_seconds():,.0f} s ago")]
    last = "not answered yet" if age is None else f"not answered since {delivered}"
    parts = urlsplit(url)
    if parts.scheme in getproxies() and not proxy_bypass(parts.hostname or ""):
        return [Check("heartbeat", "unknown", f"{last}; it is reached through a proxy, which is not asked here")]
    tls = parts.scheme == "https"
    port = parts.port or (443 if tls else 80)
    try:
        async with asyncio.timeout(CONNECT_WITHIN):
            _, writer = await asyncio.open_connection(parts.hostname, port, ssl=tls or None)
            writer.close()
    except (OSError, ValueError) as error:  # also no answer in time, and a certificate that is not trusted
        text = f"{last}; its host cannot be reached ({type(error).__name__}): check the address and the firewall"
        return [Check("heartbeat", "failed", text)]
    return [Check("heartbeat", "unknown", f"{last}; its host can be reached: a cycle of `hedged run` fetches it")]


async def _kept(settings: Settings) -> Mapping[str, object]:
    """What the store says of the heartbeat; nothing where it cannot be asked, which has a line of its own."""
    from hedged.adapters.channels.heartbeat import KEPT
    from hedged.adapters.store.sql import SqlStore
    from hedged.errors import StoreError

    store = SqlStore(settings.store_path())
    try:
        await store.open_read_only(settings.name, settings.world)
        return await store.get_blob(KEPT) or {}
    except StoreError:
        return {}
    finally:
        await store.close()


def _text(table: object, key: str) -> str:
    from hedged.tell.text import clean

    value = table.get(key) if isinstance(table, dict) else None
    return clean(value, 80) if isinstance(value, str) else ""
