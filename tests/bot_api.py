"""A local server that speaks Telegram's Bot API, keeps the chat as it is, and can misbehave.

What it refuses it refuses with Telegram's own words: https://core.telegram.org/bots/api.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from html import unescape
from types import TracebackType
from typing import Any, Self

from aiohttp import web

TOKEN = "123456:AAE-CANARY_CANARY_CANARY_CANARY-0"
CHAT, USER, STRANGER = -100500, 7, 666

FAULTS = (
    "401",
    "403",
    "409",
    "429",
    "500",
    "html",
    "empty",
    "list",
    "truncated",
    "not-ok",
    "drop",
    "hang",
    "large",
    "redirect",
)
_TAG = re.compile(r"</?b>")


class Refusal(Exception):
    def __init__(self, code: int, description: str, **parameters: int) -> None:
        super().__init__(description)
        self.code, self.description, self.parameters = code, description, parameters


@dataclass
class Written:
    """A message in the chat."""

    html: str
    text: str  # as people see it
    buttons: dict[str, str]  # text → callback data
    silent: bool = False
    edits: int = 0


@dataclass
class Answered:
    text: str
    alarm: bool


class BotServer:
    """`faults`: method or "*" → faults to go through, one a call; a fault that is not in a list stays."""

    def __init__(self) -> None:
        self.messages: dict[int, Written] = {}
        self.answers: dict[str, Answered] = {}  # by callback query
        self.calls: list[str] = []
        self.asked_offsets: list[int | None] = []
        self.faults: dict[str, list[str] | str] = {}
        self.updates: list[dict[str, Any]] = []
        self.forgetful = False  # True: updates are handed out again, whatever was confirmed
        self.webhook = ""
        self.too_old: set[str] = set()  # callback queries that cannot be answered any more
        self._number = 1000
        self._new = asyncio.Event()
        self._closing = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self.url = ""

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=1024**2)
        app.router.add_post("/bot{token}/{method}", self._handle)
        self._runner = web.AppRunner(app, shutdown_timeout=0.1, access_log=None)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.set()
        assert self._runner is not None
        await self._runner.cleanup()

    # people

    def press(self, message_id: int, button: str, *, user: int = USER, chat: int = CHAT) -> str:
        """As a person does; the query's id."""
        return self.send_data(self.messages[message_id].buttons[button], message_id, user=user, chat=chat)

    def send_data(self, data: Any, message_id: int = 1, *, user: Any = USER, chat: Any = CHAT) -> str:
        """As a client of one's own may: any data under any message."""
        query = f"{self._next()}"
        self.add(
            {
                "callback_query": {
                    "id": query,
                    "from": {"id": user, "is_bot": False, "first_name": "Ada"},
                    "message": {
                        "message_id": message_id,
                        "date": 0,
                        "chat": {"id": chat, "type": "supergroup"},
                        "reply_markup": self._markup(message_id),
                    },
                    "chat_instance": "1",
                    "data": data,
                }
            }
        )
        return query

    def add(self, update: dict[str, Any], number: int | None = None) -> None:
        self.updates.append({"update_id": self._next() if number is None else number, **update})
        self._new.set()

    # the API

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        method = request.match_info["method"]
        self.calls.append(method)
        if request.match_info["token"] != TOKEN:
            return web.json_response({"ok": False, "error_code": 401, "description": "Unauthorized"}, status=401)
        fault = self._fault(method)
        if fault is not None:
            return await self._misbehave(request, fault)
        try:
            result = await getattr(self, f"_{method}")(await request.json())
        except Refusal as refusal:
            said: dict[str, Any] = {"ok": False, "error_code": refusal.code, "description": refusal.description}
            if refusal.parameters:
                said["parameters"] = refusal.parameters
            return web.json_response(said, status=refusal.code)
        return web.json_response({"ok": True, "result": result})

    def _fault(self, method: str) -> str | None:
        for name in (method, "*"):
            fault = self.faults.get(name)
            if isinstance(fault, str):
                return fault
            if fault:
                return fault.pop(0)
        return None

    async def _misbehave(self, request: web.Request, fault: str) -> web.StreamResponse:
        if fault == "hang":
            await self._closing.wait()
        if fault in {"hang", "drop"}:
            assert request.transport is not None
            request.transport.abort()
            return web.Response()
        if fault == "redirect":  # 307 keeps method and body: what follows it would be told that all is well
            return web.Response(status=307, headers={"Location": f"/bot{TOKEN}/getMe"})
        if fault == "429":
            said = {"ok": False, "error_code": 429, "description": "Too Many Requests: retry after 35"}
            return web.json_response({**said, "parameters": {"retry_after": 35}}, status=429)
        described = {
            "401": "Unauthorized",
            "403": "Forbidden: bot was blocked by the user",
            "409": "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running",
        }
        if fault in described:
            said = {"ok": False, "error_code": int(fault), "description": described[fault]}
            return web.json_response(said, status=int(fault))
        body = {
            "500": '{"ok": false, "error_code": 500, "description": "Internal Server Error"}',
            "html": f"<html>502 for /bot{TOKEN}/</html>",
            "empty": "",
            "list": "[]",
            "truncated": '{"ok": true, "result": [{"update_id": 1',
            "not-ok": f'{{"ok": false, "description": "no {TOKEN}"}}',
            "large": '{"ok": true, "result": "' + "x" * 5_000_000 + '"}',
        }[fault]
        return web.Response(text=body, status=500 if fault == "500" else 200)

    async def _getMe(self, _asked: dict[str, Any]) -> Any:
        return {"id": 123456, "is_bot": True, "first_name": "hedged", "username": "my_hedged_bot"}

    async def _getChat(self, asked: dict[str, Any]) -> Any:
        self._known(asked)
        return {"id": CHAT, "type": "supergroup", "title": "Treasury"}

    async def _getWebhookInfo(self, _asked: dict[str, Any]) -> Any:
        return {"url": self.webhook, "has_custom_certificate": False, "pending_update_count": 0}

    async def _getUpdates(self, asked: dict[str, Any]) -> Any:
        assert asked["allowed_updates"] == ["callback_query"]
        offset = asked.get("offset")
        self.asked_offsets.append(offset)
        if offset is not None and not self.forgetful:
            self.updates = [each for each in self.updates if each["update_id"] >= offset]
        if not self.updates:
            self._new.clear()
            waiting = [asyncio.ensure_future(each.wait()) for each in (self._new, self._closing)]
            await asyncio.wait(waiting, timeout=asked["timeout"], return_when=asyncio.FIRST_COMPLETED)
            for task in waiting:
                task.cancel()
        return self.updates[: asked["limit"]]

    async def _sendMessage(self, asked: dict[str, Any]) -> Any:
        self._known(asked)
        number = self._next()
        self.messages[number] = Written(*_content(asked), silent=bool(asked.get("disable_notification")))
        return {"message_id": number, "date": 0, "chat": {"id": CHAT}, "text": self.messages[number].text}

    async def _editMessageText(self, asked: dict[str, Any]) -> Any:
        message = self._message(asked)
        html, text, buttons = _content(asked)
        if (text, buttons) == (message.text, message.buttons):
            raise Refusal(400, "Bad Request: message is not modified: specified new message content is the same")
        message.html, message.text, message.buttons = html, text, buttons
        message.edits += 1
        return True

    async def _editMessageReplyMarkup(self, asked: dict[str, Any]) -> Any:
        self._message(asked).buttons = _buttons(asked)
        return True

    async def _answerCallbackQuery(self, asked: dict[str, Any]) -> Any:
        query, text = asked["callback_query_id"], asked["text"]
        if query in self.too_old:
            raise Refusal(400, "Bad Request: query is too old and response timeout expired or query ID is invalid")
        if len(text) > 200:
            raise Refusal(400, "Bad Request: MESSAGE_TOO_LONG")
        self.answers[query] = Answered(text, asked["show_alert"])
        return True

    def _markup(self, message_id: int) -> dict[str, Any]:
        written = self.messages.get(message_id)
        buttons = written.buttons.items() if written is not None else ()
        return {"inline_keyboard": [[{"text": text, "callback_data": data}] for text, data in buttons]}

    def _known(self, asked: dict[str, Any]) -> None:
        if asked.get("chat_id") != CHAT:
            raise Refusal(400, "Bad Request: chat not found")

    def _message(self, asked: dict[str, Any]) -> Written:
        self._known(asked)
        if asked.get("message_id") not in self.messages:
            raise Refusal(400, "Bad Request: message to edit not found")
        return self.messages[asked["message_id"]]

    def _next(self) -> int:
        self._number += 1
        return self._number


def _content(asked: dict[str, Any]) -> tuple[str, str, dict[str, str]]:
    html = asked["text"]
    assert asked["parse_mode"] == "HTML"
    bare = _TAG.sub("", html)
    if "<" in bare or ">" in bare or html.count("<b>") != html.count("</b>"):
        raise Refusal(400, "Bad Request: can't parse entities: Unsupported start tag")
    text = unescape(bare)
    if not text.strip():
        raise Refusal(400, "Bad Request: message text is empty")
    if len(text.encode("utf-16-le")) // 2 > 4096:
        raise Refusal(400, "Bad Request: message is too long")
    return html, text, _buttons(asked)


def _buttons(asked: dict[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    if "reply_markup" in asked and not asked["reply_markup"].get("inline_keyboard"):
        raise Refusal(400, "Bad Request: object expected as reply markup")
    for row in asked.get("reply_markup", {}).get("inline_keyboard", []):
        for button in row:
            if not 1 <= len(button["callback_data"].encode()) <= 64:
                raise Refusal(400, "Bad Request: BUTTON_DATA_INVALID")
            found[button["text"]] = button["callback_data"]
    return found
