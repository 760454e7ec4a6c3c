"""One account at an exchange, read through ccxt behind the guard. This version reads only."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from hedged.adapters.exchanges import dialects
from hedged.adapters.exchanges.ccxt_candles import CcxtCandleReader
from hedged.adapters.exchanges.ccxt_connection import VenueLine
from hedged.adapters.exchanges.ccxt_market import CcxtMarketReader
from hedged.adapters.exchanges.ccxt_payments import CcxtPaymentReader
from hedged.adapters.exchanges.ccxt_reader import CcxtAccountReader
from hedged.adapters.exchanges.ccxt_streams import CcxtStreams, Watched
from hedged.adapters.exchanges.dialects.base import Connection, Dialect, Markets
from hedged.adapters.exchanges.guard import Guard, Saying
from hedged.adapters.exchanges.limiter import Limiter, Meter
from hedged.adapters.exchanges.listing import Listing
from hedged.adapters.exchanges.rounding import in_own_context
from hedged.adapters.exchanges.shapes import milliseconds
from hedged.adapters.exchanges.shared_call import SharedCalls
from hedged.adapters.exchanges.stream_session import StreamOpening
from hedged.adapters.exchanges.tier_book import Tiers
from hedged.adapters.exchanges.transport import open_session
from hedged.errors import ConfigurationError
from hedged.model.instrument import InstrumentId
from hedged.model.permissions import Permissions
from hedged.ports import AccountReader, CandleReader, Clock, MarketReader, PaymentReader

CREDENTIAL_NAMES = ("apiKey", "secret", "password", "walletAddress", "privateKey")
_PLACES_MAX = 40  # decimal places of a price or an amount; the most of any venue is 18


class CcxtVenue:
    """The readers of one account. Without credentials only public data is read: `reader` and `payments` are None."""

    def __init__(
        self,
        line: VenueLine,
        wire: Wire,
        reader: AccountReader | None,
        streaming: StreamOpening,
    ) -> None:
        self.market: MarketReader = CcxtMarketReader(line)
        self.candles: CandleReader = CcxtCandleReader(line, wire.limiter)
        self.reader = reader
        self.payments: PaymentReader | None = None if reader is None else CcxtPaymentReader(line, wire.limiter)
        self._line = line
        self._session = wire.session
        self._meter = wire.meter
        self._streaming = streaming

    @property
    def skew_seconds(self) -> float | None:
        """Our clock − the venue's when last measured, at most ten minutes before the last signed call.

        None before the first one, which is also the first that needs it.
        """
        return self._line.skew_seconds

    async def clock_skew(self) -> float | None:
        """Our clock − the venue's, measured now. Raises `VenueError`."""
        async with self._line.reading("server time"):
            await self._line.synchronise()
        return self._line.skew_seconds

    @property
    def weight(self) -> float:
        """Request weight spent since the start, in ccxt's units of the venue: readers and streams, not orders."""
        return self._meter.weight

    @property
    def requests(self) -> int:
        """How many requests that were."""
        return self._meter.requests

    async def permissions(self) -> Permissions | None:
        """What the key may do; None without a key and where the venue does not tell. Raises `VenueError`."""
        if self.reader is None:
            return None
        line = self._line
        async with line.reading("key permissions"):
            return await line.signed(lambda: line.dialect.permissions(line.connection))

    async def hedge_mode(self, names: Collection[InstrumentId] = ()) -> bool | None:
        """Whether longs and shorts in these contracts (none: in any) would be kept apart. Raises `VenueError`.

        None: only an open position shows it.
        """
        if self.reader is None:
            return None
        line = self._line
        wanted = {}
        if names:
            markets = await line.markets()
            wanted = {
                markets.market_ids[name]: markets.instruments[name] for name in names if name in markets.instruments
            }
        async with line.reading("position mode"):
            return await line.signed(lambda: line.dialect.hedge_mode(line.connection, wanted))

    @property
    def hedge_words(self) -> str:
        """Why an account in hedge mode is refused, with the way out."""
        return self._line.dialect.hedge_words

    async def markets(self) -> Markets:
        """What the venue lists, as the readers know it. Raises `VenueError`."""
        return await self._line.markets()

    def streams(self, watched: Watched, clock: Clock) -> CcxtStreams:
        """The account's streams between polls; nothing is imported or sent before they run."""
        return CcxtStreams(self._line, self._streaming, watched, clock)

    async def close(self) -> None:
        """End what is running and close the connections."""
        await self._line.close()
        await self._session.close()


async def open_ccxt(
    account: str,
    exchange: str,
    wallets: Sequence[str],
    credentials: Mapping[str, str] | None,
    *,
    clock: Clock,
    sandbox: bool = False,
    connect_to: str | None = None,
    ca_file: Path | None = None,
    time_limit: float = 10.0,
    tiers: Tiers | None = None,
    listing: Listing | None = None,
) -> CcxtVenue:
    """Readers for one account; sends nothing yet, so a venue that is down is `Unreachable` in the cycle, not here.

    `exchange` is a ccxt id that has a dialect. `time_limit` bounds every read, in seconds. `tiers` are the user's own
    margin tiers, which go before the venue's; `listing` is shared by the accounts of one venue. Raises
    `ConfigurationError` for an exchange or wallets that cannot be read, incomplete credentials, and a `connect_to`
    beyond this machine.
    """
    dialect = find_dialect(account, exchange, wallets)
    wire = connect(
        account,
        dialect,
        dialect,
        credentials,
        clock=clock,
        sandbox=sandbox,
        connect_to=connect_to,
        ca_file=ca_file,
        time_limit=time_limit,
    )
    connection = Connection(account, wire.exchange, clock, SharedCalls())
    line = VenueLine(connection, dialect, wire.errors, time_limit, tiers, listing=listing)
    reader = CcxtAccountReader(line, wallets) if credentials is not None else None
    streaming = StreamOpening(frozenset(wallets), wire.keys, sandbox, connect_to, ca_file, 0.9 * time_limit, wire.meter)
    return CcxtVenue(line, wire, reader, streaming)


