"""The file PAUSED beside the database: whoever makes it, by whatever means, pauses every portfolio in that folder."""

from __future__ import annotations

import os
from pathlib import Path

NAME = "PAUSED"
_READ_MAX, _SHOWN_MAX = 4_000, 200


class PauseFile:
    """`hedged.act.brake.StopFile`, on disk."""

    def __init__(self, store: Path) -> None:
        self.path = store.with_name(NAME)

    def read(self) -> str | None:
        """Its text on one line, cut; None: it is not there. One that cannot be read pauses too."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not hold us up
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            return f"it cannot be opened ({error.strerror})"
        try:
            text = os.read(descriptor, _READ_MAX).decode(errors="replace")
        except OSError as error:
            return f"it cannot be read ({error.strerror})"
        finally:
            os.close(descriptor)
        line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
        return line[:_SHOWN_MAX]

    def write(self, reason: str) -> None:
        """Raises `OSError`."""
        self.path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        self.path.write_text(f"{reason}\n", encoding="utf-8")

    def remove(self) -> None:
        """Gone when it returns, also where it never was. Raises `OSError`."""
        self.path.unlink(missing_ok=True)
