"""How likely each account is liquidated: from what was read of it and the past prices that the store keeps.

Two costs are kept apart. Drawing what an account may need takes tens of milliseconds, happens off the loop, and only
when a position has changed or its time is over. Whether the equity is enough for that is looked up in every cycle.
The draws of an hour have one seed, so that the odds move with the market and not with the dice.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hedged.errors import StoreError
from hedged.estimate.account_odds import DrawnNeed, Numbers, draw, odds_of, together
from hedged.estimate.liquidation_odds import PATHS
from hedged.estimate.margin_pool import Pool, pools_of
from hedged.estimate.price_past import PricePast
from hedged.model.history import KEPT, STEP, Bar
from hedged.model.instrument import InstrumentId
from hedged.model.policy import OnCritical, PortfolioPolicy
from hedged.model.snapshot import AccountSnapshot, Snapshot
from hedged.model.statistics import MarginOdds, Untold
from hedged.ports import BarSource

READ_EVERY = timedelta(minutes=5)
"""A bar is an hour, but it may come late."""

PLENTY = 1.5
"""Times the equity that is needed: beside that, what an hour changes is nothing."""

HOURS_WITH_ROOM = 6

_BARS_A_DAY = 24
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SEED = 1
_HOUR = 3600


def subjects_of(instrument: InstrumentId, quote: str) -> tuple[str, str]:
    """Whose bars stand for an instrument's in the store: its own, else its coin's in the portfolio's currency."""
    return instrument, f"{instrument.partition(':')[2].partition('/')[0]}/{quote}"


def instruments_needed(policy: PortfolioPolicy) -> tuple[InstrumentId, ...]:
    """Those named, whose bars are to be kept so that odds rest on a past before anything is held."""
    return tuple(dict.fromkeys(leg.instrument for hedge in policy.hedges for leg in hedge.legs))


@dataclass(slots=True)
class _Drawn:
    hour: int
    need: DrawnNeed
    bars: int  # how many the pasts had
    room: float = 0.0  # as last told

    def is_good(self, pool: Pool, hour: int, bars: int) -> bool:
        """Whether it need not be drawn anew: for an hour, and for longer where there is plenty of room."""
        lasts = HOURS_WITH_ROOM if self.room >= PLENTY else 1
        return 0 <= hour - self.hour < lasts and bars - self.bars < _BARS_A_DAY and self.need.holds_for(pool)


@dataclass(slots=True)
class MarginRisk:
    """A `RiskModel` over the bars that somebody else keeps. `step`: their length."""

    bars: BarSource
    policy: PortfolioPolicy
    numbers: Numbers
    step: timedelta = STEP
    paths: int = PATHS
    _pasts: dict[str, PricePast] = field(default_factory=dict, init=False)
    _read_at: dict[str, datetime] = field(default_factory=dict, init=False)
    _drawn: dict[tuple[str, str, str, str], _Drawn] = field(default_factory=dict, init=False)  # by pool

    async def odds(self, snapshot: Snapshot) -> Mapping[str, MarginOdds]:
        found = {}
        for name, view in snapshot.accounts.items():
            try:
                pools = pools_of(view, snapshot, self.policy.thresholds.stale_after)
                odds = [await self._odds(pool, snapshot) for pool in pools if isinstance(pool, Pool)]
            except (ValueError, ArithmeticError) as error:  # a figure that no venue should tell
                pools, odds = (Untold(f"its figures make no sense ({type(error).__name__})"),), []
            untold = [each for each in pools if isinstance(each, Untold)]
            if odds:
                found[name] = together(odds, untold)
            elif untold:
                found[name] = self._unknown(view, snapshot.now, untold[0])
        return found

    async def _odds(self, pool: Pool, snapshot: Snapshot) -> MarginOdds:
        candidates = self._candidates(pool, snapshot)
        wanted = dict.fromkeys((*(each.instrument.id for each in pool.positions), *candidates))
        pasts = {name: await self._past(name, snapshot.now) for name in wanted}
        hour, bars = int(snapshot.now.timestamp()) // _HOUR, sum(len(past) for past in pasts.values())
        key = (pool.account, pool.currency, pool.coin, pool.apart or "")
        drawn = self._drawn.get(key)
        if drawn is None or not drawn.is_good(pool, hour, bars):
            need = await asyncio.to_thread(
                draw,
                pool,
                pasts,
                candidates,
                self.policy.margin,
                self.policy.every,
                seed=(_SEED, hour),
                numbers=self.numbers,
                paths=self.paths,
            )
            drawn = self._drawn[key] = _Drawn(hour, need, bars)
        fees = {each.instrument.id: self._cost(each.instrument.fee_taker) for each in pool.positions}
        odds = odds_of(pool, drawn.need, self.policy.margin, fees)
        drawn.room = odds.room or 0.0
        return odds

    def _candidates(self, pool: Pool, snapshot: Snapshot) -> Sequence[InstrumentId]:
        """What orders may open there: asked for only where hedged keeps the room by itself."""
        if self.policy.margin.on_critical is not OnCritical.REDUCE:
            return ()
        if pool.apart is not None:
            return (pool.apart,)
        return [name for name in snapshot.instruments if name.partition(":")[0] == pool.account]

    def _cost(self, fee: Decimal | None) -> Decimal:
        """Of taking, one way: fee, half the spread and slippage."""
        paper = self.policy.paper
        return (paper.fee_taker if fee is None else fee) + (paper.slippage_bps + paper.spread_bps / 2) / 10_000

    def _unknown(self, view: AccountSnapshot, now: datetime, why: Untold) -> MarginOdds:
        return MarginOdds(
            account=view.account,
            as_of=now,
            horizon=self.policy.margin.top_up_within,
            unknown=why.why,
            passing=why.passing,
        )

    async def _past(self, instrument: InstrumentId, now: datetime) -> PricePast:
        """The longer of the instrument's own past and its coin's."""
        own, coin = [await self._up_to(subject, now) for subject in subjects_of(instrument, self.policy.quote)]
        return coin if len(coin) > len(own) else own

    async def _up_to(self, subject: str, now: datetime) -> PricePast:
        past = self._pasts.setdefault(subject, PricePast(int(self.step.total_seconds())))
        if subject in self._read_at and self._read_at[subject] <= now < self._read_at[subject] + READ_EVERY:
            return past
        since = datetime.fromtimestamp(past.until, UTC) if past.until else now - KEPT
        try:
            rows = await self.bars.bars(subject, max(since, _EPOCH))
        except StoreError:
            return past  # told by the cycle; what is known serves
        self._read_at[subject] = now
        await asyncio.to_thread(_take, past, rows, now)
        return past


def _take(past: PricePast, rows: Sequence[Bar], now: datetime) -> None:
    past.add_all((int(row.at.timestamp()), row.close, row.high, row.low) for row in rows if row.at <= now)
