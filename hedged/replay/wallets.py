"""What the paper wallets of a replay made and paid, in the quote currency, whichever currency it was in.

Coins that back coin-margined contracts are held like any others: what they gain by their price is the exposure's, and
an account made what its equity gained beyond that. Each amount counts at its coin's price when it was made or paid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from hedged.adapters.exchanges.paper import PaperAccount
from hedged.adapters.exchanges.paper_ledger import Totals
from hedged.cycle import CycleReport
from hedged.errors import VenueError
from hedged.model.policy import PortfolioPolicy
from hedged.model.snapshot import Read, Snapshot

ZERO = Decimal(0)


@dataclass(slots=True)
class _Purse:
    """One currency of one account. `held` and `totals` are in it, as of the last look at which it had a price."""

    opened_with: Decimal
    held: Decimal
    price: Decimal | None = None
    first_price: Decimal | None = None
    totals: Totals = field(default_factory=Totals)


class Wallets:
    """Ask `take` after every cycle; the rest is about all accounts together, since the start."""

    def __init__(self, papers: Iterable[PaperAccount], policy: PortfolioPolicy) -> None:
        self._papers = tuple(papers)
        self._quote = policy.quote
        amounts = {policy.quote: policy.paper.cash, **policy.paper.coins}
        self._purses = {
            (paper.account, currency): _Purse(amount, amount)
            for paper in self._papers
            for currency, amount in amounts.items()
        }
        self.fees = self.funding = self.slippage = ZERO  # > 0 was paid
        self.by_price = ZERO  # what the coins gained by their price
        self.liquidations = 0

    async def take(self, report: CycleReport) -> None:
        """A coin without a price waits for the next one: what it paid meanwhile counts at that."""
        for paper in self._papers:
            for currency, ledger in (await paper.ledgers()).items():
                purse, price = self._purses[paper.account, currency], self._price(currency, report.snapshot)
                self.liquidations += ledger.totals.liquidations - purse.totals.liquidations
                if price is None:
                    purse.totals = replace(purse.totals, liquidations=ledger.totals.liquidations)
                    continue
                if purse.price is None:
                    purse.first_price = purse.price = price
                before, now = purse.totals, ledger.totals
                self.by_price += purse.held * (price - purse.price)
                self.fees += (now.fees - before.fees) * price
                self.funding += (now.funding - before.funding) * price
                self.slippage += (now.slippage - before.slippage) * price
                purse.held, purse.price, purse.totals = ledger.account.wallet, price, now

    def made(self, report: CycleReport) -> float | None:
        """Equity as read in this cycle, before its orders, less what the coins it began with are worth now.

        Only its changes say something. None: not all of it was read.
        """
        total = ZERO
        for (name, currency), purse in self._purses.items():
            account = report.snapshot.accounts.get(name)
            derivatives = account.derivatives if account is not None else None
            equities: Mapping[str, Decimal] = derivatives.value.equities if isinstance(derivatives, Read) else {}
            price = self._price(currency, report.snapshot)
            if price is None or currency not in equities:
                return None
            total += equities[currency] - (ZERO if currency == self._quote else purse.opened_with * price)
        return float(total)

    async def change(self) -> Decimal | None:
        """What the accounts made from their opening to now, orders of the last cycle included; None: not all priced."""
        total = -self.by_price
        for paper in self._papers:
            try:
                equities = (await paper.derivatives()).value.equities
            except VenueError:
                return None
            for (name, currency), purse in self._purses.items():
                if name != paper.account:
                    continue
                if purse.first_price is None or currency not in equities:
                    return None
                total += equities[currency] - purse.opened_with * purse.first_price
        return total

    def _price(self, currency: str, snapshot: Snapshot) -> Decimal | None:
        if currency == self._quote:
            return Decimal(1)
        read = snapshot.prices.get(currency)
        return read.value if isinstance(read, Read) else None
