"""The one door between ccxt and the network.

ccxt's own `fetch` returns an empty balance for an HTML page with status 200, writes signed addresses into its error
texts and keys into its debug log, and sends whatever it is asked to. `Guard.fetch` stands in its place: it lets
through only the endpoints that a dialect lists, raises unless the reply has the shape that is promised there, and
speaks of nothing but the account, our name for the call, and the venue's own code and message, scrubbed.

    nothing came back, or 'come back later'   → Unreachable
    something else than the promise came back → Unreadable
    the venue understood and said no          → Refused
    not on the dialect's list                 → NotAllowed, before a byte leaves
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp
import yarl

from hedged.adapters.exchanges.shapes import Misshapen, Shape, check, parse_json
from hedged.adapters.exchanges.transport import TooLong, read_up_to
from hedged.errors import Refused, Unreachable, Unreadable, VenueError
from hedged.ports import Clock

_REST_DEFAULT = 60.0  # seconds to leave a venue alone that limits us and does not say how long
_REST_MAX = 3600.0
_REPLY_MAX, _LISTING_MAX = 16 << 20, 64 << 20
_SLOW_DOWN = frozenset({418, 429})
_FORBIDDEN_HERE = 451
_SERVER_FAILED = 500  # from here on a 'no' in the body is not the venue's last word

_ADDRESS = re.compile(r"\w+://\S+")
_PARAMETER = re.compile(r"[\w-]+=\S+")
_LONG_WORD = re.compile(r"[A-Za-z0-9+/_-]{24,}={0,2}")  # keys and signatures; no message needs such words


# where venues put their code and message
_WORDS = (
    *("code", "retCode", "label", "sCode", "errorCode", "error"),
    *("msg", "retMsg", "sMsg", "message", "errorMessage"),
)


_LEFT: ContextVar[list[str] | None] = ContextVar("requests that have left", default=None)


class NotAllowed(Refused):
    """A call that this line must not make: it is not on its list of endpoints. Nothing was sent."""


class Resting(Unreachable):
    """Nothing was sent: the venue asked to be left alone, and the time has not passed."""


class ClockSkew(Unreachable):
    """The venue did not accept the time we signed with: synchronise, then ask again."""


class NotSigned(Refused):
    """The venue does not accept the signature and does not say why: the key may be wrong, or our clock."""


class RateLimited(Unreachable):
    """The venue asks to slow down by a code of its own instead of HTTP's: its host is left alone for a while."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A call that may be made. `name` is what we call it in messages; `shape` is what its reply must be."""

    name: str
    shape: Shape
    patience: float = 1.0  # times the usual limit; more for lists of megabytes that are loaded in the background
    status: int = 200  # of a reply that says yes, beside 200

    @property
    def size_max(self) -> int:
        """Bytes of a reply, unpacked."""
        return _LISTING_MAX if self.patience > 1 else _REPLY_MAX


@dataclass(frozen=True, slots=True, repr=False)
class _Answer:
    """What came back; without a repr, for the address is signed."""

    url: str
    method: str
    status: int
    retry_after: str | None
    text: str


class Saying(Protocol):
    """What the guard needs to know of a venue: see `Dialect`."""

    @property
    def endpoints(self) -> Mapping[tuple[str, str], Endpoint]: ...

    @property
    def refusals(self) -> Mapping[str, str]: ...

    @property
    def complaints(self) -> Mapping[str, type[VenueError]]: ...

    def error_code(self, reply: Mapping[str, Any]) -> str: ...

    def asked(self, path: str, body: str | None) -> str: ...


