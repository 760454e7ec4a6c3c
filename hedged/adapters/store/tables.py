"""The tables. How values are kept:

- money and quantities as TEXT, every digit (a NUMERIC column would round them through a float);
- times as whole microseconds since 1970 in UTC (64-bit integers: they compare and index as they are);
- whole values (alerts, messages, intents …) as JSON text of `hedged.model.codec`, beside the few columns asked for;
- snapshots as the same JSON, deflated (a sixth of the size or less).

The version of these tables is alembic's, in its own table `alembic_version`; `SCHEMA` is the one this code speaks.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import IntEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
)

SCHEMA = "0005"
APPLICATION = "hedged"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class Money(TypeDecorator[Decimal]):
    """A `Decimal` as text."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> str | None:
        return None if value is None else str(value)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(value)


class Time(TypeDecorator[datetime]):
    """An aware time as microseconds since 1970 in UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        return None if value is None else (value - _EPOCH) // _MICROSECOND

    def process_result_value(self, value: Any | None, dialect: Dialect) -> datetime | None:
        return None if value is None else _EPOCH + timedelta(microseconds=value)


class Grain(IntEnum):
    """How long a cycle's snapshot and decision are worth keeping; written with the row, so that thinning is a range."""

    EVERY = 0  # one of many
    HOUR = 1  # the first of its hour
    DAY = 2  # the first of its day
    ORDER = 3  # it traded: kept as long as its orders


metadata = MetaData()

stamp = Table(
    "stamp",
    metadata,
    Column("application", Text, primary_key=True),
    Column("portfolio", Text, nullable=False),
    Column("world", Text, nullable=False),
    Column("created_at", Time, nullable=False),
)

cycles = Table(
    "cycles",
    metadata,
    Column("id", Text, primary_key=True),
    Column("started_at", Time, nullable=False),
    Column("finished_at", Time, nullable=False),
    Column("grain", Integer, nullable=False),
    Index("ix_cycles_grain_finished_at", "grain", "finished_at"),
)

snapshots = Table(
    "snapshots",
    metadata,
    Column("cycle_id", Text, ForeignKey("cycles.id", ondelete="CASCADE"), primary_key=True),
    Column("data", LargeBinary, nullable=False),
)

decisions = Table(
    "decisions",
    metadata,
    Column("cycle_id", Text, ForeignKey("cycles.id", ondelete="CASCADE"), primary_key=True),
    Column("data", Text, nullable=False),
)

# One row, replaced by every cycle: what the next one starts from, and what `status` shows.
memory = Table(
    "memory",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("cycle_id", Text, nullable=False),
    Column("finished_at", Time, nullable=False),
    Column("data", Text, nullable=False),
    Column("state", Text),
)

# Apart from `memory`, because a person writes here from another process while the daemon replaces that row whole.
accepted = Table(
    "accepted",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("at", Time, nullable=False),
)

# A cycle's orders are planned before the cycle is recorded, hence no foreign key to it.
orders = Table(
    "orders",
    metadata,
    Column("client_order_id", Text, primary_key=True),
    Column("cycle_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("notional", Money, nullable=False),
    Column("data", Text, nullable=False),  # the intent
    Column("planned_at", Time, nullable=False),
    Column("sent_at", Time),  # the last time
    Column("ended_at", Time),  # NULL: open
    Column("reason", Text),
    Column("venue_order_id", Text),
    Column("sends", Integer, nullable=False, server_default="0"),
    Column("absences", Integer, nullable=False, server_default="0"),  # look-ups in a row that found nothing
    Index("ix_orders_ended_at", "ended_at"),
    Index("ix_orders_cycle_id", "cycle_id"),
)

# Orders that wait for a person's word.
proposals = Table(
    "proposals",
    metadata,
    Column("id", Text, primary_key=True),
    Column("verdict", Text, nullable=False),
    Column("made_at", Time, nullable=False),
    Column("data", Text, nullable=False),
    Index("ix_proposals_verdict_made_at", "verdict", "made_at"),
)

# One row: which process may send orders, and how often that has changed. An older epoch cannot write to the journal.
lease = Table(
    "lease",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("epoch", Integer, nullable=False),
    Column("holder", Text, nullable=False),
    Column("expires_at", Time, nullable=False),
)

silences = Table(
    "silences",
    metadata,
    Column("id", Text, primary_key=True),
    Column("ends_at", Time, nullable=False),
    Column("data", Text, nullable=False),
    Index("ix_silences_ends_at", "ends_at"),
)

# Apart from `alerts`, because people write here from other processes while the daemon replaces those rows whole.
acknowledgements = Table(
    "acknowledgements",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("at", Time, nullable=False),
    Column("data", Text, nullable=False),
    Index("ix_acknowledgements_at", "at"),
)

# What was asked from outside (MQTT, a phone) and what came of it; a nonce counts once.
commands = Table(
    "commands",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("at", Time, nullable=False),
    Column("source", Text, nullable=False),
    Column("nonce", Text),
    Column("verb", Text, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("data", Text, nullable=False),
    UniqueConstraint("source", "nonce", name="uq_commands_source_nonce"),
    Index("ix_commands_at", "at"),
    sqlite_autoincrement=True,
)

fills = Table(
    "fills",
    metadata,
    Column("client_order_id", Text, ForeignKey("orders.client_order_id", ondelete="CASCADE"), primary_key=True),
    Column("cycle_id", Text, nullable=False),
    Column("at", Time, nullable=False),
    Column("notional", Money, nullable=False),
    Column("data", Text, nullable=False),
    Index("ix_fills_at", "at"),
)

alerts = Table(
    "alerts",
    metadata,
    Column("event_id", Text, primary_key=True),
    Column("cycle_id", Text, nullable=False),  # the last that changed it
    Column("key", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("resolved_at", Time),
    Column("data", Text, nullable=False),
    Index("ix_alerts_state_resolved_at", "state", "resolved_at"),
)

outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("cycle_id", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("event_id", Text, nullable=False),  # the message's, which may be a group's
    Column("data", Text, nullable=False),  # the message
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", Time, nullable=False),
    Column("delivered_at", Time),
    Column("error", Text),
    Index("ix_outbox_delivered_at_channel_id", "delivered_at", "channel", "id"),
    Index("ix_outbox_event_id", "event_id"),
    sqlite_autoincrement=True,  # an id is never used again, so a late acknowledgement cannot hit another row
)

blobs = Table(
    "blobs",
    metadata,
    Column("key", Text, primary_key=True),
    Column("data", Text, nullable=False),
    Column("at", Time, nullable=False),
)

# Statistics alone rest on these, so the prices are floats.
bars = Table(
    "bars",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("at", Time, primary_key=True),
    Column("close", Float, nullable=False),
    Column("high", Float, nullable=False),
    Column("low", Float, nullable=False),
    Index("ix_bars_at", "at"),
    sqlite_with_rowid=False,
)

# What each hedge did, summed by UTC day; today's row is replaced by every cycle.
effects = Table(
    "effects",
    metadata,
    Column("hedge", Text, primary_key=True),
    Column("day", Time, primary_key=True),
    Column("data", Text, nullable=False),
    Index("ix_effects_day", "day"),
    sqlite_with_rowid=False,
)
