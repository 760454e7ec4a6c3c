"""The user's own words: a folder with `drift.txt`, `drift.html` … after the kinds of alert, and `group.txt`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from hedged.model.finding import Kind
from hedged.settings.faults import Fault, SettingsError, nearest, printable
from hedged.tell.templates import FIELDS, GROUP_FIELDS, Template, problem

_SUFFIXES = (".txt", ".html")
_SIZE_MAX = 65_536  # bytes
_GROUP = "group"


@dataclass(frozen=True, slots=True)
class Templates:
    """`group`: of a message about several alerts of one kind."""

    by_kind: Mapping[Kind, Template]
    group: Template | None = None


def templates(folder: Path | None) -> Templates:
    """All of a folder. Raises `SettingsError` with every file that cannot be used, and why."""
    if folder is None:
        return Templates(MappingProxyType({}))
    faults: list[Fault] = []
    found: dict[str, dict[str, str]] = {}
    names = [*(kind.value for kind in Kind), _GROUP]
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise SettingsError([_fault(folder, f"cannot be read: {error.strerror or error}")]) from None
    for path in paths:
        if path.suffix not in _SUFFIXES or path.stem not in names:
            likely = nearest(path.stem, names)
            hint = f"; did you mean {likely}{path.suffix if path.suffix in _SUFFIXES else '.txt'}?" if likely else ""
            faults.append(_fault(path, f"is no kind of alert with .txt or .html behind it{hint}"))
            continue
        text = _text(path)
        wrong = text if isinstance(text, Fault) else None
        fields = GROUP_FIELDS if path.stem == _GROUP else FIELDS
        if wrong is None and isinstance(text, str) and (said := problem(text, fields)) is not None:
            wrong = _fault(path, said)
        if wrong is not None:
            faults.append(wrong)
        elif isinstance(text, str):
            found.setdefault(path.stem, {})[path.suffix] = text
    if faults:
        raise SettingsError(faults)
    own = {name: Template(each.get(".txt"), each.get(".html")) for name, each in found.items()}
    group = own.pop(_GROUP, None)
    return Templates(MappingProxyType({Kind(name): each for name, each in own.items()}), group)


def _text(path: Path) -> str | Fault:
    try:
        raw = path.read_bytes()
    except OSError as error:
        return _fault(path, f"cannot be read: {error.strerror or error}")
    if len(raw) > _SIZE_MAX:
        return _fault(path, f"is larger than {_SIZE_MAX} bytes")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return _fault(path, "is not UTF-8 text")
    return text if text.strip() else _fault(path, "is empty")


def _fault(path: Path, text: str) -> Fault:
    return Fault(printable(str(path)), None, None, "", None, text)
