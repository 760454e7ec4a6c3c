"""What a plan is made from: holdings with prices, contracts, and the past; of venues, or of files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from hedged.adapters.exchanges.historical import listed_as
from hedged.adapters.exchanges.price_table import BASIS_WINDOW, FundingRates, PriceTable, funding_name, unused_funding
from hedged.adapters.exchanges.symbols import parse_symbol
from hedged.assess.exposure import cash_assets
from hedged.errors import DataError
from hedged.estimate.past_prices import PastPrices, past_prices
from hedged.model.instrument import instrument_id
from hedged.model.plan import TODAY, Candidate, PlanHolding
from hedged.model.policy import Mode, PortfolioPolicy
from hedged.replay.files import read_funding, read_prices
from hedged.settings import Settings
from hedged.settings.worlds import direction_of

DAYS = 365
_PRICE_AGE_MAX = timedelta(days=7)
_STEPS = (3600, 14_400, 86_400)

Progress = Callable[[int, int], None]
"""How many past prices have been read, of how many."""


@dataclass(frozen=True, slots=True)
class PlanInputs:
    """`hedges`: the configured hedge that covers an asset. `notes`: what a reader should know."""

    holdings: tuple[PlanHolding, ...]
    candidates: tuple[Candidate, ...]
    history: PastPrices
    hedges: Mapping[str, str]
    notes: tuple[str, ...] = ()


def from_files(
    settings: Settings, prices: Path, funding: Path | None, quantities: Mapping[str, Decimal] | None
) -> PlanInputs:
    """Offline: the last prices of the file are today's. Without `quantities`, what the configuration lists is held.

    Raises `DataError` for an impossible file, or an asset without a recent price in it.
    """
    policy = settings.policy()
    table = read_prices(prices)
    rates = {} if funding is None else read_funding(funding)
    notes = [
        (
            f"offline: prices are those of {datetime.fromtimestamp(int(table.times[-1]), UTC):%Y-%m-%d %H:%M} UTC, and "
            "each coin in it is taken to have a perpetual with the lots of a replay, and one margined in it where "
            "[paper] coins has it; ask the venue before you trade"
        )
    ]
    if quantities is None:
        quantities = _configured(settings, policy)
        notes.append(
            "no account was asked: only [[holdings]], simulated balances and, in paper mode, [paper] coins are counted"
        )
    held, cash = net_of_cash(quantities, policy)
    notes += cash
    last = {asset: _last_price(table, asset) for asset in held}
    missing = [asset for asset, price in last.items() if price is None]
    if missing:
        raise DataError(f"{prices}: no price of {', '.join(missing)} in its last {_PRICE_AGE_MAX.days} days")
    account = settings.accounts[0].name
    names = [name for name in table.columns if name not in cash_assets(policy)]
    symbols = [f"{name}/{policy.quote}:{policy.quote}" for name in names]
    symbols += [f"{coin}/USD:{coin}" for coin in policy.paper.coins if coin in names]
    candidates = [each for symbol in symbols if (each := _assumed(account, symbol, policy, table, rates)) is not None]
    used = {funding_name(rates, each.instrument.symbol, each.instrument.base) for each in candidates}
    notes += unused_funding(rates, used)
    holdings = tuple(
        PlanHolding(asset, quantity, price) for asset, quantity in held.items() if (price := last[asset]) is not None
    )
    return PlanInputs(holdings, tuple(candidates), _past(table), hedges_of(policy, held), tuple(notes))


def net_of_cash(quantities: Mapping[str, Decimal], policy: PortfolioPolicy) -> tuple[dict[str, Decimal], list[str]]:
    """Coins per asset after aliases, without what is ignored or cash; and what was left out."""
    held: dict[str, Decimal] = {}
    left = []
    for name, quantity in quantities.items():
        asset = policy.aliases.get(name, name)
        if asset in cash_assets(policy) or {name, asset} & policy.ignore:
            left.append(name)
        else:
            held[asset] = held.get(asset, Decimal(0)) + quantity
    return held, [f"{', '.join(left)}: cash or ignored, so no exposure"] if left else []


def hedges_of(policy: PortfolioPolicy, assets: Iterable[str]) -> dict[str, str]:
    owners = {asset: hedge.name for hedge in policy.hedges for asset in hedge.assets}
    rest = next((hedge.name for hedge in policy.hedges if hedge.takes_rest), None)
    found = {asset: owners.get(asset, rest) for asset in assets}
    return {asset: hedge for asset, hedge in found.items() if hedge is not None}


def _configured(settings: Settings, policy: PortfolioPolicy) -> dict[str, Decimal]:
    """What is held by the file alone; on paper also what the futures wallet of every account begins with."""
    totals: dict[str, Decimal] = {}
    rows = [(holding.asset, holding.quantity) for holding in settings.holdings]
    rows += [row for account in settings.accounts for row in account.balances.items()]
    if Mode.PAPER in {policy.mode, *(hedge.mode for hedge in policy.hedges)}:
        rows += [row for _ in settings.accounts for row in policy.paper.coins.items()]
    for asset, quantity in rows:
        totals[asset] = totals.get(asset, Decimal(0)) + quantity
    if not any(totals.values()):
        raise DataError(f"{settings.path}: no [[holdings]]: give --holdings, or leave --prices out to ask the accounts")
    return totals


def _last_price(table: PriceTable, asset: str) -> Decimal | None:
    """The newest price, if it is young enough to go by."""
    for row in range(len(table.times) - 1, -1, -1):
        if int(table.times[-1] - table.times[row]) > _PRICE_AGE_MAX.total_seconds():
            return None
        price = table.price(asset, row)
        if price is not None:
            return price
    return None


def _assumed(
    account: str, symbol: str, policy: PortfolioPolicy, table: PriceTable, rates: Mapping[str, FundingRates]
) -> Candidate | None:
    """A perpetual as a replay would have it; None where there is no recent price for it."""
    parsed = parse_symbol(symbol)
    mark = _last_price(table, parsed.base) if parsed is not None else None
    if parsed is None or mark is None:
        return None
    name, base = instrument_id(account, symbol), parsed.base
    contract = listed_as(account, symbol, parsed, policy.tiers.get(name, ()))
    filed = funding_name(rates, symbol, base)
    funding = None if filed is None else rates[filed]
    carry = None if funding is None else -Decimal(repr(funding.basis(int(table.times[-1]))))
    return Candidate(
        contract,
        mark,
        direction=direction_of(name, {}),
        carry_year=carry,
        carry_of=TODAY if funding is None else _on_file(funding, int(table.times[-1])),
        fee=policy.paper.fee_taker,
        assumed=True,
    )


def _on_file(funding: FundingRates, now: int) -> str:
    known = min(BASIS_WINDOW, max(now - int(funding.times[0]), 0)) if len(funding.times) else 0
    return f"the last {known / 86_400:.0f} days on file"


def _past(table: PriceTable) -> PastPrices:
    step = next((each for each in _STEPS if each >= table.step), _STEPS[-1])
    series = {}
    for name in table.columns:
        closes = table.floats(name, table.times)
        series[name] = (table.times, closes, closes, closes)
    return past_prices(series, step, int(table.times[-1]), DAYS)
