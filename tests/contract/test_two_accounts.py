"""Two accounts at one venue share what it lists: each reads as if it were alone, whoever loaded the markets."""

from __future__ import annotations

import pytest

from hedged.adapters.exchanges.ccxt_account import CcxtVenue, open_ccxt
from hedged.adapters.exchanges.ccxt_connection import MARKETS_AGE_MAX
from hedged.adapters.exchanges.listing import Listing
from tests.venues.benches import BENCHES
from tests.venues.binance_bench import pki

LOADS = 2  # the first, and one when that is too old to go by


async def seen(venue: CcxtVenue) -> list[object]:
    """All that an account is read for, without its own name and the times."""
    assert venue.reader is not None
    contracts = await venue.market.instruments()
    quotes = await venue.market.quotes(sorted(contracts))
    derivatives = (await venue.reader.derivatives()).value
    return [
        sorted(name.partition(":")[2] for name in contracts),
        {name.partition(":")[2]: quote.value for name, quote in quotes.items()},
        [sorted((await venue.reader.balances(wallet)).value, key=str) for wallet in venue.reader.wallets],
        {each.instrument.partition(":")[2]: (each.contracts, each.trusted) for each in derivatives.positions},
        derivatives.margin,
        {coin: price.value for coin, price in (await venue.market.prices(["BTC", "ETH", "SOL"], "USDT")).items()},
    ]


@pytest.mark.parametrize("venue", BENCHES)
async def test_a_second_account_reads_what_the_first_does(venue: str) -> None:
    """With markets that the other has loaded, at first and anew, when they swap places."""
    module = BENCHES[venue]
    async with module.bench() as it:
        ca_file, _, _ = pki()
        listing = Listing(it.clock)
        accounts = [
            await open_ccxt(
                name,
                venue,
                module.WALLETS,
                getattr(module, "KEYS", None),
                clock=it.clock,
                connect_to=it.server.connect_to,
                ca_file=ca_file,
                listing=listing,
            )
            for name in ("one", "other")
        ]
        try:
            for _ in range(LOADS):
                told = []
                for account in accounts:
                    told.append(await seen(account))
                    it.clock.advance(1)  # a nonce has to be larger than every one before it
                assert told[0] == told[1]
                accounts.reverse()
                it.clock.advance(MARKETS_AGE_MAX + 1)
        finally:
            for account in accounts:
                await account.close()
