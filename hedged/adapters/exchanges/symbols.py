"""ccxt's unified symbol of a derivative, taken apart."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime

_SYMBOL = re.compile(r"(?P<base>[^/:\s-]+)/(?P<quote>[^/:\s-]+):(?P<settle>[^/:\s-]+)(?:-(?P<date>\d{6}))?")
_SETTLEMENT_HOUR = 8  # UTC; Binance, Bybit, OKX and Deribit deliver at 08:00


@dataclass(frozen=True, slots=True)
class ContractSymbol:
    """`BASE/QUOTE:SETTLE`, dated contracts with `-YYMMDD` behind it; `expiry` at 08:00 UTC, None: perpetual."""

    base: str
    quote: str
    settle: str
    expiry: datetime | None

    @property
    def chain(self) -> str:
        """What a dated contract and its successors have in common."""
        return f"{self.base}/{self.quote}:{self.settle}"

    @property
    def linear(self) -> bool:
        """Settled in the currency it is quoted in."""
        return self.quote == self.settle

    @property
    def inverse(self) -> bool:
        """Settled in the coin that it is on."""
        return self.base == self.settle != self.quote


def parse_symbol(symbol: str) -> ContractSymbol | None:
    """The parts of a perpetual's or dated future's symbol, or None if it is neither (spot, option, garbage)."""
    match = _SYMBOL.fullmatch(symbol)
    if match is None:
        return None
    expiry = None
    if match["date"] is not None:
        try:
            expiry = datetime.strptime(match["date"], "%y%m%d").replace(hour=_SETTLEMENT_HOUR, tzinfo=UTC)
        except ValueError:
            return None
    return ContractSymbol(match["base"], match["quote"], match["settle"], expiry)


def dated_symbol(chain: str, expiry: datetime) -> str:
    """The unified symbol of the contract of this chain that expires then."""
    return f"{chain}-{expiry:%y%m%d}"