class Guard:
    """Sends ccxt's requests, if they are on the list, and vouches for the shape of what comes back."""

    def __init__(
        self,
        account: str,
        exchange: Any,
        errors: Any,  # ccxt.base.errors
        dialect: Saying,
        *,
        clock: Clock,
        session: aiohttp.ClientSession,
        secrets: Collection[str],
        time_limit: float,
    ) -> None:
        self._account = account
        self._exchange = exchange
        self._errors = errors
        self._dialect = dialect
        self._patterns = [(key, parts) for key in dialect.endpoints if "{}" in (parts := key[1].split("/"))]
        self._clock = clock
        self._session = session
        self._secrets = tuple(secret for secret in secrets if secret)
        self._time_limit = time_limit
        self._rest_until: dict[str, float] = {}  # host → monotonic

    async def fetch(self, url: str, method: str = "GET", headers: Any = None, body: Any = None) -> Any:
        """What ccxt calls instead of its own `fetch`. Raises `VenueError` and nothing else."""
        parts = urlsplit(url)
        path = self._dialect.asked(parts.path, body)
        endpoint = self._listed(method, path)
        if endpoint is None:
            detail = "not on the list of this line's calls, so nothing was sent"
            raise NotAllowed(self._account, f"{method} {path}", detail)
        self._check_rest(endpoint, parts.netloc)
        if (left := _LEFT.get()) is not None:
            left.append(endpoint.name)
        answer = await self._send(endpoint, url, method, headers, body)
        if answer.status in _SLOW_DOWN:
            self._rest(parts.netloc, answer.retry_after)
            detail = f"asked to slow down (HTTP {answer.status}){self._message(answer.text)}"
            raise Unreachable(self._account, endpoint.name, detail)
        reply = self._parse(endpoint, answer)
        self._raise_complaint(endpoint, answer, reply)
        try:
            check(reply, endpoint.shape)
        except Misshapen as error:
            raise Unreadable(self._account, endpoint.name, str(error)) from None
        return reply

    def _listed(self, method: str, path: str) -> Endpoint | None:
        """The endpoint a request is for. `{}` in a listed path stands for one segment, such as a market's id."""
        exact = self._dialect.endpoints.get((method, path))
        if exact is not None or not self._patterns:
            return exact
        segments = path.split("/")
        for key, parts in self._patterns:
            if key[0] != method or len(parts) != len(segments):
                continue
            if all(part in {"{}", segment} for part, segment in zip(parts, segments, strict=True)):
                return self._dialect.endpoints[key]
        return None

    async def _send(self, endpoint: Endpoint, url: str, method: str, headers: Any, body: Any) -> _Answer:
        limit = endpoint.patience * self._time_limit
        address = yarl.URL(url, encoded=True)  # encoded: the signature covers these very characters
        try:
            async with self._session.request(
                method,
                address,
                headers=self._exchange.prepare_request_headers(headers),
                data=body.encode() if body else None,
                timeout=aiohttp.ClientTimeout(total=limit),
                allow_redirects=False,
            ) as response:
                raw = await read_up_to(response, endpoint.size_max)
                retry_after = response.headers.get("Retry-After")
                return _Answer(url, method, response.status, retry_after, raw.decode())
        except TimeoutError:
            detail = f"no answer within {limit:g} s"
        except aiohttp.ClientConnectorCertificateError:
            detail = "the server's certificate does not verify"
        except aiohttp.ClientConnectorDNSError:
            detail = "the venue's name does not resolve: this machine's network or DNS may be down"
        except aiohttp.ClientOSError as error:
            detail = f"no connection ({error.strerror or 'reset'})"
        except (aiohttp.ServerDisconnectedError, ConnectionError):
            detail = "the connection was closed before the answer"
        except aiohttp.ClientError as error:
            detail = f"the connection failed ({type(error).__name__})"
        except UnicodeDecodeError:
            raise Unreadable(self._account, endpoint.name, "the reply is not text") from None
        except TooLong as error:
            raise Unreadable(self._account, endpoint.name, str(error)) from None
        raise Unreachable(self._account, endpoint.name, scrub(detail, self._secrets))

    def _parse(self, endpoint: Endpoint, answer: _Answer) -> Any:
        """The reply; None for an error status whose body is not JSON (a proxy's page), which the status explains."""
        try:
            return parse_json(answer.text)
        except Misshapen as error:
            if answer.status == 200:
                raise Unreadable(self._account, endpoint.name, str(error)) from None
            return None

    def _raise_complaint(self, endpoint: Endpoint, answer: _Answer, reply: Any) -> None:
        """Raise if the venue reports an error, whatever the HTTP status; ccxt's tables say of which kind it is."""
        message, status = self._message(answer.text), answer.status
        code = self._dialect.error_code(reply) if isinstance(reply, dict) else f"HTTP {status}"
        refusals, told = self._dialect.refusals, self._dialect.complaints.get(code)
        if code in refusals:
            refusal = told if told is not None and issubclass(told, Refused) else Refused
            raise refusal(self._account, endpoint.name, f"{refusals[code]}{message}")
        if told is not None and not (issubclass(told, Refused) and status >= _SERVER_FAILED):
            if issubclass(told, RateLimited):
                self._rest(urlsplit(answer.url).netloc, answer.retry_after)
            raise told(self._account, endpoint.name, f"HTTP {status}{message}")
        if status == _FORBIDDEN_HERE:
            raise Refused(self._account, endpoint.name, f"the venue does not serve this location{message}")
        try:
            if isinstance(reply, dict | list):
                self._exchange.handle_errors(status, "", answer.url, answer.method, {}, answer.text, reply, {}, None)
            self._exchange.handle_http_status_code(status, "", answer.url, answer.method, "")
        except self._errors.BaseError as error:
            kind = classify(error, self._errors)
            raise kind(self._account, endpoint.name, f"HTTP {status}{message}") from None
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
            raise Unreadable(self._account, endpoint.name, "the reply has an unknown form") from None
        if status not in {200, endpoint.status}:
            raise Unreadable(self._account, endpoint.name, f"HTTP {status}{message}")

    def _message(self, text: str) -> str:
        """The venue's own code and message for the end of our sentence, scrubbed; empty if there is none."""
        try:
            reply = parse_json(text)
        except Misshapen:
            return ""
        if isinstance(reply, dict) and isinstance(reply.get("error"), dict):
            reply = reply["error"]  # JSON-RPC
        if not isinstance(reply, dict):
            return ""
        data = reply.get("data")
        row = data[0] if isinstance(data, list) and len(data) == 1 and isinstance(data[0], dict) else {}
        said = [part[key] for part in (reply, row) for key in _WORDS if key in part]
        told = [word for each in said for word in (each if isinstance(each, list) else [each])]
        told = told or [self._dialect.error_code(reply)]
        words = [str(word) for word in told if isinstance(word, str | int)]
        return ": " + scrub(" ".join(words), self._secrets) if any(words) else ""

    def _check_rest(self, endpoint: Endpoint, host: str) -> None:
        left = self._rest_until.get(host, 0.0) - self._clock.monotonic()
        if left > 0:
            detail = f"the venue asked us to slow down: asking again in {left:.0f} s"
            raise Resting(self._account, endpoint.name, detail)

    def _rest(self, host: str, retry_after: str | None) -> None:
        """Leave this host alone for as long as it says: asking on through a rate limit lengthens a ban."""
        seconds = float(retry_after) if retry_after and re.fullmatch(r"\d{1,9}", retry_after) else _REST_DEFAULT
        self._rest_until[host] = self._clock.monotonic() + min(seconds, _REST_MAX)


