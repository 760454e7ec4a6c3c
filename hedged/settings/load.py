"""Reads one configuration file, the environment over it, and says everything that is wrong with it at once."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from hedged.model.policy import Mode
from hedged.settings.check_accounts import AVAILABLE
from hedged.settings.checks import check, exposed, senders
from hedged.settings.draft import Draft, located
from hedged.settings.environment import merged, overrides
from hedged.settings.explain import problems
from hedged.settings.faults import Fault, Problem, SettingsError, Source, printable
from hedged.settings.fields import printable_name
from hedged.settings.lines import Place, find_lines
from hedged.settings.schema import Document
from hedged.settings.sectors import sectors
from hedged.settings.settings import Settings, credential_files, state_directory
from hedged.settings.templates import templates
from hedged.settings.worlds import world_of

_SIZE_MAX = 1_000_000  # bytes; a file larger than this is not a configuration
_TOML_PLACE = re.compile(r"\s*\(at (?:line (\d+), column (\d+)|end of document)\)$")
_READ_VARIABLES = ("CREDENTIALS_DIRECTORY", "STATE_DIRECTORY", "XDG_STATE_HOME", "HOME")
_TOO_DEEP = "is not a configuration: lists nested too deeply"
_SENDING = frozenset({Mode.APPROVE, Mode.LIVE})
T = TypeVar("T", bound=BaseModel)


def load(path: Path, environ: Mapping[str, str] | None = None, *, dry_run: bool = False) -> Settings:
    """The settings of a file, or SettingsError (a ConfigurationError) with every fault, a line each.

    `dry_run` turns approve and live into paper.
    """
    environ = os.environ if environ is None else environ
    text = _read(path)
    found = overrides(environ)
    parsed, lines = _parse(path, text)
    values = merged(parsed, found)
    source = Source(path, values, lines, found.variables)
    draft = Draft.of(values, path.absolute().parent)
    wrong: list[Problem] = []
    document = None
    try:
        document = Document.model_validate(values)
    except ValidationError as error:
        wrong += problems(error, source)
    reported = {problem.place for problem in wrong}
    wrong += [problem for problem in check(draft) if problem.place not in reported]
    if not dry_run:
        wrong += [problem for problem in senders(draft) if problem.place not in reported]
    if document is not None:
        wrong += exposed(document.web, credential_files(path, environ))
    name = _name(path, values)
    if name is None:
        wrong.append(Problem(("name",), "is needed, because the file's own name cannot serve as one"))
    faults = [*map(source.fault, wrong), *found.faults]
    if document is None or name is None or found.faults or not all(map(_is_of_a_secret, wrong)):
        raise SettingsError(faults)
    settings = _settings(path, name, document, environ, dry_run=dry_run)
    if faults:  # nothing but secrets is missing: all of those
        raise SettingsError([*faults, *_other_secrets(settings, wrong)])
    return settings


def database_folder(path: Path, environ: Mapping[str, str] | None = None) -> Path:
    """Where the database of the configuration at `path` lies, as far as a file tells that is wrong in other places."""
    environ = os.environ if environ is None else environ
    try:
        store = tomllib.loads(path.read_text(encoding="utf-8")).get("store")
    except (OSError, ValueError):
        store = None
    named = store.get("path") if isinstance(store, dict) else None
    if isinstance(named, str) and named:
        return located(path.absolute().parent, Path(named)).parent
    return state_directory(environ)


def _is_of_a_secret(problem: Problem) -> bool:
    return problem.place[-1] == "credentials_file" or problem.place[0] == "web"


def _other_secrets(settings: Settings, told: Iterable[Problem]) -> Iterator[Fault]:
    """What is wrong with the secret files beside what is told already of the same ones."""
    named = {problem.text.partition(": ")[2] for problem in told if problem.place[-1] == "credentials_file"}
    for each in settings.credential_faults():
        if not any(each.startswith(f"{path}:") for path in named):
            yield Fault("", None, None, "", None, each)


def _with_wallets(document: Document) -> Document:
    """Where none are named: of the usual ones, those that the exchange has."""
    accounts = [
        account
        if "wallets" in account.model_fields_set
        else _with(account, wallets=tuple(w for w in account.wallets if w in AVAILABLE[account.exchange]))
        for account in document.accounts
    ]
    return _with(document, accounts=tuple(accounts))


def _settings(path: Path, name: str, document: Document, environ: Mapping[str, str], *, dry_run: bool) -> Settings:
    """The document as it is to be run: in a dry run approve and live are paper."""
    document = _with_wallets(_resolved(document, path.absolute().parent))
    modes = [hedge.mode or document.mode for hedge in document.hedges]
    dry_run = dry_run and not _SENDING.isdisjoint({document.mode, *modes})
    if dry_run:
        modes = [Mode.PAPER if mode in _SENDING else mode for mode in modes]
        hedges = [_with(hedge, mode=mode) for hedge, mode in zip(document.hedges, modes, strict=True)]
        document = _with(document, mode=Mode.PAPER, hedges=tuple(hedges))
    return Settings(
        path=path,
        name=name,
        world=world_of(document.mode, map(dict, document.accounts)),
        dry_run=dry_run,
        document=document,
        sectors=sectors(document.portfolio.sectors_file),
        templates=templates(document.alerts.templates),
        environ=MappingProxyType({name: environ[name] for name in _READ_VARIABLES if name in environ}),
    )


def _resolved(document: Document, folder: Path) -> Document:
    """With every path absolute: they are relative to the file that names them."""
    return _with(
        document,
        portfolio=_absolute(document.portfolio, folder),
        accounts=tuple(_absolute(account, folder) for account in document.accounts),
        mqtt=document.mqtt and _absolute(document.mqtt, folder),
        alerts=_absolute(document.alerts, folder),
        notify=_with(_absolute(document.notify, folder), exec=_program(document.notify.exec, folder)),
        telegram=document.telegram and _absolute(document.telegram, folder),
        web=_absolute(document.web, folder),
        store=_absolute(document.store, folder),
    )


def _absolute(table: T, folder: Path) -> T:
    return _with(table, **{key: located(folder, value) for key, value in table if isinstance(value, Path)})


def _program(command: tuple[str, ...], folder: Path) -> tuple[str, ...]:
    return (str(located(folder, command[0])), *command[1:]) if command else ()


def _with(table: T, **changes: object) -> T:
    return table.model_copy(update=changes)


def _name(path: Path, values: Mapping[str, Any]) -> str | None:
    """The given name, which the schema judges, else the file's stem if that is a fit one."""
    if "name" in values:
        return str(values["name"])
    try:
        return printable_name(path.stem)
    except ValueError:
        return None


