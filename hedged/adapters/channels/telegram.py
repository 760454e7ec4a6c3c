"""Telegram as a channel: alerts to one chat, with a button to acknowledge what is critical."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from hedged.adapters.channels.telegram_api import Chat
from hedged.adapters.channels.telegram_text import Buttons, acknowledge_buttons, headed, under
from hedged.model.alert import Message, MessageKind
from hedged.model.finding import Kind, Severity
from hedged.tell.formats import where_the_rest_is

_STANDS = frozenset({MessageKind.FIRING, MessageKind.ESCALATED, MessageKind.REPEAT, MessageKind.UNCONFIRMED})
_SHOWN_WITH_BUTTONS = frozenset({MessageKind.FIRING, MessageKind.RESOLVED, MessageKind.REMOVED, MessageKind.PASSED})


class Desk(Protocol):
    """Where buttons are answered."""

    def kick(self) -> None:
        """A cycle has been completed: proposals may have changed."""

    async def show(self) -> None:
        """Have every proposal in the chat as it stands. Raises `DeliveryError`."""


class TelegramChannel:
    """One chat. Without a desk there are no buttons."""

    name = "telegram"
    confirms = True  # Telegram has answered that it took it

    def __init__(self, chat: Chat, config: str = "") -> None:
        """`config`: its path, for the command that shows the rest of a message that is too long."""
        self._config = config
        self.desk: Desk | None = None
        self.chat = chat

    async def deliver(self, message: Message) -> None:
        """Returns once Telegram has taken it. Raises `DeliveryError`.

        News of proposals is what the desk shows, with its buttons: not told a second time without.
        """
        if (
            self.desk is not None
            and message.key.startswith(f"{Kind.PROPOSAL.value}/")
            and message.kind in _SHOWN_WITH_BUTTONS
        ):
            await self.desk.show()
            return
        content = {
            "chat_id": self.chat.id,
            "text": headed(message.title, message.body, where_the_rest_is(message, self._config)),
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
            "disable_notification": not _makes_a_sound(message),
            **under(self._buttons(message)),
        }
        await self.chat.api.call("sendMessage", content)

    async def publish_state(self, state: Mapping[str, object]) -> None:
        """Nothing is said of a state; it is a time to look for proposals."""
        if self.desk is not None:
            self.desk.kick()

    async def close(self) -> None:
        await self.chat.api.close()

    def _buttons(self, message: Message) -> Buttons:
        if self.desk is None:
            return []
        stands = [each for each in message.alerts if each.severity is Severity.CRITICAL and each.kind in _STANDS]
        return acknowledge_buttons(self.chat.token, stands)


def _makes_a_sound(message: Message) -> bool:
    """What stands and is worth a look; and a test, which somebody waits for."""
    if message.kind is MessageKind.TEST:
        return True
    return message.kind in _STANDS and message.severity is not Severity.INFO
