"""One daemon a database, and one a key that sends orders: locks that end with their holder, however it dies."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from hedged.errors import StoreUnavailable

_held: dict[Path, tuple[int, int]] = {}  # path → (file descriptor, how many hold it): a reload holds it twice


class FileLock:
    """Held until `release`. `busy`: what is said, with the process that holds it, where another one does.

    Raises `StoreUnavailable`.
    """

    def __init__(self, path: Path, busy: Callable[[str], str]) -> None:
        self._path = path
        descriptor, holders = _held.get(self._path, (-1, 0))
        if not holders:
            descriptor = _lock(self._path, busy)
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


class StoreLock(FileLock):
    """One daemon a database."""

    def __init__(self, store: Path) -> None:
        store = store.resolve()  # the same file under another name is the same file
        super().__init__(
            store.with_name(f"{store.name}.lock"),
            lambda holder: (
                f"another hedged (process {holder}) runs on {store}: stop it first, or give this portfolio a `name` or "
                "[store] path of its own"
            ),
        )


class KeyLock(FileLock):
    """One daemon of this machine sends orders with a key. In the file's name there is a digest and never the key.

    `key` is what tells one from another: exchange, whether it is a test network, and the public part of the key.
    """

    def __init__(self, folder: Path, account: str, key: Iterable[str]) -> None:
        digest = hashlib.sha256("\0".join(key).encode()).hexdigest()
        super().__init__(
            folder / f"key-{digest[:32]}.lock",
            lambda holder: (
                f"another hedged (process {holder}) sends orders with the key of account {account}: stop it first, or "
                "give one of the two a key, and an account at the exchange, of its own"
            ),
        )


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


def _lock(path: Path, busy: Callable[[str], str]) -> int:
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
        raise StoreUnavailable(busy(holder)) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor
