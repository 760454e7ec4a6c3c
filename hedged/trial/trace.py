"""What can be seen of a run from outside, line by line, and a hash over all of it."""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Callable

TAIL = 60  # lines shown of a run that went wrong


class Trace:
    """Orders, fills, alerts, messages, states, faults: in the order in which they happened."""

    def __init__(self, clock: Callable[[], float], folder: str) -> None:
        self._clock = clock
        self._folder = folder  # another one each time
        self._hash = hashlib.sha256()
        self.tail: deque[str] = deque(maxlen=TAIL)
        self.lines = 0

    def say(self, what: str, text: object) -> None:
        line = f"{self._clock():12.3f} {what}: {text}".replace(self._folder, "")
        self._hash.update(line.encode())
        self._hash.update(b"\n")
        if what != "state":
            self.tail.append(line)
        self.lines += 1

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()[:16]
