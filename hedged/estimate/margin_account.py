"""A cross-margin account of contracts that one currency settles, as a frozen value. Every change gives a new account.

That currency is the quote of linear contracts, or the coin of inverse ones: of face value N in the quote currency an
inverse contract is worth N / price coins, and a long one gains N / entry − N / price of them.

The ledger is kept to eight decimals of the settlement currency, as venues keep theirs: each entry is rounded once,
when it is made, and sums are exact from then on. A position holds what it cost (`entry_value`), not an average price,
so that for any fills in any order, to the last digit:

    wallet − Σ entry_value  =  cash paid in − Σ (contracts × multiplier × price) − fees − funding paid
    wallet + Σ entry_value  =  coins paid in + Σ (contracts × multiplier / price) − fees − funding paid    (inverse)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

from hedged.estimate.liquidation import inverse_liquidation_price, liquidation_price, maintenance_margin, tier_for
from hedged.model.instrument import InstrumentId, MarginTier

Marks = Mapping[InstrumentId, Decimal]
Tiers = Mapping[InstrumentId, Sequence[MarginTier]]

LIQUIDATION_FEE = Decimal("0.0125")
"""Of the value closed: what venues commonly take for a liquidation."""

_ZERO = Decimal(0)
_LEDGER_STEP = Decimal("1e-8")


def money(amount: Decimal) -> Decimal:
    """`amount` to the ledger's eight decimals, halves to the even digit."""
    return amount.quantize(_LEDGER_STEP, ROUND_HALF_EVEN)


def worth(contracts: Decimal, price: Decimal, multiplier: Decimal, *, inverse: bool) -> Decimal:
    """Signed value of contracts in the currency that settles them, not rounded."""
    return contracts * multiplier / price if inverse else contracts * multiplier * price


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """`contracts` is signed and never 0; `entry_value` is what it was opened for, same sign, settlement currency."""

    contracts: Decimal
    entry_value: Decimal
    multiplier: Decimal = Decimal(1)  # coins per contract; inverse: face value in quote
    inverse: bool = False

    @property
    def base_quantity(self) -> Decimal:
        """Coins that a linear position stands for."""
        return self.contracts * self.multiplier

    @property
    def entry_price(self) -> Decimal:
        """Average price of what is still open; of an inverse position the harmonic one."""
        if self.inverse:
            return self.contracts * self.multiplier / self.entry_value
        return self.entry_value / self.base_quantity

    def value(self, mark: Decimal) -> Decimal:
        """Signed notional."""
        return money(worth(self.contracts, mark, self.multiplier, inverse=self.inverse))

    def unrealised_pnl(self, mark: Decimal) -> Decimal:
        gained = self.value(mark) - self.entry_value
        return -gained if self.inverse else gained

    def funding_payment(self, mark: Decimal, rate: Decimal) -> Decimal:
        """Paid (> 0) or received (< 0) at one funding time: value × rate, so that at a rate > 0 longs pay shorts."""
        return money(worth(self.contracts, mark, self.multiplier, inverse=self.inverse) * rate)

    def maintenance(self, mark: Decimal, tiers: Sequence[MarginTier]) -> Decimal:
        """Not rounded. Tiers go by the value in the quote currency, which of an inverse position is its face."""
        if self.inverse:
            return maintenance_margin(self.contracts * self.multiplier, tiers) / mark
        return maintenance_margin(self.value(mark), tiers)

    def leverage_max(self, mark: Decimal, tiers: Sequence[MarginTier]) -> Decimal:
        quoted = self.contracts * self.multiplier if self.inverse else self.value(mark)
        return tier_for(quoted, tiers)[0].leverage_max


