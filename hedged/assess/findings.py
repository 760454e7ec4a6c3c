"""The states worth telling that are not about a hedge's ratio or an account's margin: a function each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum

from hedged.assess.blocking import Reason
from hedged.assess.exposure import alias_rate, cash_assets, is_alike, positions_of
from hedged.model.finding import Exposure, Finding, HedgeGroup, HedgeStatus, Kind, Severity
from hedged.model.instrument import InstrumentId
from hedged.model.policy import PortfolioPolicy
from hedged.model.snapshot import Fault, Missing, Snapshot, seen

UNEXPLAINED_POLLS_MAX = 3  # then a vanished position or balance is critical


def unreachable(snapshot: Snapshot) -> Iterator[Finding]:
    """An account that a call to failed, named with the call; what it says is in the reader's words."""
    for name, account in snapshot.accounts.items():
        public: Iterable[object] = (*snapshot.quotes.values(), *snapshot.prices.values())
        missing = [leg for leg in (*account.wallets.values(), account.derivatives) if isinstance(leg, Missing)]
        missing += [leg for leg in public if isinstance(leg, Missing) and leg.account == name]
        if not missing:
            continue
        worst = max(missing, key=lambda leg: leg.fault is Fault.REFUSED)
        calls = sorted({leg.call for leg in missing})
        refused = worst.fault is Fault.REFUSED
        yield Finding(
            kind=Kind.ACCOUNT_UNREACHABLE,
            subject=name,
            severity=Severity.CRITICAL if refused else Severity.WARNING,
            text=f"{name} is {worst.fault.value}: {worst.call}: {worst.detail}.",
            values={"fault": worst.fault.value, "calls": ", ".join(calls)},
        )


def drift(groups: Iterable[HedgeGroup], policy: PortfolioPolicy) -> Iterator[Finding]:
    for group in groups:
        if group.status not in (HedgeStatus.UNDER, HedgeStatus.OVER) or group.drift is None:
            continue
        word = "under-hedged" if group.status is HedgeStatus.UNDER else "over-hedged"
        ratio = "unknown" if group.hedge_ratio is None else f"{group.hedge_ratio:.4f}"
        outside = (abs(group.drift) - group.band) * (group.beta_exposure or Decimal(0))
        for name in group.hedges:
            yield Finding(
                kind=Kind.DRIFT,
                subject=name,
                severity=Severity.WARNING,
                text=(
                    f"{name} is {word}: hedge ratio {ratio}, target {group.target_ratio:.4f} ± {group.band:.4f}, "
                    f"{outside:,.2f} {policy.quote} outside the band."
                ),
                values={
                    "hedge_ratio": group.hedge_ratio,
                    "target_ratio": group.target_ratio,
                    "band": group.band,
                    "drift": group.drift,
                },
            )


def too_coarse(groups: Iterable[HedgeGroup], policy: PortfolioPolicy) -> Iterator[Finding]:
    """Hedges whose smallest order is worth more than all that is to be hedged: no order is ever made for them."""
    for group in groups:
        target = group.target_value
        if group.status in {HedgeStatus.NO_EXPOSURE, HedgeStatus.BLOCKED} or not target or not group.beta_exposure:
            continue
        smallest = group.band * group.beta_exposure
        if group.band > group.band_configured and smallest > target:
            for name in group.hedges:
                yield Finding(
                    kind=Kind.TOO_COARSE,
                    subject=name,
                    severity=Severity.WARNING,
                    text=(
                        f"{name}: the smallest order is worth {smallest:,.0f} {policy.quote}, more than the "
                        f"{target:,.0f} {policy.quote} that should be hedged."
                    ),
                    values={"smallest": smallest, "target": target},
                )


def blocked(groups: Iterable[HedgeGroup], reasons: Mapping[str, Sequence[Reason]]) -> Iterator[Finding]:
    """Data missing or stale, per hedge that needs it."""
    for group in groups:
        for kind, word, stale in ((Kind.DATA_MISSING, "missing", False), (Kind.DATA_STALE, "stale", True)):
            against = [reason for reason in reasons[group.name] if reason.stale is stale]
            if not against:
                continue
            more = f" (and {len(against) - 1} more)" if len(against) > 1 else ""
            for name in group.hedges:
                yield Finding(
                    kind=kind,
                    subject=name,
                    severity=Severity.WARNING,
                    text=f"{name}: data {word}: {against[0].text}{more}.",
                    values={"reasons": len(against)},
                )


