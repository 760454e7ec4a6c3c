"""A mapping that is made when somebody first reads it, and not at all if nobody does."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping


class Later(Mapping[str, object]):
    """What `make` returns, called once at most. It should rest on frozen values alone: it may be called late."""

    __slots__ = ("_made", "_make")

    def __init__(self, make: Callable[[], Mapping[str, object]]) -> None:
        self._make = make
        self._made: Mapping[str, object] | None = None

    def _read(self) -> Mapping[str, object]:
        if self._made is None:
            self._made = self._make()
        return self._made

    def __getitem__(self, key: str) -> object:
        return self._read()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())
