"""Real ccxt over real TLS to a local Coinbase: coins, nano contracts, margin; both kinds of keys."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hedged.adapters.exchanges.ccxt_account import open_ccxt
from hedged.errors import ConfigurationError, Refused, Unreachable, Unreadable
from hedged.model.instrument import ContractKind, InstrumentId
from hedged.model.permissions import Permissions
from hedged.model.snapshot import Balance, Derivatives, Doubt, Margin, Position
from tests.support import T0, ManualClock
from tests.venues.bench import Bench
from tests.venues.coinbase_bench import DATED, ED_KEYS, KEYS, PERPETUAL, WALLETS, bench
from tests.venues.coinbase_server import CoinbaseServer
from tests.venues.coinbase_venue import Held

D = Decimal
It = Bench[CoinbaseServer]
API = "/api/v3/brokerage"
BIG = InstrumentId("main:BTI-24DEC26-CDE")
_ANOTHER_SECRET = (
    ec.generate_private_key(ec.SECP256R1())
    .private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    .decode()
)


@pytest.mark.parametrize("keys", [KEYS, ED_KEYS], ids=["ES256", "Ed25519"])
async def test_a_full_read_takes_the_fewest_requests(keys: dict[str, str]) -> None:
    """Ten requests for the first full read with either kind of key, seven for each later one, none of them a write."""
    warm = [
        f"{API}/accounts",
        f"{API}/cfm/balance_summary",
        f"{API}/cfm/positions",
        *[f"{API}/market/product_book"] * 2,
        *[f"{API}/market/products"] * 2,
    ]
    async with bench(credentials=keys) as it:
        await it.market.instruments()
        await _read_everything(it)
        assert sorted(it.paths()) == sorted([*warm, *[f"{API}/market/products"] * 2, f"{API}/time"])
        it.clock.advance(60)
        await _read_everything(it)
        assert sorted(it.paths()) == sorted(warm)
        assert it.server.writes == []


async def _read_everything(it: It) -> None:
    await asyncio.gather(
        *(it.reader.balances(wallet) for wallet in it.reader.wallets),
        it.reader.derivatives(),
        it.market.quotes([PERPETUAL, DATED]),
        it.market.prices(["ETH", "SOL"], "USD"),
    )


async def test_lists_contracts_with_their_rules() -> None:
    """A nano contract is a hundredth of a bitcoin or a tenth of an ether; a perpetual-style one ends in 2030."""
    async with bench() as it:
        it.truth.halted = {"ETP-20DEC30-CDE"}
        instruments = await it.market.instruments()
    bitcoin, dated_bitcoin = InstrumentId("main:BTC/USD:USD"), InstrumentId("main:BTC/USD:USD-261224")
    assert {name: each.multiplier for name, each in instruments.items()} == {
        bitcoin: D("0.01"),
        dated_bitcoin: D("0.01"),
        BIG: 1,
        PERPETUAL: D("0.1"),
        DATED: D("0.1"),
    }
    ether = instruments[PERPETUAL]
    assert (ether.kind, ether.linear, ether.base, ether.quote, ether.settle) == (
        ContractKind.PERPETUAL, True, "ETH", "USD", "USD",
    )  # fmt: skip
    assert (ether.lot_size, ether.quantity_min, ether.tick_size) == (1, 1, D("0.5"))
    assert (ether.expiry, ether.delisting) == (None, datetime(2030, 12, 20, tzinfo=UTC))
    assert (ether.trading, instruments[bitcoin].trading) == (False, True)
    assert instruments[DATED].kind is ContractKind.FUTURE
    assert instruments[DATED].expiry == datetime(2026, 12, 24, 16, tzinfo=UTC)
    assert instruments[DATED].delisting is None


async def test_contracts_that_differ_only_in_size_are_told_apart() -> None:
    """ccxt names them alike: the smallest keeps the name whatever the order, the larger goes by the venue's own."""
    async with bench() as it:
        listed = it.truth.products

        def backwards(kind: str, ids: list[str]) -> dict[str, Any]:
            return {"products": listed(kind, ids)["products"][::-1]}

        first = await it.market.instruments()
        it.truth.products = backwards
        await it.opened._line._load_markets()
        assert await it.market.instruments() == first
        it.truth.positions = {"BTI-24DEC26-CDE": Held(D(-2), D(60000)), "BIT-24DEC26-CDE": Held(D(3), D(60000))}
        positions = (await it.reader.derivatives()).value.positions
    assert {position.instrument: position.contracts for position in positions} == {
        BIG: -2,
        "main:BTC/USD:USD-261224": 3,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"contract_size": "0"},
        {"contract_size": ""},
        {"contract_expiry": None},
        {"contract_expiry": "soon"},
        {"contract_root_unit": None},
        {"quote_currency_id": "EUR"},
        {"price_increment": ""},
        {"trading_disabled": None},
    ],
    ids=str,
)
async def test_a_contract_whose_rules_are_not_clear_is_left_out(change: dict[str, Any]) -> None:
    """Without a size or its date it cannot be read; the rest stay."""
    async with bench() as it:
        rows = it.truth.products("FUTURE", [])["products"]
        for row in rows:
            if row["product_id"] == "ET-24DEC26-CDE":
                (row if change.keys() <= row.keys() else row["future_product_details"]).update(change)
        it.truth.products = lambda kind, ids: {"products": rows if kind == "FUTURE" else []}
        instruments = await it.market.instruments()
    assert DATED not in instruments
    assert PERPETUAL in instruments


