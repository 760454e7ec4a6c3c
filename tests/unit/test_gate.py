"""Each limit of the gate, with the value just allowed beside the value just refused; and that nothing walks around it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hedged.decide.account_room import AccountRoom
from hedged.decide.gate import GateContext, approve, judge
from hedged.model.instrument import InstrumentId
from hedged.model.order import ApprovedIntent, Intent, Placement, Refusal, Side
from hedged.model.policy import Limits, Mode
from hedged.model.proposal import Proposal, Verdict
from hedged.model.snapshot import Quote
from hedged.model.trade import Purpose
from tests.build import BTC_PERP, ETH_PERP, dec, perp
from tests.support import ROOT, T0

SELL = Intent(
    client_order_id="hd" + "0" * 24,
    hedge="alts",
    instrument=InstrumentId(ETH_PERP),
    side=Side.SELL,
    quantity=dec(1),
    price=dec(3000),
    notional=dec(3000),
    reduce_only=False,
    reason="",
)
QUOTE = Quote(mark=dec(3000), bid=dec(2999), ask=dec(3001))
HERE = GateContext(
    instrument=perp(lot="0.1", notional_min=100),
    quote=QUOTE,
    contracts=dec(-2),
    turnover_day=dec(0),
    orders_cycle=0,
    in_flight=False,
)


BUY = {"side": Side.BUY, "reduce_only": True}
DUST = {"order": {**BUY, "quantity": dec("1.6")}, "here": {"instrument": perp(lot="0.1", notional_min=4704)}}


def room(limits: dict, allowed: dict, refused: dict) -> tuple[dict, dict]:
    """10,000 of equity, nothing else held, 9,000 free; a new 3,000 binds a fifth, which is 600."""
    base = AccountRoom("main", dec(10_000), dec(0), dec(9_000), dec("0.2"))
    return (
        {"limits": limits, "here": {"room": replace(base, **allowed)}},
        {"limits": limits, "here": {"room": replace(base, **refused)}},
    )


def test_an_ordinary_order_passes_with_the_collar_as_its_worst_price() -> None:
    """The worst price is the mark less the collar for a sale, plus it for a purchase."""
    sold = approve(SELL, HERE, Limits(price_collar=dec("0.02")), Mode.PAPER)
    assert isinstance(sold, ApprovedIntent)
    assert sold.price_limit == 2940
    bought = approve(replace(SELL, side=Side.BUY, reduce_only=True), HERE, Limits(price_collar=dec("0.02")), Mode.PAPER)
    assert isinstance(bought, ApprovedIntent)
    assert bought.price_limit == 3060


@pytest.mark.parametrize(
    ("change", "allowed", "refused"),
    [
        ("order_notional_max", {"limits": {"order_notional_max": dec(3000)}}, {"limits": {"order_notional_max": dec(2999)}}),
        (
            "position_notional_max",
            {"limits": {"position_notional_max": dec(9000)}},
            {"limits": {"position_notional_max": dec(8999)}},
        ),
        ("orders_day_max", {"here": {"orders_day": 499}}, {"here": {"orders_day": 500}}),
        (
            "position_notional_max",  # what is on its way on the same side counts as filled
            {"limits": {"position_notional_max": dec(12_000)}, "here": {"exposed": dec(-3)}},
            {"limits": {"position_notional_max": dec(11_999)}, "here": {"exposed": dec(-3)}},
        ),
        ("the price of UNI", {}, {"here": {"doubt": "the price of UNI jumped"}}),
        (
            "the price of UNI",  # what is bought back for margin is not sized by coins
            {"order": {**BUY, "purpose": Purpose.REDUCE}, "here": {"doubt": "the price of UNI jumped"}},
            {"order": BUY, "here": {"doubt": "the price of UNI jumped"}},
        ),
        ("second reading", {"here": {"last_mark": dec(2942)}}, {"here": {"last_mark": dec(2941)}}),
        (
            "second reading",  # a rescue does not wait for it, where the book says the same
            {"order": {**BUY, "purpose": Purpose.REDUCE}, "here": {"last_mark": dec(2700)}},
            {"order": BUY, "here": {"last_mark": dec(2700)}},
        ),
        (
            "second reading",
            {"order": {**BUY, "purpose": Purpose.REDUCE}, "here": {"last_mark": dec(2700)}},
            {"order": {**BUY, "purpose": Purpose.REDUCE}, "here": {"last_mark": dec(2700), "quote": replace(QUOTE, bid=None)}},
        ),
        ("second reading", {"here": {"last_mark": dec(3061)}}, {"here": {"last_mark": dec(3062)}}),
        ("not a positive number", {}, {"here": {"last_mark": Decimal("NaN")}}),
        ("not a positive number", {}, {"order": {"quantity": Decimal("1e40")}}),
        ("is not known", {}, {"here": {"contracts": Decimal("-1e40")}}),
        (
            "would be left",  # 0.1 more would be dust under the smallest order of 0.5
            {"order": {**BUY, "quantity": dec("1.5")}, "here": {"instrument": perp(lot="0.1", notional_min=1470)}},
            {"order": {**BUY, "quantity": dec("1.6")}, "here": {"instrument": perp(lot="0.1", notional_min=1470)}},
        ),
        (
            "would be left",  # where the limit of an order is smaller than the smallest, there is no other way down
            {**DUST, "limits": {"order_notional_max": dec(5099)}},
            {**DUST, "limits": {"order_notional_max": dec(5100)}},
        ),
        (
            "no book",
            {"order": {"placement": Placement.PASSIVE}},
            {"order": {"placement": Placement.PASSIVE}, "here": {"quote": replace(QUOTE, ask=None)}},
        ),
        (
            "price_collar",  # a passive sale meets the book at the asks
            {"order": {"placement": Placement.PASSIVE}, "here": {"quote": replace(QUOTE, ask=dec(3060), bid=dec(1))}},
            {"order": {"placement": Placement.PASSIVE}, "here": {"quote": replace(QUOTE, ask=dec(3061))}},
        ),
        ("leverage_max", *room({"leverage_max": dec(2)}, {"notional": dec(11_000)}, {"notional": dec("11_000.01")})),
        ("leverage_max", *room({"leverage_max": dec(2)}, {}, {"notional": None})),
        ("leverage_max", *room({"leverage_max": dec(2)}, {}, {"equity": None})),
        ("leverage_max", *room({"leverage_max": dec(2)}, {}, {"equity": dec(-1)})),
        ("free_margin_min", *room({}, {"available": dec(1_600)}, {"available": dec("1_599.99")})),
        ("free_margin_min", *room({}, {"available": None}, {"available": dec(0)})),
        ("free_margin_min", *room({}, {"equity": None}, {"equity": dec(0), "available": dec(600)})),
        ("free_margin_min", *room({"free_margin_min": dec("0.5")}, {"available": dec(5_600)}, {"available": dec(5_599)})),
        ("free_margin_min", *room({"free_margin_min": dec("0.1")}, {}, {"available": None})),
        ("orders_minute_max", {"here": {"orders_minute": 19}}, {"here": {"orders_minute": 20}}),
        ("turnover_day_max", {"limits": {"turnover_day_max": dec(3000)}}, {"limits": {"turnover_day_max": dec(2999)}}),
        (
            "turnover_day_max",  # a rescue and an end have no such limit
            {"order": {**BUY, "purpose": Purpose.REDUCE}, "limits": {"turnover_day_max": dec(2999)}},
            {"order": BUY, "limits": {"turnover_day_max": dec(2999)}},
        ),
        (
            "turnover_day_max",
            {"order": {**BUY, "purpose": Purpose.CLOSE}, "limits": {"turnover_day_max": dec(2999)}},
            {"order": {**BUY, "purpose": Purpose.ROLL}, "limits": {"turnover_day_max": dec(2999)}},
        ),
        ("turnover_day_max", {}, {"order": {"purpose": Purpose.REDUCE}, "limits": {"turnover_day_max": dec(2999)}}),
        (
            "orders_day_max",
            {"order": {**BUY, "purpose": Purpose.CLOSE}, "here": {"orders_day": 500}},
            {"order": BUY, "here": {"orders_day": 500}},
        ),
        (
            "orders_minute_max",  # too many at once is a fault, whatever they are for
            {"order": {**BUY, "purpose": Purpose.REDUCE}, "here": {"orders_minute": 19}},
            {"order": {**BUY, "purpose": Purpose.REDUCE}, "here": {"orders_minute": 20}},
        ),
        ("orders_cycle_max", {"limits": {"orders_cycle_max": 1}}, {"limits": {"orders_cycle_max": 1}, "here": {"orders_cycle": 1}}),
        ("has not come to an end", {}, {"here": {"in_flight": True}}),
        ("does not show yet", {}, {"here": {"unseen": True}}),
        ("no fresh price", {}, {"here": {"quote": None}}),
        ("no fresh price", {}, {"here": {"quote": replace(QUOTE, mark=Decimal("NaN"))}}),
        ("no fresh price", {}, {"here": {"quote": replace(QUOTE, mark=Decimal(0))}}),
        ("is not known", {}, {"here": {"contracts": None}}),
        ("is not known", {}, {"here": {"contracts": Decimal("NaN")}}),
        ("does not trade", {}, {"here": {"instrument": None}}),
        ("does not trade", {}, {"here": {"instrument": perp(trading=False)}}),
        ("not a positive number", {}, {"order": {"quantity": dec(0)}}),
        ("not a positive number", {}, {"order": {"quantity": Decimal("NaN")}}),
        ("not a positive number", {}, {"order": {"quantity": Decimal("Infinity")}}),
        ("not a positive number", {}, {"order": {"quantity": dec(-1)}}),
        ("not a positive number", {}, {"order": {"price": Decimal("NaN")}}),
        ("whole lots", {}, {"order": {"quantity": dec("1.05")}}),
        ("smallest order", {"order": {"quantity": dec("0.1")}}, {"order": {"quantity": dec("0.1")}, "here": {"instrument": perp(lot="0.1", notional_min=301)}}),
        ("price_collar", {"order": {"price": dec(3060)}}, {"order": {"price": dec(3061)}}),
        ("price_collar", {"here": {"quote": replace(QUOTE, bid=dec(2940))}}, {"here": {"quote": replace(QUOTE, bid=dec(2939))}}),
        ("turn the position", {"order": {"side": Side.BUY, "quantity": dec(2), "reduce_only": True}}, {"order": {"side": Side.BUY, "quantity": dec("2.1"), "reduce_only": True}}),
        ("must be reduce-only", {}, {"order": {"side": Side.BUY}}),
        ("would not reduce", {}, {"order": {"reduce_only": True}}),
    ],
)  # fmt: skip
def test_each_limit(change: str, allowed: dict, refused: dict) -> None:
    """What is just allowed passes, what is just beyond is refused in the words of the limit."""

    def ask(case: dict) -> str | None:
        return judge(
            replace(SELL, **case.get("order", {})),
            replace(HERE, **case.get("here", {})),
            replace(Limits(), **case.get("limits", {})),
        )

    assert ask(allowed) is None
    assert change in (ask(refused) or "")


@pytest.mark.parametrize("mode", [Mode.MONITOR, Mode.APPROVE])
def test_only_paper_and_live_send_by_themselves(mode: Mode) -> None:
    """Monitor sends nothing, and approve nothing without an approval."""
    assert isinstance(approve(SELL, HERE, Limits(), mode), Refusal)


def test_nobody_else_makes_an_approved_intent() -> None:
    """Without the gate's seal there is no approved intent, and no other module touches the seal."""
    with pytest.raises(TypeError, match="only hedged.decide.gate"):
        ApprovedIntent(intent=SELL, price_limit=dec(1), seal=object())  # type: ignore[arg-type]
    users = {
        path.relative_to(ROOT).as_posix()
        for path in Path(ROOT / "hedged").rglob("*.py")
        if "GATE_SEAL" in path.read_text(encoding="utf-8")
    }
    assert users == {"hedged/model/order.py", "hedged/decide/gate.py"}


