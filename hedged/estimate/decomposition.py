"""The PnL of a hedge between two readings, split into parts that add up to it, to the last digit.

For assets q (coins, net) at prices p and legs b (coins, signed) at marks m with the spot price s of their own coins,
each Δ from one reading to the next and b as it was held between them (after the orders of the first):

    U = Σ q·Δp                                the assets alone
    G = Σ b·Δm                                the legs alone
    X = Σ d·B_i/m_i·Δs_i                      what the legs would take away at ratio 1 (B_i: value wanted of leg i at
    Y = Σ d·T_i/m_i·Δs_i                      ratio 1, T_i: at the target ratio; d = −1 for a leg that is held long)

    hedged PnL = U + G − funding − fees − slippage − roll − interest, where
    U + G = (U − X)                           proxy: r_s − β·r_f at the ratios in force
          + (X − Y)                           by choice: what the target ratio leaves open
          + (Y + Σ b·Δs)                      gap: (T_i − H_i)/m_i·Δs_i, in whole lots (band gap) and the rest
          + Σ b·(Δm − Δs)                     basis, of which −b·(m − s)·Δt/T runs off with the time T to expiry

It is the decomposition of Ederington (1979) and Figlewski (1984), r_s − h·r_f = (r_s − h*·r_f) + (h* − h)·r_f, with
basis and gap taken out of h·r_f. The best ratio h* is only known afterwards: `ratio_error` separates it, over days.

Of a coin-margined leg b is its face over the price that it was opened at, and G what its coins are worth: see
`coin_margin`. Its fees, funding and gains change the coins of its wallet, which are exposure like any others, at the
moment of the order; so they are in q from then on.

Coins that came or went are no PnL: q is what was held before. Money is rounded to eight decimals once, when a term is
made, and every part is a sum or a difference of such terms: so they add up exactly, whatever the prices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from hedged.estimate.coin_margin import coin_price, coins_realised, filled, made
from hedged.estimate.prior import base_of
from hedged.model.effect import ZERO, Funded, HedgeReading, LegReading, Parts
from hedged.model.instrument import InstrumentId
from hedged.model.order import Fill, Intent, Purpose

_STEP = Decimal("1e-8")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FUNDING_HOURS = Decimal(8)  # where the venue does not tell its interval
_FUNDING_TIMES_MAX = 1_000  # of one gap between good readings: more than a month of hours


@dataclass(frozen=True, slots=True)
class Interval:
    """What one interval brought; see `EffectDay` for the sums it goes into."""

    exposure: Decimal
    full_hedge: Decimal
    flows: Decimal
    parts: Parts
    funded: tuple[Funded, ...] = ()  # the settlements whose funding was worked out
    told: int = 0  # legs whose funding the account's own books told


def decompose(before: HedgeReading, now: HedgeReading) -> Interval | None:
    """The interval between two good readings of one hedge, `before` with its orders done.

    None where it is not known: a position or an asset that was held then has no price now.
    """
    if any(name not in now.legs for name, leg in before.legs.items() if leg.base_quantity):
        return None
    if any(name not in now.assets for name, asset in before.assets.items() if asset.quantity):
        return None
    exposure, flows, interest = _assets(before, now)
    wanted = allocated(before)
    scale = before.full_value / before.target_value if before.target_value else ZERO
    full = aimed = held = lots = basis = run_off = funding = foreign = ZERO
    funded: list[Funded] = []
    told = 0
    for name, leg in before.legs.items():
        later = now.legs.get(name)
        if later is None:
            continue
        target = wanted.get(name, ZERO)
        move, spot_move = later.mark - leg.mark, _spot_move(leg, later)
        if target:
            a_dollar = leg.direction * spot_move / leg.mark
            full += money(target * scale * a_dollar)
            aimed += money(target * a_dollar)
            lots += money(_within_a_lot(target - leg.hedge_value, leg) * a_dollar)
        paid, settled = funding_between(leg, later, before.at, now.at)
        funding += paid
        funded += [Funded(name, at, -each, coin_worth(later)) for at, each in settled if leg.base_quantity]
        told += not settled and paid != 0
        if not leg.linear and base_of(name) in before.assets:
            ended = later.expires is not None and later.expires <= now.at
            flows += paid - money(coins_realised(leg, later, ended=ended) * coin_price(later))
        if not leg.base_quantity:
            continue
        kept = _kept(leg, later)
        whole = money(leg.base_quantity * move * later.rate) if leg.linear else money(made(leg, later))
        gained = money(kept * move * later.rate) if leg.linear else money(made(leg, later) * kept / leg.base_quantity)
        own_basis = gained - money(kept * spot_move * later.rate)
        ran_off = _run_off(kept, leg, later.rate, before.at, now.at) if own_basis else ZERO
        held += gained - own_basis
        basis += own_basis - ran_off
        run_off += ran_off
        foreign += whole - gained
    if not before.target_value:  # nothing is to be hedged: all of it is left open, by choice
        full = exposure
    parts = Parts(
        by_choice=full - aimed,
        proxy=exposure - full,
        band_gap=aimed + held - lots,
        lot_residual=lots,
        basis=basis,
        basis_run_off=run_off,
        funding=-funding,
        interest=-interest,
        unexplained=foreign,
    )
    return Interval(exposure, full if before.target_value else ZERO, flows, parts, tuple(funded), told)


def booked(reading: HedgeReading, intent: Intent, fill: Fill) -> tuple[HedgeReading, Parts]:
    """The reading after an order of its own, and what that cost.

    Slippage is against the middle of the book as the order was decided, or the mark where there was none; what lies
    between that and the reading's mark, by which the position is valued from then on, is basis.
    """
    rolls = intent.purpose is Purpose.ROLL
    leg = reading.legs.get(fill.instrument)
    fee = money(fill.fee)
    if leg is None:  # nothing to value it by: the change of the position will show as unexplained
        return reading, Parts(roll=-fee) if rolls else Parts(fees=-fee)
    signed = fill.quantity * fill.side.sign
    reference = leg.mid if leg.mid is not None and intent.price == leg.mark else intent.price
    assets = reading.assets
    if leg.linear:
        coins = signed * leg.multiplier
        slippage = money(coins * (fill.price - reference) * leg.rate)
        below_mark = money(coins * (reference - leg.mark) * leg.rate)
        changed = replace(leg, contracts=leg.contracts + signed, base_quantity=leg.base_quantity + coins)
    else:
        done, worth = filled(fill.instrument, leg, signed, fill.price, reference), coin_price(leg)
        slippage, below_mark = money(done.against_reference * worth), money(done.reference_against_mark * worth)
        fee_coins = fill.fee / (fill.price * leg.rate)
        fee, changed = money(fee_coins * worth), done.leg
        own = assets.get(base_of(fill.instrument))
        if own is not None:  # the wallet pays and is paid in its coins, which are exposure
            quantity = own.quantity + done.realised - fee_coins
            assets = {**assets, base_of(fill.instrument): replace(own, quantity=quantity)}
    changes = replace(reading, assets=assets, legs={**reading.legs, fill.instrument: changed})
    if rolls:
        return changes, Parts(basis=-below_mark, roll=-fee - slippage)
    return changes, Parts(basis=-below_mark, fees=-fee, slippage=-slippage)


def allocated(reading: HedgeReading) -> dict[InstrumentId, Decimal]:
    """Leg → its part of the target: by what is held in its slot, else all of it on the first that can be traded."""
    wanted: dict[InstrumentId, Decimal] = {}
    slots: list[tuple[InstrumentId | None, Decimal]] = [*reading.targets.items()] or [(None, reading.target_value)]
    for slot, target in slots:
        legs = {name: leg for name, leg in reading.legs.items() if slot is None or leg.slot == slot}
        held = {name: value for name, leg in legs.items() if (value := leg.hedge_value) > 0}
        if len(held) > 1:
            total = sum(held.values(), ZERO)
            wanted.update({name: target * value / total for name, value in held.items()})
        elif legs:
            first = next((name for name, leg in legs.items() if leg.tradable), next(iter(legs)))
            wanted[next(iter(held), first)] = target
    return wanted


def funding_between(
    leg: LegReading, later: LegReading, since: datetime, until: datetime
) -> tuple[Decimal, list[tuple[datetime, Decimal]]]:
    """Funding paid (> 0) in this interval, quote currency, and at which times where it was worked out.

    By the account's own books if it has them. Else each funding time after `since` up to `until` at the later mark
    and the rate announced for it, or the later one.
    """
    if leg.funding_paid is not None and later.funding_paid is not None:
        return money((later.funding_paid - leg.funding_paid) * coin_worth(later)), []
    rate = later.funding_rate if later.funding_rate is not None else leg.funding_rate
    if rate is None:
        return ZERO, []
    step = timedelta(hours=float(leg.funding_hours or later.funding_hours or _FUNDING_HOURS))
    grid = leg.funding_next or later.funding_next or _EPOCH
    first = grid + ((since - grid) // step + 1) * step
    times = min(max((until - first) // step + 1, 0), _FUNDING_TIMES_MAX)
    announced = leg.funding_rate if leg.funding_next == first and leg.funding_rate is not None else rate
    value = (leg.base_quantity * later.mark if leg.linear else leg.contracts * leg.multiplier) * later.rate
    settled = [(first + n * step, money(value * (rate if n else announced))) for n in range(times)]
    return sum((paid for _, paid in settled), ZERO), settled


def coin_worth(leg: LegReading) -> Decimal:
    """What one coin (or dollar) that a contract settles in is worth in the portfolio's quote currency."""
    return leg.rate if leg.linear else coin_price(leg)


