"""A cross-margin account of linear contracts, as a frozen value. Every change gives a new account.

The ledger is kept to eight decimals of the settlement currency, as venues keep theirs: each entry is rounded once,
when it is made, and sums are exact from then on. A position holds what it cost (`entry_value`), not an average price,
so that for any fills in any order, to the last digit:

    wallet − Σ entry_value  =  cash paid in − Σ (contracts × multiplier × price) − fees − funding paid
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from hedged.estimate.liquidation import liquidation_price, maintenance_margin, tier_for
from hedged.model.instrument import InstrumentId, MarginTier

Marks = Mapping[InstrumentId, Decimal]
Tiers = Mapping[InstrumentId, Sequence[MarginTier]]

LIQUIDATION_FEE = Decimal("0.0125")
"""Of the value closed: what venues commonly take for a liquidation."""

_ZERO = Decimal(0)
_LEDGER_STEP = Decimal("1e-8")


def money(amount: Decimal) -> Decimal:
    """`amount` to the ledger's eight decimals."""
    return amount.quantize(_LEDGER_STEP)


@dataclass(frozen=True, slots=True)
class OpenPosition:
    """`contracts` is signed and never 0; `entry_value` is what it was opened for, same sign, quote currency."""

    contracts: Decimal
    entry_value: Decimal
    multiplier: Decimal = Decimal(1)  # coins per contract

    @property
    def base_quantity(self) -> Decimal:
        return self.contracts * self.multiplier

    @property
    def entry_price(self) -> Decimal:
        """Average price of what is still open."""
        return self.entry_value / self.base_quantity

    def value(self, mark: Decimal) -> Decimal:
        """Signed notional."""
        return money(self.base_quantity * mark)

    def unrealised_pnl(self, mark: Decimal) -> Decimal:
        return self.value(mark) - self.entry_value

    def funding_payment(self, mark: Decimal, rate: Decimal) -> Decimal:
        """Paid (> 0) or received (< 0) at one funding time: value × rate, so that at a rate > 0 longs pay shorts."""
        return money(self.base_quantity * mark * rate)


@dataclass(frozen=True, slots=True)
class MarginAccount:
    """`wallet` is cash in the settlement currency without unrealised PnL; every position shares it.

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
        self, instrument: InstrumentId, contracts: Decimal, price: Decimal, multiplier: Decimal = Decimal(1)
    ) -> tuple[MarginAccount, Decimal]:
        """The account after `contracts` (signed) traded at `price`, and the PnL that this realised.

        Same direction: the entry averages. Against it: that share of the entry value is realised. Beyond it: the old
        position closes and the rest opens at `price`.
        """
        held = self.positions.get(instrument)
        cost = money(contracts * multiplier * price)
        if held is None:
            return self._with(instrument, OpenPosition(contracts, cost, multiplier)), _ZERO
        after = held.contracts + contracts
        if (held.contracts > 0) == (contracts > 0):
            return self._with(instrument, OpenPosition(after, held.entry_value + cost, multiplier)), _ZERO
        closes_all = abs(contracts) >= abs(held.contracts)
        closing = -held.contracts if closes_all else contracts
        exit_cost = money(closing * multiplier * price)
        entry = held.entry_value if closes_all else money(held.entry_value * -closing / held.contracts)
        realised = -exit_cost - entry
        if after == 0:
            return self._with(instrument, None, realised), realised
        # What is left is the rest of the old position, or, past zero, a new one opened by the rest of this fill.
        left = cost - exit_cost if closes_all else held.entry_value - entry
        return self._with(instrument, OpenPosition(after, left, multiplier), realised), realised

    def charge(self, amount: Decimal) -> MarginAccount:
        """The account after paying `amount` (fee, funding); a negative amount is received."""
        return MarginAccount(self.wallet - money(amount), self.positions)

    def settle(self, instrument: InstrumentId, price: Decimal) -> tuple[MarginAccount, Decimal]:
        """The account after an expired contract was delivered in cash at `price`, and the PnL realised."""
        held = self.positions[instrument]
        return self.fill(instrument, -held.contracts, price, held.multiplier)

    def equity(self, marks: Marks) -> Decimal:
        """Wallet + unrealised PnL."""
        return self.wallet + sum((p.unrealised_pnl(marks[i]) for i, p in self.positions.items()), _ZERO)

    def maintenance(self, marks: Marks, tiers: Tiers) -> Decimal:
        """Equity below which everything is liquidated."""
        return money(sum((maintenance_margin(p.value(marks[i]), tiers[i]) for i, p in self.positions.items()), _ZERO))

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
            value = abs(held.value(marks[instrument]))
            bound += value / min(leverage, tier_for(value, tiers[instrument])[0].leverage_max)
        return money(self.equity(marks) - bound)

    def liquidation_price(self, instrument: InstrumentId, marks: Marks, tiers: Tiers) -> Decimal | None:
        """The mark of this one instrument that liquidates the account while the other marks stand still.

        None: no price does. Beyond that price already: the formula's result, on the safe side of the present mark.
        """
        held = self.positions[instrument]
        collateral = self.wallet
        for other, position in self.positions.items():
            if other != instrument:
                value = position.value(marks[other])
                collateral += value - position.entry_value - maintenance_margin(value, tiers[other])
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
