"""Buying back before the venue does: where a liquidation has become far too likely and the user has said so.

Reduce-only, as much of every position as brings the odds back to the user's own number. It needs no exposure and no
hedge ratio, so it is not held up by what blocks a hedge; it needs the account's own figures, fresh and whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal

from hedged.decide.gate import MarginRoom
from hedged.decide.rebalance import Trade
from hedged.estimate.liquidation import DEFAULT_TIERS
from hedged.estimate.margin_pool import added_need, is_coin_alone
from hedged.estimate.sizing import order_min, reduction
from hedged.model.finding import HedgeGroup, LegState, Severity
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.order import Intent, Purpose
from hedged.model.policy import Limits, MarginPolicy, OnCritical, PortfolioPolicy
from hedged.model.snapshot import Read, Snapshot
from hedged.model.statistics import PoolRoom

ZERO = Decimal(0)


def margin_trades(group: HedgeGroup, snapshot: Snapshot, policy: PortfolioPolicy) -> tuple[list[Trade], str]:
    """What of this group's positions is bought back, and why; ([], "") where nothing is.

    In slices of at most `order_notional_max`, since each passes the gate by itself.
    """
    if policy.margin.on_critical is not OnCritical.REDUCE:
        return [], ""
    trades, accounts = [], {}
    doubted = {doubt.instrument for doubt in snapshot.doubts}
    for leg in group.legs:
        account = leg.instrument.partition(":")[0]
        odds = snapshot.margin_odds.get(account)
        if odds is None or odds.alarm != Severity.CRITICAL.value or odds.probability is None:
            continue
        instrument, closing = snapshot.instruments.get(leg.instrument), odds.to_close.get(leg.instrument, ZERO)
        if instrument is None or not closing or not leg.contracts or leg.instrument in doubted:
            continue
        accounts[account] = f"{account} would be liquidated with a probability of {odds.probability:.1%}"
        reason = f"{group.name}: {accounts[account]}, at most {policy.margin.probability:.1%} is wanted"
        for contracts in _slices(closing, leg, instrument, policy.limits):
            verb = "buy back" if contracts > 0 else "sell"
            trades.append(
                Trade(
                    instrument=leg.instrument,
                    contracts=contracts,
                    reduce_only=True,
                    reason=f"{reason}: {verb} {abs(contracts):f} {leg.instrument}",
                    purpose=Purpose.REDUCE,
                )
            )
    return trades, f"{group.name}: less of it, since {' and '.join(accounts.values())}" if trades else ""


def _slices(closing: Decimal, leg: LegState, instrument: Instrument, limits: Limits) -> Iterator[Decimal]:
    """The contracts to trade in whole lots, at most what is held and each within the limit of an order.

    A rest below a lot cannot be traded; a venue takes any reduction of at least one. What stays is no dust.
    """
    lot, most, least = instrument.lot_size, None, instrument.lot_size
    if leg.mark:
        least = order_min(instrument, leg.mark, limits.price_collar)
        if limits.order_notional_max is not None:
            most = instrument.contracts_for(limits.order_notional_max / (leg.rate or Decimal(1)), leg.mark)
    held = abs(leg.contracts or ZERO)
    left = min(abs(closing), held)
    for _ in range(limits.orders_cycle_max):
        if left <= 0 or held < lot:
            return
        quantity = reduction(held, left, lot, least, most)
        yield quantity.copy_sign(closing)
        held, left = held - quantity, left - quantity


def is_reducing(policy: MarginPolicy, alarms: Mapping[str, str], instrument: InstrumentId) -> bool:
    """Whether positions of the instrument's account are being bought back for margin. `alarms`: by account."""
    critical = alarms.get(instrument.partition(":")[0]) == Severity.CRITICAL.value
    return critical and policy.on_critical is OnCritical.REDUCE


def room_after(
    intent: Intent, held: Decimal, snapshot: Snapshot, policy: PortfolioPolicy, added: Mapping[str, float]
) -> tuple[MarginRoom | None, float]:
    """The room that is left on the account once `intent` is filled, and what the order itself needs.

    `added`: account → needs of the orders approved in this cycle. (None, 0) where hedged does not keep the margin.
    """
    instrument = snapshot.instruments.get(intent.instrument)
    if policy.margin.on_critical is not OnCritical.REDUCE or intent.reduce_only:
        return None, 0.0
    if intent.purpose is Purpose.ROLL:
        return None, 0.0  # its other half gives back as much
    if instrument is None or instrument.by_hand:
        return None, 0.0
    odds = snapshot.margin_odds.get(instrument.account)
    pools = () if odds is None else odds.pools
    apart = instrument.id if _is_isolated(instrument, snapshot) else None
    pool = next(
        (each for each in pools if each.apart == apart and _backs(each, instrument, intent.price, snapshot)), None
    )
    survives = odds.survives.get(intent.instrument) if odds is not None else None
    if pool is None or survives is None:
        return MarginRoom(instrument.account, None), 0.0
    need = added_need(
        before=float(instrument.notional(held, intent.price)),
        added=float(instrument.notional(intent.signed_quantity, intent.price)),
        survives=survives,
        tiers=instrument.tiers or DEFAULT_TIERS,
        inverse=not instrument.linear,
    )
    total = float(pool.equity_needed) + added.get(instrument.account, 0.0) + need
    return MarginRoom(instrument.account, float(pool.equity) / total if total > 0 else 1.0), need


def _is_isolated(instrument: Instrument, snapshot: Snapshot) -> bool:
    """Whether what is held of it is; what is not held is opened in cross margin."""
    derivatives = snapshot.accounts[instrument.account].derivatives
    held = derivatives.value.positions if isinstance(derivatives, Read) else ()
    return any(
        each.instrument == instrument.id and each.contracts and each.isolated_equity is not None for each in held
    )


def _backs(pool: PoolRoom, instrument: Instrument, price: Decimal, snapshot: Snapshot) -> bool:
    """Whether this equity is what would back it: money a linear contract, its own coin alone an inverse one."""
    if pool.apart is not None:
        return pool.apart == instrument.id
    if pool.currency:
        return (pool.coin or pool.currency) == instrument.settle
    view = snapshot.accounts[instrument.account]
    return instrument.linear or is_coin_alone(view, instrument.settle, price, pool.equity)
