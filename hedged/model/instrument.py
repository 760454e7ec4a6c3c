"""What can be traded: a contract and its rules, as the venue lists them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from enum import StrEnum
from typing import NewType

InstrumentId = NewType("InstrumentId", str)
"""`account:SYMBOL` with ccxt's unified symbol, for example `main:ETH/USDT:USDT`."""


def instrument_id(account: str, symbol: str) -> InstrumentId:
    return InstrumentId(f"{account}:{symbol}")


class ContractKind(StrEnum):
    PERPETUAL = "perpetual"
    FUTURE = "future"  # dated


@dataclass(frozen=True, slots=True)
class MarginTier:
    """One bracket of a venue's maintenance margin: applies to position notionals from `notional_floor` up."""

    notional_floor: Decimal  # quote currency
    maintenance_margin_rate: Decimal  # fraction of notional
    leverage_max: Decimal


@dataclass(frozen=True, slots=True)
class Instrument:
    """A derivative contract. Quantities of it are in contracts, prices in its quote currency."""

    id: InstrumentId
    account: str
    symbol: str
    kind: ContractKind
    base: str
    quote: str
    settle: str
    linear: bool = True
    multiplier: Decimal = Decimal(1)  # linear: coins per contract; inverse: face value in quote per contract
    tick_size: Decimal = Decimal("0.01")  # price step, quote currency
    lot_size: Decimal = Decimal("0.001")  # quantity step, contracts
    quantity_min: Decimal = Decimal(0)  # contracts
    notional_min: Decimal = Decimal(0)  # quote currency
    expiry: datetime | None = None  # dated contracts only
    delisting: datetime | None = None  # announced by the venue; treated as an expiry
    trading: bool = True
    fee_taker: Decimal | None = None  # fraction of notional, positive is paid
    tiers: tuple[MarginTier, ...] = ()  # ascending by notional_floor; empty: unknown
    by_hand: bool = False  # at a broker that hedged does not reach: its orders are proposals, in every mode

    def base_quantity(self, contracts: Decimal, price: Decimal) -> Decimal:
        """Coins that `contracts` stand for, same sign. `price` matters for inverse contracts only."""
        if self.linear:
            return contracts * self.multiplier
        return contracts * self.multiplier / price

    def notional(self, contracts: Decimal, price: Decimal) -> Decimal:
        """Value of `contracts` in the quote currency, same sign."""
        if self.linear:
            return contracts * self.multiplier * price
        return contracts * self.multiplier

    def contracts_for(self, notional: Decimal, price: Decimal) -> Decimal:
        """Unrounded contracts worth `notional` in the quote currency, same sign."""
        if self.linear:
            return notional / (self.multiplier * price)
        return notional / self.multiplier

    def ends(self) -> datetime | None:
        """When the contract stops existing: its expiry or its announced delisting, whichever is first."""
        dates = [date for date in (self.expiry, self.delisting) if date is not None]
        return min(dates) if dates else None


_BUNDLES = {"1000000": 1_000_000, "10000": 10_000, "1000": 1_000, "1M": 1_000_000, "k": 1_000}  # the longest first


def bundle(base: str) -> tuple[str, Decimal]:
    """The coin that the base of a contract may be so many of, by how venues name them: 1000PEPE, kPEPE, 1MBABYDOGE."""
    for name, times in _BUNDLES.items():
        coin = base.removeprefix(name)
        if coin and coin != base:
            return coin, Decimal(times)
    return base, Decimal(1)


def round_down(value: Decimal, step: Decimal) -> Decimal:
    """The multiple of `step` at or below |value|, keeping the sign."""
    steps = (abs(value) / step).to_integral_value(ROUND_FLOOR)
    return (steps * step).copy_sign(value)


def round_up(value: Decimal, step: Decimal) -> Decimal:
    """The multiple of `step` at or above |value|, keeping the sign."""
    steps = (abs(value) / step).to_integral_value(ROUND_CEILING)
    return (steps * step).copy_sign(value)
