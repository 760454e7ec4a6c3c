"""Where trades become intents and meet the gate, one after the other, each with what those before it have used up."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal

from hedged.decide.account_room import UnderWay, account_room, fresh_derivatives, is_fresh
from hedged.decide.book import Book
from hedged.decide.gate import GateContext, approve, judge, misfit
from hedged.decide.margin import room_after
from hedged.decide.pending import Pending, Want
from hedged.decide.placement import placement_of
from hedged.decide.rebalance import Trade, leg_of
from hedged.decide.used import Used, Way, way_of
from hedged.estimate.sizing import largest_that, order_min, reduction
from hedged.model.finding import HedgeGroup, LegState
from hedged.model.instrument import Instrument, InstrumentId
from hedged.model.order import ApprovedIntent, Decision, Intent, Placement, Purpose, Refusal
from hedged.model.policy import HedgePolicy, Mode, PortfolioPolicy
from hedged.model.proposal import Proposal
from hedged.model.snapshot import Quote, Read, Snapshot

ZERO = Decimal(0)
_ALONE = "it would leave too little hedged: the order that goes before it is not sent, or not in its whole size"
_BEHIND = "the part of it that goes before is not sent"


@dataclass(frozen=True, slots=True)
class _Draft:
    intent: Intent
    context: GateContext
    need: float  # equity that it binds


@dataclass(slots=True)
class Desk:
    """One cycle's orders. What is approved counts as filled for those that follow.

    What is only shown, or waits for a person, counts for its own kind alone: it takes nothing from what is sent.
    """

    snapshot: Snapshot
    policy: PortfolioPolicy
    book: Book
    jumped: Mapping[str, str] = field(default_factory=dict)  # by hedge, why its size may be wrong
    approved: list[ApprovedIntent] = field(default_factory=list, init=False)
    refused: list[Refusal] = field(default_factory=list, init=False)
    proposals: list[Intent] = field(default_factory=list, init=False)
    by_hand: list[Intent] = field(default_factory=list, init=False)
    take_back: list[Intent] = field(default_factory=list, init=False)  # at rest, and not wanted any more
    idle: set[str] = field(default_factory=set, init=False)  # groups that are not judged in this cycle
    _used: dict[Way, Used] = field(init=False)  # what is sent is in each
    _whole: set[str] = field(default_factory=set, init=False)  # orders that the gate let through as they were wanted
    _pending: Pending = field(init=False)

    def __post_init__(self) -> None:
        book, policy = self.book, self.policy
        self._used = {way: Used(UnderWay.of(book.open_orders)) for way in Way}
        self._pending = Pending(
            book.proposals, self.snapshot.now, book.cycle_id, policy.proposals_expire, policy.limits.price_collar
        )

    def offer(
        self,
        trade: Trade,
        group: HedgeGroup,
        number: int,
        *,
        only_after: tuple[str, ...] = (),
        at_once: bool = False,
    ) -> str:
        """Put one trade of a group to the gate; the id of its order, sent or not.

        `number` tells this cycle's orders on an instrument apart, `only_after` says which orders have to be filled
        before this one may be sent; `at_once` that it may not rest, since another waits for it or it for another.
        """
        mode = self._hedges(group)[0].mode
        approval = self._approval(trade, group) if mode is Mode.APPROVE else None
        wanted, trade = trade, self._sized(trade, group, mode, approval)
        way = way_of(mode, approval, self.snapshot.instruments[trade.instrument])
        order = self._drafted(trade, group, number, way=way, at_once=at_once)
        intent, context = replace(order.intent, only_after=only_after), order.context
        if approval is not None and self._outlived(approval, intent, context):
            return self.offer(wanted, group, number, only_after=only_after, at_once=at_once)  # as not approved
        if self._passed(intent, context, approval, mode=mode, way=way, number=number):
            if trade.contracts == wanted.contracts:
                self._whole.add(intent.client_order_id)
            for each in self._used.values() if way is Way.SENT else (self._used[way],):
                each.add(intent, order.need)
        return intent.client_order_id

    def largest(self, trade: Trade, group: HedgeGroup, *, twice: bool = False) -> Trade | None:
        """Of a trade as much as the gate would let through now; None: nothing of it. Uses nothing up.

        `twice`: another order of the same worth has to find room in the day's turnover too.
        """
        instrument, leg = self.snapshot.instruments[trade.instrument], leg_of(group.legs, trade.instrument)
        way = way_of(self._hedges(group)[0].mode, None, instrument)

        def passes(quantity: Decimal) -> bool:
            part = replace(trade, contracts=quantity.copy_sign(trade.contracts))
            order = self._drafted(part, group, 0, way=way, at_once=True)
            after = order.context.turnover_day + (order.intent.notional if twice else ZERO)
            return judge(order.intent, replace(order.context, turnover_day=after), self.policy.limits) is None

        lot, least = instrument.lot_size, instrument.lot_size
        if not trade.reduce_only and leg.mark:
            least = order_min(instrument, leg.mark, self.policy.limits.price_collar)
        quantity = largest_that(passes, least, abs(trade.contracts), lot)
        if quantity is None or quantity == abs(trade.contracts):
            return None if quantity is None else trade
        reason = f"{trade.reason}; {quantity:f} of it now, as much as the limits allow"
        part = "as much as the limits allow now"
        return replace(trade, contracts=quantity.copy_sign(trade.contracts), reason=reason, part=part)

    def _hedges(self, group: HedgeGroup) -> list[HedgePolicy]:
        return [hedge for hedge in self.policy.hedges if hedge.name in group.hedges]

    def _drafted(self, trade: Trade, group: HedgeGroup, number: int, *, way: Way, at_once: bool) -> _Draft:
        """The order that a trade would be, and what the gate has to know of it. Changes nothing."""
        leg = leg_of(group.legs, trade.instrument)
        instrument = self.snapshot.instruments[trade.instrument]
        members = self._hedges(group)
        mode = members[0].mode
        used, before = self._used[way], self._held(leg, instrument)
        held = None if before is None else before + used.traded.get(trade.instrument, ZERO)
        quote = _fresh_quote(self.snapshot, trade.instrument, self.policy.thresholds.stale_after)
        placement = Placement.IOC
        # What rests is taken back and decided anew; a person would have to be asked each time.
        if trade.instrument not in self.book.crossing and not at_once and mode is not Mode.APPROVE:
            placement = placement_of(trade, members, quote, instrument, policy=self.policy, now=self.snapshot.now)
        intent = replace(
            _intent(trade, group, leg, instrument, held=held, order_id=self._order_id(trade, number)),
            placement=placement,
        )
        room, need = room_after(intent, held or ZERO, self.snapshot, self.policy, used.needs)
        context = GateContext(
            instrument=instrument,
            quote=quote,
            contracts=held,
            turnover_day=self.book.turnover_day + used.turnover,
            orders_cycle=used.orders,
            orders_minute=self.book.orders_minute + len(self.approved),
            in_flight=trade.instrument in self.book.in_flight,
            unseen=trade.instrument in self.book.unseen,
            rate=leg.rate or Decimal(1),
            currency=self.policy.quote,
            margin=room,
            now=self.snapshot.now,
            last_mark=self.book.marks.get(trade.instrument),
            orders_day=self.book.orders_day + len(self.approved),
            exposed=None if before is None else used.under_way.worst(trade.instrument, before, intent.side),
            # Monitor says what a hedge would take, also where the margin for it is not there yet.
            doubt=next((self.jumped[name] for name in group.hedges if name in self.jumped), None),
            room=None if mode is Mode.MONITOR else account_room(intent, self.snapshot, self.policy, used.under_way),
        )
        return _Draft(intent, context, need)

    def _held(self, leg: LegState, instrument: Instrument) -> Decimal | None:
        """Contracts before this cycle's orders; None where they are not known, or were read too long ago."""
        stale_after = self.policy.thresholds.stale_after
        known = instrument.by_hand or fresh_derivatives(instrument.account, self.snapshot, stale_after) is not None
        return leg.contracts if known else None

    def _order_id(self, trade: Trade, number: int) -> str:
        """A new id, or that of an order on the same side which was found absent: sent again it cannot become two."""
        again = self.book.again.get(trade.instrument)
        if again is not None and not self._used[Way.SENT].traded.get(trade.instrument) and again.side is trade.side:
            return again.client_order_id
        return client_order_id(self.book.cycle_id, trade.instrument, number)

    def _approval(self, trade: Trade, group: HedgeGroup) -> Proposal | None:
        want: Want = (group.name, trade.instrument, trade.side, trade.reduce_only, trade.purpose)
        return self._pending.approval(want, abs(trade.contracts))

    def _sized(self, trade: Trade, group: HedgeGroup, mode: Mode, approval: Proposal | None) -> Trade:
        """No more than a person approved; the first real order on a contract is the smallest that there is."""
        leg, instrument = leg_of(group.legs, trade.instrument), self.snapshot.instruments[trade.instrument]
        most, why, part, limits = abs(trade.contracts), "", "", self.policy.limits
        if approval is not None and approval.quantity < most:
            most, why = approval.quantity, f"at most {approval.quantity:f}, as approved"
            part = "as much as was approved"
            if trade.reduce_only and leg.contracts and leg.mark:  # less of it, rather than leave dust
                lot, least = instrument.lot_size, order_min(instrument, leg.mark, limits.price_collar)
                most = reduction(abs(leg.contracts), most, lot, least, most)
        elif mode is Mode.LIVE and not trade.reduce_only and trade.instrument not in self.book.proven and leg.mark:
            worth = limits.order_notional_min / (leg.rate or Decimal(1))
            least = order_min(instrument, leg.mark, limits.price_collar, worth)
            if least < most:
                most, why = least, f"{least:f} at first, to see that orders there are filled"
                part = "the first order there is the smallest, to see that it is filled"
        if not why:
            return trade
        return replace(trade, contracts=most.copy_sign(trade.contracts), reason=f"{trade.reason}: {why}", part=part)

    def _outlived(self, approval: Proposal, intent: Intent, context: GateContext) -> bool:
        """Whether all else would allow the order, and the approval alone does not fit any more: it is given up."""
        if judge(intent, context, self.policy.limits) is not None:
            return False
        why = misfit(intent, context, self.policy.limits, approval)
        if why is not None:
            self._pending.give_up(approval, why)
        return why is not None

    def _passed(
        self, intent: Intent, context: GateContext, approval: Proposal | None, *, mode: Mode, way: Way, number: int
    ) -> bool:
        """Whether the gate let it through, to be sent or only to be proposed."""
        sent = {each.intent.client_order_id for each in self.approved}
        ready = self._whole & sent if way is Way.SENT else self._whole
        to_send = way in {Way.SENT, Way.ASKED}
        if to_send and (self.book.stopped is not None or not self.book.orders_allowed):
            why: str | None = self.book.stopped or "the store cannot keep an order now"
        elif not ready.issuperset(intent.only_after):
            why = _BEHIND if intent.purpose is Purpose.REDUCE else _ALONE
        elif way is Way.SENT:
            verdict = approve(intent, context, self.policy.limits, mode, approval)
            if isinstance(verdict, ApprovedIntent):
                self.approved.append(verdict)
                return True
            why = verdict.reason
        else:
            why = judge(intent, context, self.policy.limits)
            if why is None and way is Way.ASKED:
                return self._proposed(intent, number)
            if why is None:
                (self.by_hand if way is Way.BY_HAND else self.proposals).append(intent)
                return True
        self.refused.append(Refusal(intent=intent, reason=why or ""))
        self._pending.leave(intent)
        return False

    def _proposed(self, intent: Intent, number: int) -> bool:
        """Put to a person; for a mere look only what is there already, and the rest is said to be wanted."""
        pending = self._pending
        stands = pending.propose(intent, number)
        if stands and not self.book.proposing and pending.standing[-1] not in self.book.proposals:
            pending.standing.pop()
            self.proposals.append(intent)
        return stands

    def decision(self, reason: str, waits: Callable[[Proposal], bool]) -> Decision:
        """All of it. `waits`: whether nobody can tell now if the order of a proposal is wanted."""
        self._pending.close(waits)
        said = [
            f"{each.hedge}: {each.side.value} {each.quantity:f} {each.instrument} was rejected by {each.decided_by}, "
            f"so it is not proposed again before {each.expires_at:%H:%M} UTC"
            for each in self._pending.rejected
        ]
        return Decision(
            reason="; ".join([reason, *said]),
            intents=tuple(self.approved),
            refused=tuple(self.refused),
            proposals=tuple(self.proposals),
            by_hand=tuple(self.by_hand),
            awaiting=tuple(self._pending.standing),
            answered=tuple(self._pending.ended),
            take_back=tuple(each.client_order_id for each in self.take_back),
            stopped=self.book.stopped,
        )


