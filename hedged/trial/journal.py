"""The database as somebody else reads it: on a connection of its own, what is committed and nothing else."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from hedged.adapters.store.rows import from_text
from hedged.model.alert import Message
from hedged.model.codec import decode
from hedged.model.order import Fill, Intent
from hedged.model.proposal import Proposal
from hedged.model.timing import Override


@dataclass(frozen=True, slots=True)
class Row:
    """An order in the journal."""

    intent: Intent
    state: str
    sends: int
    ended: bool


class Journal:
    """Read-only, and never cached."""

    def __init__(self, path: Path) -> None:
        self._base = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)

    def close(self) -> None:
        self._base.close()

    def order(self, client_order_id: str) -> Row | None:
        rows = self._orders("client_order_id = ?", client_order_id)
        return rows[0] if rows else None

    def open_orders(self) -> list[Row]:
        return self._orders("ended_at IS NULL")

    def orders(self) -> list[Row]:
        return self._orders("1")

    def fills(self) -> dict[str, Fill]:
        rows = self._base.execute("SELECT client_order_id, data FROM fills")
        return {row[0]: from_text(Fill, row[1]) for row in rows}

    def proposal(self, proposal_id: str) -> Proposal | None:
        row = self._base.execute("SELECT data FROM proposals WHERE id = ?", (proposal_id,)).fetchone()
        return None if row is None else from_text(Proposal, row[0])

    def open_proposals(self) -> list[Proposal]:
        rows = self._base.execute("SELECT data FROM proposals WHERE verdict = 'open' ORDER BY made_at, id")
        return [from_text(Proposal, row[0]) for row in rows]

    def stops(self) -> set[str]:
        """Of "pause" and "halt", what is in force."""
        rows = self._base.execute("SELECT key, data FROM blobs WHERE key IN ('pause', 'halt')")
        return {key for key, data in rows if json.loads(data).get("stop") is not None}

    def ratios_by_hand(self) -> set[Decimal]:
        """The hedge ratios that somebody has set, expired ones included."""
        row = self._base.execute("SELECT data FROM blobs WHERE key = 'overrides'").fetchone()
        kept = {} if row is None else json.loads(row[0])
        return {decode(Override, data).ratio for data in kept.values()}

    def lease(self) -> str | None:
        """Which process may send orders."""
        row = self._base.execute("SELECT holder FROM lease").fetchone()
        return None if row is None else str(row[0])

    def message(self, text: str) -> Message:
        return from_text(Message, text)

    def firing(self) -> set[tuple[str, str]]:
        """Kind and subject of every alert that fires or is about to."""
        rows = self._base.execute("SELECT key FROM alerts WHERE state IN ('pending', 'firing')")
        return {(kind, subject) for kind, _, subject in (row[0].partition("/") for row in rows)}

    def messages_of(self, cycle_id: str) -> int:
        row = self._base.execute("SELECT count(*) FROM outbox WHERE cycle_id = ?", (cycle_id,)).fetchone()
        return int(row[0])

    def messages_with(self, event_id: str) -> int:
        row = self._base.execute("SELECT count(*) FROM outbox WHERE event_id = ?", (event_id,)).fetchone()
        return int(row[0])

    def undelivered(self) -> dict[int, tuple[str, str]]:
        """Row id → channel, message as text."""
        rows = self._base.execute("SELECT id, channel, data FROM outbox WHERE delivered_at IS NULL")
        return {row[0]: (row[1], row[2]) for row in rows}

    def is_delivered(self, row_id: int) -> bool | None:
        """None: there is no such row."""
        row = self._base.execute("SELECT delivered_at FROM outbox WHERE id = ?", (row_id,)).fetchone()
        return None if row is None else row[0] is not None

    def _orders(self, where: str, *values: str) -> list[Row]:
        query = f"SELECT data, state, sends, ended_at FROM orders WHERE {where} ORDER BY planned_at, client_order_id"  # noqa: S608
        return [
            Row(from_text(Intent, data), state, sends, ended is not None)
            for data, state, sends, ended in self._base.execute(query, values)
        ]