@pytest.mark.parametrize(("code", "listed"), [("BTI", {BIG}), ("NEW", {"main:NEW-24DEC26-CDE"})])
async def test_the_name_of_a_contract_whose_size_is_not_clear_passes_to_no_other(code: str, listed: set[str]) -> None:
    """What was the nano contract must not become one a hundred times as large, also of a code not known before."""
    async with bench() as it:
        rows = it.truth.products("FUTURE", [])["products"][:2]
        rows[0]["future_product_details"]["contract_size"] = ""
        rows[1]["product_id"] = f"{code}-24DEC26-CDE"
        it.truth.products = lambda kind, ids: {"products": rows if kind == "FUTURE" else []}
        instruments = await it.market.instruments()
    assert set(instruments) == listed


async def test_a_full_size_contract_has_its_own_name_also_by_itself() -> None:
    """Its name does not change with what else is listed."""
    async with bench() as it:
        rows = it.truth.products("FUTURE", [])["products"][1:2]
        it.truth.products = lambda kind, ids: {"products": rows if kind == "FUTURE" else []}
        assert {name: each.multiplier for name, each in (await it.market.instruments()).items()} == {BIG: 1}


async def test_a_list_of_contracts_that_fails_is_not_taken_for_an_empty_one() -> None:
    """ccxt would go on with the spot markets alone."""
    async with bench() as it:
        listed = it.truth.products

        def failing(kind: str, ids: list[str]) -> dict[str, Any]:
            return listed(kind, ids) if kind == "SPOT" else {"error": "INTERNAL", "message": "try again"}

        it.truth.products = failing
        with pytest.raises(Unreachable, match="main: markets"):
            await it.market.instruments()


async def test_quotes_carry_mark_book_index_and_funding() -> None:
    """The mark is the middle of the book; quotes are of the book's time; dated contracts pay nothing."""
    async with bench() as it:
        it.truth.now = lambda: 1793620799000  # 2026-11-02 11:59:59: a second before our clock
        quotes = await it.market.quotes([PERPETUAL, DATED, InstrumentId("main:NONE/USD:USD")])
    assert set(quotes) == {PERPETUAL, DATED}
    quote = quotes[PERPETUAL].value
    assert quotes[PERPETUAL].as_of == datetime(2026, 11, 2, 11, 59, 59, tzinfo=UTC)
    assert (quote.mark, quote.index, quote.bid, quote.ask) == (3001, 3000, D("3000.5"), D("3001.5"))
    assert (quote.funding_rate, quote.funding_interval_hours) == (D("0.00001"), 1)
    assert quote.funding_next == datetime(2026, 11, 2, 12, tzinfo=UTC)
    dated = quotes[DATED].value
    assert (dated.mark, dated.funding_rate, dated.funding_next) == (3030, None, None)


