"""What the past says of a hedge. Statistics are floats; a ratio that sizes a position is a `Decimal`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal

from hedged.model.instrument import InstrumentId


@dataclass(frozen=True, slots=True)
class HedgeStatistics:
    """Of one hedge; None or absent: not known yet. Volatilities are annual, those of gap and hedge fractions of them.

    `ratios`: named instrument → value to be short per unit of the hedge's value; < 0: to be held long. `betas`: by
    asset, to the first instrument. `gap_volatility`: of target − hedge, as a fraction of the target;
    `hedge_volatility`: of the instruments together now, `…_usual` nowadays. `carry_year`: named instrument → what a
    short of 1 costs a year by its funding of the past days, > 0 is paid. `change`: what the hedge's signal looks at.
    `text`: what the ratios rest on and how sure they are, for people.
    """

    as_of: datetime  # the last bar that it rests on
    ratios: Mapping[InstrumentId, Decimal] = field(default_factory=dict)
    betas: Mapping[str, Decimal] = field(default_factory=dict)
    gap_volatility: float | None = None
    hedge_volatility: float | None = None
    hedge_volatility_usual: float | None = None
    carry_year: Mapping[InstrumentId, float] = field(default_factory=dict)
    change: float | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class BreachMove:
    """A rise (> 0) or fall (< 0) from the present mark that liquidates the account, as a fraction of the mark.

    0: it is to be liquidated already. `instrument` alone moves, the others stand still; None: all move alike.
    """

    instrument: InstrumentId | None
    ratio: float


@dataclass(frozen=True, slots=True)
class Survival:
    """What a position has to live through to be liquidated no likelier than the user allows; fractions of the mark.

    The same for any size. What equity that takes follows from the size's maintenance margin.
    """

    rise: float  # by a short
    fall: float  # by a long, at most 1


@dataclass(frozen=True, slots=True)
class PoolRoom:
    """What backs the positions that settle in `coin` (valued in `currency`), or without one in `currency` itself, and
    what they need to be liquidated no likelier than the user allows. Both empty: nothing is held. `apart`: the isolated
    position that it is set apart for; None: cross margin.
    """

    currency: str
    coin: str
    equity: Decimal
    equity_needed: Decimal
    apart: InstrumentId | None = None

    @property
    def unit(self) -> str:
        """What is topped up."""
        unit = f"{self.currency} worth of {self.coin}" if self.coin else self.currency
        return f"{unit} set apart for {self.apart.partition(':')[2]}" if self.apart else unit

    @property
    def top_up(self) -> Decimal:
        """What to add to meet the target; 0 where it is met."""
        return max(self.equity_needed - self.equity, Decimal(0))


@dataclass(frozen=True, slots=True)
class Untold:
    """Why nothing is known of an account, or of a part of it. `passing`: for want of a reading."""

    why: str
    passing: bool = False


@dataclass(frozen=True, slots=True)
class MarginOdds:
    """How likely an account's collateral is used up within `horizon`, and what makes it less likely.

    Money in `currency`. What is needed, added and closed is for the probability that the user allows. Where nothing
    can be told, `unknown` says why and all else is empty.
    """

    account: str
    as_of: datetime  # when its positions were read
    horizon: timedelta
    currency: str = ""
    coin: str = ""  # what backs inverse positions; money is then what it is worth
    walk: float | None = None  # probability by a random walk
    bootstrap: float | None = None  # by the market's own past hours; None: there are too few
    equity: Decimal | None = None  # that stands behind the positions
    equity_needed: Decimal | None = None
    breaches: tuple[BreachMove, ...] = ()  # of each instrument alone, the nearest first
    breach_common: BreachMove | None = None  # of all together
    leverage_lowest: int | None = None  # None: there is too little equity at any
    to_close: Mapping[InstrumentId, Decimal] = field(default_factory=dict)  # contracts to trade, signed (buy > 0)
    survives: Mapping[InstrumentId, Survival] = field(default_factory=dict)
    basis: str = ""  # what the figures rest on, for people
    unknown: str = ""  # why nothing is known, for people
    passing: bool = False  # it is not known for want of a reading that the next cycle may bring
    alarm: str | None = None  # "warning" or "critical", with regard to what it was before
    others: tuple[PoolRoom, ...] = ()  # the account's other pools, which are in less danger than this one
    apart: InstrumentId | None = None  # the isolated position that this is of; None: cross margin
    untold: tuple[Untold, ...] = ()  # the parts of the account that nothing is known of, where something is of others

    @property
    def may_be_worse(self) -> bool:
        """Whether an alarm cannot be told to be over: nothing is known, or not of a part that may soon be read."""
        return bool(self.unknown) or any(each.passing for each in self.untold)

    @property
    def probability(self) -> float | None:
        """The worse of the models."""
        if self.walk is None:
            return None
        return self.walk if self.bootstrap is None else max(self.walk, self.bootstrap)

    @property
    def pools(self) -> tuple[PoolRoom, ...]:
        """The worst first; none where nothing is known."""
        if self.equity is None or self.equity_needed is None:
            return ()
        return (PoolRoom(self.currency, self.coin, self.equity, self.equity_needed, self.apart), *self.others)

    @property
    def room(self) -> float | None:
        """Equity over what is needed: below 1 liquidation is likelier than the user allows. None: not known."""
        if self.equity is None or self.equity_needed is None:
            return None
        return float(self.equity / self.equity_needed) if self.equity_needed > 0 else ROOM_MAX

    @property
    def top_up(self) -> Decimal | None:
        """What to add to meet the target; 0 where it is met."""
        if self.equity is None or self.equity_needed is None:
            return None
        return max(self.equity_needed - self.equity, Decimal(0))


ROOM_MAX = 1e9
"""Of an account that needs nothing."""
