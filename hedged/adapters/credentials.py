"""Secret files: where they are looked for, who else may read them, and a type that never shows what it holds.

A file is taken from the first of: the `credentials_file` of its table, `$CREDENTIALS_DIRECTORY` (systemd's
LoadCredential), `credentials/` beside the configuration. Names: `account-<name>` and `mqtt` (JSON), `notify` (one
URL a line, with a name before it or not), `telegram` (JSON) and `web-token` (one line). Every fault raises
ConfigurationError and quotes no content.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from hmac import compare_digest
from pathlib import Path
from typing import Any, NoReturn

from hedged.errors import ConfigurationError

CHANNEL_NAME = re.compile(r"[A-Za-z0-9_.-]{1,32}")
RESERVED = frozenset({"log", "mqtt", "exec", "telegram"})
"""Names of channels that are no lines of the file `notify`."""

_NAMED = re.compile(rf"({CHANNEL_NAME.pattern})\s*=\s*(\S+://.*)")
_PASSPHRASE = frozenset({"passphrase", "apipassphrase", "passcode", "apikeypassphrase"})  # what venues call it
_MODE_MAX = 0o640
_SIZE_MAX = 65_536  # bytes
_BOT_TOKEN = re.compile(r"[0-9]{6,20}:[A-Za-z0-9_-]{30,100}")  # as the log knows one to take it out
_WHOLE = re.compile(r"-?[0-9]{1,20}", re.ASCII)
_TAIL = 4
_TAIL_NEEDS = 12  # characters below which four would give too much away


class Secret:
    """Text that shows itself only when asked by `reveal`; printing, formatting and logging give `Secret(…)`."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def tail(self) -> str:
        """`…` and the last four characters, to tell keys apart; only `…` where the text is short."""
        return f"…{self._value[-_TAIL:]}" if len(self._value) >= _TAIL_NEEDS else "…"

    def __repr__(self) -> str:
        return "Secret(…)"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return compare_digest(self._value.encode(), other._value.encode())

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Secret is not to be pickled or copied to disk")


class AccountKeys:
    """What a venue may ask for, under ccxt's names; which of them it needs, the venue knows."""

    NAMES = ("apiKey", "secret", "password", "walletAddress", "privateKey")
    __slots__ = ("_values",)

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = {name: Secret(value) for name, value in values.items()}

    def reveal(self) -> dict[str, str]:
        """The plain values for the adapter, keyed by ccxt's names."""
        return {name: value.reveal() for name, value in self._values.items()}

    def tail(self) -> str:
        """The end of the API key, to tell keys apart; the wallet address where there is no key."""
        return next((self._values[name].tail() for name in ("apiKey", "walletAddress") if name in self._values), "…")

    def __eq__(self, other: object) -> bool:
        return self._values == other._values if isinstance(other, AccountKeys) else NotImplemented

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __repr__(self) -> str:
        return f"AccountKeys({', '.join(f'{name}=…' for name in self._values)})"


@dataclass(frozen=True, slots=True)
class NotifyUrl:
    """One line of the file `notify`: the channel's name, its secret address, and where that stands."""

    name: str
    url: Secret
    source: str


@dataclass(frozen=True, slots=True)
class Login:
    username: str
    password: Secret


@dataclass(frozen=True, slots=True)
class TelegramLogin:
    """`users`: who may press buttons."""

    token: Secret
    chat_id: int
    users: frozenset[int]