async def test_without_a_book_the_last_trade_is_the_mark() -> None:
    """While nobody quotes there is neither bid nor ask; a contract that never traded has no quote at all."""
    async with bench() as it:
        it.truth.mids["ETP-20DEC30-CDE"] = None
        quote = (await it.market.quotes([PERPETUAL]))[PERPETUAL].value
        assert (quote.mark, quote.bid, quote.ask) == (3000, None, None)
        it.truth.prices["ETH"] = D(0)
        assert await it.market.quotes([PERPETUAL]) == {}


async def test_books_are_asked_for_only_where_contracts_are_few() -> None:
    """Each is a request of its own: a long list is quoted by its marks alone."""
    async with bench() as it:
        markets = await it.opened._line.markets()
        it.paths()
        many = {f"{name}-{number}": each for number in range(11) for name, each in list(markets.contracts.items())[:1]}
        many |= markets.contracts
        quotes = await it.dialect.quotes(it.connection, many)
        assert it.paths() == [f"{API}/market/products"]
    assert {quote.value.bid for quote in quotes.values()} == {None}
    assert quotes[PERPETUAL].value.mark == 3001


async def test_prices_only_what_trades_against_the_quote() -> None:
    """Last prices in one request; halted and priceless ones are absent."""
    async with bench() as it:
        it.truth.halted, it.truth.prices["BTC"] = {"SOL-USD"}, D(0)
        prices = await it.market.prices(["ETH", "BTC", "USDC", "SOL", "NONE", "USD"], "USD")
    assert {asset: read.value for asset, read in prices.items()} == {"ETH": 3000, "USDC": 1, "USD": 1}
    assert prices["ETH"].as_of == it.clock.now()


async def test_dollars_in_both_places_are_one_balance() -> None:
    """The venue sweeps them to and fro by itself: what left one place has not vanished."""
    async with bench() as it:
        assert it.reader.wallets == ("spot",)
        before = (await it.reader.balances("spot")).value
        it.truth.coins["USD"], it.truth.cash = (D(7000), D(0)), D(0)
        assert (await it.reader.balances("spot")).value == before
    assert before == (Balance("ETH", D(10), D("1.5")), Balance("USD", D(7000)))


async def test_without_the_futures_wallet_its_cash_is_not_counted() -> None:
    """Who has no futures account need not have a summary of one; positions are read all the same."""
    async with bench(wallets=["spot"]) as it:
        it.truth.futures, it.truth.positions = False, {}
        assert (await it.reader.balances("spot")).value == (Balance("ETH", D(10), D("1.5")), Balance("USD", D(2000)))
        assert (await it.reader.derivatives()).value == Derivatives((), None)
        assert f"{API}/cfm/balance_summary" not in it.paths()


async def test_accounts_of_one_coin_are_summed_over_all_pages() -> None:
    """A vault is the user's too; the futures account's dollars are not counted twice; no page is left out."""
    async with bench() as it:
        it.truth.page = 2
        it.truth.more_accounts = [
            it.truth.account("ETH", D(3), D(0), uuid="vault", type="ACCOUNT_TYPE_VAULT"),
            it.truth.account("USD", D(5000), D(0), uuid="futures", platform="ACCOUNT_PLATFORM_CFM_CONSUMER"),
            it.truth.account("USDC", D(0), D(0), uuid="gone", platform="ACCOUNT_PLATFORM_INTX"),
        ]
        coins = (await it.reader.balances("spot")).value
        assert it.paths().count(f"{API}/accounts") == 3
    assert coins == (Balance("ETH", D(13), D("1.5")), Balance("USD", D(7000)))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"platform": "ACCOUNT_PLATFORM_NEW"}, "SOL on ACCOUNT_PLATFORM_NEW, which is not read: move it"),
        ({"hold": {"value": "-1", "currency": "SOL"}}, "value is below zero"),
    ],
)
async def test_an_account_that_is_not_clear_fails_the_read(change: dict[str, Any], says: str) -> None:
    """None is left out of the rest."""
    async with bench() as it:
        it.truth.more_accounts = [it.truth.account("SOL", D(1), D(0)) | change]
        with pytest.raises(Unreadable, match=says):
            await it.reader.balances("spot")


async def test_pages_that_never_end_are_an_error() -> None:
    """A venue that always has another page is not followed for ever."""
    async with bench() as it:
        page = it.truth.accounts("") | {"has_next": True, "cursor": "0"}
        it.server.replies[f"{API}/accounts"] = json.dumps(page)
        with pytest.raises(Unreadable, match="accounts go on and on"):
            await it.reader.balances("spot")


async def test_positions_are_signed_contracts_and_the_margin_is_the_accounts() -> None:
    """Available against the threshold at which the venue liquidates; of a position neither is told."""
    async with bench() as it:
        read = await it.reader.derivatives()
        instruments = await it.market.instruments()
    assert read.value.positions == (
        Position(PERPETUAL, D(-20), D(3100), unrealised_pnl=D(198)),
        Position(DATED, D(5), D(3000), unrealised_pnl=D(15)),
    )
    assert instruments[PERPETUAL].base_quantity(D(-20), D(3001)) == -2
    assert read.value.margin == Margin(equity=D(7213), maintenance=D("751.7"), available=D("5709.6"))
    assert read.as_of == it.clock.now()


@pytest.mark.parametrize(
    ("told", "trusted"), [("0.1", True), ("0.10", True), ("", True), (None, True), ("1", False), ("0.01", False)]
)
async def test_a_contract_of_another_size_than_listed_is_not_trusted(told: str | None, trusted: bool) -> None:
    """The row's own word for a contract's coins, where it has one, must be the listing's."""
    async with bench() as it:
        rows = [row | {"contract_size": told} for row in it.truth.cfm_positions()["positions"][:1]]
        it.server.replies[f"{API}/cfm/positions"] = json.dumps({"positions": rows})
        (position,) = (await it.reader.derivatives()).value.positions
    assert position.trusted is trusted


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"product_id": "GONE-24DEC26-CDE"}, "a position in GONE-24DEC26-CDE, which the venue does not list"),
        ({"product_id": "ETH-PERP-OTHER"}, "which the venue does not list"),
        ({"side": "FUTURES_POSITION_SIDE_UNSPECIFIED"}, "side is neither LONG nor SHORT"),
        ({"number_of_contracts": "-1"}, "number_of_contracts is below zero"),
    ],
)
async def test_positions_that_cannot_be_read_fail_the_read(change: dict[str, Any], says: str) -> None:
    """Unlisted, of another venue, or without a side: none is left out of the rest."""
    async with bench() as it:
        rows = [row | change for row in it.truth.cfm_positions()["positions"][:1]]
        it.server.replies[f"{API}/cfm/positions"] = json.dumps({"positions": rows})
        with pytest.raises(Unreadable, match=says):
            await it.reader.derivatives()


@pytest.mark.parametrize(
    ("summary", "kind", "says"),
    [
        (None, Refused, "leave swap out of this account's wallets"),
        (
            {"available_margin": {"value": "1", "currency": "EUR"}},
            Unreadable,
            "available_margin is not an amount in dollars",
        ),
        ([], Unreadable, "balance_summary is not an object"),
    ],
)
async def test_positions_without_a_margin_that_is_understood_fail_the_read(
    summary: Any, kind: type[Exception], says: str
) -> None:
    """No account without its collateral, and none in another currency."""
    async with bench() as it:
        it.server.replies[f"{API}/cfm/balance_summary"] = json.dumps({"balance_summary": summary})
        with pytest.raises(kind, match=says):
            await it.reader.derivatives()


async def test_an_empty_account_is_empty() -> None:
    """A well-formed reply without coins or positions means that there are none, and needs no margin."""
    async with bench() as it:
        it.truth.coins, it.truth.cash, it.truth.positions = {}, D(0), {}
        assert (await it.reader.balances("spot")).value == ()
        derivatives = (await it.reader.derivatives()).value
    assert derivatives == Derivatives((), Margin(D(0), D(0), D(0)))


@pytest.mark.parametrize("rights", [(True, False, False), (True, True, False), (False, False, True)])
async def test_tells_what_the_key_may_do(rights: tuple[bool, bool, bool]) -> None:
    """Viewing, trading, transferring; whether it is bound to an address is not told."""
    async with bench() as it:
        it.truth.rights = rights
        told = await it.opened.permissions()
    read, trade, withdraw = rights
    assert told == Permissions(read=read, trade=trade, withdraw=withdraw, bound_to_address=None)


_GONE = Doubt(PERPETUAL, "main", "ETH", PERPETUAL, D(-20), D(0), polls=1)
_SPENT = Doubt("main/spot/ETH", "main", "ETH", None, D(10), D(1), polls=1)


async def test_fills_explain_what_became_of_a_position() -> None:
    """Bought less sold must be the change; other contracts and earlier fills do not count; a full page is no proof."""
    async with bench() as it:
        await it.reader.derivatives()
        it.truth.filled("ETP-20DEC30-CDE", "BUY", "25")
        it.truth.filled("ET-24DEC26-CDE", "BUY", "5")
        assert await it.reader.explain(_GONE, T0) is None
        it.truth.filled("ETP-20DEC30-CDE", "SELL", "5")
        said = "2 fills since 2026-11-02 12:00 UTC, +20 contracts in all"
        assert await it.reader.explain(_GONE, T0) == said
        assert await it.reader.explain(_GONE, T0 + timedelta(minutes=1)) is None
        for _ in range(98):
            it.truth.filled("ETP-20DEC30-CDE", "BUY", "0")
        assert await it.reader.explain(_GONE, T0) is None


async def test_transactions_explain_what_became_of_a_balance() -> None:
    """Of all accounts of the coin, what really moved; a full page is no proof."""
    async with bench() as it:
        await it.reader.balances("spot")
        it.truth.moved("ETH", "-5.5", "send")
        it.truth.moved("ETH", "-9", "send", status="failed")
        assert await it.reader.explain(_SPENT, T0) is None
        it.truth.moved("ETH", "-3.5", "advanced_trade_fill")
        said = "since 2026-11-02 12:00 UTC: advanced trade fill -3.5 ETH, send -5.5 ETH"
        assert await it.reader.explain(_SPENT, T0) == said
        assert await it.reader.explain(_SPENT, T0 + timedelta(minutes=1)) is None
        for _ in range(97):
            it.truth.moved("ETH", "0", "send")
        assert await it.reader.explain(_SPENT, T0) is None


async def test_signs_with_the_venues_time() -> None:
    """A clock an hour wrong is made up for: tokens are valid for two minutes of the venue's time."""
    async with bench() as it:
        theirs = int((it.clock.now() + timedelta(hours=1)).timestamp() * 1000)
        it.truth.now = lambda: theirs
        assert (await it.reader.balances("spot")).value
        assert it.opened.skew_seconds == -3600
        it.clock.advance(59)
        assert (await it.reader.balances("spot")).value, "off by a minute since it was measured"


@pytest.mark.parametrize("change", [{"apiKey": "organizations/x/apiKeys/unknown"}, {"secret": _ANOTHER_SECRET}])
async def test_a_wrong_key_is_refused(change: dict[str, str]) -> None:
    """The venue says so with 401 and a word that is not JSON."""
    async with bench(credentials=KEYS | change) as it:
        reads = (
            it.reader.balances("spot"),
            it.reader.derivatives(),
            it.opened.permissions(),
            it.reader.explain(_GONE, T0),
        )
        for read in reads:
            with pytest.raises(Refused, match="the venue does not know this key"):
                await read


@pytest.mark.parametrize("secret", ["an old secret", "x" * 87])
async def test_a_secret_that_signs_nothing_is_a_configuration_error(secret: str) -> None:
    """What is neither of the two kinds of keys is said before anything is sent, and not repeated."""
    with pytest.raises(ConfigurationError, match="neither an EC private key") as caught:
        await open_ccxt("main", "coinbase", WALLETS, KEYS | {"secret": secret}, clock=ManualClock())
    assert secret not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "body", "kind", "says"),
    [
        (403, {"error": "PERMISSION_DENIED", "message": "no"}, Refused, "allow it to view"),
        (401, {"error": "unauthorized", "error_details": ""}, Refused, "does not know this key"),
        (429, {"error": "RESOURCE_EXHAUSTED"}, Unreachable, "asked to slow down"),
        (200, {"error": "INTERNAL", "message": "try again"}, Unreachable, "try again"),
        (400, {"error": "INVALID_ARGUMENT", "message": "bad"}, Refused, "INVALID_ARGUMENT bad"),
        (200, {"errors": [{"id": "rate_limit_exceeded", "message": ""}]}, Unreachable, "HTTP 200"),
        (200, {"error": "unheard of"}, Unreadable, "unheard of"),
        (404, {"message": "no such path"}, Unreachable, "HTTP 404"),
    ],
)
async def test_each_way_to_say_no_is_told_apart(
    status: int, body: dict[str, Any], kind: type[Exception], says: str
) -> None:
    """What a person has to mend, what passes by itself, and what is not an answer, also where the status is 200."""
    async with bench() as it:
        reply = json.dumps(it.truth.accounts("") | body)
        it.server.responses[f"{API}/accounts"] = {"status": status, "text": reply}
        with pytest.raises(kind, match=f"main: accounts: .*{says}"):
            await it.reader.balances("spot")


async def test_public_data_needs_no_key() -> None:
    """Without credentials there is a market reader, no account reader, and no signed call."""
    async with bench(credentials=None) as it:
        assert it.opened.reader is None
        assert (await it.market.prices(["ETH"], "USD"))["ETH"].value == 3000
        assert (await it.market.quotes([PERPETUAL]))[PERPETUAL].value.bid == D("3000.5")
        assert set(it.paths()) == {f"{API}/market/products", f"{API}/market/product_book"}


async def test_there_is_no_sandbox() -> None:
    """Asking for one is a configuration error that says so."""
    with pytest.raises(ConfigurationError, match="has no test system"):
        await open_ccxt("main", "coinbase", ["spot"], KEYS, clock=ManualClock(), sandbox=True)


@pytest.mark.parametrize(
    "write",
    [
        lambda venue: venue.create_order("ETH/USD:USD", "limit", "sell", 1, 3000),
        lambda venue: venue.cancel_orders(["1"]),
        lambda venue: venue.v3PrivatePostBrokerageCfmSweepsSchedule({"usd_amount": "1"}),
        lambda venue: venue.v3PrivatePostBrokeragePortfoliosMoveFunds({}),
        lambda venue: venue.v3PrivateDeleteBrokerageCfmSweeps(),
        lambda venue: venue.v3PrivatePostBrokerageOrdersPreview({}),
        lambda venue: venue.v2PrivatePostAccountsAccountIdTransactions({"account_id": "uuid-ETH", "type": "send"}),
    ],
)
async def test_nothing_that_writes_leaves(write: Any) -> None:
    """Whatever ccxt is asked to send that is not on the list of reading calls, no byte of it goes out."""
    async with bench() as it:
        await it.market.instruments()
        it.paths()
        with pytest.raises(Refused, match="not on the list of this line's calls"):
            await write(it.exchange)
        assert it.paths() == []