def _intent(
    trade: Trade, group: HedgeGroup, leg: LegState, instrument: Instrument, *, held: Decimal | None, order_id: str
) -> Intent:
    mark = leg.mark or Decimal(0)
    quantity = abs(trade.contracts)
    return Intent(
        client_order_id=order_id,
        hedge=group.name,
        instrument=trade.instrument,
        side=trade.side,
        quantity=quantity,
        price=mark,
        notional=abs(instrument.notional(quantity, mark)) * (leg.rate or Decimal(1)),
        reduce_only=trade.reduce_only,
        reason=trade.reason,
        purpose=trade.purpose,
        held=held,
        part=trade.part,
    )


def client_order_id(cycle_id: str, instrument: InstrumentId, number: int) -> str:
    """`hd` + 24 lowercase hex: valid on every venue but one, and the same for the same decision."""
    digest = hashlib.sha256(f"{cycle_id}|{instrument}|{number}".encode()).hexdigest()
    return f"hd{digest[:24]}"


def _fresh_quote(snapshot: Snapshot, instrument: InstrumentId, stale_after: timedelta) -> Quote | None:
    quotes: Mapping[InstrumentId, object] = snapshot.quotes
    leg = quotes.get(instrument)
    if isinstance(leg, Read) and is_fresh(leg.as_of, snapshot.now, stale_after):
        quote: Quote = leg.value
        return quote
    return None
