"""The account of what each hedge did, carried on from cycle to cycle: intervals between good readings, summed by day.

Hedges that share an instrument hold one position, so they have one account, under the group's name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from hedged.assess.exposure import cash_assets, coin_of
from hedged.assess.funding import remembered, with_payments, with_settlements
from hedged.estimate.decomposition import booked, decompose
from hedged.estimate.effect import RECENT_DAYS, ROLLING_DAYS, Health, health_of
from hedged.model.effect import (
    AssetReading,
    EffectDay,
    Funded,
    FundingPayment,
    HedgeLedger,
    HedgeReading,
    LegReading,
    Parts,
)
from hedged.model.finding import Assessment, Finding, HedgeGroup, Kind, LegState, Scalar, Severity
from hedged.model.instrument import InstrumentId
from hedged.model.order import Fill, Intent
from hedged.model.policy import PortfolioPolicy
from hedged.model.snapshot import Quote, Read, Snapshot, seen

ZERO = Decimal(0)
_MOMENT = timedelta(microseconds=1)

Orders = Sequence[tuple[Intent, Fill]]


def advance(
    ledgers: Mapping[str, HedgeLedger],
    assessment: Assessment,
    snapshot: Snapshot,
    policy: PortfolioPolicy,
    *,
    earlier: Orders = (),
    orders: Orders = (),
    payments: Sequence[FundingPayment] = (),
) -> tuple[dict[str, HedgeLedger], list[EffectDay]]:
    """Every group's ledger after this cycle, and the days that it changed.

    A cycle in which a group is blocked is no reading: its interval goes on to the next good one, so what happened
    meanwhile is booked then, whole. `earlier`: orders of former cycles that were found out about now; `orders`: those
    of this cycle. `payments`: what venues say they settled in the last days, whether it is booked or not.
    """
    after: dict[str, HedgeLedger] = {}
    changed: list[EffectDay] = []
    debts = _debts(snapshot, policy)
    for group in assessment.groups:
        ledger = ledgers.get(group.name, HedgeLedger())
        former = [each for each in earlier if each[0].hedge == group.name]
        own = [each for each in orders if each[0].hedge == group.name]
        try:
            now = reading_of(group, assessment, snapshot, debts, ledger.reading)
            after[group.name] = _advanced(ledger, group.name, now, snapshot, former=former, own=own)
        except ArithmeticError:  # no money can be counted at such a price, so it is no reading
            after[group.name] = ledger
        after[group.name] = _paid(after[group.name], group.name, snapshot, payments)
        day = after[group.name].day
        if day is not None and day is not ledger.day:
            changed.append(day)
    return after, changed


def _advanced(
    ledger: HedgeLedger, name: str, now: HedgeReading | None, snapshot: Snapshot, *, former: Orders, own: Orders
) -> HedgeLedger:
    """After one cycle: orders of former ones, the interval to this reading if it is one, and its own orders."""
    before, spent = _booked(ledger.reading, former)
    if now is None and spent is None:
        return ledger
    day = _day(name, snapshot.now, ledger.day, before)
    if now is not None:
        day, funded = _through(day, before, now, _settled(before, now, snapshot))
        day, ledger = with_settlements(day, ledger, funded)
        before, cost = _booked(now, own)
        spent = cost if spent is None else spent if cost is None else spent + cost
    if spent is not None:
        day = replace(day, parts=day.parts + spent)
    return remembered(replace(ledger, reading=before, day=day), snapshot.now)


def _paid(ledger: HedgeLedger, name: str, snapshot: Snapshot, payments: Sequence[FundingPayment]) -> HedgeLedger:
    """With what venues settled in the place of what was computed."""
    if ledger.reading is None or not payments:
        return ledger
    day = _day(name, snapshot.now, ledger.day, ledger.reading)
    after, paid = with_payments(day, ledger, payments, snapshot.prices)
    return ledger if after is day else replace(paid, day=after)


def unrecorded(ledgers: Mapping[str, HedgeLedger], fills: Sequence[Fill]) -> list[tuple[Intent, Fill]]:
    """Fills that no cycle has recorded, as the process ended in between: for `advance`, as far as is known of them."""
    return [
        (_as_intent(group, fill, ledger.reading.legs[fill.instrument].mark), fill)
        for fill in fills
        for group, ledger in ledgers.items()
        if ledger.reading is not None and fill.instrument in ledger.reading.legs
    ]


def _as_intent(group: str, fill: Fill, mark: Decimal) -> Intent:
    return Intent(
        client_order_id=fill.client_order_id,
        hedge=group,
        instrument=fill.instrument,
        side=fill.side,
        quantity=fill.quantity,
        price=mark,
        notional=ZERO,
        reduce_only=False,
        reason="",
    )


def health(rows: Sequence[EffectDay], today: datetime) -> dict[str, Health]:
    """By group of hedges, of the days before this one."""
    by_group: dict[str, list[EffectDay]] = {}
    for row in rows:
        if row.day < today:
            by_group.setdefault(row.hedge, []).append(row)
    return {name: health_of(days) for name, days in by_group.items()}


def findings(healths: Mapping[str, Health], groups: Sequence[HedgeGroup]) -> list[Finding]:
    """Hedges that have stopped hedging. Too few days say nothing either way."""
    found = []
    for group in groups:
        state = healths.get(group.name)
        if state is None or state.alarm is None or state.recent is None or state.effectiveness is None:
            continue
        how = "wilder" if state.alarm == "variance" else "further to one side"
        text = (
            f"with the hedge the exposure has moved {how} than is usual for it: effectiveness {state.recent:.2f} over "
            f"the last {RECENT_DAYS} days, {state.effectiveness:.2f} over the last {min(ROLLING_DAYS, state.days)}, "
            f"by {state.days} days on record"
        )
        values: dict[str, Scalar] = {
            "effectiveness_recent": round(Decimal(repr(state.recent)), 4),
            "effectiveness": round(Decimal(repr(state.effectiveness)), 4),
            "days": state.days,
        }
        found += [
            Finding(Kind.HEDGE_INEFFECTIVE, name, Severity.WARNING, f"{name}: {text}.", values) for name in group.hedges
        ]
    return found


def reading_of(
    group: HedgeGroup,
    assessment: Assessment,
    snapshot: Snapshot,
    debts: Mapping[str, Decimal],
    before: HedgeReading | None = None,
) -> HedgeReading | None:
    """Where these hedges stand, before this cycle's orders; None unless all that they rest on was read and is fresh."""
    if group.blocked_by or group.beta_exposure is None or group.target_value is None:
        return None
    assets: dict[str, AssetReading] = {}
    for row in assessment.exposures:
        if row.hedge in group.hedges and row.quantity is not None:
            if row.price is not None:
                assets[row.asset] = AssetReading(row.quantity, row.price, debts.get(row.asset, ZERO))
            elif row.quantity:
                return None
    for name, asset in before.assets.items() if before is not None else ():
        price = snapshot.prices.get(name)
        if name not in assets and asset.quantity and isinstance(price, Read):  # sold, all of it
            assets[name] = AssetReading(ZERO, price.value)
    legs: dict[InstrumentId, LegReading] = {}
    for leg in group.legs:
        if leg.contracts is None or (leg.contracts and leg.base_quantity is None):
            return None
        read = _leg_reading(leg, assets, snapshot)
        if read is not None:
            legs[leg.instrument] = read
        elif leg.contracts:
            return None
    return HedgeReading(assessment.now, assets, legs, group.beta_exposure, group.target_value, group.leg_targets)


