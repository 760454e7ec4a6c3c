"""Why a hedge may not be traded now: the data that it needs and does not have."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from hedged.assess.exposure import NetQuantity, cash_assets, coin_of_contract, delta_of
from hedged.assess.freshness import Gap, age_text, torn
from hedged.assess.rates import rate_of
from hedged.model.chain import is_ending
from hedged.model.finding import HedgeGroup, Kind, MarginStatus
from hedged.model.instrument import InstrumentId
from hedged.model.policy import HedgePolicy, LegPolicy, PortfolioPolicy
from hedged.model.snapshot import Position, Read, Snapshot, seen

STATISTICS_AGE_MAX = timedelta(days=3)
"""Betas change by the week; a venue that gives no history for so long is a fault to tell."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one assessment rests on, gathered once."""

    snapshot: Snapshot
    policy: PortfolioPolicy
    quantities: Mapping[str, NetQuantity]
    assets: Mapping[str, Sequence[str]]  # hedge → the assets held that it covers
    positions: Mapping[InstrumentId, Position]
    gaps: Sequence[Gap]


@dataclass(frozen=True, slots=True)
class Reason:
    """`stale`: only too old; False: not there; None: there, and not believed."""

    text: str
    stale: bool | None


def reasons_against(hedges: Sequence[HedgePolicy], legs: Sequence[LegPolicy], evidence: Evidence) -> list[Reason]:
    """Every reason not to trade these hedges, once each, in a stable order."""
    reasons = [
        *_without_key(legs, evidence),
        *_gap_reasons(hedges, legs, evidence),
        *_rate_reasons(hedges, legs, evidence),
        *_estimates(hedges, evidence),
        *_torn(hedges, legs, evidence),
        *_doubts(hedges, legs, evidence),
    ]
    return list(dict.fromkeys(reasons))


def _gap_reasons(hedges: Sequence[HedgePolicy], legs: Sequence[LegPolicy], evidence: Evidence) -> Iterator[Reason]:
    instruments = _instruments_needed(hedges, legs, evidence)
    accounts = {leg.instrument.partition(":")[0] for leg in legs}
    currencies = _currencies(instruments, evidence)
    for gap in evidence.gaps:
        if gap.account is None and all(_was_dust(asset, evidence) for asset in gap.assets or (None,)):
            continue  # too little to count when it was last priced
        # Never read, it may hold anything: then every hedge needs it.
        needed = gap.assets is None or (gap.positions and gap.account in accounts)
        needed = needed or bool(gap.instruments & instruments) or bool(currencies.intersection(gap.assets or ()))
        if needed or any(covers(hedges, asset, evidence.policy) for asset in gap.assets or ()):
            yield Reason(gap.text, gap.stale)
    for hedge in hedges:
        for asset in evidence.assets[hedge.name]:
            if evidence.quantities[asset].quantity and asset not in evidence.snapshot.prices:
                yield Reason(f"{asset} has no price in {evidence.policy.quote}", stale=False)


def _instruments_needed(
    hedges: Sequence[HedgePolicy], legs: Sequence[LegPolicy], evidence: Evidence
) -> set[InstrumentId]:
    """Those held, those with a target of their own, and the first in line; a fall-back nobody holds is not needed."""
    listed, now, before = evidence.snapshot.instruments, evidence.snapshot.now, evidence.policy.roll.before
    trading = [listed[leg.instrument] for leg in legs if leg.instrument in listed and listed[leg.instrument].trading]
    trading.sort(key=lambda instrument: is_ending(instrument, now, before))
    split = {leg.instrument for hedge in hedges if hedge.splits for leg in hedge.legs}
    needed = {leg.instrument for leg in legs if leg.instrument in split or leg.instrument in evidence.positions}
    return needed | {instrument.id for instrument in trading[:1]} or {leg.instrument for leg in legs}


def _estimates(hedges: Sequence[HedgePolicy], evidence: Evidence) -> Iterator[Reason]:
    for hedge in hedges:
        if not hedge.estimated:
            continue
        statistics = evidence.snapshot.statistics.get(hedge.name)
        if statistics is None or not statistics.ratios:
            yield Reason(f"{hedge.name}: its hedge ratios are not estimated yet", stale=False)
        elif evidence.snapshot.now - statistics.as_of > STATISTICS_AGE_MAX:
            age = age_text(evidence.snapshot.now - statistics.as_of)
            yield Reason(f"{hedge.name}: its hedge ratios rest on prices that are {age} old", stale=True)


def _currencies(instruments: Iterable[InstrumentId], evidence: Evidence) -> set[str]:
    """What these are priced in, where that is not the portfolio's own currency."""
    listed = evidence.snapshot.instruments
    return {listed[name].quote for name in instruments if name in listed} - {evidence.policy.quote}


def _rate_reasons(hedges: Sequence[HedgePolicy], legs: Sequence[LegPolicy], evidence: Evidence) -> Iterator[Reason]:
    for name in sorted(_instruments_needed(hedges, legs, evidence)):
        instrument = evidence.snapshot.instruments.get(name)
        quote = evidence.policy.quote
        if instrument is not None and rate_of(instrument, evidence.snapshot, evidence.policy) is None:
            yield Reason(
                f"{instrument.quote}, which {name} is priced in, has no believable price in {quote}", stale=False
            )


def _was_dust(asset: str | None, evidence: Evidence) -> bool:
    leg = evidence.snapshot.prices.get(asset) if asset is not None else None
    last = seen(leg) if leg is not None else None
    if asset is None or last is None or asset not in evidence.quantities:
        return False
    return abs(evidence.quantities[asset].quantity * last.value) <= evidence.policy.dust_value


