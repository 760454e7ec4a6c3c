"""HTML as a tree, so that no name or number can ever be taken for markup."""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree as ET

Element = ET.Element
Child = Element | str


def tag(name: str, /, *children: Child | Iterable[Child], **attributes: str) -> Element:
    """An element; `class_` is `class`, and `aria_label` is `aria-label`. Text is escaped when it is written."""
    made = Element(name, {key.rstrip("_").replace("_", "-"): value for key, value in attributes.items()})
    for child in _flat(children):
        if isinstance(child, str):
            _append_text(made, child)
        else:
            made.append(child)
    return made


def document(root: Element) -> bytes:
    """A whole page, UTF-8."""
    text = ET.tostring(root, encoding="unicode", method="html")
    return f"<!doctype html>\n{text}\n".encode("utf-8", "replace")


def _flat(children: Iterable[Child | Iterable[Child]]) -> Iterable[Child]:
    for child in children:
        if isinstance(child, (str, Element)):
            yield child
        else:
            yield from child


def _append_text(parent: Element, text: str) -> None:
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + text
    else:
        parent.text = (parent.text or "") + text
