"""The simulated venue as an exchange adapter: reads markets and the account, and takes orders."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from hedged.adapters.exchanges.margin_view import derivatives_of
from hedged.errors import Refused, VenueError
from hedged.model.history import STEP, Bar, Settlement, full_hour
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.order import Absent, ApprovedIntent, Fill, Intent, Outcome, Rejected, Unknown
from hedged.model.snapshot import Balance, Derivatives, Doubt, Quote, Read
from hedged.ports import Clock
from hedged.simulation.coins import QUOTE
from hedged.simulation.history import Event, VenueOrder
from hedged.simulation.market import funding_times
from hedged.simulation.venue import SimulatedVenue

_HOURS_A_PAGE = 168
_MINUTES = 60  # of an hour
_LEVERAGE = Decimal(20)  # what the venue's own cross account allows


class SimulatedExchange:
    """Every reader and the OrderGateway over one `SimulatedVenue`, under the venue's account name."""

    def __init__(self, venue: SimulatedVenue, clock: Clock) -> None:
        self.account = venue.account
        self._venue = venue
        self._clock = clock

    @property
    def wallets(self) -> Sequence[str]:
        return self._venue.wallets

    async def clock_skew(self) -> float | None:
        """Its market lives by the clock of this machine."""
        return 0.0

    # MarketReader

    async def instruments(self) -> Mapping[InstrumentId, Instrument]:
        return {instrument.id: instrument for instrument in self._venue.instruments()}

    async def quotes(self, instruments: Collection[InstrumentId]) -> Mapping[InstrumentId, Read[Quote]]:
        now = self._clock.now()
        quotes = ((instrument, self._quote(instrument)) for instrument in instruments)
        return {instrument: Read(quote, now) for instrument, quote in quotes if quote is not None}

    async def prices(self, assets: Collection[str], quote: str) -> Mapping[str, Read[Decimal]]:
        """In USDT as the venue trades, in another coin through USDT; `quote` itself costs 1 of itself."""
        now = self._clock.now()
        unit = self._venue.price(quote)
        if unit is None:
            return {}
        found: dict[str, Read[Decimal]] = {}
        for asset in assets:
            price = self._venue.price(asset)
            if price is not None:
                found[asset] = Read(price if quote == QUOTE else price / unit, now)
        return found

    # CandleReader

    async def bars(self, subject: str, quote: str, since: datetime) -> Sequence[Bar] | None:
        """From the first full hour of the market, whose past begins with its anchor; coins in USDT only."""
        symbol = subject.removeprefix(f"{self.account}:")
        market, now = self._venue.market, self._clock.now()
        begin = full_hour(max(since, market.anchor))
        begin += STEP if begin < market.anchor else timedelta(0)
        hours = min((now - begin) // STEP, _HOURS_A_PAGE)
        first = market.minute(begin)
        prices = self._venue.minutes(symbol, first, first + max(hours, 1) * _MINUTES)
        if prices is None or (symbol == subject and quote != QUOTE):
            return None
        by_hour = prices.reshape(-1, _MINUTES)[: max(hours, 0)]
        return [
            Bar(begin + (hour + 1) * STEP, float(row[-1]), float(row.max()), float(row.min()))
            for hour, row in enumerate(by_hour)
        ]

    async def funding(self, instrument: InstrumentId, since: datetime) -> Sequence[Settlement] | None:
        symbol = instrument.removeprefix(f"{self.account}:")
        market = self._venue.market
        contract = next((each for each in self._venue.instruments() if each.id == instrument), None)
        if contract is None or contract.expiry is not None:
            return None
        times = funding_times(max(since, market.anchor), self._clock.now())
        rates = ((at, market.funding_rate(symbol, at)) for at in times)
        return [Settlement(at, rate) for at, rate in rates if rate is not None]

    # AccountReader

    async def balances(self, wallet: str) -> Read[tuple[Balance, ...]]:
        if wallet not in self._venue.wallets:
            raise Refused(self.account, f"balances {wallet}", f"the venue has no wallet of that name: {self.wallets}")
        return Read(self._venue.balances(wallet), self._clock.now())

    async def derivatives(self) -> Read[Derivatives]:
        margin, marks, tiers = self._venue.margin_account()
        view = derivatives_of(margin, marks, tiers, leverage=_LEVERAGE, estimated=False)
        return Read(view, self._clock.now())

    async def explain(self, doubt: Doubt, since: datetime) -> str | None:
        """The venue's own history of that symbol or wallet, joined; None where nothing happened to it since then."""
        lines = [event.text for event in self._venue.events(since) if _concerns(event, doubt)]
        return "; ".join(lines) or None

    # OrderGateway

    absent_after = timedelta(0)  # nothing is on its way for longer than its call

    async def submit(self, approved: ApprovedIntent) -> Outcome:
        intent = approved.intent
        try:
            order = self._venue.place(
                intent.client_order_id,
                self._symbol(intent.instrument),
                intent.side,
                quantity=intent.quantity,
                price_limit=approved.price_limit,
                reduce_only=intent.reduce_only,
            )
        except VenueError as error:  # before or after the order took effect: nobody knows
            return Unknown(intent.client_order_id, str(error))
        return self._outcome(order)

    async def find(self, intent: Intent) -> Outcome | Absent:
        try:
            order = self._venue.order(intent.client_order_id)
        except VenueError as error:
            return Unknown(intent.client_order_id, str(error))
        return self._outcome(order) if order else Absent(intent.client_order_id)

    async def cancel(self, intent: Intent) -> Outcome | Absent:
        return await self.find(intent)  # nothing rests here

    async def guard(self, resting: Collection[InstrumentId], within: timedelta) -> None:
        """See above."""

    # parts

    def _quote(self, instrument: InstrumentId) -> Quote | None:
        return self._venue.quote(self._symbol(instrument))

    def _symbol(self, instrument: InstrumentId) -> str:
        return instrument.removeprefix(f"{self.account}:")

    def _outcome(self, order: VenueOrder) -> Outcome:
        if order.rejected is not None:
            return Rejected(order.client_order_id, order.rejected)
        return Fill(
            client_order_id=order.client_order_id,
            instrument=InstrumentId(f"{self.account}:{order.symbol}"),
            side=order.side,
            quantity=order.quantity,
            price=order.price,
            fee=order.fee,
            at=order.at,
            slippage=order.slippage,
        )


def _concerns(event: Event, doubt: Doubt) -> bool:
    """A position is explained by what happened to its symbol, cash in `swap` by anything that moved it."""
    _, _, place = doubt.subject.partition(":" if doubt.instrument else "/")
    in_swap = place.startswith("swap/") and (event.kind != "transfer" or event.what == place)
    return event.what == place or in_swap
