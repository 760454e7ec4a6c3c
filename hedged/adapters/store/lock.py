"""One daemon a database: a lock that the kernel lets go of when its holder dies, however it dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from hedged.errors import StoreUnavailable

_held: dict[Path, tuple[int, int]] = {}  # path → (file descriptor, how many hold it): a reload holds it twice


class StoreLock:
    """Held from `StoreLock(path)` until `release`. Raises `StoreUnavailable` naming the process that holds it."""

    def __init__(self, store: Path) -> None:
        store = store.resolve()  # the same file under another name is the same file
        self._path = store.with_name(f"{store.name}.lock")
        descriptor, holders = _held.get(self._path, (-1, 0))
        if not holders:
            descriptor = _lock(self._path, store)
        _held[self._path] = (descriptor, holders + 1)

    @property
    def shared(self) -> bool:
        """Whether another holder in this process would keep it: a reload is under way."""
        return _held[self._path][1] > 1

    def release(self) -> None:
        descriptor, holders = _held.pop(self._path)
        if holders > 1:
            _held[self._path] = (descriptor, holders - 1)
        else:
            os.close(descriptor)  # the file stays: removing it would let two others lock two files of one name


def holder(store: Path) -> str | None:
    """The process that runs on this store, as it wrote it down; None: none does, or there is no store yet."""
    store = store.resolve()
    path = store.with_name(f"{store.name}.lock")
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoreUnavailable(
            f"{path} cannot be opened ({error.strerror}): ask as the user that hedged runs as"
        ) from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)  # let go of again at once, by closing
    except OSError:
        return os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
    finally:
        os.close(descriptor)
    return None


def _lock(path: Path, store: Path) -> int:
    try:
        path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
    except OSError as error:
        raise StoreUnavailable(f"{path} cannot be opened ({error.strerror}): check the folder's owner") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise StoreUnavailable(
            f"another hedged (process {holder}) runs on {store}: stop it first, or give this portfolio a `name` or "
            "[store] path of its own"
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor
