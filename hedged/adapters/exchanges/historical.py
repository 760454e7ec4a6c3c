"""The market of the past: what could have been known at the replay clock's time, and nothing stamped later.

A price that became known at another second than `now` is not there: gaps are missing data, never filled in.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from hedged.adapters.exchanges.futures_chain import (
    Contract,
    FuturesChain,
    contract_over,
    generated_chain,
    recorded_chain,
)
from hedged.adapters.exchanges.price_table import FUNDING_INTERVAL_DEFAULT, History
from hedged.adapters.exchanges.symbols import ContractSymbol, parse_symbol
from hedged.errors import ConfigurationError, DataError
from hedged.model.instrument import ContractKind, Instrument, InstrumentId, MarginTier, instrument_id
from hedged.model.policy import PortfolioPolicy
from hedged.model.snapshot import Quote, Read
from hedged.ports import Clock

# A price file says nothing of a contract's rules: these are Binance's, those for ETH fine enough for any coin.
LOT_SIZE = Decimal("0.001")
NOTIONAL_MIN = Decimal(5)
TICK_SIZE = Decimal("0.00000001")
FACE_VALUE, FACE_VALUES = Decimal(10), {"BTC": Decimal(100)}

ZERO = Decimal(0)
HOUR = 3600


def face_value(coin: str) -> Decimal:
    """Of a contract margined in that coin, in what it is priced in; such contracts are traded whole."""
    return FACE_VALUES.get(coin, FACE_VALUE)


def listed_as(account: str, symbol: str, parsed: ContractSymbol, tiers: tuple[MarginTier, ...]) -> Instrument:
    """The contract as it is taken to be listed."""
    return Instrument(
        id=instrument_id(account, symbol),
        account=account,
        symbol=symbol,
        kind=ContractKind.PERPETUAL if parsed.expiry is None else ContractKind.FUTURE,
        base=parsed.base,
        quote=parsed.quote,
        settle=parsed.settle,
        tick_size=TICK_SIZE,
        linear=parsed.linear,
        multiplier=Decimal(1) if parsed.linear else face_value(parsed.base),
        lot_size=LOT_SIZE if parsed.linear else Decimal(1),
        notional_min=NOTIONAL_MIN if parsed.linear else ZERO,
        expiry=parsed.expiry,
        tiers=tiers,
    )


class HistoricalMarket:
    """`MarketReader` of one account over price tables. Never raises `VenueError`: what is not known is absent."""

    def __init__(self, account: str, policy: PortfolioPolicy, history: History, clock: Clock) -> None:
        """Raises `ConfigurationError` for an instrument that is no perpetual or future, linear or margined in its coin,
        `DataError` for one whose prices are in none of the files.
        """
        self.account = account
        self._history = history
        self._clock = clock
        self._quote_currency = policy.quote
        self._perpetuals: dict[InstrumentId, Instrument] = {}
        self._chains: dict[str, FuturesChain] = {}
        self._at_par: set[str] = set()  # what coin-margined contracts are priced in: files are in the portfolio's quote
        self._contracts: dict[InstrumentId, tuple[Contract, FuturesChain]] = {}  # those listed now
        self._instruments: dict[InstrumentId, Instrument] = {}  # a new one whenever the listing changes
        self._listing_ends: int | None = 0  # until when the listing holds, epoch seconds; None: for ever
        self._tiers = policy.tiers
        self._quotes: dict[InstrumentId, Read[Quote] | None] = {}  # those of `_quoted_at`: asked for more than once
        self._quoted_at: datetime | None = None
        dated: dict[str, list[ContractSymbol]] = {}
        for hedge in policy.hedges:
            for leg in hedge.legs:
                name, _, symbol = leg.instrument.partition(":")
                if name == account:
                    parsed = self._known(leg.instrument, symbol, hedge.name)
                    if parsed.inverse:
                        self._at_par.add(parsed.quote)
                    if parsed.expiry is None:
                        self._perpetuals[leg.instrument] = self._contract(symbol, parsed)
                    else:
                        dated.setdefault(parsed.chain, []).append(parsed)
        for chain, named in dated.items():
            if history.dated is not None:
                self._chains[chain] = recorded_chain(chain, history.dated)
            else:
                self._chains[chain] = generated_chain(named, history)

    async def instruments(self) -> Mapping[InstrumentId, Instrument]:
        epoch = self._epoch()
        if self._listing_ends is not None and epoch >= self._listing_ends:
            self._list(epoch)
        return self._instruments

    async def quotes(self, instruments: Collection[InstrumentId]) -> Mapping[InstrumentId, Read[Quote]]:
        await self.instruments()  # a contract is quoted from its listing to its expiry
        now = self._clock.now()
        if now != self._quoted_at:
            self._quotes, self._quoted_at = {}, now
        found = {}
        for instrument in instruments:
            if instrument not in self._quotes:
                self._quotes[instrument] = self._quote(instrument, now)
            read = self._quotes[instrument]
            if read is not None:
                found[instrument] = read
        return found

    async def prices(self, assets: Collection[str], quote: str) -> Mapping[str, Read[Decimal]]:
        now = self._clock.now()
        spot = self._history.spot
        row = spot.row_at(int(now.timestamp()))
        found = {}
        for asset in assets:
            price = Decimal(1) if asset == quote or asset in self._at_par else spot.price(asset, row)
            if price is not None:
                found[asset] = Read(price, now)
        return found

    def returns(self, instrument: InstrumentId, epochs: NDArray[np.int64]) -> NDArray[np.float64]:
        """Returns of one instrument from each of these seconds to the next, shape (len − 1,); NaN beside a gap.

        A dated symbol stands for its chain: itself while it is listed and outlives the period, else the nearest that
        does. For statistics after the fact, never for a decision.
        """
        perpetual = self._perpetuals.get(instrument)
        if perpetual is not None:
            marks = (self._history.perp or self._history.spot).floats(perpetual.base, epochs)
            return np.asarray(marks[1:] / marks[:-1] - 1, dtype=np.float64)
        parsed = parse_symbol(instrument.partition(":")[2])
        chain = self._chains[parsed.chain] if parsed is not None else None
        made = np.full(max(len(epochs) - 1, 0), np.nan)
        if parsed is None or chain is None:
            return made
        for period, (begin, end) in enumerate(pairwise(epochs.tolist())):
            contract = contract_over(chain, parsed.expiry, begin, end)
            if contract is not None:
                first, last = chain.price(contract, begin), chain.price(contract, end)
                if first is not None and last is not None:
                    made[period] = float(last / first) - 1
        return made

    def marks(self, instrument: InstrumentId, epochs: NDArray[np.int64]) -> NDArray[np.float64]:
        """Prices of one instrument at these seconds, (len,), NaN where there is none; a chain's are its coin's."""
        perpetual = self._perpetuals.get(instrument)
        parsed = parse_symbol(instrument.partition(":")[2])
        base = perpetual.base if perpetual is not None else parsed.base if parsed is not None else ""
        table = self._history.perp if perpetual is not None and self._history.perp else self._history.spot
        return table.floats(base, epochs)

    def _epoch(self) -> int:
        return int(self._clock.now().timestamp())

    def _quote(self, instrument: InstrumentId, now: datetime) -> Read[Quote] | None:
        epoch = int(now.timestamp())
        row = self._history.spot.row_at(epoch)
        perpetual = self._perpetuals.get(instrument)
        if perpetual is not None:
            quote = self._perpetual_quote(perpetual, row, epoch)
        else:
            quote = self._dated_quote(instrument, row, epoch)
        return None if quote is None else Read(quote, now)

    def _perpetual_quote(self, contract: Instrument, row: int | None, epoch: int) -> Quote | None:
        history, base = self._history, contract.base
        index = history.spot.price(base, row)
        mark = index if history.perp is None else history.perp.price(base, history.perp.row_at(epoch))
        if mark is None:
            return None
        rates = history.funding_of(contract.symbol, base)
        rate, interval = ZERO, FUNDING_INTERVAL_DEFAULT
        if rates is not None:
            before = int(history.spot.times[row - 1]) if row else epoch - history.spot.step
            rate, interval = rates.rate(before, epoch), rates.interval(epoch)
        # No `funding_next`: a rate is on file once it is settled, so none is ever announced for a time to come.
        return Quote(mark=mark, index=index, funding_rate=rate, funding_interval_hours=Decimal(interval) / HOUR)

    def _dated_quote(self, instrument: InstrumentId, row: int | None, epoch: int) -> Quote | None:
        listed = self._contracts.get(instrument)
        if listed is None:
            return None
        contract, chain = listed
        mark = chain.price(contract, epoch)
        base = self._instruments[instrument].base
        return None if mark is None else Quote(mark=mark, index=self._history.spot.price(base, row))

    def _known(self, instrument: InstrumentId, symbol: str, hedge: str) -> ContractSymbol:
        """The instrument's symbol, once it is clear that it can be priced."""
        parsed = parse_symbol(symbol)
        if parsed is None or not (parsed.linear or parsed.inverse):
            raise ConfigurationError(
                f"hedges.{hedge}: instrument {instrument}: replay knows perpetuals and futures that are settled in "
                "their quote currency or their own coin, spelled like main:ETH/USDT:USDT, main:ETH/USDT:USDT-240329 or "
                "main:ETH/USD:ETH"
            )
        history = self._history
        if parsed.expiry is not None and history.dated is not None:
            if not recorded_chain(parsed.chain, history.dated).lives:
                raise DataError(f"{history.dated.source}: no contract of {parsed.chain}, which {instrument} needs")
            return parsed
        needed = history.perp if parsed.expiry is None and history.perp is not None else history.spot
        if parsed.base not in needed.columns:
            raise DataError(f"{needed.source}: no prices of {parsed.base}, which instrument {instrument} needs")
        return parsed

    def _contract(self, symbol: str, parsed: ContractSymbol) -> Instrument:
        return listed_as(self.account, symbol, parsed, self._tiers.get(instrument_id(self.account, symbol), ()))

    def _list(self, epoch: int) -> None:
        """What the venue lists from now on, and until when that stays so."""
        self._contracts = {}
        self._instruments = dict(self._perpetuals)
        ends: list[int] = []
        for chain in self._chains.values():
            contracts, until = chain.listed(epoch)
            if until is not None:
                ends.append(until)
            for contract in contracts:
                parsed = parse_symbol(contract.symbol)
                if parsed is not None:
                    instrument = self._contract(contract.symbol, parsed)
                    self._instruments[instrument.id] = instrument
                    self._contracts[instrument.id] = contract, chain
        self._listing_ends = min(ends, default=None)
