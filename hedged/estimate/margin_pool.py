"""The positions that share one equity, as far as one can tell; else the reason why nothing can be told.

Linear contracts of one settlement currency in cross margin, or inverse ones of one coin that nothing but this coin
backs; all of them with a fresh mark and a maintenance margin. An account may have several such pools where it tells
their equities apart, and each isolated position is one of its own. Everything else is unknown rather than guessed:
several settlement currencies over one equity, inverse contracts beside other collateral, which does not rise with the
coin as a coin does, and what is left to cross margin where nobody says how much is set apart. What is unknown of one
pool says nothing against another.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np

from hedged.estimate.liquidation import inverse_liquidation_price, liquidation_price
from hedged.estimate.liquidation_odds import RiskyPosition
from hedged.estimate.volatility import Volatilities
from hedged.model.instrument import Instrument, InstrumentId, MarginTier
from hedged.model.snapshot import AccountSnapshot, Derivatives, Position, Read, Snapshot
from hedged.model.statistics import BreachMove, Survival, Untold

ZERO, ONE = Decimal(0), Decimal(1)

_BACKED = Decimal("0.01")  # of the equity: prices move between two readings


@dataclass(frozen=True, slots=True)
class PooledPosition:
    """One position; `notional` signed, at the mark, in its quote currency. `tiers` are never empty."""

    instrument: Instrument
    contracts: Decimal
    notional: Decimal
    tiers: tuple[MarginTier, ...]
    mark: Decimal = ONE
    entry: Decimal | None = None
    told_level: float | None = None  # the venue's own liquidation price, over the mark

    def risky(self, volatilities: Volatilities) -> RiskyPosition:
        return replace(
            self.still, volatility_current=volatilities.current.value_year, volatility_prudent=volatilities.prudent
        )

    @property
    def still(self) -> RiskyPosition:
        """What it needs at a price, without regard to how likely that is."""
        return RiskyPosition(float(self.notional), 0.0, 0.0, self.tiers, not self.instrument.linear)


@dataclass(frozen=True, slots=True)
class Pool:
    """`assumed`: some tier is not the venue's table but the rate that it asks at the present size. `coin`: what backs
    inverse contracts; their equity is what it is worth, in `currency`. "": money backs linear ones. `apart`: the
    isolated position that this is for; None: cross margin.
    """

    account: str
    as_of: datetime
    currency: str
    equity: Decimal
    positions: tuple[PooledPosition, ...]
    assumed: bool = False
    coin: str = ""
    apart: InstrumentId | None = None


def pools_of(view: AccountSnapshot, snapshot: Snapshot, stale_after: timedelta) -> tuple[Pool | Untold, ...]:
    """What stands behind what in an account, or why that is not known of a part of it; none where nothing was asked.

    Cross margin by settlement currency, without positions one pool of nothing; then what is isolated.
    """
    leg = view.derivatives
    if leg is None:
        return ()
    if not isinstance(leg, Read):
        return (Untold("its positions could not be read", passing=True),)
    if snapshot.now - leg.as_of > stale_after:
        return (Untold("its positions are stale", passing=True),)
    held = [position for position in leg.value.positions if position.contracts]
    if leg.value.margin is None:
        listed = [snapshot.instruments.get(position.instrument) for position in held]
        by_hand = all(instrument is not None and instrument.by_hand for instrument in listed)
        return () if by_hand else (Untold("its equity is not told"),)
    isolated = [position for position in held if position.isolated_equity is not None]
    shared = [position for position in held if position.isolated_equity is None]
    alone = (_apart(position, view, leg, snapshot, stale_after) for position in isolated)
    if not isolated:
        return _crossed(shared, leg.value.margin.equity, view, leg, snapshot, stale_after)
    return (*_crossed(shared, None, view, leg, snapshot, stale_after), *alone)


def _apart(
    position: Position, view: AccountSnapshot, leg: Read[Derivatives], snapshot: Snapshot, stale_after: timedelta
) -> Pool | Untold:
    """What is set apart for one position, which backs no other and is backed by nothing else."""
    found = _pooled(position, leg.value, snapshot, stale_after)
    if isinstance(found, Untold):
        return found
    contract = found.instrument
    if position.isolated_equity is None or not (contract.linear or contract.settle == contract.base):
        return Untold(f"what backs {contract.id} is not told")
    return Pool(
        account=view.account,
        as_of=leg.as_of,
        currency=contract.settle if contract.linear else contract.quote,
        equity=_equity(position.isolated_equity, [found]),
        positions=(found,),
        assumed=not contract.tiers,
        coin="" if contract.linear else contract.settle,
        apart=contract.id,
    )


def _crossed(  # noqa: PLR0917
    held: list[Position],
    whole: Decimal | None,
    view: AccountSnapshot,
    leg: Read[Derivatives],
    snapshot: Snapshot,
    stale_after: timedelta,
) -> tuple[Pool | Untold, ...]:
    """The positions that share. `whole`: the equity of all of them; None: the account's may be an isolated one's."""
    pooled: dict[str, list[PooledPosition]] = {}
    for position in held:
        found = _pooled(position, leg.value, snapshot, stale_after)
        if isinstance(found, Untold):
            return (found,)
        pooled.setdefault(found.instrument.settle, []).append(found)
    told = leg.value.equities
    idle = [Pool(view.account, leg.as_of, name, equity, ()) for name, equity in told.items() if name not in pooled]
    if not pooled and whole is not None and len(idle) < 2:
        return (Pool(view.account, leg.as_of, "", whole, ()),)
    if not pooled:
        return tuple(idle)  # where nothing is told, what is left backs nothing yet
    if whole is None and not told:
        return (Untold("what is left beside its isolated positions is not told"),)
    equities = {currency: told.get(currency, whole if len(pooled) == 1 else None) for currency in pooled}
    pools = []
    for currency, positions in pooled.items():
        equity = equities[currency]
        if equity is None:
            named = " and ".join(sorted(pooled))
            return (Untold(f"its positions settle in {named}, and what backs each is not told apart"),)
        inverse = [each.instrument for each in positions if not each.instrument.linear]
        if inverse and not (len(inverse) == len(positions) and _is_backed_by_coins(view, positions, equity)):
            return (Untold(f"{inverse[0].id} is inverse, and what backs it is not told apart"),)
        pools.append(
            Pool(
                account=view.account,
                as_of=leg.as_of,
                currency=inverse[0].quote if inverse else currency,
                equity=_equity(equity, positions),
                positions=tuple(positions),
                assumed=any(not each.instrument.tiers for each in positions),
                coin=currency if inverse else "",
            )
        )
    return (*pools, *idle)


def _is_backed_by_coins(view: AccountSnapshot, pooled: list[PooledPosition], equity: Decimal) -> bool:
    """Whether the coins of one wallet and the PnL of the positions are all of the equity that the venue tells.

    Only then does it rise and fall with the coin, as the needs of inverse contracts are told.
    """
    mark, gained = ZERO, ZERO  # of coins, by contracts of face value N: N / entry − N / mark
    for each in pooled:
        if not each.entry or each.instrument.settle != each.instrument.base:
            return False
        mark = each.mark
        gained += each.instrument.base_quantity(each.contracts, each.entry)
        gained -= each.instrument.base_quantity(each.contracts, mark)
    return is_coin_alone(view, pooled[0].instrument.settle, mark, equity, gained)


def is_coin_alone(view: AccountSnapshot, coin: str, price: Decimal, equity: Decimal, gained: Decimal = ZERO) -> bool:
    """Whether what one wallet has of the coin, and `gained` of it, is all of an equity in the quote currency."""
    wallets = (leg.value for leg in view.wallets.values() if isinstance(leg, Read))
    coins = (balance.net for wallet in wallets for balance in wallet if balance.asset == coin)
    return any(abs((each + gained) * price - equity) <= _BACKED * abs(equity) for each in coins)


def _pooled(
    position: Position, derivatives: Derivatives, snapshot: Snapshot, stale_after: timedelta
) -> PooledPosition | Untold:
    name = position.instrument
    instrument, quote = snapshot.instruments.get(name), snapshot.quotes.get(name)
    if instrument is None or not isinstance(quote, Read) or snapshot.now - quote.as_of > stale_after:
        return Untold(f"{name} has no fresh price", passing=True)
    if not position.trusted:
        return Untold(f"the size of {name} is not trusted")
    mark = quote.value.mark
    notional = instrument.notional(position.contracts, mark)
    tiers = _usable(instrument.tiers) or _tiers_told(position, notional)
    if not tiers:
        return Untold(f"the maintenance margin of {name} is not known (name its [[tiers]])")
    told = position.liquidation_price
    estimated = derivatives.margin is not None and derivatives.margin.estimated
    level = float(told / mark) if told is not None and not estimated else None
    return PooledPosition(instrument, position.contracts, notional, tiers, mark, position.entry_price, level)


def _usable(tiers: tuple[MarginTier, ...]) -> tuple[MarginTier, ...]:
    """The tiers, or none where no formula holds for them: rates from 0 to below 1, floors ascending from 0."""
    floors = [tier.notional_floor for tier in tiers]
    rates = all(0 <= tier.maintenance_margin_rate < 1 for tier in tiers)
    return tiers if rates and floors == sorted(set(floors)) and floors[:1] == [Decimal(0)] else ()


def _tiers_told(position: Position, notional: Decimal) -> tuple[MarginTier, ...]:
    """One tier of the rate that the position is asked now; a larger one may be asked for more."""
    if position.maintenance_margin is None or not notional:
        return ()
    rate = position.maintenance_margin / abs(notional)
    return (MarginTier(Decimal(0), rate, ONE),) if 0 <= rate < 1 else ()


def _equity(told: Decimal, positions: list[PooledPosition]) -> Decimal:
    """The account's, or as little as the venue's own liquidation prices say that it counts.

    A position that the venue liquidates earlier than its share in the account's equity would have it is isolated, or
    its collateral is taken at a discount: the price is what counts.
    """
    at_mark = {id(each): _need(each, 1.0) for each in positions}
    whole = sum(at_mark.values())
    counted = told
    for each in positions:
        if each.told_level is not None and each.told_level > 0:
            stands = whole - at_mark[id(each)] + _need(each, each.told_level)
            counted = min(counted, Decimal(repr(stands)))
    return counted


def _need(position: PooledPosition, level: float) -> float:
    return float(position.still.need(np.array(level)))


def pool_breaches(pool: Pool) -> tuple[BreachMove, ...]:
    """The move of each instrument alone that uses the equity up, the nearest first; one that can go anywhere is not
    among them.
    """
    needs = {each.instrument.id: Decimal(repr(_need(each, 1.0))) for each in pool.positions}
    whole = sum(needs.values(), Decimal(0))
    moves = []
    for each in pool.positions:
        name = each.instrument.id
        if whole >= pool.equity:
            moves.append(BreachMove(name, 0.0))
            continue
        # In units of the present mark: the price is 1, and there are as many coins as the position is worth.
        collateral = pool.equity - (whole - needs[name])
        level = (
            liquidation_price(base_quantity=each.notional, entry_price=ONE, collateral=collateral, tiers=each.tiers)
            if each.instrument.linear
            else inverse_liquidation_price(
                notional=each.notional, entry_price=ONE, collateral_coins=collateral, tiers=each.tiers
            )
        )
        if level is not None and level.is_finite():
            moves.append(BreachMove(name, float(level - 1)))
    return tuple(sorted(moves, key=lambda move: abs(move.ratio)))


def added_need(
    *, before: float, added: float, survives: Survival, tiers: tuple[MarginTier, ...], inverse: bool = False
) -> float:
    """Equity that `added` more of a position (signed values, the same side as `before` or 0) needs to live through
    `survives`.
    """

    def need(notional: float) -> float:
        level = 1 + survives.rise if notional < 0 else 1 - survives.fall
        return float(RiskyPosition(notional, 0.0, 0.0, tiers, inverse).need(np.array(level))) if notional else 0.0

    return need(before + added) - need(before)
