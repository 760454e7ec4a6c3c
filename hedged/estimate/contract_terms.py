"""What a contract is worth to somebody who looks for a hedge: its size, its smallest order, what it costs to hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from hedged.estimate.sizing import order_min
from hedged.model.history import Settlement
from hedged.model.instrument import Instrument
from hedged.model.policy import PRICE_COLLAR
from hedged.model.snapshot import Quote

HOURS_A_YEAR = Decimal(8760)
SECONDS_A_YEAR = Decimal(365 * 86_400)
_DAY = Decimal(86_400)
_DAYS_MIN = 7  # of settlements, for a mean that says more than today's rate


@dataclass(frozen=True, slots=True)
class ContractTerms:
    """Values in the instrument's quote currency; ratios are fractions; None: the venue does not say."""

    contract_coins: Decimal  # coins that one contract stands for, at the mark
    contract_value: Decimal
    order_min_contracts: Decimal
    order_min_value: Decimal
    spread_ratio: Decimal | None  # (ask − bid) / mid
    funding_year: Decimal | None  # > 0: a short receives
    basis_year: Decimal | None  # dated: (mark / index − 1) × 365 / days; > 0: a short earns it by expiry


def contract_terms(
    instrument: Instrument, quote: Quote, now: datetime, collar: Decimal = PRICE_COLLAR
) -> ContractTerms:
    """Annual funding = rate × 8760 / interval in hours; annual basis = (F / S − 1) × 365 / days to expiry."""
    mark = quote.mark
    least = order_min(instrument, mark, collar)
    spread = funding = basis = None
    if quote.bid and quote.ask:
        spread = (quote.ask - quote.bid) / ((quote.ask + quote.bid) / 2)
    if quote.funding_rate is not None and quote.funding_interval_hours:
        funding = quote.funding_rate * HOURS_A_YEAR / quote.funding_interval_hours
    if instrument.expiry is not None and quote.index and instrument.expiry > now:
        left = Decimal(round((instrument.expiry - now).total_seconds())) / SECONDS_A_YEAR
        basis = (mark / quote.index - 1) / left if left else None
    return ContractTerms(
        contract_coins=instrument.base_quantity(Decimal(1), mark),
        contract_value=instrument.notional(Decimal(1), mark),
        order_min_contracts=least,
        order_min_value=instrument.notional(least, mark),
        spread_ratio=spread,
        funding_year=funding,
        basis_year=basis,
    )


@dataclass(frozen=True, slots=True)
class MeanFunding:
    """What a short received a year (> 0) over so many days, by what was settled."""

    year: Decimal
    days: Decimal


def mean_funding(settled: Sequence[Settlement]) -> MeanFunding | None:
    """Σ of the rates after the first settlement over the time since, however often they came; None: under 7 days."""
    if len(settled) < 2:
        return None
    seconds = Decimal(round((settled[-1].at - settled[0].at).total_seconds()))
    if seconds < _DAYS_MIN * _DAY:
        return None
    return MeanFunding(sum((row.rate for row in settled[1:]), Decimal(0)) * SECONDS_A_YEAR / seconds, seconds / _DAY)
