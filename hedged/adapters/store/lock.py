"""One daemon a database, and one a key that sends orders: locks that end with their holder, however it dies."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from hedged.errors import StoreUnavailable

_held: dict[Path, tuple[int, int]] = {}  # path → (file descriptor, how many hold it): a reload holds it twice


MACHINE = Path("/run/lock")
"""Where any user of a Linux machine may leave locks (FHS); emptied when it starts."""


class LockUnusable(StoreUnavailable):
    """The file of a lock cannot be made or opened."""


class FileLock:
    """Held until `release`. `busy`: what is said, with the process that holds it, where another one does.

    `everyone`: other users of this machine share it. Raises `StoreUnavailable`, `LockUnusable` where nobody holds it.
    """

    def __init__(self, path: Path, busy: Callable[[str], str], *, everyone: bool = False) -> None:
        self._path = path
        descriptor, holders = _held.get(self._path, (-1, 0))
        if not holders:
            descriptor = _lock(self._path, busy, _open_for_everyone if everyone else _open)
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
    """One daemon sends orders with a key, among those that lock it in the same folder. In the file's name there is a
    digest and never the key.

    `key` is what tells one from another: exchange, whether it is a test network, and the public part of the key.
    """

    def __init__(self, folder: Path, account: str, key: Iterable[str], *, everyone: bool = False) -> None:
        digest = hashlib.sha256("\0".join(key).encode()).hexdigest()
        super().__init__(
            folder / f"{'hedged-' if everyone else ''}key-{digest[:32]}.lock",
            lambda holder: (
                f"another hedged (process {holder}) sends orders with the key of account {account}: stop it first, or "
                "give one of the two a key, and an account at the exchange, of its own"
            ),
            everyone=everyone,
        )


def lock_key(own: Path, account: str, key: Sequence[str], machine: Path = MACHINE) -> tuple[list[KeyLock], str | None]:
    """Lock a key in this user's folder and, where that can be, in the one that all users of the machine share.

    Also why it could not be there: then another user's daemon is not seen. Those of other machines, and of containers
    with a folder of their own, never are. Raises `StoreUnavailable` where another daemon sends with the key.
    """
    held = [KeyLock(own, account, key)]
    try:
        return [*held, KeyLock(machine, account, key, everyone=True)], None
    except LockUnusable as error:
        return held, str(error)
    except BaseException:
        held[0].release()
        raise


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


def _open(path: Path) -> int:
    path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)


def _open_for_everyone(path: Path) -> int:
    """In a folder where anybody may make files, nobody may "create" what is another's: open it, or make it."""
    flags = os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW
    try:
        return os.open(path, flags)
    except FileNotFoundError:
        pass
    try:
        descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o666)
    except FileExistsError:
        return os.open(path, flags)
    os.fchmod(descriptor, 0o666)  # whatever the umask: a process id is all that is in it
    return descriptor


def _lock(path: Path, busy: Callable[[str], str], opened: Callable[[Path], int]) -> int:
    try:
        descriptor = opened(path)
    except OSError as error:
        raise LockUnusable(f"{path} cannot be opened ({error.strerror}): check the folder's owner") from None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise StoreUnavailable(busy(holder)) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    return descriptor
