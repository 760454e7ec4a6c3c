"""The coins and contracts of the simulated venue, and its calendar of dated futures."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache

from hedged.model.instrument import ContractKind, Instrument, MarginTier, instrument_id

QUOTE = "USDT"
FEE_TAKER = Decimal("0.0005")
_HOUR_OF_EXPIRY = 8  # UTC

# Stricter than most venues, so that a squeeze is seen coming rather than happening at once.
TIERS = (
    MarginTier(Decimal(0), Decimal("0.05"), Decimal(10)),
    MarginTier(Decimal(250_000), Decimal("0.075"), Decimal(5)),
    MarginTier(Decimal(1_000_000), Decimal("0.1"), Decimal(4)),
)


@dataclass(frozen=True, slots=True)
class Coin:
    """One asset. `beta` to the market factor; volatilities are fractions a day."""

    asset: str
    start: float  # price in USDT at the anchor
    tick: Decimal
    beta: float
    own_volatility: float
    jump_size: float = 0.06  # standard deviation of its own jumps, log
    stable: bool = False  # strays within the day only
    lot: Decimal = Decimal("0.001")


COINS = (
    Coin("BTC", 60_000.0, Decimal("0.1"), 0.85, 0.008, jump_size=0.03, lot=Decimal("0.0001")),
    Coin("ETH", 3_000.0, Decimal("0.01"), 1.0, 0.012, jump_size=0.04),
    Coin("SOL", 150.0, Decimal("0.001"), 1.25, 0.024, lot=Decimal("0.01")),
    Coin("LINK", 15.0, Decimal("0.0001"), 1.1, 0.024, lot=Decimal("0.1")),
    Coin("UNI", 8.0, Decimal("0.0001"), 1.15, 0.028, lot=Decimal("0.1")),
    Coin("AAVE", 120.0, Decimal("0.01"), 1.15, 0.028, lot=Decimal("0.01")),
    Coin("AVAX", 30.0, Decimal("0.001"), 1.2, 0.026, lot=Decimal("0.1")),
    Coin("DOGE", 0.15, Decimal("0.00001"), 1.1, 0.032, lot=Decimal(1)),
    Coin("XRP", 0.6, Decimal("0.0001"), 0.95, 0.026, lot=Decimal("0.1")),
    Coin("ADA", 0.5, Decimal("0.0001"), 1.1, 0.024, lot=Decimal(1)),
    Coin("USDC", 1.0, Decimal("0.0001"), 0.0, 0.0003, jump_size=0.0, stable=True),
)
COLUMN = {coin.asset: column for column, coin in enumerate(COINS)}
FUTURES = {"BTC": Decimal("0.01"), "ETH": Decimal("0.1")}  # micro contracts: coins per contract


def perpetual_symbol(asset: str) -> str:
    return f"{asset}/{QUOTE}:{QUOTE}"


def future_symbol(asset: str, expiry: datetime) -> str:
    return f"{asset}/{QUOTE}:{QUOTE}-{expiry:%y%m%d}"


def quarterly_expiries(after: datetime, count: int) -> tuple[datetime, ...]:
    """The next `count` last Fridays of a quarter, 08:00 UTC, strictly after `after`."""
    expiries: list[datetime] = []
    year, quarter = after.year, (after.month - 1) // 3
    while len(expiries) < count:
        expiry = _last_friday(year, quarter)
        if expiry > after:
            expiries.append(expiry)
        year, quarter = (year, quarter + 1) if quarter < 3 else (year + 1, 0)
    return tuple(expiries)


def _last_friday(year: int, quarter: int) -> datetime:
    next_quarter = datetime(year + (quarter == 3), (quarter + 1) % 4 * 3 + 1, 1, _HOUR_OF_EXPIRY, tzinfo=UTC)
    last_day = next_quarter - timedelta(days=1)
    return last_day - timedelta(days=(last_day.weekday() - 4) % 7)


@lru_cache(maxsize=256)
def expiry_of(symbol: str) -> datetime | None:
    """When a dated symbol expires; None for a perpetual."""
    _, dated, date = symbol.partition("-")
    if not dated:
        return None
    return datetime.strptime(date, "%y%m%d").replace(hour=_HOUR_OF_EXPIRY, tzinfo=UTC)


def base_of(symbol: str) -> str:
    return symbol.partition("/")[0]


def listed_symbols(at: datetime) -> tuple[str, ...]:
    """A perpetual on every coin that is not stable, and the next two quarterly futures on BTC and ETH."""
    return _listing(quarterly_expiries(at, 2))


def list_instruments(account: str, at: datetime) -> tuple[Instrument, ...]:
    """The contracts listed at `at`, with the venue's rules."""
    return _instruments(account, quarterly_expiries(at, 2))


@lru_cache(maxsize=8)
def _instruments(account: str, expiries: tuple[datetime, ...]) -> tuple[Instrument, ...]:
    listing = _listing(expiries)
    return tuple(_instrument(account, COINS[COLUMN[base_of(symbol)]], symbol) for symbol in listing)


@lru_cache(maxsize=8)
def _listing(expiries: tuple[datetime, ...]) -> tuple[str, ...]:
    perpetuals = (perpetual_symbol(coin.asset) for coin in COINS if not coin.stable)
    futures = (future_symbol(asset, expiry) for expiry in expiries for asset in FUTURES)
    return (*perpetuals, *futures)


def _instrument(account: str, coin: Coin, symbol: str) -> Instrument:
    expiry = expiry_of(symbol)
    return Instrument(
        id=instrument_id(account, symbol),
        account=account,
        symbol=symbol,
        kind=ContractKind.FUTURE if expiry else ContractKind.PERPETUAL,
        base=coin.asset,
        quote=QUOTE,
        settle=QUOTE,
        multiplier=FUTURES[coin.asset] if expiry else Decimal(1),
        tick_size=coin.tick,
        lot_size=Decimal(1) if expiry else coin.lot,
        quantity_min=Decimal(1) if expiry else coin.lot,
        notional_min=Decimal(5),
        expiry=expiry,
        fee_taker=FEE_TAKER,
        tiers=TIERS,
    )
