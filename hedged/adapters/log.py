"""Logging: structlog for ours, the standard library's for everybody else's, one stream, one form.

Colour on a terminal; `<N>` priority and key=value under the journal; JSON on request; plain lines elsewhere. What is
bound with `structlog.contextvars.bind_contextvars(cycle=…)` stands on every line, libraries' lines too.
"""

from __future__ import annotations

import json as jsonlib
import logging
import os
import re
from collections.abc import Mapping
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_TALKATIVE = ("apscheduler", "alembic", "aiohttp", "asyncio")  # from warning up only
_MUTED = (
    "apprise",
    "mqtt",
    "apscheduler.scheduler",
)  # what they complain of comes to us as DeliveryError, and is said once

# RFC 5424 severities, which the journal reads from a `<N>` at the beginning of a line.
_PRIORITY = {"debug": 7, "info": 6, "warning": 4, "error": 3, "exception": 3, "critical": 2}

_HIDDEN = "***"
_SECRET_NAME = re.compile(
    r"(?i)(api_?key|secret|passw|passphrase|token|signature|private_?key|authori[sz]ation|credential)"
)
_SECRET_PAIR = re.compile(
    r"(?ix) (?P<name> [\w-]* (?:api_?-?key|secret|password|passwd|passphrase|token|signature|private_?-?key"
    r"|authori[sz]ation) [\"']? \s* [:=] \s*) (?: (?:bearer|basic)\s+ )? [\"']? [^\s\"',;&}]+ [\"']?"
)
_URL = re.compile(r"(?P<scheme>\b[a-zA-Z][a-zA-Z0-9+.-]*)://(?P<rest>[^\s\"'<>]+)")
_PUBLIC_SCHEMES = frozenset({"http", "https", "ws", "wss", "mqtt", "mqtts"})
_BOT_TOKEN = re.compile(r"\b\d{6,}:[A-Za-z0-9_-]{30,}")
_TOKEN_SEGMENT = re.compile(r"(?=.*\d)[\w:.-]{9,}|[\w:.-]{20,}")


def configure(
    stream: TextIO, *, journal: bool | None = None, json: bool = False, level: str = "info", colour: bool | None = None
) -> None:
    """Send every log line of the process to `stream`.

    `journal`: None finds out whether the stream is the journal's. `level`: debug, info, warning, error or critical.
    `colour`: None means on a terminal, unless NO_COLOR is set.
    """
    if journal is None:
        journal = _is_journal(stream)
    if colour is None:
        colour = stream.isatty() and not os.environ.get("NO_COLOR")
    threshold = logging.getLevelNamesMapping()[level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
        scrub_event,
    ]
    if not journal:  # the journal has its own clock
        shared.insert(0, structlog.processors.TimeStamper(fmt="iso", utc=True))
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(journal=journal, json=json, colour=colour),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(threshold)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(max(logging.WARNING, threshold))
    for name in _MUTED:
        library = logging.getLogger(name)
        library.propagate = False
        library.handlers[:] = [logging.NullHandler()]
        library.setLevel(logging.WARNING)  # whatever ours is: a channel listens for why a service took nothing


def printable(text: str) -> str:
    """Without characters that would drive a terminal."""
    return "".join(char if char.isprintable() or char in "\n\t" else "\N{REPLACEMENT CHARACTER}" for char in text)


def scrub(text: str) -> str:
    """The text without what may be secret or may steer a terminal.

    Taken out: user and query of an address, path segments that look like tokens, addresses of notification services
    whole (their tokens stand anywhere), values called key, secret, password, token or signature, control characters.
    """
    text = printable(text)
    text = _URL.sub(_scrub_url, text)
    text = _BOT_TOKEN.sub(_HIDDEN, text)
    return _SECRET_PAIR.sub(lambda match: match["name"] + _HIDDEN, text)


def scrub_event(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A structlog processor: scrub every text, hide every value with a secret's name."""
    return {
        key: value if key.startswith("_") else _HIDDEN if _SECRET_NAME.search(key) else _scrub_value(value)
        for key, value in event.items()
    }


def _scrub_value(value: object) -> object:
    if isinstance(value, str):
        return scrub(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        return {
            str(key): _HIDDEN if _SECRET_NAME.search(str(key)) else _scrub_value(item) for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_scrub_value(item) for item in value]
    return scrub(str(value))


def _scrub_url(match: re.Match[str]) -> str:
    scheme, rest = match["scheme"], match["rest"]
    if scheme.lower() not in _PUBLIC_SCHEMES:
        return f"{scheme}://{_HIDDEN}"
    rest, query, _ = rest.partition("?")
    authority, slash, path = rest.partition("/")
    host = authority.rpartition("@")[2]
    shown = "/".join(_HIDDEN if _TOKEN_SEGMENT.fullmatch(part) else part for part in path.split("/"))
    return f"{scheme}://{host}{slash}{shown}" + (f"?{_HIDDEN}" if query else "")


def _renderer(*, journal: bool, json: bool, colour: bool) -> Processor:
    if json:
        return structlog.processors.JSONRenderer(serializer=jsonlib.dumps, ensure_ascii=False)
    if journal:
        return _render_for_journal
    return structlog.dev.ConsoleRenderer(colors=colour, exception_formatter=structlog.dev.plain_traceback)


def _render_for_journal(logger: WrappedLogger, method: str, event: EventDict) -> str:
    """One line, because the journal would give each further line the default priority."""
    priority = _PRIORITY.get(str(event.pop("level", method)), 6)
    text = str(event.pop("event", "")).replace("\n", "\\n")
    pairs = structlog.processors.LogfmtRenderer()(
        logger, method, {key.replace(" ", "_"): value for key, value in event.items()}
    )
    return f"<{priority}>{text} {pairs}".rstrip()


def _is_journal(stream: TextIO) -> bool:
    """JOURNAL_STREAM names the device and inode of the journal's socket; a redirected stream is another file."""
    try:
        stat = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return os.environ.get("JOURNAL_STREAM") == f"{stat.st_dev}:{stat.st_ino}"
