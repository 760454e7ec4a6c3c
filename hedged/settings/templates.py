"""The user's own words: a folder with `drift.txt`, `drift.html` … after the kinds of alert."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from hedged.model.finding import Kind
from hedged.settings.faults import Fault, SettingsError, nearest, printable
from hedged.tell.templates import Template, problem

_SUFFIXES = (".txt", ".html")
_SIZE_MAX = 65_536  # bytes


def templates(folder: Path | None) -> Mapping[Kind, Template]:
    """By kind. Raises `SettingsError` with every file that cannot be used, and why."""
    if folder is None:
        return MappingProxyType({})
    faults: list[Fault] = []
    found: dict[Kind, dict[str, str]] = {}
    try:
        paths = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise SettingsError([_fault(folder, f"cannot be read: {error.strerror or error}")]) from None
    for path in paths:
        if path.suffix not in _SUFFIXES or path.stem not in set(Kind):
            likely = nearest(path.stem, [kind.value for kind in Kind])
            hint = f"; did you mean {likely}{path.suffix if path.suffix in _SUFFIXES else '.txt'}?" if likely else ""
            faults.append(_fault(path, f"is no kind of alert with .txt or .html behind it{hint}"))
            continue
        text = _text(path)
        wrong = text if isinstance(text, Fault) else None
        if wrong is None and isinstance(text, str) and (said := problem(text)) is not None:
            wrong = _fault(path, said)
        if wrong is not None:
            faults.append(wrong)
        elif isinstance(text, str):
            found.setdefault(Kind(path.stem), {})[path.suffix] = text
    if faults:
        raise SettingsError(faults)
    return MappingProxyType({kind: Template(each.get(".txt"), each.get(".html")) for kind, each in found.items()})


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
