"""What one account's venue settled on its positions, through ccxt."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from hedged.adapters.exchanges.ccxt_connection import VenueLine
from hedged.adapters.exchanges.limiter import Limiter
from hedged.model.effect import FundingPayment
from hedged.model.instrument import InstrumentId
from hedged.model.snapshot import Read


class CcxtPaymentReader:
    """A `PaymentReader`. Needs a key that may read. Goes behind everything else that is asked of the venue."""

    def __init__(self, line: VenueLine, limiter: Limiter) -> None:
        self._line = line
        self._limiter = limiter

    async def funding_payments(
        self, instruments: Collection[InstrumentId], since: datetime
    ) -> Read[tuple[FundingPayment, ...]] | None:
        line = self._line
        await self._limiter.spare()
        async with line.reading("funding payments"):
            markets = await line.markets()
            wanted = {
                markets.market_ids[name]: markets.instruments[name]
                for name in instruments
                if name in markets.instruments
            }
            read = await line.signed(lambda: line.dialect.funding_payments(line.connection, wanted, since))
        if read is None:
            return None
        found = {(each.instrument, each.id): each for each in read.value if each.at >= since}
        return Read(tuple(sorted(found.values(), key=lambda each: (each.at, each.id))), read.as_of)
