"""Telegram's Bot API as far as hedged uses it: one call, and every way in which it can fail.

https://core.telegram.org/bots/api: POST <server>/bot<token>/<method>, JSON both ways, `{"ok": true, "result": …}` or
`{"ok": false, "error_code": 429, "description": "…", "parameters": {"retry_after": 35}}`. The token stands in every
address, so no error here carries an address, and no redirect is followed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from hedged.adapters.log import scrub
from hedged.errors import DeliveryError
from hedged.ports import Clock
from hedged.tell.text import clean

if TYPE_CHECKING:
    import aiohttp

REPLY_MAX = 4 * 1024 * 1024  # bytes
WAIT_MAX = 3600.0  # seconds, whatever we are asked to wait
DESCRIPTION_MAX = 200

BAD_REQUEST, UNAUTHORIZED, FORBIDDEN, CONFLICT, TOO_MANY = 400, 401, 403, 409, 429


class TelegramError(DeliveryError):
    """What Telegram did not do, in words. `code`: its own, None where there was no answer that could be understood."""

    def __init__(self, text: str, code: int | None = None, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.code = code
        self.retry_after = retry_after  # seconds


@dataclass(frozen=True, slots=True)
class Chat:
    """Where hedged writes, as which bot, and who may press buttons there. `token` seals these."""

    api: BotApi
    token: str = field(repr=False)
    id: int
    users: frozenset[int] = frozenset()


class BotApi:
    """One bot. A method that Telegram asked to rest for a while is refused here until then, without asking."""

    def __init__(self, token: str, clock: Clock, *, server: str, timeout: float = 8.0) -> None:
        self._base = f"{server.rstrip('/')}/bot{token}/"
        self._clock = clock
        self._timeout = timeout
        self._session: aiohttp.ClientSession | None = None
        self._resting: dict[str, float] = {}  # method → monotonic time until which it rests

    def __repr__(self) -> str:
        return "BotApi(…)"

    async def call(self, method: str, parameters: Mapping[str, object], *, within: float | None = None) -> Any:
        """The result. `within`: seconds, for a call that waits at the other side. Raises `TelegramError`."""
        left = self._resting.get(method, 0.0) - self._clock.monotonic()
        if left > 0:
            raise TelegramError(f"Telegram asked for a rest, {left:.0f} s of it are left", TOO_MANY, left)
        status, body = await self._post(method, parameters, within or self._timeout)
        try:
            answer = json.loads(body)
        except (ValueError, RecursionError):
            answer = None
        if not isinstance(answer, dict) or not isinstance(answer.get("ok"), bool):
            raise TelegramError(f"{method}: not an answer of Telegram's (status {status}, {len(body)} bytes)")
        if answer["ok"] and "result" in answer:
            return answer["result"]
        raise self._refusal(method, answer, status)

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def _post(self, method: str, parameters: Mapping[str, object], within: float) -> tuple[int, bytes]:
        import aiohttp  # noqa: PLC0415 - 0.2 s, only for those who have Telegram

        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=True)
        limit = aiohttp.ClientTimeout(total=within)
        try:
            async with self._session.post(
                self._base + method, json=dict(parameters), timeout=limit, allow_redirects=False
            ) as response:
                body = b""
                async for chunk in response.content.iter_chunked(65_536):
                    body += chunk
                    if len(body) > REPLY_MAX:
                        raise TelegramError(f"{method}: an answer of more than {REPLY_MAX:,} bytes")
                return response.status, body
        except TimeoutError:
            raise TelegramError(f"{method}: no answer within {within:g} s") from None
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # Not the error's own text, and not the error: it may name the address.
            raise TelegramError(f"{method}: no connection ({type(error).__name__})") from None

    def _refusal(self, method: str, answer: dict[str, Any], status: int) -> TelegramError:
        code = answer.get("error_code")
        code = code if isinstance(code, int) and not isinstance(code, bool) else status
        said = clean(scrub(str(answer.get("description", ""))), DESCRIPTION_MAX)
        if code == TOO_MANY:
            wait = _wait(answer)
            self._resting[method] = self._clock.monotonic() + wait
            return TelegramError(f"{method}: Telegram asks for a rest of {wait:.0f} s", code, wait)
        hint = {
            UNAUTHORIZED: ": the token in the secret file `telegram` is not valid (any more)",
            CONFLICT: ": somebody else asks with this token, or a webhook is set: every portfolio needs its own bot",
        }.get(code, "")
        return TelegramError(f"{method}: refused ({code}){f' {said}' if said else ''}{hint}", code)


def _wait(answer: dict[str, Any]) -> float:
    """How long it asks us to wait; 30 s where it does not say."""
    parameters = answer.get("parameters")
    seconds = parameters.get("retry_after") if isinstance(parameters, dict) else None
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not seconds > 0:
        return 30.0
    return min(float(seconds), WAIT_MAX)
