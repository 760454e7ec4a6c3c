"""From checked tables to the frozen values of the pure core."""

from __future__ import annotations

from collections.abc import Mapping

from hedged.model.instrument import InstrumentId, MarginTier
from hedged.model.policy import (
    BAND,
    HedgePolicy,
    Holding,
    LegPolicy,
    Limits,
    MarginPolicy,
    Mode,
    PaperPolicy,
    PortfolioPolicy,
    RollPolicy,
    Target,
    Thresholds,
    World,
)
from hedged.model.sectors import AssetProfile
from hedged.model.timing import Insurance, Recurring, Signal, Window
from hedged.settings.brokers import brokers
from hedged.settings.schema import Document, HedgeSettings
from hedged.settings.worlds import STABLECOINS, direction_of


def portfolio_policy(
    document: Document, name: str, world: World, sectors: Mapping[str, AssetProfile]
) -> PortfolioPolicy:
    """The policy of a document that has passed every check; `world` and `name` are those of the run."""
    aliases = document.portfolio.aliases
    betas = {asset: profile.betas for asset, profile in sectors.items()}
    directions = {row.instrument: row.direction for row in document.instruments if row.direction is not None}
    return PortfolioPolicy(
        name=name,
        mode=document.mode,
        world=world,
        quote=document.quote,
        every=document.schedule.every,
        hedges=tuple(_hedge(hedge, document.mode, aliases, directions, betas) for hedge in document.hedges),
        accounts=frozenset([*(account.name for account in document.accounts), *(b.name for b in brokers(document))]),
        holdings=tuple(
            Holding(
                asset=holding.asset,
                quantity=holding.quantity,
                as_of=holding.as_of,
                note=holding.note,
                max_age=holding.max_age,
            )
            for holding in document.holdings
        ),
        dust_value=document.portfolio.dust_value,
        ignore=frozenset(document.portfolio.ignore),
        aliases=dict(aliases),
        stablecoins=STABLECOINS,
        thresholds=_thresholds(document),
        limits=Limits(**dict(document.limits)),
        margin=MarginPolicy(
            top_up_within=document.margin.top_up_within,
            probability=float(document.margin.probability),
            on_critical=document.margin.on_critical,
        ),
        roll=RollPolicy(before=document.expiry.roll, stop=document.expiry.stop),
        paper=PaperPolicy(**dict(document.paper)),
        tiers=_tiers(document),
        proposals_expire=document.approve.expires,
    )


def _hedge(
    hedge: HedgeSettings,
    mode: Mode,
    aliases: Mapping[str, str],
    directions: Mapping[str, str],
    betas: Mapping[str, Mapping[str, float]],
) -> HedgePolicy:
    assets = dict.fromkeys(aliases.get(asset, asset) for asset in hedge.assets)  # in order, each once
    takes_rest = assets.pop("*", "") is None
    weights = hedge.weights or (None,) * len(hedge.instruments)
    return HedgePolicy(
        name=hedge.name,
        assets=tuple(assets),
        legs=tuple(
            LegPolicy(InstrumentId(instrument), direction=direction_of(instrument, directions), weight=weight)
            for instrument, weight in zip(hedge.instruments, weights, strict=True)
        ),
        target_ratio=hedge.target_ratio,
        band=hedge.band if hedge.band is not None else BAND,
        beta={aliases.get(asset, asset): beta for asset, beta in (hedge.beta or {}).items()},
        beta_estimated=hedge.beta is None and hedge.target is not Target.MINIMUM_VARIANCE,
        band_optimal=hedge.band is None,
        risk_cost_year=hedge.risk_cost_year,
        carry_shrink_max=hedge.carry_shrink_max,
        mode=hedge.mode or mode,
        takes_rest=takes_rest,
        placement=hedge.placement,
        target=hedge.target,
        timing=_timing(hedge),
        prior_betas={asset: dict(known) for asset, known in betas.items()},  # plain: a policy goes to other processes
    )


def _timing(hedge: HedgeSettings) -> Insurance | Signal | None:
    if hedge.signal is not None:
        return Signal(**dict(hedge.signal))
    if not hedge.insurance:
        return None
    return Insurance(
        windows=tuple(Window(each.from_, each.until) for each in hedge.insurance if each.cron is None),
        recurring=tuple(Recurring(each.cron, each.lasts) for each in hedge.insurance if each.cron and each.lasts),
    )


def _thresholds(document: Document) -> Thresholds:
    return Thresholds(
        stale_after=document.alerts.stale_after or 3 * document.schedule.every,
        leg_skew_max=document.alerts.leg_skew_max,
        margin_ratio_warning=document.margin.warning,
        margin_ratio_critical=document.margin.critical,
        liquidation_distance_near=document.margin.liquidation_near,
        expiry_ladder=document.expiry.ladder,
        depeg=document.alerts.depeg,
    )


def _tiers(document: Document) -> Mapping[InstrumentId, tuple[MarginTier, ...]]:
    tiers: dict[InstrumentId, tuple[MarginTier, ...]] = {}
    for row in sorted(document.tiers, key=lambda row: row.notional_floor):
        tier = MarginTier(row.notional_floor, row.maintenance_margin_rate, row.leverage_max)
        instrument = InstrumentId(row.instrument)
        tiers[instrument] = (*tiers.get(instrument, ()), tier)
    return tiers