def ratio_error(parts: Parts, full_hedge: Decimal, slope: float) -> tuple[Decimal, Decimal]:
    """The proxy's part in two that add up to it: (h* − h)·r_f and r_s − h*·r_f, with h* = slope × h over the days.

    `slope`: of the assets' return on what the full hedge would have taken away.
    """
    error = money((Decimal(repr(slope)) - 1) * full_hedge)
    return error, parts.proxy - error


def _assets(before: HedgeReading, now: HedgeReading) -> tuple[Decimal, Decimal, Decimal]:
    """PnL of what was held, value of what came or went, and interest paid.

    A debt that grew while the coins themselves stayed the same grew by interest: borrowing more would have brought
    coins, repaying taken some.
    """
    made = flows = interest = ZERO
    for name, asset in before.assets.items():
        later = now.assets.get(name)
        if later is not None:
            made += money(asset.quantity * (later.price - asset.price))
    for name, asset in now.assets.items():
        earlier = before.assets.get(name)
        came = asset.quantity - (earlier.quantity if earlier is not None else ZERO)
        if came and earlier is not None and asset.debt - earlier.debt == -came > 0:
            interest += money(-came * asset.price)
        elif came:
            flows += money(came * asset.price)
    return made, flows, interest


def _spot_move(leg: LegReading, later: LegReading) -> Decimal:
    """Of the leg's own coin; its mark's where the coin has no price."""
    if leg.spot is None or later.spot is None:
        return later.mark - leg.mark
    return later.spot - leg.spot


