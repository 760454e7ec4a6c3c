"""Dated contracts that follow one another: same account, underlying and settlement.

Venues list weekly and monthly ones beside those of the quarter. A contract stands for those that end as often as it
does: who hedges with a quarter's does not want to roll every week.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, timedelta
from enum import Enum
from typing import NamedTuple

from hedged.model.instrument import ContractKind, Instrument, InstrumentId


class Chain(NamedTuple):
    """What the contracts of one chain have in common."""

    account: str
    base: str
    quote: str
    settle: str


class Cadence(Enum):
    """How often contracts of a kind end, all of them on a Friday: a month's and a quarter's on its last."""

    WEEK = (7, 52)
    MONTH = (28, 12)
    QUARTER = (84, 4)

    def __init__(self, days_least: int, a_year: int) -> None:
        self.lasts = timedelta(days=days_least)  # at least, from one end to the next
        self.a_year = a_year

    def is_kept_by(self, other: Cadence | None) -> bool:
        """Whether a contract of the other cadence is also one of this: a quarter's last Friday is a month's."""
        return other is not None and other.lasts >= self.lasts


def cadence_of(expiry: datetime | date | None) -> Cadence | None:
    """That of a contract with this expiry; None: it ends on another day, and nothing can be said.

    An end on the Thursday before the last Friday of a month is taken for that Friday, which is a holiday then.
    """
    if expiry is None:
        return None
    day = expiry.astimezone(UTC).date() if isinstance(expiry, datetime) else expiry
    thursday, friday = day.weekday() == _FRIDAY - 1, day.weekday() == _FRIDAY
    end = day + timedelta(days=1) if thursday else day
    if (thursday or friday) and (end + _WEEK).month != end.month:
        return Cadence.MONTH if end.month % 3 else Cadence.QUARTER
    return Cadence.WEEK if friday else None


_FRIDAY = 4
_WEEK = timedelta(days=7)


def cadence_named(instrument: InstrumentId, listed: Mapping[InstrumentId, Instrument]) -> Cadence | None:
    """The cadence of a contract, also of one that the venue lists no more: ccxt's symbol ends with its date."""
    contract = listed.get(instrument)
    if contract is not None:
        return cadence_of(contract.expiry)
    try:
        return cadence_of(datetime.strptime(instrument.rpartition("-")[2], "%y%m%d").replace(tzinfo=UTC))
    except ValueError:
        return None


def chain_of(instrument: InstrumentId, listed: Mapping[InstrumentId, Instrument]) -> Chain | None:
    """The chain of a dated contract, also of one that the venue lists no more; None for a perpetual."""
    contract = listed.get(instrument)
    if contract is not None:
        if contract.kind is not ContractKind.FUTURE:
            return None
        return Chain(contract.account, contract.base, contract.quote, contract.settle)
    account, _, symbol = instrument.partition(":")
    pair, _, rest = symbol.partition(":")
    settle, dash, _expiry = rest.partition("-")
    if not dash:
        return None
    base, _, quote = pair.partition("/")
    return Chain(account, base, quote, settle)


def is_ending(instrument: Instrument, now: datetime, before: timedelta) -> bool:
    """Whether a contract ends within `before` from now, by expiry or delisting, or has ended."""
    ends = instrument.ends()
    return ends is not None and ends - now <= before


def successor(
    chain: Chain, listed: Iterable[Instrument], now: datetime, before: timedelta, cadence: Cadence | None = None
) -> Instrument | None:
    """The next contract of the chain that trades and does not end within `before`; None: none is listed yet.

    The next of the same cadence; where none is listed the next that lasts as long, and else whatever is next.
    """
    alive = [
        contract
        for contract in listed
        if contract.kind is ContractKind.FUTURE
        and contract.base == chain.base
        and (contract.account, contract.quote, contract.settle) == (chain.account, chain.quote, chain.settle)
        and contract.trading
        and not is_ending(contract, now, before)
    ]
    same = [contract for contract in alive if cadence is not None and cadence.is_kept_by(cadence_of(contract.expiry))]
    lasting = [each for each in alive if cadence is not None and not is_ending(each, now, cadence.lasts)]
    return min(same or lasting or alive, key=lambda contract: contract.ends() or now, default=None)
