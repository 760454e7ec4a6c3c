"""Dated futures of the past: recorded prices, or contracts made from spot and the funding of the perpetual."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Protocol

from hedged.adapters.exchanges.price_table import SECONDS_PER_YEAR, History, PriceTable
from hedged.adapters.exchanges.symbols import ContractSymbol, dated_symbol, parse_symbol

LISTED_AHEAD = 2  # quarterly contracts listed at a time, as on Binance: this quarter's and the next
_PRICE_STEP = Decimal("0.00000001")


@dataclass(frozen=True, slots=True)
class Contract:
    symbol: str
    expiry: datetime


class FuturesChain(Protocol):
    """The contracts of one underlying and settlement currency."""

    def listed(self, epoch: int) -> tuple[Sequence[Contract], int | None]:
        """Contracts listed at this second, the next to expire first, and when that changes (None: never again)."""

    def price(self, contract: Contract, epoch: int) -> Decimal | None:
        """The price that became known at exactly this second, or None."""


def quarterly_expiry(year: int, quarter: int) -> datetime:
    """08:00 UTC on the last Friday of a quarter's last month (quarter 1 to 4)."""
    after = datetime(year + quarter // 4, quarter * 3 % 12 + 1, 1, 8, tzinfo=UTC)  # first of the next month
    last = after - timedelta(days=1)
    return last - timedelta(days=(last.weekday() - 4) % 7)


def quarterly_expiries(now: datetime, count: int) -> list[datetime]:
    """The next quarterly expiries after `now`, the nearest first."""
    found: list[datetime] = []
    year, quarter = now.year, 1
    while len(found) < count:
        expiry = quarterly_expiry(year, quarter)
        if expiry > now:
            found.append(expiry)
        year, quarter = (year, quarter + 1) if quarter < 4 else (year + 1, 1)
    return found


@dataclass(frozen=True, slots=True)
class GeneratedChain:
    """Quarterly contracts at spot × exp(basis·T), basis the 30-day mean of funding, annualised, as known then.

    T in years of 365 days. Listed are the next two quarters, and a contract that is named while it lives.
    """

    base: str
    name: str
    named: frozenset[datetime]
    history: History

    def listed(self, epoch: int) -> tuple[Sequence[Contract], int | None]:
        now = datetime.fromtimestamp(epoch, UTC)
        live = sorted({*quarterly_expiries(now, LISTED_AHEAD), *(expiry for expiry in self.named if expiry > now)})
        return [Contract(dated_symbol(self.name, expiry), expiry) for expiry in live], int(live[0].timestamp())

    def price(self, contract: Contract, epoch: int) -> Decimal | None:
        spot = self.history.spot.price(self.base, self.history.spot.row_at(epoch))
        if spot is None:
            return None
        rates = self.history.funding_of(self.name, self.base)
        if rates is None:
            return spot
        years = (contract.expiry.timestamp() - epoch) / SECONDS_PER_YEAR
        factor = math.exp(rates.basis(epoch) * years)
        return (spot * Decimal(f"{factor:.12f}")).quantize(_PRICE_STEP, ROUND_HALF_EVEN)


@dataclass(frozen=True, slots=True)
class RecordedChain:
    """Contracts of a file, each listed from its first bar to its expiry."""

    table: PriceTable
    lives: tuple[tuple[int, Contract], ...]  # since when it is known, and what; the next to expire first

    def listed(self, epoch: int) -> tuple[Sequence[Contract], int | None]:
        changes = [
            at for known, contract in self.lives for at in (known, int(contract.expiry.timestamp())) if at > epoch
        ]
        live = [contract for known, contract in self.lives if known <= epoch < contract.expiry.timestamp()]
        return live, min(changes, default=None)

    def price(self, contract: Contract, epoch: int) -> Decimal | None:
        return self.table.price(contract.symbol, self.table.row_at(epoch))


def contract_over(chain: FuturesChain, named: datetime | None, begin: int, end: int) -> Contract | None:
    """Of those listed at `begin` and alive after `end`: the one that expires at `named`, else the nearest."""
    alive = [contract for contract in chain.listed(begin)[0] if contract.expiry.timestamp() > end]
    return next((contract for contract in alive if contract.expiry == named), alive[0] if alive else None)


def generated_chain(named: Sequence[ContractSymbol], history: History) -> GeneratedChain:
    """The chain of these contracts, all of one underlying and settlement currency."""
    expiries = frozenset(contract.expiry for contract in named if contract.expiry is not None)
    return GeneratedChain(named[0].base, named[0].chain, expiries, history)


def recorded_chain(name: str, table: PriceTable) -> RecordedChain:
    """The contracts of this chain (`ETH/USDT:USDT`) that the table has."""
    lives = []
    for symbol in table.columns:
        parsed = parse_symbol(symbol)
        known = table.first_known(symbol)
        if parsed is not None and parsed.expiry is not None and parsed.chain == name and known is not None:
            lives.append((known, Contract(symbol, parsed.expiry)))
    return RecordedChain(table, tuple(sorted(lives, key=lambda life: life[1].expiry)))