@dataclass(frozen=True, slots=True)
class CredentialFiles:
    """`directory` is `$CREDENTIALS_DIRECTORY`, whose files systemd guards; `beside` is next to the configuration."""

    beside: Path
    directory: Path | None = None

    def account(
        self, name: str, given: Path | None = None, needed: tuple[str, ...] = ("apiKey", "secret")
    ) -> AccountKeys | None:
        """The keys of an account; None: it has none, and only public data can be read.

        `needed` are those that its exchange cannot do without, for the message where the file has none.
        """
        path = self.file(f"account-{name}", given)
        if path is None:
            return None
        values = self._json(path, AccountKeys.NAMES)
        if not values:
            example = ", ".join(f'"{key}": "…"' for key in needed)
            raise ConfigurationError(f"{path}: holds no key: write {{{example}}} or remove it")
        return AccountKeys(values)

    def places_of(self, name: str) -> tuple[Path, ...]:
        """Where the keys of an account are looked for, unless its table names a file."""
        return tuple(self._places(f"account-{name}"))

    def mqtt(self, given: Path | None = None) -> Login | None:
        path = self.file("mqtt", given)
        if path is None:
            return None
        values = self._json(path, ("username", "password"))
        if set(values) != {"username", "password"}:
            raise ConfigurationError(f'{path}: must be {{"username": "…", "password": "…"}}')
        return Login(values["username"], Secret(values["password"]))

    def notify(self, given: Path | None = None) -> tuple[NotifyUrl, ...]:
        """Apprise's URLs, one a line, `name = URL` or a URL alone; blank lines and # comments are left out.

        Those without a name are `notify-1`, `notify-2` … by their order among all.
        """
        path = self.file("notify", given)
        if path is None:
            return ()
        found: list[NotifyUrl] = []
        problems: list[str] = []
        for number, line in enumerate(map(str.strip, self._text(path).splitlines()), start=1):
            if not line or line.startswith("#"):
                continue
            named = _NAMED.fullmatch(line)
            name, url = (named[1], named[2]) if named else (f"notify-{len(found) + 1}", line)
            where = f"{path}:{number}"
            if "://" not in url:
                problems.append(f"{where}: not an address such as tgram://TOKEN/CHAT")
            elif name in RESERVED or name in {each.name for each in found}:
                problems.append(f"{where}: a channel {name} is there already: give this one another name")
            else:
                found.append(NotifyUrl(name, Secret(url), where))
        if problems:
            raise ConfigurationError(*problems)
        return tuple(found)

    def telegram(self, given: Path | None = None) -> TelegramLogin | None:
        path = self.file("telegram", given)
        if path is None:
            return None
        values = self._object(path, ("token", "chat_id", "users"))
        token, chat_id, users = values.get("token"), _whole(values.get("chat_id")), values.get("users", [])
        if not isinstance(token, str) or not _BOT_TOKEN.fullmatch(token) or chat_id is None:
            raise ConfigurationError(
                f'{path}: must be {{"token": "123456:…", "chat_id": 123456, "users": [123456]}}, the token as '
                "BotFather gave it"
            )
        numbers = [_whole(user) for user in users] if isinstance(users, list) else [None]
        if None in numbers or any(number <= 0 for number in numbers if number is not None):
            raise ConfigurationError(f"{path}: users must be a list of user ids, such as [123456]: names change hands")
        return TelegramLogin(Secret(token), chat_id, frozenset(number for number in numbers if number is not None))

    def token(self, name: str, given: Path | None = None) -> Secret | None:
        """The single line of a file such as `web-token`."""
        path = self.file(name, given)
        if path is None:
            return None
        text = self._text(path).strip()
        if not text or len(text.splitlines()) != 1:
            raise ConfigurationError(f"{path}: must hold one line")
        return Secret(text)

    def has(self, name: str) -> bool:
        """Whether there is such a file in one of the usual places."""
        return self.file(name, None) is not None

    def file(self, name: str, given: Path | None = None) -> Path | None:
        """Where a secret stands, be it that it cannot be read; None: nowhere."""
        if given is not None:
            return given
        return next((place for place in self._places(name) if os.path.lexists(place)), None)

    def _places(self, name: str) -> list[Path]:
        return [folder / name for folder in (self.directory, self.beside) if folder is not None]

    def _json(self, path: Path, allowed: tuple[str, ...]) -> Mapping[str, str]:
        values = self._object(path, allowed)
        for key, value in values.items():
            if not isinstance(value, str) or not value.strip():
                raise ConfigurationError(f"{path}: {key} must be text in quotes, not empty")
        return values

    def _object(self, path: Path, allowed: tuple[str, ...]) -> Mapping[str, Any]:
        text = self._text(path)
        fault = None
        values: object = None
        try:
            values = json.loads(text)
        except json.JSONDecodeError as error:
            fault = f"{path}:{error.lineno}:{error.colno}: not JSON: {error.msg}"
        except RecursionError:
            fault = f"{path}: not JSON: nested too deeply"
        if fault is not None:  # raised here, where no context carries the text along
            raise ConfigurationError(fault)
        if not isinstance(values, dict):
            raise ConfigurationError(f"{path}: must be a JSON object with {', '.join(allowed)}")
        for number, key in enumerate(values, start=1):
            if key not in allowed:
                raise ConfigurationError(f"{path}: {_unknown(number, key, allowed)}")
        return values

    def _text(self, path: Path) -> str:
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe would hang here otherwise
        except FileNotFoundError:
            raise ConfigurationError(f"{path}: no such file") from None
        except OSError as error:
            raise ConfigurationError(f"{path}: cannot be read: {error.strerror}") from None
        try:
            status = os.fstat(descriptor)  # of the very file that is read
            if not stat.S_ISREG(status.st_mode):
                raise ConfigurationError(f"{path}: is not a file")
            mode = stat.S_IMODE(status.st_mode)
            if mode & ~_MODE_MAX and not self._is_guarded(path):
                raise ConfigurationError(f"{path}: mode {mode:04o} lets others in: chmod 640 {path}")
            raw = os.read(descriptor, _SIZE_MAX + 1)
        finally:
            os.close(descriptor)
        if len(raw) > _SIZE_MAX:
            raise ConfigurationError(f"{path}: is larger than {_SIZE_MAX} bytes")
        text = raw.decode("utf-8-sig", errors="replace")
        if "\ufffd" in text:
            raise ConfigurationError(f"{path}: is not UTF-8 text")
        return text

    def _is_guarded(self, path: Path) -> bool:
        return self.directory is not None and path.resolve().is_relative_to(self.directory.resolve())


def _whole(value: object) -> int | None:
    """A whole number, also as text."""
    if isinstance(value, str) and _WHOLE.fullmatch(value):
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _unknown(number: int, key: str, allowed: tuple[str, ...]) -> str:
    """A key is quoted only where it is like a known word: what else stands in its place may be a secret."""
    plain = key.lower().replace("_", "").replace("-", "")
    if "password" in allowed and plain in _PASSPHRASE:
        return f"unknown key {key!a}; the passphrase goes in password"
    likely = get_close_matches(key, allowed, n=1)
    if likely:
        return f"unknown key {key!a}; did you mean {likely[0]}?"
    return f"unknown key (number {number} in the file); allowed: {', '.join(allowed)}"