@dataclass(frozen=True, slots=True)
class Wire:
    """ccxt's instance of one venue, its table of errors, and the session under it: one queue, one guard."""

    exchange: Any
    errors: Any  # ccxt.base.errors
    session: aiohttp.ClientSession
    limiter: Limiter
    meter: Meter
    keys: Mapping[str, str] = field(repr=False)


def connect(
    account: str,
    dialect: Dialect,
    saying: Saying,
    credentials: Mapping[str, str] | None,
    *,
    clock: Clock,
    sandbox: bool,
    connect_to: str | None,
    ca_file: Path | None,
    time_limit: float,
) -> Wire:
    """An instance of ccxt for nothing but what `saying` lists. Sends nothing. Raises `ConfigurationError`."""
    errors = importlib.import_module("ccxt.base.errors")
    venue, keys = instance(account, dialect, credentials, sandbox=sandbox)
    session = open_session(account, connect_to, ca_file)
    meter = Meter()
    limiter = Limiter(clock, burst=dialect.burst, per_second=1000 / venue.rateLimit, meter=meter)
    _take_over(venue, dialect, clock, session, limiter)
    guard = Guard(
        account,
        venue,
        errors,
        saying,
        clock=clock,
        session=session,
        secrets=keys.values(),
        time_limit=0.9 * time_limit,  # less than a read's, so that the message names the very request
    )
    venue.fetch = guard.fetch
    return Wire(venue, errors, session, limiter, meter, keys)


def instance(
    account: str, dialect: Dialect, credentials: Mapping[str, str] | None, *, sandbox: bool
) -> tuple[Any, Mapping[str, str]]:
    """The venue as ccxt has it, not connected, and the keys in it. Raises `ConfigurationError` for what is no key."""
    async_ccxt = importlib.import_module("ccxt.async_support")  # 0.6 s and 100 MB: only where an account needs it
    keys = {name: credentials[name] for name in CREDENTIAL_NAMES if name in credentials} if credentials else {}
    venue = getattr(async_ccxt, dialect.exchange)({**dialect.config, **keys, "timeout_on_exit": 0})
    if credentials is not None:
        _check_credentials(account, venue)
    if sandbox:
        dialect.use_sandbox(venue)
    dialect.prepare(venue)
    return venue, keys


def check_account(
    account: str, exchange: str, wallets: Sequence[str], credentials: Mapping[str, str] | None, *, sandbox: bool
) -> None:
    """Whether `open_ccxt` would take this account and its keys. Opens nothing. Raises `ConfigurationError`."""
    dialect = find_dialect(account, exchange, wallets)
    if credentials is not None or sandbox:
        instance(account, dialect, credentials, sandbox=sandbox)


def find_dialect(account: str, exchange: str, wallets: Sequence[str]) -> Dialect:
    """The dialect for reading these wallets. Raises `ConfigurationError`."""
    known = dialects.find(exchange)
    if known is None:
        listed = ", ".join(sorted(dialects.exchanges()))
        raise ConfigurationError(f"account {account}: exchange = {exchange}  one that can be read: {listed}")
    problems = [
        f"account {account}: wallets = {wallet}  for {exchange} one of: {', '.join(sorted(known.wallets))}"
        for wallet in wallets
        if wallet not in known.wallets
    ]
    if problems:
        raise ConfigurationError(*problems)
    dialect = known()
    dialect.use_wallets(account, wallets)
    return dialect


def _check_credentials(account: str, venue: Any) -> None:
    missing = [name for name, needed in venue.requiredCredentials.items() if needed and not getattr(venue, name, None)]
    if missing:
        problem = f"account {account}: the credentials file lacks {', '.join(missing)}, which {venue.id} needs"
        hint = "; password is the passphrase that was chosen with the key" if "password" in missing else ""
        raise ConfigurationError(problem + hint)


def _take_over(venue: Any, dialect: Dialect, clock: Clock, session: aiohttp.ClientSession, limiter: Limiter) -> None:
    """Our session, our clock, our limiter, and numbers as text so that no digit is lost."""
    venue.session, venue.own_session = session, False
    venue.number = str
    venue.decimal_to_precision = in_own_context(venue.decimal_to_precision)
    venue.parse_precision = functools.partial(_parse_precision, venue.parse_precision)
    venue.milliseconds = lambda: milliseconds(clock.now())
    venue.throttle = limiter.acquire


def _parse_precision(written_out: Callable[[str | None], str | None], places: str | None) -> str | None:
    """As ccxt's `parse_precision`, but None for what is no precision: it would write zeros for hours for 10⁹."""
    return None if places is not None and abs(int(places)) > _PLACES_MAX else written_out(places)
