"""What a taking order gets, and why it is turned down."""

from __future__ import annotations

from decimal import Decimal

import pytest

from hedged.estimate.margin_account import MarginAccount
from hedged.estimate.taker import Taken, TakerOrder, TakerTerms, TurnedDown, take, taker_price
from hedged.model.instrument import MarginTier
from hedged.model.order import Side
from hedged.model.snapshot import Quote
from tests.build import perp

D = Decimal
ETH = perp(notional_min=5)
MARK = Quote(D(3000))
TERMS = TakerTerms(fee_rate=D("0.0005"), slippage=D("0.001"), spread=D("0.0002"), leverage=D(5))
FREE = TakerTerms(fee_rate=D(0), slippage=D(0), spread=D(0), leverage=D(5))


def taken(
    side: Side,
    quantity: str,
    *,
    held: str = "0",
    limit: str | None = None,
    reduce_only: bool = False,
    cash: int = 10_000,
) -> Taken | TurnedDown:
    account = MarginAccount(D(cash))
    if D(held):
        account, _ = account.fill(ETH.id, D(held), D(3000))
    worst = D(limit) if limit else D(3000) * (2 if side is Side.BUY else D("0.9"))
    order = TakerOrder(ETH, side, D(quantity), reduce_only, worst)
    tiers = {ETH.id: (MarginTier(D(0), D("0.01"), D(20)),)}
    return take(account, order, quote=MARK, marks={ETH.id: MARK.mark}, tiers=tiers, terms=FREE)


@pytest.mark.parametrize(
    ("side", "quote", "price"),
    [
        (Side.BUY, Quote(D(3000), bid=D(2990), ask=D(3010)), "3013.01"),
        (Side.SELL, Quote(D(3000), bid=D(2990), ask=D(3010)), "2987.01"),
        (Side.BUY, Quote(D(3000)), "3003.3003"),
        (Side.SELL, Quote(D(3000)), "2996.7003"),
    ],
)
def test_the_price_is_the_books_side_or_half_the_spread_and_the_slippage(side: Side, quote: Quote, price: str) -> None:
    """Always the worse side, then 10 bp worse."""
    assert taker_price(side, quote, TERMS) == D(price)


def test_a_fill_tells_fee_and_slippage() -> None:
    """Fee on the notional traded, slippage against the mark; both > 0 are paid."""
    order = TakerOrder(ETH, Side.SELL, D(2), reduce_only=False, price_limit=D(2900))
    result = take(
        MarginAccount(D(10_000)), order, quote=MARK, marks={ETH.id: D(3000)}, tiers={ETH.id: perp_tiers()}, terms=TERMS
    )
    assert isinstance(result, Taken)
    assert result.fee == D("2.9967003")
    assert result.slippage == D("6.5994")
    assert result.account.wallet == D(10_000) - result.fee


def perp_tiers() -> tuple[MarginTier, ...]:
    return (MarginTier(D(0), D("0.01"), D(20)),)


@pytest.mark.parametrize(
    ("case", "reason"),
    [
        ({"quantity": "0.0005"}, "not a multiple of the lot 0.001"),
        ({"quantity": "0"}, "not above 0"),
        ({"quantity": "NaN"}, "not above 0"),
        ({"quantity": "0.001"}, "below the minimum 5"),
        ({"quantity": "0.002", "limit": "2400"}, "notional 4.80 is below the minimum 5"),  # at the price it names
        ({"quantity": "1", "limit": "3001"}, "worse than the limit 3001"),
        ({"quantity": "20"}, "insufficient margin: needs 12000.00 USDT at 5x leverage, available 10000.00"),
        ({"quantity": "1", "reduce_only": True}, "nothing to reduce"),
        ({"quantity": "1", "reduce_only": True, "held": "-1"}, "nothing to reduce"),
    ],
)
def test_an_order_is_turned_down_with_its_numbers(case: dict[str, object], reason: str) -> None:
    """Each rule says what it saw and what it allows."""
    result = taken(Side.SELL, **case)  # type: ignore[arg-type]
    assert isinstance(result, TurnedDown)
    assert reason in result.reason


def test_reduce_only_is_cut_at_zero_and_needs_no_margin() -> None:
    """Three contracts against two held close two, also in an account that could open nothing."""
    result = taken(Side.BUY, "3", held="-2", reduce_only=True, cash=1)
    assert isinstance(result, Taken)
    assert (result.quantity, result.account.positions) == (D(2), {})


def test_the_margin_of_a_flip_is_that_of_what_it_opens() -> None:
    """From +2 to −1 needs less than before and passes; from +2 to −20 does not."""
    assert isinstance(taken(Side.SELL, "3", held="2"), Taken)
    assert isinstance(taken(Side.SELL, "22", held="2"), TurnedDown)


BOOK = Quote(D(3000), bid=D(2999), ask=D(3001), bid_size=D("1.5"), ask_size=D("0.0004"))


@pytest.mark.parametrize(
    ("side", "quantity", "limit", "expected"),
    [
        (Side.SELL, "1.5", "2900", ("1.5", "2999")),  # all of it at the touch, without slippage
        (Side.SELL, "3", "2900", ("3", "2997.5005")),  # half of it behind, at 2,999 · 0.999 = 2,996.001
        (Side.SELL, "3", "2996.001", ("3", "2997.5005")),
        (Side.SELL, "3", "2996.002", ("1.5", "2999")),  # behind the touch it would be worse than the limit
        (Side.SELL, "3", "2999", ("1.5", "2999")),
        (Side.SELL, "3", "2999.01", None),
        (Side.BUY, "1", "3100", ("1", "3004.001")),  # the touch holds less than a lot
        (Side.BUY, "1", "3004", None),
    ],
)
def test_what_the_touch_holds_and_what_is_behind_it(
    side: Side, quantity: str, limit: str, expected: tuple[str, str] | None
) -> None:
    """A fill is cut where the limit is exceeded, and nothing is filled beyond it."""
    order = TakerOrder(ETH, side, D(quantity), reduce_only=False, price_limit=D(limit))
    result = take(
        MarginAccount(D(10_000)), order, quote=BOOK, marks={ETH.id: D(3000)}, tiers={ETH.id: perp_tiers()}, terms=TERMS
    )
    if expected is None:
        assert isinstance(result, TurnedDown)
        assert "worse than the limit" in result.reason
        return
    assert isinstance(result, Taken)
    assert (result.quantity, result.price) == (D(expected[0]), D(expected[1]))
    assert result.account.contracts(ETH.id) == side.sign * D(expected[0])
