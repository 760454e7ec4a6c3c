"""Orders approved and alerts acknowledged by a button in Telegram.

    getUpdates ─► taken, durably ─► one of ours, from somebody allowed? ─► command, once ─► answered in words
                                     └► dropped, audited, answered in words

An update is taken once: a button pressed while hedged died is simply pressed again. Two loops: `poll` waits for what
is pressed, `keep_shown` has the proposals in the chat as they stand, also those that were decided elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from hmac import compare_digest
from typing import Any

import structlog

from hedged.adapters.channels.telegram_api import UNAUTHORIZED, Chat, TelegramError
from hedged.adapters.channels.telegram_board import Board
from hedged.adapters.channels.telegram_kept import TelegramMemory
from hedged.adapters.channels.telegram_text import ANSWER_MAX, Buttons, Pressed, parse_data, seal, under
from hedged.errors import StoreError
from hedged.model.command import Acknowledge, Answer, Command, Drop, Dropped, Verb
from hedged.ports import Clock, CommandRunner, Store
from hedged.tell.outbox import Backoff
from hedged.tell.text import clean

SOURCE = "telegram"
POLL_SECONDS = 30  # how long Telegram holds a question for updates open
POLL_SLACK = 10.0
EMPTY_AT_ONCE = 1.0  # seconds: an empty answer faster than that is not a long poll
UPDATES_MAX = 100
ANSWER_WITHIN = timedelta(minutes=1)
ID_MAX = 64  # characters
SLOW = 6  # failures that a token which is not valid counts for: it does not become valid in a second

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Press:
    """A button pressed, as far as it can be read."""

    query: str
    user: int | None
    chat: int | None
    message_id: int | None
    data: object
    others: Buttons = field(default_factory=list)  # what else stands under the message


class TelegramDesk:
    """One chat; what is pressed there goes to `commands`, what is proposed to `board`."""

    def __init__(
        self,
        chat: Chat,
        *,
        store: Store,
        memory: TelegramMemory,
        board: Board,
        commands: CommandRunner,
        clock: Clock,
        backoff: Backoff | None = None,
    ) -> None:
        self._chat = chat
        self._store = store
        self._memory = memory
        self._board = board
        self._commands = commands
        self._clock = clock
        self._backoff = backoff or Backoff(first=1.0, cap=60.0)
        self._kicked = asyncio.Event()
        self._kicked.set()
        self._failing: set[str] = set()  # what has been complained of

    def kick(self) -> None:
        self._kicked.set()

    async def show(self) -> None:
        """Raises `TelegramError` and `StoreError`."""
        await self._board.show()

    async def keep_shown(self) -> None:
        """Show the proposals after each cycle and each answer, until cancelled."""
        failures = 0
        while True:
            await self._kicked.wait()
            self._kicked.clear()
            try:
                await self._board.show()
            except (TelegramError, StoreError) as error:
                failures += 1
                self._complain("proposals cannot be shown in Telegram, trying again", error)
                await self._clock.sleep(self._pause(error, failures))
                self._kicked.set()
            else:
                failures = 0
                self._recovered("proposals cannot be shown in Telegram, trying again", "proposals are shown again")

    async def poll(self) -> None:
        """Take what is pressed, until cancelled."""
        failures = 0
        while True:
            began = self._clock.monotonic()
            try:
                updates = await self._updates()
                for update in updates:
                    await self._take(update)
            except (TelegramError, StoreError) as error:
                failures += 1
                self._complain("buttons in Telegram are not heard, trying again", error)
                await self._clock.sleep(self._pause(error, failures))
                continue
            failures = 0
            self._recovered("buttons in Telegram are not heard, trying again", "buttons are heard again")
            if not updates and self._clock.monotonic() - began < EMPTY_AT_ONCE:
                await self._clock.sleep(EMPTY_AT_ONCE)

    def _pause(self, error: Exception, failures: int) -> float:
        if isinstance(error, TelegramError) and error.retry_after is not None:
            return error.retry_after
        slow = isinstance(error, TelegramError) and error.code == UNAUTHORIZED
        return self._backoff.after(failures + SLOW if slow else failures)

    async def _updates(self) -> list[Any]:
        asked = {"timeout": POLL_SECONDS, "limit": UPDATES_MAX, "allowed_updates": ["callback_query"]}
        if (offset := await self._memory.offset()) is not None:
            asked["offset"] = offset
        updates = await self._chat.api.call("getUpdates", asked, within=POLL_SECONDS + POLL_SLACK)
        if not isinstance(updates, list):
            raise TelegramError("getUpdates: not a list of updates")
        return updates[:UPDATES_MAX]

    async def _take(self, update: object) -> None:
        """That it was taken is durable before anything is done."""
        number = _number(update, "update_id")
        if number is None:
            raise TelegramError("getUpdates: an update without a number")
        query = update.get("callback_query") if isinstance(update, dict) else None
        if not await self._memory.advance(number) or not isinstance(query, dict):
            return
        press = press_of(query)
        if press is None:  # nobody can be answered, and nothing used once
            await self._commands.drop(SOURCE, "?", Dropped(Drop.MISTYPED, "a button pressed without an id"))
            return
        try:
            await self._pressed(press)
        except StoreError as error:
            _log.error("a button in Telegram could not be carried out", error=str(error))
            await self._answer(press, "hedged cannot use its database now: nothing was done. Press again later.")

    async def _pressed(self, press: Press) -> None:
        pressed = parse_data(press.data)
        verb = "?" if pressed is None else pressed.verb.value
        if press.user not in self._chat.users or press.chat != self._chat.id:
            text = f"user {press.user} in chat {press.chat} may not press buttons here"
            await self._commands.drop(SOURCE, verb, Dropped(Drop.NOT_ALLOWED, text, nonce=press.query))
            await self._answer(press, "You may not decide here. That you tried is kept.")
            return
        command = None if pressed is None else await self._command(pressed, press)
        if command is None:
            text = f"user {press.user} pressed a button that hedged does not offer like this"
            await self._commands.drop(SOURCE, verb, Dropped(Drop.MISTYPED, text, nonce=press.query))
            await self._answer(
                press, "hedged does not offer this button now, or not with these numbers: nothing was done."
            )
            return
        reply = await self._commands.run(command, source=SOURCE, by=f"{SOURCE} {press.user}")
        await self._answer(press, reply.text, alarm=not reply.ok)
        self.kick()
        if reply.ok and command.verb is Verb.ACK and press.message_id is not None:
            place = {"chat_id": self._chat.id, "message_id": press.message_id}
            await self._try("editMessageReplyMarkup", {**place, **under(press.others)})

    async def _command(self, pressed: Pressed, press: Press) -> Command | None:
        """What is asked by this button; None where we did not make it for what the store knows now."""
        wish: Acknowledge | Answer
        digest = ""
        if pressed.verb is Verb.ACK:
            wish = Acknowledge(pressed.about)
        else:
            proposal = await self._store.proposal(pressed.about)
            if proposal is None:
                return None
            digest = proposal.digest
            wish = Answer(pressed.about, digest, approve=pressed.verb is Verb.APPROVE)
        if not compare_digest(seal(self._chat.token, pressed.verb, pressed.about, digest), pressed.seal):
            return None
        return Command(pressed.verb, press.query, press.query, self._clock.now() + ANSWER_WITHIN, wish)

    async def _answer(self, press: Press, text: str, *, alarm: bool = True) -> None:
        """In words, to the person who pressed. `alarm`: to be read before anything else."""
        said = clean(text, ANSWER_MAX)
        await self._try("answerCallbackQuery", {"callback_query_id": press.query, "text": said, "show_alert": alarm})

    async def _try(self, method: str, parameters: Mapping[str, object]) -> None:
        """What was done is done: an answer that does not arrive is not tried again."""
        try:
            await self._chat.api.call(method, parameters)
        except TelegramError as error:
            self._complain("answers do not reach Telegram", error)
        else:
            self._recovered("answers do not reach Telegram", "answers reach Telegram again")

    def _complain(self, event: str, error: Exception) -> None:
        if event not in self._failing:
            self._failing.add(event)
            _log.warning(event, error=str(error))

    def _recovered(self, event: str, news: str) -> None:
        if event in self._failing:
            self._failing.discard(event)
            _log.info(news)


def press_of(query: Mapping[str, Any]) -> Press | None:
    """None: it has no id."""
    name, message = query.get("id"), query.get("message")
    if not isinstance(name, str) or not 0 < len(name) <= ID_MAX or not name.isprintable():
        return None
    return Press(
        query=name,
        user=_number(query.get("from"), "id"),
        chat=_number(message.get("chat") if isinstance(message, dict) else None, "id"),
        message_id=_number(message, "message_id"),
        data=query.get("data"),
        others=_others(message, query.get("data")),
    )


def _others(message: object, pressed: object) -> Buttons:
    """The buttons of ours under a message, without the one that was pressed."""
    markup = message.get("reply_markup") if isinstance(message, dict) else None
    rows = markup.get("inline_keyboard") if isinstance(markup, dict) else None
    return [
        [{"text": str(button.get("text", "")), "callback_data": button["callback_data"]}]
        for row in (rows if isinstance(rows, list) else [])
        for button in (row if isinstance(row, list) else [])
        if isinstance(button, dict) and button.get("callback_data") != pressed
        if parse_data(button.get("callback_data")) is not None
    ]


def _number(table: object, key: str) -> int | None:
    value = table.get(key) if isinstance(table, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None
