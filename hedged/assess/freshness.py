"""What is missing, stale or torn, and which hedges it blocks: exactly those that need it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

from hedged.assess.exposure import coin_of_contract
from hedged.model.instrument import InstrumentId
from hedged.model.policy import PortfolioPolicy
from hedged.model.snapshot import Leg, Missing, Read, Snapshot, seen

T = TypeVar("T")
_TOMORROW = timedelta(days=1)  # a day later somewhere is not the future


@dataclass(frozen=True, slots=True)
class Gap:
    """One datum that may not be traded on."""

    account: str | None  # None: a price or an off-exchange holding
    text: str
    stale: bool  # too old, rather than not there
    assets: frozenset[str] | None = frozenset()  # exposures it leaves open; None: any asset at all
    instruments: frozenset[InstrumentId] = frozenset()  # quotes it leaves open
    positions: bool = False  # every position of the account is open


def age_text(age: timedelta) -> str:
    """An age as people say it: 45 s, 12 min, 3.5 h, 2.1 d."""
    seconds = age.total_seconds()
    if seconds < 120:
        return f"{seconds:.0f} s"
    if seconds < 7200:
        return f"{seconds / 60:.0f} min"
    if seconds < 172_800:
        return f"{seconds / 3600:.1f} h"
    return f"{seconds / 86_400:.1f} d"


def _problem(leg: Leg[T], what: str, now: datetime, stale_after: timedelta) -> tuple[str, bool] | None:
    """Why a leg may not be traded on (text, is it only stale?), or None if it may."""
    if isinstance(leg, Missing):
        last = f", last read {age_text(now - leg.last.as_of)} ago" if leg.last is not None else ", never read yet"
        return f"{what}: {leg.fault.value}: {leg.call}: {leg.detail}{last}", False
    if now - leg.as_of > stale_after:
        return f"{what}: stale, {age_text(now - leg.as_of)} old (at most {age_text(stale_after)})", True
    return None


def find_gaps(snapshot: Snapshot, policy: PortfolioPolicy, owned: frozenset[InstrumentId]) -> list[Gap]:
    """Everything in the snapshot that may not be traded on. `owned`: the instruments that are legs of hedges."""
    return [*_account_gaps(snapshot, policy, owned), *_market_gaps(snapshot, policy), *_holding_gaps(snapshot, policy)]


def _account_gaps(snapshot: Snapshot, policy: PortfolioPolicy, owned: frozenset[InstrumentId]) -> Iterator[Gap]:
    now, stale_after = snapshot.now, policy.thresholds.stale_after
    for name, account in snapshot.accounts.items():
        for wallet, leg in account.wallets.items():
            problem = _problem(leg, f"{name}: {wallet} wallet", now, stale_after)
            if problem is not None:
                last = leg if isinstance(leg, Read) else leg.last
                # What the wallet held when it was last read is what it leaves open; never read, it may hold anything.
                held = (
                    None
                    if last is None
                    else frozenset(
                        policy.aliases.get(b.asset, b.asset) for b in last.value if b.free or b.locked or b.debt
                    )
                )
                yield Gap(account=name, text=problem[0], stale=problem[1], assets=held)
        if account.derivatives is not None:
            problem = _problem(account.derivatives, f"{name}: positions", now, stale_after)
            if problem is not None:
                seen_last = seen(account.derivatives)
                # A position that is no hedge's leg counts as exposure of its coin.
                loose = frozenset(
                    coin_of_contract(p.instrument.partition(":")[2].partition("/")[0], snapshot, policy)[0]
                    for p in (seen_last.value.positions if seen_last is not None else ())
                    if p.instrument not in owned
                )
                yield Gap(
                    account=name,
                    text=problem[0],
                    stale=problem[1],
                    assets=None if seen_last is None else loose,
                    positions=True,
                )


def _market_gaps(snapshot: Snapshot, policy: PortfolioPolicy) -> Iterator[Gap]:
    now, stale_after = snapshot.now, policy.thresholds.stale_after
    for asset, price in snapshot.prices.items():
        problem = _problem(price, f"price of {asset}", now, stale_after)
        if problem is not None:
            counts_as = policy.aliases.get(asset, asset)
            yield Gap(account=None, text=problem[0], stale=problem[1], assets=frozenset({counts_as}))
    for instrument, quote in snapshot.quotes.items():
        problem = _problem(quote, f"mark of {instrument}", now, stale_after)
        if problem is not None:
            account = instrument.partition(":")[0]
            yield Gap(account=account, text=problem[0], stale=problem[1], instruments=frozenset({instrument}))


def _holding_gaps(snapshot: Snapshot, policy: PortfolioPolicy) -> Iterator[Gap]:
    for holding in policy.holdings:
        age = snapshot.now - holding.as_of
        if -age > _TOMORROW:
            asset = policy.aliases.get(holding.asset, holding.asset)
            text = f"holding of {asset}: dated {holding.as_of:%Y-%m-%d}, which is still to come: mend its as_of"
            yield Gap(account=None, text=text, stale=False, assets=frozenset({asset}))
        if holding.max_age is not None and age > holding.max_age:
            asset = policy.aliases.get(holding.asset, holding.asset)
            note = f" ({holding.note})" if holding.note else ""
            text = f"holding of {asset}{note}: stale, {age_text(age)} old (at most {age_text(holding.max_age)})"
            yield Gap(account=None, text=text, stale=True, assets=frozenset({asset}))


def torn(readings: Iterable[datetime], skew_max: timedelta) -> timedelta | None:
    """How far apart the oldest and newest reading are, if that is more than `skew_max`; else None."""
    oldest = newest = None
    for reading in readings:
        if oldest is None or reading < oldest:
            oldest = reading
        if newest is None or reading > newest:
            newest = reading
    if oldest is None or newest is None or newest - oldest <= skew_max:
        return None
    return newest - oldest