def no_exposure(groups: Iterable[HedgeGroup], policy: PortfolioPolicy) -> Iterator[Finding]:
    for group in groups:
        if group.status is not HedgeStatus.NO_EXPOSURE:
            continue
        held = (
            f"its hedge is still {group.hedge_value:,.0f} {policy.quote}" if group.hedge_value else "nothing is short"
        )
        for name in group.hedges:
            yield Finding(
                kind=Kind.NO_EXPOSURE,
                subject=name,
                severity=Severity.WARNING if group.hedge_value else Severity.INFO,
                text=f"{name} has nothing to hedge (at most {policy.dust_value:f} {policy.quote}); {held}.",
                values={"hedge_value": group.hedge_value},
            )


def uncovered(exposures: Iterable[Exposure], snapshot: Snapshot, policy: PortfolioPolicy) -> Iterator[Finding]:
    """Assets that no hedge names, above dust; and assets that have no market. A price not read is missing data."""
    for exposure in exposures:
        if not exposure.quantity:
            continue
        if exposure.value is None and exposure.asset not in snapshot.prices:
            yield Finding(
                kind=Kind.PRICE_MISSING,
                subject=exposure.asset,
                severity=Severity.WARNING if exposure.hedge else Severity.INFO,
                text=(
                    f"{exposure.asset} has no price in {policy.quote} on any account: {exposure.quantity:f} held, "
                    + (f"{exposure.hedge} makes no order." if exposure.hedge else "its value is unknown.")
                ),
                values={"quantity": exposure.quantity},
            )
        elif exposure.hedge is None and exposure.value is not None and abs(exposure.value) > policy.dust_value:
            yield Finding(
                kind=Kind.ASSET_UNCOVERED,
                subject=exposure.asset,
                severity=Severity.WARNING,
                text=(
                    f"{exposure.asset} is in no hedge: {exposure.quantity:f} worth {exposure.value:,.0f} "
                    f"{policy.quote}."
                ),
                values={"quantity": exposure.quantity, "value": exposure.value},
            )


def positions(snapshot: Snapshot, owned: frozenset[InstrumentId]) -> Iterator[Finding]:
    """Positions that no hedge names, and positions whose size the venue tells in two ways that disagree."""
    for position, _ in positions_of(snapshot):
        if position.instrument not in owned:
            yield Finding(
                kind=Kind.POSITION_UNOWNED,
                subject=position.instrument,
                severity=Severity.WARNING,
                text=(f"{position.instrument}: a position of {position.contracts:f} contracts belongs to no hedge."),
                values={"contracts": position.contracts},
            )
        if not position.trusted:
            yield Finding(
                kind=Kind.POSITION_UNTRUSTED,
                subject=position.instrument,
                severity=Severity.CRITICAL,
                text=(f"{position.instrument}: the venue's notional does not match {position.contracts:f} contracts."),
                values={"contracts": position.contracts},
            )


def closed(snapshot: Snapshot) -> Iterator[Finding]:
    """Positions that somebody else ended or made smaller: by hand, by liquidation, deleveraging or settlement.

    Told as what the venue shows.
    """
    for doubt in snapshot.explained:
        if doubt.instrument is None:
            continue
        gone, cause = not doubt.now, cause_of(doubt.explanation or "")
        by = f" ({cause.value} by the venue)" if cause is not Cause.OTHER else ""
        became = "is gone" if gone else f"is {doubt.now:f} now"
        yield Finding(
            kind=Kind.POSITION_CLOSED if gone else Kind.POSITION_REDUCED,
            subject=doubt.subject,
            severity=Severity.CRITICAL if cause is Cause.LIQUIDATION else Severity.WARNING,
            text=(
                f"{doubt.subject}: the position of {doubt.before:f} contracts {became}, and not by hedged's order{by}: "
                f"{doubt.explanation}."
            ),
            values={"before": doubt.before, "now": doubt.now, "explanation": doubt.explanation},
        )


class Cause(StrEnum):
    """Who made a position smaller, as far as the words tell in which adapters explain it."""

    LIQUIDATION = "liquidation"
    DELEVERAGING = "auto-deleveraging"
    OTHER = ""


_LIQUIDATED = ("liquidat", "bust", "burst", "force_")  # of Bybit `BustTrade`, of Bitget `burst_close_short`
_DELEVERAGED = ("adl", "delever")


