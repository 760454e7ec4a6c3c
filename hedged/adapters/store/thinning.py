"""Forgetting: what is older than kept goes, a bounded number of rows at a time.

Every rule is a range of an index, so a call costs by what it deletes and not by what is stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, Table, delete, select

from hedged.adapters.store import commands, journal
from hedged.adapters.store.retention import Retention
from hedged.adapters.store.tables import (
    Grain,
    acknowledgements,
    alerts,
    bars,
    cycles,
    effects,
    orders,
    outbox,
    proposals,
    silences,
)
from hedged.model.alert import AlertState
from hedged.model.history import KEPT
from hedged.model.proposal import Verdict


def thin(connection: Connection, now: datetime, retention: Retention) -> int:
    """Rows removed, at most `retention.rows_a_call`; a cycle with its snapshot and decision counts as one."""
    removed = 0
    for table, old in _rules(now, retention):
        left = retention.rows_a_call - removed
        if left <= 0:
            break
        key = table.primary_key.columns[0]
        removed += connection.execute(delete(table).where(key.in_(select(key).where(old).limit(left)))).rowcount
    removed += commands.thin(connection, retention.rows_a_call - removed) if removed < retention.rows_a_call else 0
    # As many as came in since the last call, a few for each subject; of days one a hedge.
    removed += connection.execute(delete(effects).where(effects.c.day < now - KEPT)).rowcount
    return removed + connection.execute(delete(bars).where(bars.c.at < now - KEPT)).rowcount


def _rules(now: datetime, retention: Retention) -> Iterator[tuple[Table, ColumnElement[bool]]]:
    for grain, age in (
        (Grain.EVERY, retention.every_cycle),
        (Grain.HOUR, retention.one_an_hour),
        (Grain.DAY, retention.one_a_day),
        (Grain.ORDER, retention.orders_and_alerts),
    ):
        yield cycles, (cycles.c.grain == int(grain)) & (cycles.c.finished_at < now - age)
    oldest = now - retention.orders_and_alerts
    yield orders, orders.c.ended_at < oldest  # NULL, an open order, is never less; fills go with their order
    ended = [verdict.value for verdict in Verdict if verdict not in journal.UNENDED]
    yield proposals, proposals.c.verdict.in_(ended) & (proposals.c.made_at < oldest)
    yield alerts, (alerts.c.state == AlertState.RESOLVED.value) & (alerts.c.resolved_at < oldest)
    yield acknowledgements, acknowledgements.c.at < oldest
    yield silences, silences.c.ends_at < oldest
    yield outbox, outbox.c.delivered_at < now - retention.delivered
