"""The life of an order, as a table, and what a fill was worth. Pure; both stores go by it.

    planned ──► sent ──► acknowledged ──► filled | cancelled | rejected | unknown | absent
       │          └────► unknown ───────► filled | cancelled | rejected | acknowledged | absent
       └───────────────► unknown | rejected | absent ──► planned, with the same id

Only forward. `planned` cannot become `filled`: an order is marked sent before a byte leaves, so a fill without that
is a fault to be seen, not to be smoothed over. `absent` means that it was looked for and is not there; the same id may
then be planned once more, so that a venue which takes the first one late after all has one order and not two.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from hedged.errors import NotApproved, StoreError
from hedged.model.order import (
    ABSENT,
    Absent,
    Cancelled,
    Fill,
    Intent,
    OrderState,
    Outcome,
    Rejected,
    Unknown,
    Working,
)
from hedged.model.proposal import Verdict

PAST_ORDERS_MAX = 1_000  # listed at once

OPEN = (
    OrderState.PLANNED.value,
    OrderState.SENT.value,
    OrderState.ACKNOWLEDGED.value,
    OrderState.UNKNOWN.value,
)
_OUT = (OrderState.SENT.value, OrderState.ACKNOWLEDGED.value, OrderState.UNKNOWN.value)

COMES_FROM: Mapping[str, tuple[str, ...]] = {
    OrderState.PLANNED.value: (ABSENT,),  # or from nothing
    OrderState.SENT.value: (OrderState.PLANNED.value,),
    OrderState.ACKNOWLEDGED.value: _OUT,
    OrderState.FILLED.value: _OUT,
    OrderState.CANCELLED.value: _OUT,
    OrderState.REJECTED.value: OPEN,
    OrderState.UNKNOWN.value: OPEN,
    ABSENT: OPEN,
}

PROPOSALS_MAX = 1_000  # listed at once

VERDICT_FROM: Mapping[Verdict, tuple[Verdict, ...]] = {
    Verdict.OPEN: (),  # from nothing
    Verdict.APPROVED: (Verdict.OPEN,),
    Verdict.REJECTED: (Verdict.OPEN, Verdict.APPROVED),  # an approval may be taken back until it is used
    Verdict.USED: (Verdict.APPROVED,),
    Verdict.EXPIRED: (Verdict.OPEN, Verdict.APPROVED),
    Verdict.REPLACED: (Verdict.OPEN,),
}
UNENDED = (Verdict.OPEN, Verdict.APPROVED)


def state_after(outcome: Outcome | Absent) -> str:
    """The journal's state that an outcome leads to."""
    match outcome:
        case Fill():
            return OrderState.FILLED.value
        case Cancelled():
            return OrderState.CANCELLED.value
        case Rejected():
            return OrderState.REJECTED.value
        case Working():
            return OrderState.ACKNOWLEDGED.value
        case Unknown():
            return OrderState.UNKNOWN.value
        case Absent():
            return ABSENT


def reason_of(outcome: Outcome | Absent) -> str | None:
    return outcome.reason if isinstance(outcome, Cancelled | Rejected | Unknown) else None


def fill_notional(fill: Fill, intent: Intent) -> Decimal:
    """What was traded, in the quote currency, at the price the order was decided on.

    Scaled from the intent by quantity: right for linear and inverse contracts alike without knowing the multiplier,
    and off by no more than the price collar.
    """
    if fill.quantity == intent.quantity:
        return intent.notional
    return intent.notional * fill.quantity / intent.quantity


def not_in_journal(client_order_id: str) -> StoreError:
    return StoreError(f"order {client_order_id} is not in the journal: it was never planned here")


def already_planned(client_order_id: str) -> StoreError:
    return StoreError(f"order {client_order_id} is already in the journal: an id is used once")


def no_such_step(client_order_id: str, state: str, wanted: str) -> StoreError:
    return StoreError(f"order {client_order_id} is {state} and cannot become {wanted}")


def contradicts(client_order_id: str) -> StoreError:
    return StoreError(f"order {client_order_id} is filled already, and a different fill is reported now")


def not_approved(proposal_id: str, verdict: Verdict | None) -> NotApproved:
    return NotApproved(proposal_id, "unknown" if verdict is None else verdict.value)
