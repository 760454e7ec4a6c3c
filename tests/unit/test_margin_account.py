"""The cross-margin account: fills, funding, settlement, valuation and liquidation on small tables."""

from __future__ import annotations

from decimal import ROUND_DOWN, ROUND_HALF_EVEN, ROUND_HALF_UP, Decimal, localcontext

import pytest

from hedged.estimate.margin_account import MarginAccount, OpenPosition, money
from hedged.model.instrument import InstrumentId, MarginTier

D = Decimal
ETH, BTC = InstrumentId("a:ETH/USDT:USDT"), InstrumentId("a:BTC/USDT:USDT")
TIERS = {i: (MarginTier(D(0), D("0.01"), D(50)), MarginTier(D(10_000), D("0.02"), D(20))) for i in (ETH, BTC)}


def after(*fills: tuple[str, str], cash: int = 10_000, multiplier: str = "1") -> MarginAccount:
    account = MarginAccount(D(cash))
    for contracts, price in fills:
        account, _ = account.fill(ETH, D(contracts), D(price), D(multiplier))
    return account


@pytest.mark.parametrize(
    ("fills", "contracts", "entry", "wallet"),
    [
        ([("-2", "3000")], "-2", "3000", "10000"),
        ([("-2", "3000"), ("-1", "3300")], "-3", "3100", "10000"),
        ([("-3", "3000"), ("1", "2900")], "-2", "3000", "10100"),
        ([("-3", "3000"), ("3", "3100")], "0", None, "9700"),
        ([("-2", "3000"), ("5", "2900")], "3", "2900", "10200"),
        ([("2", "3000"), ("-5", "3100")], "-3", "3100", "10200"),
        ([("2", "3000"), ("-1", "2800")], "1", "3000", "9800"),
    ],
)
def test_fills_average_realise_and_flip(
    fills: list[tuple[str, str]], contracts: str, entry: str | None, wallet: str
) -> None:
    """Adding averages the entry, reducing realises that share, going through zero closes and opens anew."""
    account = after(*fills)
    assert account.contracts(ETH) == D(contracts)
    assert account.wallet == D(wallet)
    if entry is None:
        assert ETH not in account.positions
    else:
        assert account.positions[ETH].entry_price == D(entry)


def test_a_contract_counts_its_multiplier() -> None:
    """20 micro contracts of 0.1 ETH are 2 ETH."""
    account = after(("-20", "3000"), ("20", "2900"), multiplier="0.1")
    assert account.wallet == D(10_200)


@pytest.mark.parametrize(
    ("contracts", "rate", "payment"),
    [("-2", "0.0001", "-0.6"), ("2", "0.0001", "0.6"), ("-2", "-0.0001", "0.6"), ("2", "-0.0001", "-0.6")],
)
def test_funding_is_paid_by_longs_at_a_positive_rate(contracts: str, rate: str, payment: str) -> None:
    """Value at mark × rate: a short hedge receives while the rate is above 0."""
    held = after((contracts, "2500")).positions[ETH]
    assert held.funding_payment(D(3000), D(rate)) == D(payment)


def test_charging_takes_from_the_wallet() -> None:
    """A fee lowers the wallet, what is received raises it."""
    assert MarginAccount(D(100)).charge(D("1.5")).charge(D("-0.25")).wallet == D("98.75")


def test_settlement_closes_at_its_price() -> None:
    """An expired contract leaves its PnL in cash and no position."""
    account, realised = after(("-2", "3000")).settle(ETH, D(2500))
    assert (realised, account.wallet, account.positions) == (D(1000), D(11_000), {})


def test_valuation_of_two_positions() -> None:
    """Equity, maintenance, ratio and what is free at 5x, worked by hand."""
    account, _ = after(("-5", "3000")).fill(BTC, D("0.1"), D(60_000))
    marks = {ETH: D(3200), BTC: D(61_000)}
    assert account.equity(marks) == D(10_000) - 1_000 + 100
    # 16,000 → 16,000 × .02 − 100; 6,100 → 6,100 × .01
    assert account.maintenance(marks, TIERS) == D(220) + D(61)
    assert account.margin_ratio(marks, TIERS) == D(281) / D(9_100)
    assert account.available(marks, TIERS, D(5)) == D(9_100) - D(3_200) - D(1_220)
    assert account.available(marks, TIERS, D(40)) == D(9_100) - D(800) - D("152.5")  # ETH's bracket allows 20x


def test_a_missing_mark_is_not_a_price_of_zero() -> None:
    """Valuing without the mark of an open position fails."""
    with pytest.raises(KeyError):
        after(("-1", "3000")).equity({})


def test_margin_ratio_without_positions_and_without_equity() -> None:
    """Nothing to maintain is 0; no equity under a position has no ratio."""
    assert after().margin_ratio({}, {}) == 0
    assert after(("-1", "3000"), cash=100).margin_ratio({ETH: D(3200)}, TIERS) is None


@pytest.mark.parametrize("instrument", [ETH, BTC])
def test_cross_liquidation_price_is_where_the_account_liquidates(instrument: InstrumentId) -> None:
    """A hair before that mark the account stands, a hair beyond it falls, the other mark unmoved."""
    account, _ = after(("-5", "3000"), cash=4_000).fill(BTC, D("-0.1"), D(60_000))
    marks = {ETH: D(3100), BTC: D(59_000)}
    price = account.liquidation_price(instrument, marks, TIERS)
    assert price is not None
    assert not account.must_liquidate({**marks, instrument: price - D("0.01")}, TIERS)
    assert account.must_liquidate({**marks, instrument: price + D("0.01")}, TIERS)


def test_liquidation_closes_everything_and_takes_its_fee() -> None:
    """Realised at the marks, fee on the value closed, nothing left open."""
    account, _ = after(("-1", "3000"), cash=1_000).fill(BTC, D("0.01"), D(60_000))
    done = account.liquidate({ETH: D(3900), BTC: D(61_000)}, D("0.01"))
    assert (done.realised, done.fee, done.shortfall) == (D(-890), D("45.1"), D(0))
    assert done.account == MarginAccount(D("64.9"))


@pytest.mark.parametrize(("mark", "wallet", "fee", "shortfall"), [("3990", "0", "10", "0"), ("4200", "0", "0", "200")])
def test_a_liquidation_never_leaves_a_negative_wallet_silently(
    mark: str, wallet: str, fee: str, shortfall: str
) -> None:
    """The fee takes at most what is left; a loss beyond the wallet is told as a shortfall."""
    done = after(("-1", "3000"), cash=1_000).liquidate({ETH: D(mark)}, D("0.01"))
    assert (done.account.wallet, done.fee, done.shortfall) == (D(wallet), D(fee), D(shortfall))


def test_liquidation_begins_when_maintenance_reaches_equity() -> None:
    """At equality already; an account without positions never."""
    account = MarginAccount(D(31), {ETH: OpenPosition(D(-1), D(-3100))})
    assert account.must_liquidate({ETH: D(3100)}, TIERS)
    assert not account.must_liquidate({ETH: D(3099)}, TIERS)
    assert not MarginAccount(D(-5)).must_liquidate({}, {})


@pytest.mark.parametrize("rounding", [ROUND_HALF_EVEN, ROUND_HALF_UP, ROUND_DOWN])
def test_the_ledger_rounds_the_same_whatever_the_process_does(rounding: str) -> None:
    """ccxt sets the rounding of the context it runs in; a ledger must not depend on who ran before."""
    with localcontext() as context:
        context.rounding = rounding
        assert [money(D("2.998750125")), money(D("2.998750135"))] == [D("2.99875012"), D("2.99875014")]