def _leg_reading(leg: LegState, assets: Mapping[str, AssetReading], snapshot: Snapshot) -> LegReading | None:
    """None: it has no price."""
    instrument, quoted = snapshot.instruments.get(leg.instrument), snapshot.quotes.get(leg.instrument)
    quote = quoted.value if isinstance(quoted, Read) else None
    if instrument is None or quote is None or not leg.mark or not leg.rate:
        return None
    account = snapshot.accounts.get(instrument.account)
    derivatives = seen(account.derivatives) if account is not None and account.derivatives is not None else None
    paid = derivatives.value.funding_paid if derivatives is not None else None
    own = assets.get(instrument.base)
    mid = (quote.bid + quote.ask) / 2 if quote.bid is not None and quote.ask is not None else None
    return LegReading(
        slot=leg.slot,
        direction=leg.direction,
        contracts=leg.contracts or ZERO,
        base_quantity=leg.base_quantity or ZERO,
        mark=leg.mark,
        rate=leg.rate,
        multiplier=instrument.multiplier,
        lot_size=instrument.lot_size,
        linear=instrument.linear,
        tradable=leg.tradable,
        spot=_spot(quote, own, leg.rate),
        mid=mid,
        expires=instrument.ends(),
        funding_rate=quote.funding_rate,
        funding_hours=quote.funding_interval_hours,
        funding_next=quote.funding_next,
        funding_paid=paid.get(leg.instrument, ZERO) if paid is not None else None,
    )


