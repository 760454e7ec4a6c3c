"""What a replay had to assume, and where its data has holes, a sentence each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from hedged.adapters.exchanges.historical import face_value
from hedged.adapters.exchanges.price_table import FundingRates, History, PriceTable, funding_name, unused_funding
from hedged.adapters.exchanges.symbols import ContractSymbol, parse_symbol
from hedged.model.policy import PortfolioPolicy
from hedged.replay.report import plain
from hedged.replay.samples import held_assets


def data_notes(history: History, policy: PortfolioPolicy, bars: NDArray[np.int64]) -> tuple[str, ...]:
    """For the rows that were replayed, by the second each was known."""
    symbols = {leg.instrument.partition(":")[2] for hedge in policy.hedges for leg in hedge.legs}
    contracts = [parsed for symbol in sorted(symbols) if (parsed := parse_symbol(symbol)) is not None]
    perpetuals = sorted({contract.base for contract in contracts if contract.expiry is None})
    chains = sorted({contract.base for contract in contracts if contract.expiry is not None})
    found = list(_gaps(history.spot, bars))
    found.extend(_holes(history.spot, sorted(held_assets(policy)), bars))
    if perpetuals and history.perp is not None:
        found.extend(_holes(history.perp, perpetuals, bars))
    elif perpetuals:
        found.append(f"No --perp: the perpetual of {', '.join(perpetuals)} is priced at spot.")
    if chains and history.dated is None:
        found.append(f"No --dated: quarterly contracts on {', '.join(chains)} are made from spot and funding.")
    found.extend(_in_coins(contracts, policy.quote))
    found.extend(_funding(history, [each for each in contracts if each.expiry is None or history.dated is None], bars))
    return tuple(found)


def paper_note(policy: PortfolioPolicy) -> str:
    """What trading costs on paper, and what it starts with."""
    paper = policy.paper
    spread, slippage, fee = (plain(each) for each in (paper.spread_bps, paper.slippage_bps, paper.fee_taker * 100))
    coins = "".join(f", {plain(amount)} {coin}" for coin, amount in paper.coins.items())
    return (
        f"Orders are filled at once, half a spread of {spread} bp and {slippage} bp off the mark, for {fee} % in fees; "
        f"every account starts with {paper.cash:,f} {policy.quote}{coins} and margin for {plain(paper.leverage)}x."
    )


def _in_coins(contracts: Sequence[ContractSymbol], quote: str) -> Iterator[str]:
    """What is taken for granted of contracts that their own coin settles."""
    for base, currency in sorted({(each.base, each.quote) for each in contracts if each.inverse}):
        yield (
            f"Contracts margined in {base} have a face value of {plain(face_value(base))} {currency} and are traded "
            f"whole; they are priced by the files: a {currency} counts as a {quote}."
        )


def _funding(history: History, contracts: Sequence[ContractSymbol], bars: NDArray[np.int64]) -> Iterator[str]:
    """Of contracts that funding is charged on, or that are made from it."""
    used = set()
    for perpetual, base in sorted({(contract.chain, contract.base) for contract in contracts}):
        name = funding_name(history.funding, perpetual, base)
        if name is None:
            yield f"No funding of {perpetual if history.funding else base} on file: taken as 0."
        elif name not in used and not _covers(history.funding[name], bars):
            yield f"Funding of {name} does not cover the whole replay: taken as 0 where there is none."
        used.add(name)
    yield from unused_funding(history.funding, used)


def _covers(rates: FundingRates, bars: NDArray[np.int64]) -> bool:
    return bool(rates.times[0] <= bars[0] and rates.times[-1] >= bars[-1] - rates.interval(int(bars[-1])))


def _gaps(spot: PriceTable, bars: NDArray[np.int64]) -> list[str]:
    missing = np.diff(bars) // spot.step - 1
    if not len(missing) or not missing.any():
        return []
    longest = timedelta(seconds=int(missing.max()) * spot.step)
    return [f"Bars missing in {spot.source}: {int(missing.sum()):,}, at most {longest} on end. No cycle ran there."]


def _holes(table: PriceTable, symbols: list[str], bars: NDArray[np.int64]) -> list[str]:
    found = []
    for symbol in symbols:
        empty = int(np.isnan(table.floats(symbol, bars)).sum())
        if empty:
            found.append(f"Prices of {symbol} missing in {table.source}: {empty:,} of {len(bars):,} bars.")
    return found