@dataclass(frozen=True, slots=True)
class MarginAccount:
    """`wallet` is what there is of the settlement currency, without unrealised PnL; every position shares it. All of
    them are linear, or all inverse.

    Methods that value the account take the mark (and tiers) of *every* open position: one that is absent raises
    `KeyError`, for a missing mark is not a price of 0.
    """

    wallet: Decimal
    positions: Mapping[InstrumentId, OpenPosition] = field(default_factory=dict)

    def contracts(self, instrument: InstrumentId) -> Decimal:
        """Signed contracts held, 0 where there is no position."""
        held = self.positions.get(instrument)
        return held.contracts if held else _ZERO

    def fill(
        self,
        instrument: InstrumentId,
        contracts: Decimal,
        price: Decimal,
        multiplier: Decimal = Decimal(1),
        *,
        inverse: bool = False,
    ) -> tuple[MarginAccount, Decimal]:
        """The account after `contracts` (signed) traded at `price`, and the PnL that this realised.

        Same direction: the entry averages. Against it: that share of the entry value is realised. Beyond it: the old
        position closes and the rest opens at `price`.
        """
        held = self.positions.get(instrument)
        cost = money(worth(contracts, price, multiplier, inverse=inverse))
        if held is None:
            return self._with(instrument, OpenPosition(contracts, cost, multiplier, inverse)), _ZERO
        after = held.contracts + contracts
        if (held.contracts > 0) == (contracts > 0):
            return self._with(instrument, OpenPosition(after, held.entry_value + cost, multiplier, inverse)), _ZERO
        closes_all = abs(contracts) >= abs(held.contracts)
        closing = -held.contracts if closes_all else contracts
        exit_cost = money(worth(closing, price, multiplier, inverse=inverse))
        entry = held.entry_value if closes_all else money(held.entry_value * -closing / held.contracts)
        realised = exit_cost + entry if inverse else -exit_cost - entry
        if after == 0:
            return self._with(instrument, None, realised), realised
        # What is left is the rest of the old position, or, past zero, a new one opened by the rest of this fill.
        left = cost - exit_cost if closes_all else held.entry_value - entry
        return self._with(instrument, OpenPosition(after, left, multiplier, inverse), realised), realised

    def charge(self, amount: Decimal) -> MarginAccount:
        """The account after paying `amount` (fee, funding); a negative amount is received."""
        return MarginAccount(self.wallet - money(amount), self.positions)

    def settle(self, instrument: InstrumentId, price: Decimal) -> tuple[MarginAccount, Decimal]:
        """The account after an expired contract was delivered at `price`, and the PnL realised."""
        held = self.positions[instrument]
        return self.fill(instrument, -held.contracts, price, held.multiplier, inverse=held.inverse)

    def equity(self, marks: Marks) -> Decimal:
        """Wallet + unrealised PnL."""
        return self.wallet + sum((p.unrealised_pnl(marks[i]) for i, p in self.positions.items()), _ZERO)

    def maintenance(self, marks: Marks, tiers: Tiers) -> Decimal:
        """Equity below which everything is liquidated."""
        return money(sum((p.maintenance(marks[i], tiers[i]) for i, p in self.positions.items()), _ZERO))

    def margin_ratio(self, marks: Marks, tiers: Tiers) -> Decimal | None:
        """Maintenance / equity, 1 is liquidation; None where equity is gone while something must be maintained."""
        maintenance, equity = self.maintenance(marks, tiers), self.equity(marks)
        if not maintenance:
            return _ZERO
        return maintenance / equity if equity > 0 else None

    def available(self, marks: Marks, tiers: Tiers, leverage: Decimal) -> Decimal:
        """Equity not bound as initial margin; negative where more is bound than there is.

        A position binds |value| / leverage, with the leverage that its tier still allows.
        """
        bound = _ZERO
        for instrument, held in self.positions.items():
            mark = marks[instrument]
            bound += abs(held.value(mark)) / min(leverage, held.leverage_max(mark, tiers[instrument]))
        return money(self.equity(marks) - bound)

    def liquidation_price(self, instrument: InstrumentId, marks: Marks, tiers: Tiers) -> Decimal | None:
        """The mark of this one instrument that liquidates the account while the other marks stand still.

        None: no price does. Beyond that price already: the formula's result, on the safe side of the present mark.
        """
        held = self.positions[instrument]
        collateral = self.wallet
        for other, position in self.positions.items():
            if other != instrument:
                mark = marks[other]
                collateral += position.unrealised_pnl(mark) - position.maintenance(mark, tiers[other])
        if held.inverse:
            price = inverse_liquidation_price(
                notional=held.contracts * held.multiplier,
                entry_price=held.entry_price,
                collateral_coins=collateral,
                tiers=tiers[instrument],
            )
            return price if price is None or price.is_finite() else marks[instrument]
        return liquidation_price(
            base_quantity=held.base_quantity,
            entry_price=held.entry_price,
            collateral=collateral,
            tiers=tiers[instrument],
        )

    def must_liquidate(self, marks: Marks, tiers: Tiers) -> bool:
        return bool(self.positions) and self.maintenance(marks, tiers) >= self.equity(marks)

    def liquidate(self, marks: Marks, fee_rate: Decimal) -> Liquidation:
        """Everything closed at the marks, less `fee_rate` of its value.

        What the wallet cannot bear the venue bears: the wallet ends at 0 and the rest is told as `shortfall`.
        """
        account, realised, value = self, _ZERO, _ZERO
        for instrument, held in self.positions.items():
            value += abs(held.value(marks[instrument]))
            account, pnl = account.settle(instrument, marks[instrument])
            realised += pnl
        # The fee never digs the hole deeper: it is taken from what is left.
        fee = min(money(value * fee_rate), max(account.wallet, _ZERO))
        account = account.charge(fee)
        shortfall = max(-account.wallet, _ZERO)
        return Liquidation(MarginAccount(account.wallet + shortfall), realised, fee, shortfall)

    def _with(self, instrument: InstrumentId, held: OpenPosition | None, income: Decimal = _ZERO) -> MarginAccount:
        positions = dict(self.positions)
        if held is None:
            del positions[instrument]
        else:
            positions[instrument] = held
        return MarginAccount(self.wallet + income, positions)


@dataclass(frozen=True, slots=True)
class Liquidation:
    """What a liquidation left: wallet after = wallet before + realised − fee + shortfall."""

    account: MarginAccount
    realised: Decimal
    fee: Decimal
    shortfall: Decimal  # loss beyond the wallet, borne by the venue
