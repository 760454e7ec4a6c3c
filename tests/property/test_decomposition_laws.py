"""Whatever happens between readings, the parts add up to what an account over the same path would show."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from hedged.estimate.decomposition import booked, decompose, ratio_error, summed
from hedged.estimate.margin_account import MarginAccount, money
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


COIN_MARGINED = InstrumentId("main:ETH/USD:ETH")
coin_prices = st.decimals("0.5", "9999", places=3)
faces = st.integers(-500, 500).map(D)
coin_steps = st.fixed_dictionaries(
    {
        "mark": coin_prices,
        "spot": st.none() | coin_prices,
        "came": st.just(D(0)) | amounts,
        "funding": st.decimals("-1", "1", places=8),
        "closed": st.just(D(0)) | st.sampled_from([D("0.25"), D(1)]),
        "orders": st.lists(st.tuples(faces.filter(bool), coin_prices, amounts, st.sampled_from(Purpose)), max_size=3),
        "target": amounts,
    }
)


@given(st.lists(coin_steps, min_size=2, max_size=6))
def test_in_coins_the_parts_are_the_whole_too(path: list[dict]) -> None:
    """Fees, funding and gains come and go in coins, at their price of the moment; part of a position is closed by others.

    The account is the paper one's: coins, and contracts of 10 dollars opened for so many of them.
    """
    account, funding, wealth, total, came, room = MarginAccount(D(30)), D(0), D(0), Parts(), D(0), D(0)
    before: HedgeReading | None = None
    for number, step in enumerate(path):
        mark, spot = step["mark"], step["mark"] if step["spot"] is None else step["spot"]
        funding += step["funding"]
        account = account.charge(step["funding"])
        stranger = -account.contracts(COIN_MARGINED) * step["closed"]
        if stranger:
            account, _ = account.fill(COIN_MARGINED, stranger, mark, D(10), inverse=True)
        account = account.charge(-step["came"])
        now = _coin_reading(number, step, account, funding)
        room += 9 * _rounding(spot)
        valued = account.equity({COIN_MARGINED: mark}) * spot
        if before is None:
            wealth = valued
        else:
            interval = decompose(before, now)
            assert interval is not None
            total += interval.parts
            came += step["came"] * spot
            assert abs(interval.flows - step["came"] * spot) < 9 * _rounding(spot), "only what came is no gain"
            assert abs(total.total - (valued - wealth - came)) < room
        for n, (contracts, price, fee, purpose) in enumerate(step["orders"]):
            side = Side.BUY if contracts > 0 else Side.SELL
            intent = Intent(f"hd{n}", "alts", COIN_MARGINED, side, abs(contracts), mark, D(0), False, "", purpose)
            in_coins = money(fee / price)
            fill = Fill(f"hd{n}", COIN_MARGINED, side, abs(contracts), price, in_coins * price, T0)
            now, costs = booked(now, intent, fill)
            total += costs
            account, _ = account.fill(COIN_MARGINED, contracts, price, D(10), inverse=True)
            account = account.charge(in_coins)
            assert abs(now.assets["ETH"].quantity - account.wallet) < D("1e-7")
        before = now


def _rounding(price: Decimal) -> Decimal:
    """A ledger has eight decimals of a coin, and a reading as many digits of an entry price as the account tells."""
    return D("2e-8") * (price + 10)


def _coin_reading(number: int, step: dict, account: MarginAccount, funding: Decimal) -> HedgeReading:
    held = account.positions.get(COIN_MARGINED)
    spot = step["mark"] if step["spot"] is None else step["spot"]
    leg = LegReading(
        slot=COIN_MARGINED,
        direction=1,
        contracts=account.contracts(COIN_MARGINED),
        base_quantity=D(0) if held is None else held.contracts * 10 / held.entry_price,
        mark=step["mark"],
        rate=D(1),
        multiplier=D(10),
        lot_size=D(1),
        linear=False,
        spot=step["spot"],
        funding_paid=funding,
    )
    return HedgeReading(
        at=T0 + timedelta(days=number),
        assets={"ETH": AssetReading(account.wallet, spot)},
        legs={COIN_MARGINED: leg},
        full_value=step["target"],
        target_value=step["target"],
    )


@given(steps, st.integers(1, 400))
def test_nothing_happens_in_no_time(step: dict, days: int) -> None:
    """Between two readings of the same prices nothing was made or lost, but for what runs off with time."""
    first = _reading(0, step, {LEGS[0]: D(-3), LEGS[1]: D(2)})
    found = decompose(first, replace(first, at=first.at + timedelta(days=days)))
    assert found is not None
    assert found.parts.total == 0
    assert found.parts.basis == -found.parts.basis_run_off
