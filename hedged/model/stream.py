"""How the streams between polls are doing. They carry no data: see `hedged.ports.Streams`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class StreamState:
    """One connection of one account. `detail` says why it is down, "" while it is up."""

    account: str
    name: str  # "marks", "spot", "swap" …: what is watched
    up: bool
    since: datetime  # when it last came up, or has been down without having stood for a minute
    detail: str = ""
