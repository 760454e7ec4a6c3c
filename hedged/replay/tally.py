"""What adds up over a replay: orders, turnover, the worst drift, and what was not done and why."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from hedged.cycle import CycleReport
from hedged.model.effect import EffectDay
from hedged.model.order import Fill, Purpose, Working
from hedged.model.snapshot import Read

ZERO = Decimal(0)


@dataclass(slots=True)
class Tally:
    """Counts over the cycles of one replay; `turnover` in the quote currency.

    `max_drift` is the largest |drift| as assessed, before the cycle's own order. A hedge counts from its first fill
    on: until then it is not adrift but not yet there.
    """

    orders: int = 0
    turnover: Decimal = ZERO
    max_drift: Decimal | None = None
    roll_fees: Decimal = ZERO  # of orders that moved a hedge from one contract to the next
    roll_slippage: Decimal = ZERO
    margin_reductions: int = 0  # cycles
    refused: int = 0
    first_refusal: str = ""
    effects: dict[tuple[str, datetime], EffectDay] = field(default_factory=dict)  # by group of hedges and day
    _opened: set[str] = field(default_factory=set)  # groups of hedges

    def add(self, report: CycleReport) -> None:
        for day in report.effects:
            self.effects[day.hedge, day.day] = day
        for group in report.assessment.groups:
            if group.drift is not None and group.name in self._opened:
                self.max_drift = max(abs(group.drift), self.max_drift or ZERO)
        for refusal in report.decision.refused:
            self._refuse(refusal.reason)
        if not report.outcomes:
            return
        intents = {each.intent.client_order_id: each.intent for each in report.decision.intents}
        filled = {outcome.client_order_id for outcome in report.outcomes if isinstance(outcome, Fill)}
        self.margin_reductions += any(intents[each].purpose is Purpose.REDUCE for each in filled)
        for outcome in report.outcomes:
            if isinstance(outcome, Fill):
                instrument = report.snapshot.instruments[outcome.instrument]
                self.orders += 1
                self.turnover += abs(instrument.notional(outcome.quantity, outcome.price))
                intent = intents[outcome.client_order_id]
                self._opened.add(intent.hedge)
                if intent.purpose is Purpose.ROLL:
                    # Paid in coins, they are worth what the coin costs, and not the contract.
                    worth = Decimal(1) if instrument.linear else _coin_price(outcome, report) / outcome.price
                    self.roll_fees += outcome.fee * worth
                    self.roll_slippage += outcome.slippage * worth
            elif not isinstance(outcome, Working):  # a historical market fills at once
                self._refuse(outcome.reason)

    def notes(self) -> tuple[str, ...]:
        if not self.refused:
            return ()
        return (f"Orders refused: {self.refused:,}, the first because: {self.first_refusal}.",)

    def _refuse(self, reason: str) -> None:
        self.refused += 1
        self.first_refusal = self.first_refusal or reason


def _coin_price(fill: Fill, report: CycleReport) -> Decimal:
    """Of the coin that a contract is margined in; the contract's own where the coin has none."""
    price = report.snapshot.prices.get(report.snapshot.instruments[fill.instrument].base)
    return price.value if isinstance(price, Read) else fill.price