def _kept(leg: LegReading, later: LegReading) -> Decimal:
    """Coins that were held from the one reading to the other for certain."""
    if later.contracts == leg.contracts:
        return leg.base_quantity
    if later.contracts * leg.contracts <= 0:
        return ZERO
    share = min(Decimal(1), later.contracts / leg.contracts)
    return leg.base_quantity * share


def _run_off(coins: Decimal, leg: LegReading, rate: Decimal, since: datetime, until: datetime) -> Decimal:
    """What a dated contract's basis loses in this time if it goes evenly to nothing at expiry; 0 for a perpetual."""
    if leg.expires is None or leg.spot is None or leg.expires <= since:
        return ZERO
    share = min(Decimal(1), _seconds(until - since) / _seconds(leg.expires - since))
    return money(-coins * (leg.mark - leg.spot) * share * rate)


def _within_a_lot(gap: Decimal, leg: LegReading) -> Decimal:
    """What is left of a gap (quote currency) after the whole lots nearest to it."""
    price = leg.mark if leg.linear else Decimal(1)
    lot = leg.multiplier * leg.lot_size * price * leg.rate
    if not lot:
        return ZERO
    return gap - lot * (gap / lot).to_integral_value(ROUND_HALF_EVEN)


def _seconds(time: timedelta) -> Decimal:
    return Decimal(time // timedelta(microseconds=1))


def money(amount: Decimal) -> Decimal:
    return amount.quantize(_STEP, ROUND_HALF_EVEN)


def summed(parts: Sequence[Parts]) -> Parts:
    return sum(parts, Parts())
