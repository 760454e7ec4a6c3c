"""The past of a venue through ccxt: hourly candles as bars, a page at a time, and what funding was settled."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from hedged.adapters.exchanges.ccxt_connection import VenueLine
from hedged.adapters.exchanges.dialects.base import Markets
from hedged.adapters.exchanges.limiter import Limiter
from hedged.adapters.exchanges.shapes import Misshapen, milliseconds, moment, number
from hedged.model.history import KEPT, STEP, Bar, Settlement, full_hour
from hedged.model.instrument import InstrumentId

SETTLED = timedelta(seconds=30)
"""How long after its end a bar is believed: clocks differ, and the last trades take a moment to get into it."""

QUIET_MAX = 3 * STEP
"""A market that trades and shows nothing at all for longer than this has not been read."""

_INTERVAL_MAX = timedelta(hours=8)  # between two settlements
_RATE_MAX = Decimal("0.1")  # a settlement of a tenth of the value is no funding: venues cap it at 3 %
_FUNDING_PAGES_MAX = 20


class CcxtCandleReader:
    """A `CandleReader`. Needs no key. Goes behind everything else that is asked of the venue."""

    def __init__(self, line: VenueLine, limiter: Limiter) -> None:
        self.account = line.connection.account
        self._line = line
        self._limiter = limiter

    async def bars(self, subject: str, quote: str, since: datetime) -> Sequence[Bar] | None:
        """See `CandleReader.bars`. Pages without a bar, from before the market was listed, are passed over."""
        line, page = self._line, self._line.dialect.candles_page
        if not page:
            return None
        async with line.reading("candles"):
            markets = await line.markets()
        symbol = _symbol(subject, quote, markets)
        if symbol is None:
            return None
        now = line.connection.clock.now()
        first = begin = full_hour(max(since, now - KEPT))
        while begin + STEP + SETTLED <= now:
            await self._limiter.spare()
            async with line.reading("candles"):
                end = begin + page * STEP
                rows = await line.dialect.candles(line.connection, symbol, milliseconds(begin), milliseconds(end) - 1)
                found = bars_of(rows, first, now - SETTLED)
                if found:
                    return found
                begin = end
        async with line.reading("candles"):
            if now - first > QUIET_MAX and _trades(subject, markets):
                raise Misshapen(f"{subject} trades and has no candles since {first:%Y-%m-%d %H:%M}")
        return []

    async def funding(self, instrument: InstrumentId, since: datetime) -> Sequence[Settlement] | None:
        """See `CandleReader.funding`."""
        line = self._line
        if not line.dialect.funding_page:
            return None
        async with line.reading("past funding"):
            contract = (await line.markets()).instruments.get(instrument)
        if contract is None or contract.expiry is not None:
            return None
        found: dict[datetime, Settlement] = {}
        now, begin = line.connection.clock.now(), since
        for _ in range(_FUNDING_PAGES_MAX):
            await self._limiter.spare()
            async with line.reading("past funding"):
                rows = await line.dialect.funding_rates(line.connection, contract.symbol, milliseconds(begin) + 1)
                page = {row.at: row for row in map(_settlement, rows) if since < row.at <= now}
            newest = max(page, default=begin)
            found |= page
            if newest <= begin or now - newest < _INTERVAL_MAX:
                break
            begin = newest
        async with line.reading("past funding"):
            if not found and contract.trading and now - since > _INTERVAL_MAX:
                raise Misshapen(f"{instrument} trades and has had no funding since {since:%Y-%m-%d %H:%M}")
        return [found[at] for at in sorted(found)]


def _settlement(row: Mapping[str, object]) -> Settlement:
    rate = number(row, "fundingRate")
    if abs(rate) > _RATE_MAX:
        raise Misshapen("a funding rate is beyond a tenth of the value")
    return Settlement(moment(row, "timestamp"), rate)


def bars_of(rows: Iterable[Sequence[object]], first: datetime, until: datetime) -> list[Bar]:
    """Ccxt's candles that opened from `first` on and ended by `until`, oldest first, each time once.

    Raises `Misshapen` for one that does not begin on the hour, or whose prices cannot be.
    """
    found = {}
    for row in rows:
        opened = moment({"time": row[0]}, "time")
        if opened != full_hour(opened):
            raise Misshapen("a candle does not begin on the hour")
        if first <= opened and opened + STEP <= until:
            found[opened] = _bar(row, opened + STEP)
    return [found[opened] for opened in sorted(found)]


def _bar(row: Sequence[object], at: datetime) -> Bar:
    high, low, close = (float(str(value)) for value in row[2:5])
    if not all(math.isfinite(price) and price > 0 for price in (high, low, close)) or not low <= close <= high:
        raise Misshapen("a candle's prices are not low ≤ close ≤ high, all above zero")
    return Bar(at=at, close=close, high=high, low=low)


def _symbol(subject: str, quote: str, markets: Markets) -> str | None:
    """Ccxt's unified symbol of a contract that is listed, or of a coin's spot market; None: there is none."""
    instrument = markets.instruments.get(InstrumentId(subject))
    if instrument is not None:
        return instrument.symbol
    return f"{subject}/{quote}" if (subject, quote) in markets.spot else None


def _trades(subject: str, markets: Markets) -> bool:
    instrument = markets.instruments.get(InstrumentId(subject))
    return instrument is None or instrument.trading  # only spot markets that trade are listed
