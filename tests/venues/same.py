"""One portfolio that every local venue can be made to hold, in its own dialect."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class SamePortfolio:
    """Coins, a debt and shorts, in coins and dollars; a venue's bench presents them in its own units and fields.

    `debt`: only where the venue lends. `dated`: only where it lists dated contracts on ETH. The quote is whatever
    the venue's contracts are quoted in; a price of 3,000 is 3,000 of it.
    """

    eth: Decimal = Decimal("12.5")  # held as spot, free
    sol_owed: Decimal = Decimal(0)  # borrowed
    sol_interest: Decimal = Decimal(0)  # accrued on it
    perpetual: Decimal = Decimal("-10.5")  # coins of the linear ETH perpetual, negative: short
    perpetual_entry: Decimal = Decimal(3100)
    dated: Decimal = Decimal(0)  # coins of the linear dated ETH future of the bench, `DATED`
    dated_entry: Decimal = Decimal(3050)
    cash: Decimal = Decimal(8000)  # what backs the contracts, without unrealised profit

    # the same everywhere
    ETH_PRICE: ClassVar[Decimal] = Decimal(3000)
    SOL_PRICE: ClassVar[Decimal] = Decimal(150)
    ETH_MARK: ClassVar[Decimal] = Decimal(3001)
    DATED_MARK: ClassVar[Decimal] = Decimal(3030)
    TIERS: ClassVar[tuple[tuple[Decimal, Decimal], ...]] = (
        (Decimal(0), Decimal("0.005")),  # from this notional on, this maintenance margin rate
        (Decimal(600_000), Decimal("0.01")),
        (Decimal(1_600_000), Decimal("0.025")),
    )


PLAIN = SamePortfolio()
WITH_DEBT = SamePortfolio(sol_owed=Decimal(30), sol_interest=Decimal("0.25"))
WITH_DATED = SamePortfolio(dated=Decimal("-1.5"))