@contextmanager
def departures() -> Iterator[list[str]]:
    """What has left so far of the requests that are made inside, by our names for them, one that fails included."""
    left: list[str] = []
    token = _LEFT.set(left)
    try:
        yield left
    finally:
        _LEFT.reset(token)


def scrub(text: str, secrets: Collection[str] = ()) -> str:
    """Without addresses, parameters, long words and the given secrets; at most 200 characters."""
    for secret in secrets:
        text = text.replace(secret, "…")
    for pattern in (_ADDRESS, _PARAMETER, _LONG_WORD):
        text = pattern.sub("…", text)
    return " ".join(text.split())[:200]


def classify(error: Exception, errors: Any) -> type[VenueError]:
    """Whose fault one of ccxt's exceptions is."""
    if isinstance(error, errors.InvalidNonce):
        return ClockSkew
    said_no = (errors.AuthenticationError, errors.BadRequest, errors.NotSupported, errors.RestrictedLocation)
    if isinstance(error, said_no):
        return Refused
    if isinstance(error, errors.BadResponse):  # in ccxt's tree beside the network errors
        return Unreadable
    return Unreachable if isinstance(error, errors.OperationFailed) else Unreadable


@asynccontextmanager
async def reading(account: str, call: str, errors: Any, time_limit: float) -> AsyncIterator[None]:
    """Bound one read in time and let nothing but a fresh `VenueError` out.

    Fresh, because the frames of the original hold signed addresses that a traceback with variables would print.
    """
    try:
        async with asyncio.timeout(time_limit):
            yield
        return
    except VenueError as error:
        fresh: VenueError = type(error)(error.account, error.call, error.detail)
    except TimeoutError:
        fresh = Unreachable(account, call, f"no answer within {time_limit:g} s")
    except Misshapen as error:
        fresh = Unreadable(account, call, str(error))
    except errors.BaseError as error:
        fresh = classify(error, errors)(account, call, type(error).__name__)
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        fresh = Unreadable(account, call, f"the reply has an unknown form ({type(error).__name__})")
    raise fresh from None
