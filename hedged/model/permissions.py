"""What a key may do, as its venue tells."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Permissions:
    """None: the venue does not say."""

    read: bool | None = None
    trade: bool | None = None  # derivatives orders
    withdraw: bool | None = None
    bound_to_address: bool | None = None  # only listed IP addresses may use the key
    expires: datetime | None = None
