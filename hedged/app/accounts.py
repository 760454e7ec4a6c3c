"""Accounts: readers, lines for orders, and what has to be true of a key before it is used."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING

import structlog

from hedged.act.go_live import kept, stands_in_the_way
from hedged.daemon.exchanges import Exchanges
from hedged.daemon.keys import KeyWatch
from hedged.daemon.one_way import in_hedge_mode
from hedged.errors import ConfigurationError, VenueError
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.policy import Mode, World
from hedged.model.snapshot import Balance
from hedged.ports import (
    AccountReader,
    Clock,
    MarketReader,
    Store,
)
from hedged.settings import Settings
from hedged.settings.digest import trading_digest
from hedged.settings.keys import order_keys, usable_keys

if TYPE_CHECKING:
    from hedged.adapters.exchanges.ccxt_streams import Watched
    from hedged.adapters.exchanges.listing import Listing
    from hedged.adapters.exchanges.live import LiveGateway
    from hedged.adapters.exchanges.simulated import SimulatedExchange
    from hedged.settings.schema import AccountSettings

log = structlog.get_logger(__name__)


async def open_exchanges(settings: Settings, store: Store, clock: Clock) -> Exchanges:
    """Readers of every account. Nothing is sent yet: a venue that is down is a finding of the first cycle."""
    from hedged.adapters.exchanges.listing import Listing
    from hedged.adapters.exchanges.tiers import WithTiers

    exchanges = Exchanges()
    tiers = settings.policy().tiers
    listings: dict[tuple[object, ...], Listing] = {}  # one for each venue, also where several accounts are there
    try:
        for account in settings.accounts:
            market: MarketReader
            reader: AccountReader | None
            if account.exchange == "simulated":
                simulated = await _open_simulated(account, store, clock)
                market, reader, exchanges.candles[account.name] = simulated, simulated, simulated
                exchanges.clocks[account.name] = simulated
            else:
                key = (account.exchange, account.sandbox, account.connect_to)
                listing = listings.setdefault(key, Listing(clock))
                market, reader = await _open_ccxt(account, settings, exchanges, clock, listing)
            exchanges.markets[account.name] = WithTiers(market, tiers) if tiers else market
            if reader is not None:
                exchanges.readers[account.name] = reader
    except BaseException:
        await exchanges.close()
        raise
    return exchanges


def sending_accounts(settings: Settings) -> frozenset[str]:
    """Names of the accounts that real orders may go to."""
    return frozenset(legs_by_account(settings, Mode.APPROVE, Mode.LIVE))


def legs_by_account(settings: Settings, *modes: Mode) -> dict[str, list[InstrumentId]]:
    """The contracts of the hedges in these modes, by the account that they are at."""
    found: dict[str, list[InstrumentId]] = {}
    for hedge in settings.policy().hedges:
        for leg in hedge.legs if hedge.mode in modes else ():
            found.setdefault(leg.instrument.partition(":")[0], []).append(leg.instrument)
    return found


async def require_one_way(settings: Settings, exchanges: Exchanges) -> None:
    """No hedge is traded on an account in hedge mode. Raises `ConfigurationError` where the venue tells that one is."""
    hedged = await in_hedge_mode(exchanges.venues, legs_by_account(settings, Mode.APPROVE, Mode.LIVE))
    if hedged:
        raise ConfigurationError(*(f"{settings.path}: account {name}: {words}" for name, words in hedged.items()))


async def require_go_live(settings: Settings, store: Store) -> None:
    """Real money is traded live only after everything was in order. Raises `ConfigurationError` and `StoreError`."""
    live = [hedge.name for hedge in settings.policy().hedges if hedge.mode is Mode.LIVE]
    if not live or settings.world is not World.REAL:
        return
    why = stands_in_the_way(await kept(store), trading_digest(settings.document))
    if why is not None:
        raise ConfigurationError(f'{settings.path}: {", ".join(live)}: mode = "live", but {why}')


async def open_gateways(settings: Settings, exchanges: Exchanges, clock: Clock) -> None:
    """A line for orders to each account on which a hedge may trade; sends nothing. Raises `ConfigurationError`."""
    from hedged.adapters.exchanges.simulated import SimulatedExchange

    sending = sending_accounts(settings)
    for account in settings.accounts:
        if account.name not in sending:
            continue
        reader = exchanges.readers.get(account.name)
        if isinstance(reader, SimulatedExchange):
            exchanges.gateways[account.name] = reader
        else:
            line = await _open_line(account, settings, exchanges, clock)
            exchanges.gateways[account.name] = exchanges.books[account.name] = line


async def _open_line(account: AccountSettings, settings: Settings, exchanges: Exchanges, clock: Clock) -> LiveGateway:
    from hedged.adapters.exchanges.ccxt_orders import open_ccxt_orders
    from hedged.adapters.exchanges.live import LiveGateway
    from hedged.adapters.store.lock import lock_key

    venue = exchanges.venues[account.name]
    keys = order_keys(account, settings.credentials(), settings.path)
    where = (account.exchange, str(account.sandbox), account.connect_to or "")
    locks, why = lock_key(settings.state_directory(), account.name, (*where, _public(keys.reveal())))
    exchanges.releasers += [lock.release for lock in locks]
    if why is not None:
        log.info("a daemon of another user with the same key would not be seen", account=account.name, why=why)
    line = await open_ccxt_orders(
        venue,
        account.name,
        account.exchange,
        account.wallets,
        keys.reveal(),
        clock=clock,
        sandbox=account.sandbox,
        connect_to=account.connect_to,
        ca_file=account.ca_file,
    )
    exchanges.closers.append(line.close)

    async def listed(instrument: InstrumentId) -> Instrument | None:
        try:
            return (await venue.markets()).instruments.get(instrument)
        except VenueError:
            return None

    return LiveGateway(line, listed, clock, countdown=settings.limits.countdown, traded=_traded(settings, account.name))


def sending_instruments(settings: Settings) -> set[InstrumentId]:
    """All contracts on which hedges may send orders."""
    return {leg for legs in legs_by_account(settings, Mode.APPROVE, Mode.LIVE).values() for leg in legs}


def _traded(settings: Settings, account: str) -> frozenset[InstrumentId]:
    """The contracts of this account on which hedges may send orders."""
    return frozenset(legs_by_account(settings, Mode.APPROVE, Mode.LIVE).get(account, ()))


async def watch_keys(settings: Settings, exchanges: Exchanges, clock: Clock) -> KeyWatch:
    """What the keys may do, as far as the venues tell. Raises `ConfigurationError` for keys that can withdraw."""
    keyed = {name: venue for name, venue in exchanges.venues.items() if venue.reader is not None}
    confirmed = {account.name: account.withdraw_disabled_confirmed for account in settings.accounts}
    keys = KeyWatch(keyed, confirmed, clock, exchanges.unkeyed)
    await keys.check()
    problems = [
        f"{settings.path}: account {name}: its key may withdraw, so hedged does not use it: "
        "make one that can read and nothing else"
        for name in keys.withdrawing()
    ]
    if problems:
        raise ConfigurationError(*problems)
    return keys


def live_accounts(settings: Settings) -> frozenset[str]:
    """Names of the accounts on which real money is traded without asking anybody."""
    if settings.world is not World.REAL:
        return frozenset()
    return frozenset(legs_by_account(settings, Mode.LIVE))


def require_keys(settings: Settings, keys: KeyWatch, now: datetime) -> None:
    """Live needs keys that may trade and not withdraw, also long after `go-live`. Raises `ConfigurationError`."""
    if problems := keys.refused(sorted(live_accounts(settings)), now):
        raise ConfigurationError(*(f'{settings.path}: mode = "live", but {problem}' for problem in problems))


async def _open_ccxt(
    account: AccountSettings, settings: Settings, exchanges: Exchanges, clock: Clock, listing: Listing
) -> tuple[MarketReader, AccountReader | None]:
    from hedged.adapters.exchanges.ccxt_account import open_ccxt

    keys = usable_keys(account, settings.credentials(), settings.path)
    if keys is not None:
        _refuse_twice(account, keys.reveal(), settings, exchanges)
    venue = await open_ccxt(
        account.name,
        account.exchange,
        account.wallets,
        keys.reveal() if keys is not None else None,
        clock=clock,
        sandbox=account.sandbox,
        connect_to=account.connect_to,
        ca_file=account.ca_file,
        tiers=settings.policy().tiers,
        listing=listing,
    )
    exchanges.closers.append(venue.close)
    exchanges.venues[account.name] = exchanges.clocks[account.name] = venue
    if settings.schedule.streams:
        exchanges.streams[account.name] = venue.streams(_watched(account.name, settings), clock)
    exchanges.candles[account.name] = venue.candles
    if keys is None:
        places = exchanges.unkeyed[account.name] = settings.credentials().places_of(account.name)
        log.warning("no key: only public prices are read", account=account.name, looked_for=[str(p) for p in places])
    return venue.market, venue.reader


def _refuse_twice(account: AccountSettings, keys: Mapping[str, str], settings: Settings, exchanges: Exchanges) -> None:
    """One key under two accounts is one account read twice: its positions would count as hedge and as exposure."""
    own = account.exchange, _public(keys)
    other = exchanges.owners.setdefault(own, account.name)
    if other != account.name:
        raise ConfigurationError(
            f"{settings.path}: accounts {other} and {account.name} have the same key, so all they hold would count "
            "twice: make one account of them, with the wallets of both"
        )


def _public(keys: Mapping[str, str]) -> str:
    """What tells one key from another."""
    return keys.get("walletAddress") or keys.get("apiKey", "")


def _watched(account: str, settings: Settings) -> Watched:
    """The contracts that hedges name on this account, and the spot prices of what these hedges hold."""
    from hedged.adapters.exchanges.ccxt_streams import Watched

    policy = settings.policy()
    contracts: dict[str, None] = {}
    spot: dict[str, None] = {}
    for hedge in policy.hedges:
        named = [leg.instrument for leg in hedge.legs if leg.instrument.startswith(f"{account}:")]
        if named:
            contracts |= dict.fromkeys(instrument.removeprefix(f"{account}:") for instrument in named)
            spot |= dict.fromkeys(f"{asset}/{policy.quote}" for asset in hedge.assets)
    return Watched(tuple(contracts), tuple(spot), float(settings.schedule.jump))


async def _open_simulated(account: AccountSettings, store: Store, clock: Clock) -> SimulatedExchange:
    """A simulated market goes on after a restart where it would have been: its anchor is kept in the store."""
    from hedged.adapters.exchanges.simulated import SimulatedExchange
    from hedged.simulation.market import SimulatedMarket
    from hedged.simulation.venue import SimulatedVenue

    key = f"simulation/{account.name}"
    kept = await store.get_blob(key)
    if kept is None:
        kept = {"anchor": clock.now().isoformat()}
        await store.put_blob(key, kept, clock.now())
    anchor = datetime.fromisoformat(str(kept["anchor"]))
    spot = tuple(Balance(asset=asset, free=quantity) for asset, quantity in account.balances.items())
    market = SimulatedMarket(account.seed, anchor, account.scenario)
    venue = SimulatedVenue(market, clock, account=account.name, balances={"spot": spot}, cash=account.cash)
    return SimulatedExchange(venue, clock)
