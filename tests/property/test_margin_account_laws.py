"""Laws of the margin account that hold for any fills, to the last digit."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from hedged.estimate.liquidation import maintenance_margin
from hedged.estimate.margin_account import LIQUIDATION_FEE, MarginAccount, money
from hedged.estimate.taker import Taken, TakerOrder, TakerTerms, take
from hedged.model.instrument import MarginTier
from hedged.model.order import Side
from hedged.model.snapshot import Quote
from tests.build import perp

D = Decimal
ETH = perp(multiplier="0.1")
TIERS = {ETH.id: (MarginTier(D(0), D("0.01"), D(50)), MarginTier(D(20_000), D("0.03"), D(10)))}
CASH = D(10_000)

contracts = st.decimals("-50", "50", places=3).filter(bool)
prices = st.decimals("0.01", "9000", places=6)
rates = st.decimals("-0.01", "0.01", places=8)
fills = st.lists(st.tuples(contracts, prices), max_size=12)


def play(steps: list[tuple[Decimal, Decimal]]) -> tuple[MarginAccount, Decimal]:
    account, realised = MarginAccount(CASH), D(0)
    for quantity, price in steps:
        account, gained = account.fill(ETH.id, quantity, price, ETH.multiplier)
        realised += gained
    return account, realised


def entry_value(account: MarginAccount) -> Decimal:
    held = account.positions.get(ETH.id)
    return held.entry_value if held else D(0)


@given(fills)
def test_wallet_and_entry_account_for_every_fill(steps: list[tuple[Decimal, Decimal]]) -> None:
    """wallet − entry value = cash − Σ cost of the fills, exactly, however often the position flipped."""
    account, realised = play(steps)
    cost = sum((money(q * ETH.multiplier * p) for q, p in steps), D(0))
    assert account.wallet - entry_value(account) == CASH - cost
    assert account.wallet == CASH + realised
    assert account.contracts(ETH.id) == sum((q for q, _ in steps), D(0))


@given(fills, st.randoms(use_true_random=False))
def test_the_order_of_fills_conserves_equity(steps: list[tuple[Decimal, Decimal]], random: object) -> None:
    """The same fills in any order give the same contracts and the same equity at any mark."""
    shuffled = list(steps)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    marks = {ETH.id: D("1234.56")}
    one, other = play(steps)[0], play(shuffled)[0]
    assert one.contracts(ETH.id) == other.contracts(ETH.id)
    assert one.equity(marks) == other.equity(marks)


@given(st.lists(st.tuples(contracts, prices, rates), max_size=12))
def test_wallet_changes_are_realised_less_fees_and_funding(steps: list[tuple[Decimal, Decimal, Decimal]]) -> None:
    """Σ wallet changes = realised − fees − funding, to the last digit."""
    account, realised, paid = MarginAccount(CASH), D(0), D(0)
    for quantity, price, rate in steps:
        account, gained = account.fill(ETH.id, quantity, price, ETH.multiplier)
        fee = money(abs(quantity) * ETH.multiplier * price * D("0.0005"))
        held = account.positions.get(ETH.id)
        funding = held.funding_payment(price, rate) if held else D(0)
        account = account.charge(fee).charge(funding)
        realised, paid = realised + gained, paid + fee + funding
    assert account.wallet == CASH + realised - paid


@given(fills, prices)
def test_a_liquidation_leaves_nothing_open_and_no_debt(steps: list[tuple[Decimal, Decimal]], mark: Decimal) -> None:
    """Wallet after = before + realised − fee + shortfall, never below 0, and no fee on top of a shortfall."""
    account, _ = play(steps)
    done = account.liquidate({ETH.id: mark}, LIQUIDATION_FEE)
    assert not done.account.positions
    assert done.account.wallet == account.wallet + done.realised - done.fee + done.shortfall
    assert done.account.wallet >= 0
    assert done.fee == 0 or done.shortfall == 0


@given(st.decimals("-400", "400", places=3).filter(bool), prices, st.decimals("-5000", "50000", places=2))
def test_the_liquidation_price_is_the_root_of_equity_less_maintenance(
    size: Decimal, entry: Decimal, wallet: Decimal
) -> None:
    """At the price found equity equals maintenance, whichever bracket that is."""
    account, _ = MarginAccount(wallet).fill(ETH.id, size, entry, ETH.multiplier)
    price = account.liquidation_price(ETH.id, {ETH.id: entry}, TIERS)
    if price:
        held = account.positions[ETH.id]
        equity = wallet + held.base_quantity * price - held.entry_value
        gap = equity - maintenance_margin(held.base_quantity * price, TIERS[ETH.id])
        assert abs(gap) < D("1e-12")


@given(contracts, st.sampled_from(Side), st.decimals("0.001", "99", places=3), prices)
def test_reduce_only_never_flips_and_never_enlarges(
    held: Decimal, side: Side, quantity: Decimal, mark: Decimal
) -> None:
    """A reduce-only fill brings the position nearer to zero, at most onto it, or does not happen."""
    account, _ = MarginAccount(CASH).fill(ETH.id, held, mark, ETH.multiplier)
    order = TakerOrder(ETH, side, quantity, reduce_only=True, price_limit=D(0) if side is Side.SELL else D(10**9))
    terms = TakerTerms(fee_rate=D("0.0005"), slippage=D("0.0002"), spread=D("0.0002"), leverage=D(5))
    result = take(account, order, quote=Quote(mark), marks={}, tiers={}, terms=terms)
    if isinstance(result, Taken):
        left = result.account.contracts(ETH.id)
        assert abs(left) == abs(held) - result.quantity
        assert left * held >= 0
        assert result.quantity <= quantity
    else:
        assert (held > 0) == (side is Side.BUY)