def _without_key(legs: Sequence[LegPolicy], evidence: Evidence) -> Iterator[Reason]:
    for account in dict.fromkeys(leg.instrument.partition(":")[0] for leg in legs):
        view = evidence.snapshot.accounts.get(account)
        if view is not None and view.derivatives is None:
            yield Reason(f"{account} has no key: what is short there is not known", stale=None)


def _torn(hedges: Sequence[HedgePolicy], legs: Sequence[LegPolicy], evidence: Evidence) -> Iterator[Reason]:
    skew_max = evidence.policy.thresholds.leg_skew_max
    skew = torn(_readings(hedges, legs, evidence), skew_max)
    if skew is not None:
        yield Reason(f"torn: its readings are {age_text(skew)} apart (at most {age_text(skew_max)})", stale=True)


def _doubts(hedges: Sequence[HedgePolicy], legs: Sequence[LegPolicy], evidence: Evidence) -> Iterator[Reason]:
    instruments = {leg.instrument for leg in legs}
    policy = evidence.policy
    for doubt in evidence.snapshot.doubts:
        asset = policy.aliases.get(doubt.asset, doubt.asset)
        if doubt.instrument in instruments or covers(hedges, asset, policy):
            became = f"went from {doubt.before:f} to {doubt.now:f}" if doubt.instrument and doubt.now else "vanished"
            yield Reason(f"{doubt.subject} {became} and is not explained", stale=None)
    for position in evidence.positions.values():
        base = position.instrument.partition(":")[2].partition("/")[0]
        asset, _ = coin_of_contract(base, evidence.snapshot, policy)
        listed = evidence.snapshot.instruments.get(position.instrument)
        if (listed is None or delta_of(listed, position) is None) and covers(hedges, asset, policy):
            yield Reason(f"{position.instrument}: how many coins it stands for is not known", stale=None)
        if not position.trusted and (position.instrument in instruments or covers(hedges, asset, policy)):
            yield Reason(f"{position.instrument}: position not trusted", stale=None)


def covers(hedges: Sequence[HedgePolicy], asset: str, policy: PortfolioPolicy) -> bool:
    """Whether an asset is one of these hedges' (the wildcard takes what no other hedge names, except cash)."""
    if any(asset in hedge.assets for hedge in hedges):
        return True
    if asset in policy.ignore or asset in cash_assets(policy):
        return False
    return any(hedge.takes_rest for hedge in hedges) and not any(asset in hedge.assets for hedge in policy.hedges)


def _readings(hedges: Sequence[HedgePolicy], legs: Sequence[LegPolicy], evidence: Evidence) -> Iterator[datetime]:
    """The times of everything the ratio rests on. What is missing is a gap already, so it is not torn as well."""
    snapshot = evidence.snapshot
    for hedge in hedges:
        for asset in evidence.assets[hedge.name]:
            yield from evidence.quantities[asset].readings
            price = snapshot.prices.get(asset)
            if isinstance(price, Read):
                yield price.as_of
    for account in {leg.instrument.partition(":")[0] for leg in legs}:
        entry = snapshot.accounts.get(account)
        if entry is not None and isinstance(entry.derivatives, Read):
            yield entry.derivatives.as_of
    for index, leg in enumerate(legs):
        quote = snapshot.quotes.get(leg.instrument)
        if isinstance(quote, Read) and (index == 0 or leg.instrument in evidence.positions):
            yield quote.as_of


_OF_WHOLE_HEDGES = (Kind.DRIFT, Kind.NO_EXPOSURE, Kind.TOO_COARSE, Kind.ROLL)
"""Kinds that rest on all that a hedge needs."""


def undetermined(
    groups: Sequence[HedgeGroup], gaps: Sequence[Gap], margin: Sequence[MarginStatus], exposed: frozenset[str]
) -> frozenset[str]:
    """Finding keys that cannot be told to be over, because the data they would rest on is not there.

    `exposed`: the accounts with open positions, for which a margin that is not told is not a good one.
    """
    keys: set[str] = set()
    for row in margin:
        if row.odds is not None and row.odds.may_be_worse:
            keys.add(f"{Kind.MARGIN_ODDS.value}/{row.account}")
        if row.account in exposed and row.margin_ratio is None:
            keys.add(f"{Kind.MARGIN.value}/{row.account}")
            if row.liquidation_distance_ratio is None:  # with a good ratio, no liquidation price means a far one
                keys.add(f"{Kind.LIQUIDATION_NEAR.value}/{row.account}")
    for group in groups:
        if group.blocked_by:
            keys.update(f"{kind.value}/{name}" for name in group.hedges for kind in _OF_WHOLE_HEDGES)
    for gap in gaps:
        if gap.positions:
            of_margin = (Kind.MARGIN, Kind.MARGIN_ODDS, Kind.LIQUIDATION_NEAR)
            keys.update(f"{kind.value}/{gap.account}" for kind in of_margin)
            keys.update(
                f"{kind.value}/*"
                for kind in (Kind.POSITION_UNOWNED, Kind.POSITION_VANISHED, Kind.POSITION_UNTRUSTED, Kind.EXPIRY)
            )
        elif gap.instruments:
            keys.update(f"{kind.value}/{i}" for i in gap.instruments for kind in (Kind.NOT_TRADING, Kind.EXPIRY))
            keys.add(f"{Kind.LIQUIDATION_NEAR.value}/{gap.account}")
        else:
            keys.update(f"{kind.value}/*" for kind in (Kind.ASSET_UNCOVERED, Kind.BALANCE_VANISHED, Kind.DEPEG))
            keys.update(f"{Kind.PRICE_MISSING.value}/{asset}" for asset in gap.assets or ())
    return frozenset(keys)