def _spot(quote: Quote, own: AssetReading | None, rate: Decimal) -> Decimal | None:
    """What the contract's coin costs in its currency: priced as an asset where it is one, else its index."""
    if own is None:
        return quote.index
    return own.price if rate == 1 else own.price / rate


def _day(name: str, now: datetime, last: EffectDay | None, reading: HedgeReading | None) -> EffectDay:
    """The day that an interval ending now belongs to, as it stands."""
    midnight = (now - _MOMENT).replace(hour=0, minute=0, second=0, microsecond=0)
    if last is not None and last.day >= midnight:  # also where the clock was set back
        return last
    return EffectDay(name, midnight, reading.exposure_value if reading is not None else ZERO)


def _settled(before: HedgeReading | None, now: HedgeReading, snapshot: Snapshot) -> Mapping[InstrumentId, LegReading]:
    """Contracts held before that have expired since, at what their coin costs now: what they were settled at, nearly.

    Without that price they are left out, and their interval is not known.
    """
    found = {}
    for name, leg in before.legs.items() if before is not None else ():
        if name in now.legs or not leg.base_quantity or leg.expires is None or leg.expires > now.at:
            continue
        coin = name.partition(":")[2].partition("/")[0]
        alike = (each.spot for other, each in now.legs.items() if other.partition(":")[2].startswith(f"{coin}/"))
        price = snapshot.prices.get(coin)
        spot = next((spot for spot in alike if spot is not None), price.value if isinstance(price, Read) else None)
        if spot is not None:
            found[name] = replace(leg, mark=spot, spot=spot)
    return found


def _through(
    day: EffectDay, before: HedgeReading | None, now: HedgeReading, settled: Mapping[InstrumentId, LegReading]
) -> tuple[EffectDay, Sequence[Funded]]:
    """The day with the interval between these readings, and the settlements whose funding was computed for it."""
    if before is None or now.at <= before.at:
        return day if day.exposure_value else replace(day, exposure_value=now.exposure_value), ()
    seconds = (now.at - before.at).total_seconds()
    interval = decompose(before, replace(now, legs={**settled, **now.legs}) if settled else now)
    if interval is None:
        return replace(day, unknown_seconds=day.unknown_seconds + seconds), ()
    day = replace(
        day,
        seconds=day.seconds + seconds,
        flows=day.flows + interval.flows,
        exposure=day.exposure + interval.exposure,
        full_hedge=day.full_hedge + interval.full_hedge,
        parts=day.parts + interval.parts,
        funding_settled=day.funding_settled + interval.told,
        funding_read=day.funding_read + interval.told,
    )
    return day, interval.funded


def _booked(reading: HedgeReading | None, orders: Orders) -> tuple[HedgeReading | None, Parts | None]:
    """The reading after these orders, and their costs; None: there were none."""
    costs = None
    for intent, fill in orders:
        nothing = HedgeReading(fill.at, {}, {}, ZERO, ZERO)
        after, cost = booked(reading or nothing, intent, fill)
        reading = after if reading is not None else None
        costs = cost if costs is None else costs + cost
    return reading, costs


def _debts(snapshot: Snapshot, policy: PortfolioPolicy) -> dict[str, Decimal]:
    """Coins borrowed, interest included, by asset."""
    owed: dict[str, Decimal] = {}
    cash = cash_assets(policy)
    for account in snapshot.accounts.values():
        for wallet in account.wallets.values():
            read = seen(wallet)
            for balance in read.value if read is not None else ():
                name, coins = coin_of(balance.asset, snapshot, policy)
                if balance.debt and name not in cash:
                    owed[name] = owed.get(name, ZERO) + balance.debt * coins
    return owed
