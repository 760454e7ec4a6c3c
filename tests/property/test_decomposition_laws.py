"""Whatever happens between readings, the parts add up to what an account over the same path would show."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from hedged.estimate.decomposition import booked, decompose, ratio_error, summed
from hedged.model.effect import AssetReading, HedgeReading, LegReading, Parts
from hedged.model.instrument import InstrumentId
from hedged.model.order import Fill, Intent, Purpose, Side
from tests.build import BTC_PERP, ETH_PERP
from tests.support import T0

D = Decimal
LEGS = (InstrumentId(ETH_PERP), InstrumentId(BTC_PERP))

prices = st.decimals("0.001", "99999", places=3)
amounts = st.decimals("-9999", "9999", places=2)
orders = st.tuples(st.sampled_from(LEGS), amounts.filter(bool), prices, amounts, st.sampled_from(Purpose))
steps = st.fixed_dictionaries(
    {
        "assets": st.tuples(st.tuples(amounts, prices), st.tuples(amounts, prices)),
        "marks": st.tuples(prices, prices),
        "spots": st.tuples(st.none() | prices, st.none() | prices),
        "mids": st.tuples(st.none() | prices, st.none() | prices),
        "funding": st.tuples(amounts, amounts),
        "value": amounts,
        "ratio": st.decimals("0", "1.5", places=2),
        "split": st.booleans(),
        "expires": st.none() | st.integers(1, 90),
        "orders": st.lists(orders, max_size=3),
        "strangers": st.tuples(st.just(D(0)) | amounts, st.just(D(0))),
    }
)


@given(st.lists(steps, min_size=2, max_size=6), st.floats(-3, 3))
def test_the_parts_are_the_whole_to_the_last_digit(path: list[dict], slope: float) -> None:
    """Prices, fills, funding, coins that come and go, betas and positions changed by others: nothing is lost."""
    held = {name: D(0) for name in LEGS}
    cash = D(0)
    total = Parts()
    flows = D(0)
    before: HedgeReading | None = None
    wealth: list[Decimal] = []
    for number, step in enumerate(path):
        # others trade at the mark at which it is found
        for name, mark, change in zip(LEGS, step["marks"], step["strangers"], strict=True):
            held[name] += change
            cash -= change * mark
        now = _reading(number, step, held)
        wealth.append(_wealth(step, held, cash) - sum(step["funding"]))
        if before is not None:
            interval = decompose(before, now)
            assert interval is not None
            total += interval.parts
            flows += interval.flows
            assert interval.exposure == sum(
                (q * (later[1] - p) for (q, p), later in zip(path[number - 1]["assets"], step["assets"], strict=True)),
                D(0),
            )
        for n, (name, quantity, price, fee, purpose) in enumerate(step["orders"]):
            side = Side.BUY if quantity > 0 else Side.SELL
            mark = now.legs[name].mark
            intent = Intent(f"hd{n}", "alts", name, side, abs(quantity), mark, D(0), False, "", purpose)
            now, costs = booked(now, intent, Fill(f"hd{n}", name, side, abs(quantity), price, fee, T0))
            total += costs
            held[name] += quantity
            cash -= quantity * price + fee
        before = now
    end = _wealth(path[-1], held, cash) - sum(path[-1]["funding"])
    assert total.total == end - wealth[0] - flows
    assert summed([total, Parts(fees=D(1))]).total == total.total + 1
    assert sum(ratio_error(total, D(300), slope)) == total.proxy


def _reading(number: int, step: dict, held: dict[InstrumentId, Decimal]) -> HedgeReading:
    legs = {}
    for name, mark, spot, mid, paid in zip(
        LEGS, step["marks"], step["spots"], step["mids"], step["funding"], strict=True
    ):
        legs[name] = LegReading(
            slot=name,
            direction=-1 if step["split"] and name == LEGS[1] else 1,
            contracts=held[name],
            base_quantity=held[name],
            mark=mark,
            rate=D(1),
            multiplier=D(1),
            lot_size=D("0.01"),
            spot=spot,
            mid=mid,
            expires=None if step["expires"] is None else T0 + timedelta(days=step["expires"]),
            funding_paid=paid,
        )
    target = step["value"] * step["ratio"]
    return HedgeReading(
        at=T0 + timedelta(days=number),
        assets={f"A{n}": AssetReading(q, p) for n, (q, p) in enumerate(step["assets"])},
        legs=legs,
        full_value=step["value"],
        target_value=target,
        targets={LEGS[0]: target / 4, LEGS[1]: target - target / 4} if step["split"] else {},
    )


def _wealth(step: dict, held: dict[InstrumentId, Decimal], cash: Decimal) -> Decimal:
    coins = sum((q * p for q, p in step["assets"]), D(0))
    return coins + sum((held[name] * mark for name, mark in zip(LEGS, step["marks"], strict=True)), cash)


@given(steps, st.integers(1, 400))
def test_nothing_happens_in_no_time(step: dict, days: int) -> None:
    """Between two readings of the same prices nothing was made or lost, but for what runs off with time."""
    first = _reading(0, step, {LEGS[0]: D(-3), LEGS[1]: D(2)})
    found = decompose(first, replace(first, at=first.at + timedelta(days=days)))
    assert found is not None
    assert found.parts.total == 0
    assert found.parts.basis == -found.parts.basis_run_off