def test_a_passive_order_rests_at_its_own_side_of_the_book() -> None:
    """A sale waits at the best ask, and its limit is the collar's all the same."""
    passive = approve(replace(SELL, placement=Placement.PASSIVE), HERE, Limits(), Mode.PAPER)
    assert isinstance(passive, ApprovedIntent)
    assert (passive.rest_at, passive.price_limit) == (3001, 2940)
    taking = approve(SELL, HERE, Limits(), Mode.PAPER)
    assert isinstance(taking, ApprovedIntent)
    assert taking.rest_at is None


def test_what_reduces_needs_no_margin() -> None:
    """However little is left on the account, risk may be given back."""
    bare = replace(HERE, room=AccountRoom("main", dec(0), dec(1_000_000), dec(0)))
    limits = Limits(leverage_max=dec(1), free_margin_min=dec("0.5"))
    assert judge(replace(SELL, **BUY), bare, limits) is None
    assert judge(SELL, bare, limits) is not None


# a person's approval


def _approval(**changes: object) -> Proposal:
    made = Proposal(
        id="0badcafe",
        hedge=SELL.hedge,
        instrument=SELL.instrument,
        side=SELL.side,
        quantity=SELL.quantity,
        price=SELL.price,
        notional=SELL.notional,
        reduce_only=SELL.reduce_only,
        purpose=SELL.purpose,
        reason=SELL.reason,
        made_at=T0,
        expires_at=T0 + timedelta(minutes=30),
        verdict=Verdict.APPROVED,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({}, None),
        ({"quantity": SELL.quantity * 2}, None),
        ({"price": SELL.price * dec("1.019")}, None),
        *(({"verdict": verdict}, "nobody has approved it") for verdict in Verdict if verdict is not Verdict.APPROVED),
        ({"hedge": "other"}, "approved another order"),
        ({"instrument": BTC_PERP}, "approved another order"),
        ({"side": Side.BUY}, "approved another order"),
        ({"reduce_only": not SELL.reduce_only}, "approved another order"),
        ({"purpose": Purpose.ROLL}, "approved another order"),
        ({"quantity": SELL.quantity - dec("0.1")}, "contracts and no more"),
        ({"quantity": dec("NaN")}, "contracts and no more"),
        ({"price": SELL.price * dec("1.03")}, "price_collar is 2.00%"),
        ({"price": SELL.price * dec("0.97")}, "price_collar is 2.00%"),
        ({"price": dec(0)}, "no fresh price"),
        ({"expires_at": T0}, "was good until"),
        ({"made_at": T0 + timedelta(seconds=1)}, "was good until"),  # the clock was put back
    ],
)
def test_only_a_fresh_and_matching_approval_lets_an_order_through(changes: dict[str, object], why: str | None) -> None:
    """The same hedge, contract, side, purpose; no more contracts; near that price; in time. Else it is refused."""
    verdict = approve(SELL, replace(HERE, now=T0), Limits(), Mode.APPROVE, _approval(**changes))
    if why is None:
        assert isinstance(verdict, ApprovedIntent)
        assert verdict.intent == replace(SELL, approval="0badcafe")
    else:
        assert isinstance(verdict, Refusal)
        assert why in verdict.reason


def test_without_an_approval_or_a_time_nothing_passes() -> None:
    """Nobody was asked, or nobody can tell whether the answer is fresh."""
    for approval, now in ((None, T0), (_approval(), None)):
        assert isinstance(approve(SELL, replace(HERE, now=now), Limits(), Mode.APPROVE, approval), Refusal)


def test_an_approval_lifts_no_limit() -> None:
    """What a person approved is refused all the same where a limit says so; and other modes take no notice of it."""
    limits = Limits(order_notional_max=dec(1))
    refused = approve(SELL, replace(HERE, now=T0), limits, Mode.APPROVE, _approval())
    assert isinstance(refused, Refusal)
    assert "order_notional_max" in refused.reason
    for mode in (Mode.PAPER, Mode.LIVE):
        sent = approve(SELL, HERE, Limits(), mode, _approval())
        assert isinstance(sent, ApprovedIntent)
        assert sent.intent.approval is None
    assert isinstance(approve(SELL, HERE, Limits(), Mode.MONITOR, _approval()), Refusal)
