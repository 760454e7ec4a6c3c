"""Orders that wait for a person's word, in the transaction that the caller holds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, or_, select, update

from hedged.adapters.store import journal
from hedged.adapters.store import sqlite as dialect
from hedged.adapters.store.rows import from_text, to_text
from hedged.adapters.store.tables import proposals
from hedged.model.order import Intent
from hedged.model.proposal import Proposal, Verdict

_PUT = dialect.insert(proposals).on_conflict_do_nothing()
_GET = select(proposals.c.data).where(proposals.c.id == bindparam("wanted"))
_ANSWER = (
    update(proposals)
    .where(proposals.c.id == bindparam("wanted"), proposals.c.verdict.in_(bindparam("comes_from", expanding=True)))
    .values(verdict=bindparam("after"), data=bindparam("answered"))
)
_LIST = (
    select(proposals.c.data)
    .where(
        or_(
            proposals.c.verdict.in_([each.value for each in journal.UNENDED]),
            proposals.c.made_at >= bindparam("since"),
        )
    )
    .order_by(proposals.c.made_at.desc(), proposals.c.id)
    .limit(journal.PROPOSALS_MAX)
)


def get(connection: Connection, proposal_id: str) -> Proposal | None:
    data = connection.execute(_GET, {"wanted": proposal_id}).scalar()
    return None if data is None else from_text(Proposal, data)


def listed(connection: Connection, since: datetime) -> list[Proposal]:
    return [from_text(Proposal, data) for data in connection.execute(_LIST, {"since": since}).scalars()]


def put(connection: Connection, changed: Iterable[Proposal]) -> None:
    """Those that a cycle made or ended; one that has another verdict by now keeps that."""
    for each in changed:
        if each.verdict is Verdict.OPEN:
            row = {"id": each.id, "verdict": each.verdict.value, "made_at": each.made_at, "data": to_text(each)}
            connection.execute(_PUT, row)
        else:
            _step(connection, each)


def answer(connection: Connection, proposal: Proposal) -> bool:
    """Whether it was kept: only on the numbers that are stored, and from a verdict that it may follow."""
    dialect.begin(connection)  # what is read decides what is written
    kept = get(connection, proposal.id)
    return kept is not None and kept.digest == proposal.digest and _step(connection, proposal)


def use(connection: Connection, intent: Intent) -> None:
    """Use up the approval of an order; the caller holds the write lock, as what is read decides what is written.

    Raises `StoreError` where there is none that this order may use.
    """
    if intent.approval is None:
        return
    kept = get(connection, intent.approval)
    if kept is None:
        raise journal.not_approved(intent.approval, None)
    if not _step(connection, replace(kept, verdict=Verdict.USED, client_order_id=intent.client_order_id)):
        raise journal.not_approved(kept.id, kept.verdict)


def _step(connection: Connection, proposal: Proposal) -> bool:
    values = {
        "wanted": proposal.id,
        "comes_from": [each.value for each in journal.VERDICT_FROM[proposal.verdict]],
        "after": proposal.verdict.value,
        "answered": to_text(proposal),
    }
    return bool(connection.execute(_ANSWER, values).rowcount)
