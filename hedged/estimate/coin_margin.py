"""What a coin-margined contract makes, in coins and in what they are worth.

Of face value N in dollars, opened at P0, a long one has gained u = N/P0 − N/m coins at the mark m, a short one (N < 0)
likewise; each is worth what the coin costs, s. Beside the coins that back it, wallet C without that gain, it moves like
N/P0 coins: with m = s a short of N over C is worth (C − N/P0)·s + N, whatever the price. So its delta is N/P0 beside
the wallet's own coins, which are exposure already; the gain is never counted with them a second time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from hedged.estimate.margin_account import MarginAccount, OpenPosition
from hedged.model.effect import LegReading
from hedged.model.instrument import InstrumentId

_ZERO = Decimal(0)


def coin_price(leg: LegReading) -> Decimal:
    """What its coin is worth in the portfolio's quote currency; by the mark where the coin has no price."""
    return (leg.mark if leg.spot is None else leg.spot) * leg.rate


def coins_gained(leg: LegReading, mark: Decimal) -> Decimal:
    """Coins that the position, opened as the reading has it, has gained at this mark."""
    return leg.base_quantity - leg.contracts * leg.multiplier / mark


def made(leg: LegReading, later: LegReading) -> Decimal:
    """What the position, as it was held at first, made from the one reading to the other, quote currency."""
    return coins_gained(leg, later.mark) * coin_price(later) - coins_gained(leg, leg.mark) * coin_price(leg)


def coins_realised(leg: LegReading, later: LegReading, *, ended: bool) -> Decimal:
    """Coins that the wallet got meanwhile for what was closed by others, or by the venue at its expiry."""
    return coins_gained(leg, later.mark) - (_ZERO if ended else coins_gained(later, later.mark))


@dataclass(frozen=True, slots=True)
class CoinFill:
    """What an order did to a coin-margined position: the reading after it, the coins that it brought the wallet, and
    the loss in coins against two prices.
    """

    leg: LegReading
    realised: Decimal
    against_reference: Decimal  # > 0: lost by being filled off the price that it was measured by
    reference_against_mark: Decimal


def filled(name: InstrumentId, leg: LegReading, signed: Decimal, price: Decimal, reference: Decimal) -> CoinFill:
    """`signed` contracts at `price`, booked as an account books them: to eight decimals of a coin."""
    held = {name: OpenPosition(leg.contracts, leg.base_quantity, leg.multiplier, inverse=True)} if leg.contracts else {}
    account, realised = MarginAccount(_ZERO, held).fill(name, signed, price, leg.multiplier, inverse=True)
    after = account.positions.get(name)
    coins = after.entry_value if after is not None else _ZERO
    face = signed * leg.multiplier
    paid = realised + coins - leg.base_quantity  # face / price, rounded as it was booked
    return CoinFill(
        replace(leg, contracts=leg.contracts + signed, base_quantity=coins),
        realised,
        against_reference=face / reference - paid,
        reference_against_mark=face / leg.mark - face / reference,
    )
