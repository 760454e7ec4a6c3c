"""Accounts with margin for tests: a short over some equity, and odds of a volatility that is set by hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal

from hedged.adapters.clock import seeded_generator
from hedged.adapters.store.memory import MemoryStore
from hedged.assess.margin import with_alarms
from hedged.estimate.price_past import PricePast
from hedged.estimate.volatility import Volatilities
from hedged.model.instrument import Instrument, MarginTier
from hedged.model.policy import MarginPolicy, OnCritical, PortfolioPolicy
from hedged.model.snapshot import Margin, Position, Snapshot
from hedged.observe.margin_risk import MarginRisk
from tests.build import ETH_PERP, Number, account, balances, dec, derivatives, hedge, perp, policy, snapshot

FLAT = (MarginTier(Decimal(0), Decimal("0.005"), Decimal(20)),)
REDUCE = MarginPolicy(on_critical=OnCritical.REDUCE)


def contract(name: str = ETH_PERP, lot: Number = "0.001", tiers: tuple[MarginTier, ...] = FLAT) -> Instrument:
    return replace(perp(name, lot=lot), tiers=tiers)


def short(
    contracts: Number,
    equity: Number | None,
    *,
    mark: Number = 3000,
    coins: Number = 10,
    instrument: Instrument | None = None,
    **position: Decimal,
) -> Snapshot:
    """An account with `coins` of ETH and a position in its perpetual (short: negative) over `equity`."""
    listed = instrument or contract()
    margin = None if equity is None else Margin(dec(equity), maintenance=None)
    held = [Position(listed.id, dec(contracts), **position)] if dec(contracts) else []
    return snapshot(
        account(spot=balances(ETH=coins), positions=derivatives(*held, margin=margin)),
        instruments=[listed],
        marks={listed.id: mark},
        prices={"ETH": mark},
    )


def setup(margin: MarginPolicy = REDUCE, **more: object) -> PortfolioPolicy:
    return replace(policy(hedge("ETH")), margin=margin, **more)


class RiskAt(MarginRisk):
    """The odds with every price's volatility set by hand, so that they can be checked by a formula."""

    def __init__(self, rules: PortfolioPolicy, volatility: float = 0.8) -> None:
        super().__init__(MemoryStore(), rules, seeded_generator)
        self.volatility = volatility

    async def _past(self, instrument, now) -> PricePast:
        past = PricePast(3600)
        past.volatilities = Volatilities.starting_at(self.volatility)
        return past


async def with_odds(
    seen: Snapshot, rules: PortfolioPolicy, before: Mapping[str, str] | None = None, volatility: float = 0.8
) -> Snapshot:
    odds = await RiskAt(rules, volatility).odds(seen)
    return replace(seen, margin_odds=with_alarms(odds, before or {}, rules.margin))
