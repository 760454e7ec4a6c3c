"""Which way an order goes, and what it is for."""

from __future__ import annotations

from enum import StrEnum


class Side(StrEnum):
    BUY = "buy"
    SELL = "sell"

    @property
    def sign(self) -> int:
        return 1 if self is Side.BUY else -1


class Purpose(StrEnum):
    """What an order is for; its costs are booked under it."""

    REBALANCE = "rebalance"
    ROLL = "roll"
    CLOSE = "close"
    REDUCE = "reduce"  # bought back so that the account is not liquidated
