"""Orders on paper: turned down with the numbers, filled at what the book shows, or at rest until it is gone through."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from hedged.adapters.exchanges.paper_ledger import Ledger, Resting
from hedged.adapters.exchanges.paper_market import PaperMarket
from hedged.adapters.exchanges.paper_view import View, ended
from hedged.errors import VenueError
from hedged.estimate.taker import Taken, TakerOrder, TakerTerms, TurnedDown, take
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.order import ApprovedIntent, Fill, Rejected, Working
from hedged.model.policy import PaperPolicy
from hedged.model.snapshot import Quote

_BASIS_POINT = Decimal("0.0001")


class PaperOrders:
    """Every method takes the ledger of the currency that settles the contract, and gives it back after the order."""

    def __init__(self, market: PaperMarket, policy: PaperPolicy, quote: str) -> None:
        self._market = market
        self._policy = policy
        self._quote = quote

    async def execute(self, ledger: Ledger, approved: ApprovedIntent) -> tuple[Fill | Rejected, Ledger]:
        """The outcome, and the ledger that holds it."""
        intent = approved.intent
        try:
            view = await self._market.look({*ledger.account.positions, intent.instrument})
            ledger = await self._market.up_to_now(ledger, view)
            why = self._turned_down(intent.instrument, view)
            if why is None:
                return self._take(ledger, approved, view)
        except VenueError as error:
            why = f"nothing was placed: {error}"
        rejected = Rejected(intent.client_order_id, why)
        return rejected, ledger.with_outcome(rejected)

    async def rest(self, ledger: Ledger, approved: ApprovedIntent) -> tuple[Working | Rejected, Ledger]:
        """An order put into the book, where it only waits."""
        intent, client_order_id = approved.intent, approved.intent.client_order_id
        price = approved.rest_at or approved.price_limit
        order = Resting(intent.instrument, intent.side, intent.quantity, price, intent.reduce_only)
        try:
            view = await self._market.look({*ledger.account.positions, intent.instrument})
            why = self._turned_down(intent.instrument, view)
        except VenueError as error:
            why = f"nothing was placed: {error}"
        else:
            if why is None and order.would_take(view.quotes[intent.instrument].value):
                why = f"at {price} it would have been filled at once, and was only to wait"
        if why is not None:
            rejected = Rejected(client_order_id, why)
            return rejected, ledger.with_outcome(rejected)
        return Working(client_order_id, client_order_id), ledger.with_resting(client_order_id, order)

    async def reached(
        self, ledger: Ledger, client_order_id: str, order: Resting
    ) -> tuple[Fill | Rejected | None, Ledger]:
        """The fill of an order at rest, at its own price and the maker's fee; None: it waits on."""
        try:
            view = await self._market.look({*ledger.account.positions, order.instrument})
        except VenueError:
            return None, ledger
        quoted = view.quotes.get(order.instrument)
        if self._market.in_doubt or quoted is None or self._turned_down(order.instrument, view):
            return None, ledger
        if not order.is_reached(quoted.value):
            return None, ledger
        ledger = await self._market.up_to_now(ledger, view)
        at_price = replace(quoted.value, bid=order.price, ask=order.price, bid_size=None, ask_size=None)
        terms = TakerTerms(
            fee_rate=self._policy.fee_maker, slippage=Decimal(0), spread=Decimal(0), leverage=self._policy.leverage
        )
        instrument = view.instruments[order.instrument]
        wanted = TakerOrder(instrument, order.side, order.quantity, order.reduce_only, order.price)
        return self._settled(ledger, client_order_id, self._taken(ledger, wanted, at_price, view, terms), wanted, view)

    def _take(self, ledger: Ledger, approved: ApprovedIntent, view: View) -> tuple[Fill | Rejected, Ledger]:
        """Fill what the book offers; `view` has the instrument and its quote."""
        intent, policy = approved.intent, self._policy
        instrument = view.instruments[intent.instrument]
        terms = TakerTerms(
            fee_rate=policy.fee_taker if instrument.fee_taker is None else instrument.fee_taker,
            slippage=policy.slippage_bps * _BASIS_POINT,
            spread=policy.spread_bps * _BASIS_POINT,
            leverage=policy.leverage,
        )
        order = TakerOrder(instrument, intent.side, intent.quantity, intent.reduce_only, approved.price_limit)
        taken = self._taken(ledger, order, view.quotes[intent.instrument].value, view, terms)
        return self._settled(ledger, intent.client_order_id, taken, order, view)

    def _taken(
        self, ledger: Ledger, order: TakerOrder, quote: Quote, view: View, terms: TakerTerms
    ) -> Taken | TurnedDown:
        marks = {id_: read.value.mark for id_, read in view.quotes.items()}
        if not order.reduce_only:
            view.marks(ledger.account)  # the margin left is known only with all of them
        tiers = {**view.tiers(ledger.account), order.instrument.id: view.tiers_of(order.instrument.id)}
        return take(ledger.account, order, quote=quote, marks=marks, tiers=tiers, terms=terms)

    def _settled(
        self, ledger: Ledger, client_order_id: str, result: Taken | TurnedDown, order: TakerOrder, view: View
    ) -> tuple[Fill | Rejected, Ledger]:
        """What taking came to, as the outcome of an order, in the ledger."""
        if isinstance(result, TurnedDown):
            rejected = Rejected(client_order_id, result.reason)
            return rejected, ledger.with_outcome(rejected)
        instrument = order.instrument
        unit = Decimal(1) if instrument.linear else result.price  # what is paid in coins is told in quote currency
        fill = Fill(
            client_order_id=client_order_id,
            instrument=instrument.id,
            side=order.side,
            quantity=result.quantity,
            price=result.price,
            fee=result.fee * unit,
            at=view.now,
            slippage=result.slippage * unit,
        )
        ledger = ledger.filled(fill, result, instrument)
        return fill, ledger.announcing({id_: read.value for id_, read in view.quotes.items()})

    def _turned_down(self, name: InstrumentId, view: View) -> str | None:
        """Why no order can be placed there at all."""
        instrument = view.instruments.get(name)
        if instrument is None or not instrument.trading or ended(instrument.ends(), view.now):
            return f"{name} is not trading"
        if not self._takes(instrument):
            return self._why_not(instrument)
        return f"no quote for {name}" if name not in view.quotes else None

    def _takes(self, instrument: Instrument) -> bool:
        if instrument.linear:
            return instrument.settle == self._quote
        return instrument.settle == instrument.base and instrument.settle in self._policy.coins

    def _why_not(self, instrument: Instrument) -> str:
        if not instrument.linear and instrument.settle == instrument.base:
            return (
                f"{instrument.id} is margined in {instrument.settle}, and the paper wallet has none: "
                f"put some in, [paper] coins = {{ {instrument.settle} = 1 }}"
            )
        return f"{instrument.id}: paper accounts trade contracts settled in {self._quote}, or in the coin they are on"
