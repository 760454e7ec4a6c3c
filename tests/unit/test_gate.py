"""Each limit of the gate, with the value just allowed beside the value just refused; and that nothing walks around it."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from hedged.decide.gate import GateContext, approve, judge
from hedged.model.instrument import InstrumentId
from hedged.model.order import ApprovedIntent, Intent, Refusal, Side
from hedged.model.policy import Limits, Mode
from hedged.model.snapshot import Quote
from tests.build import ETH_PERP, dec, perp
from tests.support import ROOT

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
        ("orders_minute_max", {"here": {"orders_minute": 19}}, {"here": {"orders_minute": 20}}),
        ("turnover_day_max", {"limits": {"turnover_day_max": dec(3000)}}, {"limits": {"turnover_day_max": dec(2999)}}),
        ("orders_cycle_max", {"limits": {"orders_cycle_max": 1}}, {"limits": {"orders_cycle_max": 1}, "here": {"orders_cycle": 1}}),
        ("has not come to an end", {}, {"here": {"in_flight": True}}),
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