def cause_of(explanation: str) -> Cause:
    """Where an explanation leaves both open it is taken for the worse one."""
    said = explanation.lower()
    if any(word in said for word in _LIQUIDATED):
        return Cause.LIQUIDATION
    return Cause.DELEVERAGING if any(word in said for word in _DELEVERAGED) else Cause.OTHER


def vanished(snapshot: Snapshot) -> Iterator[Finding]:
    for doubt in snapshot.doubts:
        critical = doubt.polls >= UNEXPLAINED_POLLS_MAX
        if doubt.instrument is not None and doubt.now:
            continue  # it is there to be read; what made it smaller is told once it is known
        if doubt.instrument is not None:
            kind, unit = Kind.POSITION_VANISHED, "contracts"
            accept = f"hedged accept-position {doubt.account} {doubt.subject.partition(':')[2]}"
        else:
            kind, unit = Kind.BALANCE_VANISHED, doubt.asset
            accept = f"hedged accept-balance {doubt.account}"
        advice = f" If that is right: {accept} --config FILE." if critical else ""
        yield Finding(
            kind=kind,
            subject=doubt.subject,
            severity=Severity.CRITICAL if critical else Severity.WARNING,
            text=(
                f"{doubt.subject} went from {doubt.before:f} to {doubt.now:f} {unit} and no fill, transfer or income "
                f"explains it (seen {doubt.polls} times).{advice}"
            ),
            values={"before": doubt.before, "now": doubt.now, "polls": doubt.polls},
        )


def depeg(snapshot: Snapshot, policy: PortfolioPolicy) -> Iterator[Finding]:
    """Stablecoins whose price in the quote is off 1; only where both are meant to be a dollar."""
    if policy.quote not in policy.stablecoins:
        return
    for asset in sorted(cash_assets(policy) & snapshot.prices.keys()):
        leg = snapshot.prices[asset]
        price = seen(leg)
        if asset == policy.quote or price is None or isinstance(leg, Missing):
            continue
        off = price.value - 1
        if abs(off) >= policy.thresholds.depeg:
            yield Finding(
                kind=Kind.DEPEG,
                subject=asset,
                severity=Severity.CRITICAL if abs(off) >= 5 * policy.thresholds.depeg else Severity.WARNING,
                text=(
                    f"{asset} trades at {price.value:.4f} {policy.quote}, {off:+.1%} off its peg: "
                    "one of the two is not worth a dollar, and values in it are wrong by as much."
                ),
                values={"price": price.value},
            )


def unlike(snapshot: Snapshot, policy: PortfolioPolicy) -> Iterator[Finding]:
    """Aliases whose price says that they are another coin: they count one to one, which may be wrong."""
    for asset, name in sorted(policy.aliases.items()):
        rate = None if name in cash_assets(policy) else alias_rate(asset, snapshot, policy)
        if rate is not None and not is_alike(rate):
            yield Finding(
                kind=Kind.DEPEG,
                subject=asset,
                severity=Severity.WARNING,
                text=(
                    f"{asset} is worth {rate:.4f} {name} by the market, which is not what it stands for: it is counted "
                    f"as one {name} each; take it out of `aliases` if that is wrong."
                ),
                values={"price": rate},
            )


def not_trading(groups: Iterable[HedgeGroup], snapshot: Snapshot) -> Iterator[Finding]:
    """Instruments that a hedge names and that cannot be traded. Unread markets are missing data, not this."""
    for group in groups:
        for leg in group.legs:
            quote = snapshot.quotes.get(leg.instrument)
            if leg.tradable or isinstance(quote, Missing):
                continue
            if leg.ending and any(other.tradable and other.slot == leg.slot for other in group.legs):
                continue  # the next of its chain has taken its place
            instrument = snapshot.instruments.get(leg.instrument)
            why = "the venue does not list it" if instrument is None else "the venue has stopped trading it"
            ends = instrument.ends() if instrument is not None else None
            if ends is not None and ends <= snapshot.now:
                why = f"it ended on {ends:%Y-%m-%d %H:%M} UTC"
            others = not group.leg_targets and any(other.tradable for other in group.legs)
            advice = "The next instrument takes its place." if others else f"Nothing takes its place in {group.name}."
            yield Finding(
                kind=Kind.NOT_TRADING,
                subject=leg.instrument,
                severity=Severity.WARNING if others else Severity.CRITICAL,
                text=f"{leg.instrument} does not trade: {why}. {advice}",
            )
