"""Telegram, Discord, Slack, e-mail, ntfy and about 170 more services, by one URL each.

The library blocks and its URLs are secrets: each delivery runs in a thread of its own, and no URL is ever shown.
"""

from __future__ import annotations

import asyncio
import logging
import re
import threading
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from hedged.adapters.credentials import NotifyUrl
from hedged.adapters.log import scrub
from hedged.errors import ConfigurationError, DeliveryError
from hedged.model.alert import Message, MessageKind
from hedged.model.finding import Severity
from hedged.tell.formats import cut, text_as_html, text_as_markdown, where_the_rest_is

_MARKS_UP = frozenset({"discord", "mmost", "mmosts", "rocket", "rockets", "zulip"})
"""Services that take everything for Markdown, also what the library sends them as plain text."""

_TITLE_MARKUP = 20  # characters that the library puts around a title in the body
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=://)")


def apprise_channels(urls: Sequence[NotifyUrl], config: str = "") -> tuple[AppriseChannel, ...]:
    """A channel for each URL, so that one that is down makes no duplicates on the others. Asks no network.

    `config`: its path, for the command that shows the rest of a message that is too long. Raises `ConfigurationError`
    with the place of each URL that the library does not understand.
    """
    channels: list[AppriseChannel] = []
    problems: list[str] = []
    for each in urls:
        url = each.url.reveal()
        try:
            channels.append(AppriseChannel(each.name, url, config))
        except ValueError:
            scheme = _SCHEME.match(url)
            shown = f"{scheme[0]}://…" if scheme else "…"
            problems.append(
                f"{each.source}  {shown}  must be a notification URL that apprise understands, "
                "such as tgram://token/chat or mailto://user:password@host"
            )
    if problems:
        raise ConfigurationError(*problems)
    return tuple(channels)


class AppriseChannel:
    """One notification URL. Raises `ValueError`, without the URL, where the library does not understand it."""

    confirms = True  # the service has answered that it took it

    def __init__(self, name: str, url: str, config: str = "") -> None:
        import apprise  # noqa: PLC0415 - heavy, and only for those who have notifications

        self.name = name
        self._config = config
        try:
            # In our thread, not in the library's pool: that one is waited for when the process ends.
            asset = apprise.AppriseAsset(async_mode=False, service_timeout=0)
        except AttributeError:  # apprise 1 knows no `service_timeout`, and uses no pool for a single service
            asset = apprise.AppriseAsset(async_mode=False)
        self._service: Any = apprise.Apprise(asset=asset)
        if not self._service.add(url):
            raise ValueError("not a notification URL")
        self._plugin: Any = self._service[0]
        self._marks_up = url.partition("://")[0].lower() in _MARKS_UP
        self._busy: threading.Thread | None = None

    async def deliver(self, message: Message) -> None:
        """Returns once the service has taken it. Raises `DeliveryError`."""
        if self._busy is not None and self._busy.is_alive():
            raise DeliveryError("the service has not answered the previous message yet")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[str | None] = loop.create_future()

        def work() -> None:
            error = self._notify(message)
            try:
                loop.call_soon_threadsafe(lambda: None if answer.done() else answer.set_result(error))
            except RuntimeError:
                return  # the loop is closed: nobody waits for the answer any more

        # A daemon thread: a service that hangs cannot keep the process from stopping.
        self._busy = threading.Thread(target=work, name=self.name, daemon=True)
        self._busy.start()
        if (error := await answer) is not None:
            raise DeliveryError(error)

    async def publish_state(self, state: Mapping[str, object]) -> None:
        """Nothing: people are told events, not states."""

    async def close(self) -> None:
        """Nothing to close."""

    def _notify(self, message: Message) -> str | None:
        """Why the service did not take it; None: it did."""
        complaints = _Complaints()
        logger = logging.getLogger("apprise")
        logger.addHandler(complaints)
        try:
            title, body, body_format = self._payload(message)
            taken = self._service.notify(
                title=title, body=body, notify_type=_notify_type(message), body_format=body_format
            )
        except Exception as error:  # noqa: BLE001 - plug-ins of 170 services raise what they like
            return type(error).__name__
        finally:
            logger.removeHandler(complaints)
        return None if taken else scrub(complaints.last or "the service did not take it")

    def _payload(self, message: Message) -> tuple[str, str, str]:
        """Title, body and its format, within the service's limit and escaped for what it speaks."""
        service, more = self._plugin, where_the_rest_is(message, self._config)
        room = int(service.body_maxlen) or len(message.body)
        titled = service.title_maxlen > 0
        if not titled:  # the title becomes the body's first line
            room -= len(escape(message.title)) + _TITLE_MARKUP
        title = message.title if titled else escape(message.title)
        if message.html is not None and len(message.html) <= room and self._speaks("html", "html"):
            return title, message.html, "html"
        if self._speaks("html", "text"):
            body = cut(message.body, room, more, lambda text: len(text_as_html(text)))
            return title, text_as_html(body), "html"
        if self._speaks("markdown", "text"):
            body = cut(message.body, room, more, lambda text: len(text_as_markdown(text)))
            if hasattr(service, "resolve_format"):
                return message.title, body, "text"
            return text_as_markdown(message.title), text_as_markdown(body), "markdown"  # apprise 1 escapes none
        if self._marks_up:
            body = cut(message.body, room, more, lambda text: len(text_as_markdown(text)))
            return text_as_markdown(message.title), text_as_markdown(body), "text"
        return message.title, cut(message.body, room, more), "text"

    def _speaks(self, wanted: str, given: str) -> bool:
        """Whether the service is told in `wanted` what it is given as `given`."""
        service = self._plugin
        resolve = getattr(service, "resolve_format", None)  # apprise 1 knows one format a service
        spoken = service.notify_format if resolve is None else resolve(given)
        return str(getattr(spoken, "value", spoken)) == wanted


class _Complaints(logging.Handler):
    """Catches what the library says in this thread, its only way to give a reason."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._thread = threading.get_ident()
        self.last: str | None = None

    def emit(self, record: logging.LogRecord) -> None:
        if record.thread == self._thread:
            self.last = record.getMessage()


def _notify_type(message: Message) -> str:
    if message.kind in {MessageKind.RESOLVED, MessageKind.REMOVED, MessageKind.PASSED}:
        return "success"
    return {Severity.CRITICAL: "failure", Severity.WARNING: "warning"}.get(message.severity, "info")