def _read(path: Path) -> str:
    """The file's text; a mark at its beginning, which some editors write, is dropped."""
    try:
        with path.open("rb") as file:
            raw = file.read(_SIZE_MAX + 1)
    except FileNotFoundError:
        raise _unusable(path, "no such file: give the path of a configuration with --config") from None
    except IsADirectoryError:
        raise _unusable(path, "is a directory: give the path of the file in it") from None
    except PermissionError:
        raise _unusable(path, "may not be read by this user") from None
    except (OSError, ValueError) as error:
        raise _unusable(path, f"cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(raw) > _SIZE_MAX:
        raise _unusable(path, f"is larger than {_SIZE_MAX} bytes: not a configuration")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _unusable(path, "is not UTF-8: save it in that encoding", line) from None
    if not text.strip():
        raise _unusable(path, "is empty: start from config/hedged.example.toml")
    return text


def _parse(path: Path, text: str) -> tuple[dict[str, Any], Mapping[Place, int]]:
    """The values and their lines. Numbers with a point become Decimal, exactly as written."""
    try:
        values = tomllib.loads(text, parse_float=_decimal)
    except tomllib.TOMLDecodeError as error:
        raise _not_toml(path, text, str(error)) from None
    except RecursionError:
        raise _unusable(path, _TOO_DEEP) from None
    except ValueError as error:
        raise _unusable(path, f"a number in it is out of range: {error}") from None
    try:
        return values, find_lines(text)
    except RecursionError:
        raise _unusable(path, _TOO_DEEP) from None


def _not_toml(path: Path, text: str, message: str) -> SettingsError:
    place = _TOML_PLACE.search(message)
    line, column = (int(place[1]), int(place[2])) if place and place[1] else (None, None)
    last = text.rstrip().count("\n") + 1
    return _unusable(path, f"not TOML: {_TOML_PLACE.sub('', message)}", line or last, column)


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text)
    except ArithmeticError:
        raise ValueError(f"{text[:40]} has an impossible exponent") from None


def _unusable(path: Path, text: str, line: int | None = None, column: int | None = None) -> SettingsError:
    return SettingsError([Fault(printable(str(path)), line, None, "", None, text, column)])
