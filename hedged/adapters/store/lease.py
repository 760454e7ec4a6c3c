"""Which process may send orders, in the transaction that the caller holds.

The file lock keeps two daemons of one machine apart; this keeps them apart where two machines reach one database. The
epoch grows whenever the holder changes, and what an older epoch writes is refused: a process that was suspended, or
taken for dead, finds out before it can do harm.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy import Connection, bindparam, select, update

from hedged.adapters.store import sqlite as dialect
from hedged.adapters.store.tables import lease
from hedged.errors import Fenced, StoreError

P = ParamSpec("P")
R = TypeVar("R")

_ONLY_ROW = 1
_GET = select(lease.c.epoch, lease.c.holder, lease.c.expires_at)
_INSERT = dialect.insert(lease)
_PUT = _INSERT.on_conflict_do_update(
    index_elements=[lease.c.id], set_={name: _INSERT.excluded[name] for name in ("epoch", "holder", "expires_at")}
)
_EXPIRES = update(lease).where(lease.c.epoch == bindparam("own")).values(expires_at=bindparam("until"))
_NOBODY = ""
_RELEASE = update(lease).where(lease.c.epoch == bindparam("own")).values(holder=_NOBODY)


def take(connection: Connection, holder: str, now: datetime, lasts: timedelta) -> int:
    """The epoch in which `holder` may write. Raises `StoreError` while another machine's process may.

    A process of this machine that held it is gone, since the caller has the file lock. An end further away than any
    holder may write was written under a clock that was ahead: from now on the holder has as long as everybody.
    """
    dialect.begin(connection)
    row = connection.execute(_GET).first()
    epoch = 1
    if row is not None:
        if row.holder != _NOBODY and row.expires_at > now + lasts:
            connection.execute(_EXPIRES, {"own": row.epoch, "until": now + lasts})
            connection.commit()
            dialect.begin(connection)
            row = connection.execute(_GET).one()
        if row.holder != _NOBODY and row.expires_at > now and _machine(row.holder) != _machine(holder):
            raise StoreError(
                f"another hedged ({named(row.holder)}) sends this portfolio's orders, and may until "
                f"{row.expires_at:%Y-%m-%d %H:%M:%S} UTC at least: stop that one first, or wait that long if it is gone"
            )
        epoch = row.epoch if row.holder == holder else row.epoch + 1
    connection.execute(_PUT, {"id": _ONLY_ROW, "epoch": epoch, "holder": holder, "expires_at": now + lasts})
    return epoch


def renew(connection: Connection, epoch: int | None, until: datetime) -> None:
    """Raises `Fenced` where the epoch is over."""
    dialect.begin(connection)
    check(connection, epoch)
    connection.execute(_EXPIRES, {"own": epoch, "until": until})


def release(connection: Connection, epoch: int | None) -> None:
    """Anybody may take it from now on; where somebody has already, nothing is changed."""
    connection.execute(_RELEASE, {"own": epoch})


def check(connection: Connection, epoch: int | None) -> None:
    """Raises `Fenced` unless the epoch is the newest; or nobody holds the lease, and none was asked for (None)."""
    row = connection.execute(_GET).first()
    if row is not None and row.epoch != epoch and not (row.holder == _NOBODY and epoch is None):
        raise Fenced(
            f"another hedged ({named(row.holder)}) has taken over this portfolio's orders, so this one sends none and "
            "keeps nothing any more: stop one of the two"
        )


def checked(
    connection: Connection,
    epoch: int | None,
    work: Callable[Concatenate[Connection, P], R],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """`work`, unless the epoch is over."""
    check(connection, epoch)
    return work(connection, *args, **kwargs)


def fenced(
    connection: Connection,
    epoch: int | None,
    work: Callable[Concatenate[Connection, P], R],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> R:
    """The same for `work` that writes: nobody can take over in between."""
    dialect.begin(connection)
    return checked(connection, epoch, work, *args, **kwargs)


def _machine(holder: str) -> str:
    return holder.partition(":")[0]


def named(holder: str) -> str:
    """`host:pid:random` for people."""
    host, _, rest = holder.partition(":")
    return f"process {rest.partition(':')[0] or '?'} on {host}"
