"""Each finding appears when its state is there and is absent when it is not: a pair of cases each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from hedged.assess import assess
from hedged.model.finding import Assessment, Finding, HedgeStatus, Kind, Severity
from hedged.model.instrument import InstrumentId
from hedged.model.policy import Holding, LegPolicy, PortfolioPolicy, Thresholds
from hedged.model.snapshot import Balance, Doubt, Fault, Margin, Missing, Position, Quote, Read, Snapshot
from tests.build import (
    ETH_PERP,
    account,
    balances,
    dec,
    derivatives,
    future,
    hedge,
    perp,
    policy,
    quote,
    snapshot,
)
from tests.support import T0

DATED = "main:ETH/USDT:USDT-261225"
OLD = T0 - timedelta(minutes=10)
USUAL = policy(hedge("ETH"))


def view(
    *,
    eth: str = "10",
    short: str = "-10",
    marks: Mapping[str, object] | None = None,
    prices: Mapping[str, object] | None = None,
    **more: object,
) -> Snapshot:
    """10 ETH hedged by 10 short at 3,000: nothing to find, until one thing is changed."""
    return snapshot(
        more.pop("account", account(spot=balances(ETH=eth), positions=derivatives((ETH_PERP, short)))),
        marks={ETH_PERP: 3000, **(marks or {})},
        prices={"ETH": 3000, **(prices or {})},
        **more,
    )


def found(seen: Snapshot, setup: PortfolioPolicy = USUAL) -> dict[Kind, Finding]:
    return {finding.kind: finding for finding in assess(seen, setup).findings}


def with_margin(equity: str, maintenance: str | None, *, liquidation: str | None = None) -> Snapshot:
    margin = Margin(equity=dec(equity), maintenance=None if maintenance is None else dec(maintenance))
    position = Position(ETH_PERP, dec(-10), liquidation_price=None if liquidation is None else dec(liquidation))
    return view(account=account(spot=balances(ETH=10), positions=derivatives(position, margin=margin)))


def broken(fault: Fault, last: bool = True) -> Missing:
    return Missing(fault, "fetch_balance spot", "an HTML page", balances(OLD, ETH=10) if last else None)


def test_nothing_to_find() -> None:
    """A hedge on target, with everything read just now, finds nothing at all."""
    assessment = assess(view(), USUAL)
    assert assessment.findings == ()
    assert assessment.hedges[0].status is HedgeStatus.OK
    assert assessment.undetermined == {"margin/main", "liquidation_near/main"}, "no margin is told here"


@pytest.mark.parametrize(
    ("short", "status"),
    [("-9.4", HedgeStatus.UNDER), ("-9.5", None), ("-10.5", None), ("-10.6", HedgeStatus.OVER)],
)
def test_drift(short: str, status: HedgeStatus | None) -> None:
    """Outside the band a hedge has drifted; exactly on its edge it has not."""
    assessment = assess(view(short=short), USUAL)
    kinds = [finding.kind for finding in assessment.findings]
    assert kinds == ([Kind.DRIFT] if status else [])
    assert assessment.hedges[0].status is (status or HedgeStatus.OK)


@pytest.mark.parametrize(
    ("equity", "maintenance", "severity"),
    [
        ("1000", "499", None),
        ("1000", "500", Severity.WARNING),
        ("1000", "750", Severity.CRITICAL),
        ("0", "100", Severity.CRITICAL),
        ("-5", "100", Severity.CRITICAL),
        ("1000", None, None),
    ],
)
def test_margin(equity: str, maintenance: str | None, severity: Severity | None) -> None:
    """Margin danger is maintenance over equity, worst when no equity is left, and unknown where it is not told."""
    finding = found(with_margin(equity, maintenance)).get(Kind.MARGIN)
    assert (finding.severity if finding else None) is severity


@pytest.mark.parametrize(
    ("price", "severity"),
    [("3500", None), ("3450", Severity.WARNING), ("3100", Severity.CRITICAL), (None, None)],
)
def test_liquidation_near(price: str | None, severity: Severity | None) -> None:
    """A liquidation price within 15 % of the mark is told, within half of that it is critical."""
    finding = found(with_margin("10000", "10", liquidation=price)).get(Kind.LIQUIDATION_NEAR)
    assert (finding.severity if finding else None) is severity


@pytest.mark.parametrize(
    ("left", "severity"),
    [
        (timedelta(days=7, seconds=1), None),
        (timedelta(days=7), Severity.INFO),
        (timedelta(days=3), Severity.WARNING),
        (timedelta(hours=24), Severity.CRITICAL),
    ],
)
def test_expiry(left: timedelta, severity: Severity | None) -> None:
    """A dated leg that is held is told of 7 days, 3 days and 24 hours before it ends."""
    seen = snapshot(
        account(spot=balances(ETH=10), positions=derivatives((DATED, -10))),
        instruments=[future(DATED, T0 + left)],
        marks={DATED: 3000},
        prices={"ETH": 3000},
    )
    finding = found(seen, policy(hedge("ETH", legs=[DATED]))).get(Kind.EXPIRY)
    assert (finding.severity if finding else None) is severity


def test_a_delisting_is_an_expiry() -> None:
    """A perpetual with a delisting date in two days is told as an expiry, in its own word."""
    seen = view(instruments=[perp(delisting=T0 + timedelta(days=2))])
    assert "is delisted" in found(seen)[Kind.EXPIRY].text


@pytest.mark.parametrize("trading", [True, False])
def test_not_trading(trading: bool) -> None:
    """An instrument that a hedge names and the venue has stopped is told."""
    assert (Kind.NOT_TRADING in found(view(instruments=[perp(trading=trading)]))) is not trading


def test_not_listed() -> None:
    """An instrument that the venue does not list is told as such, critical where there is no other."""
    seen = snapshot(account(spot=balances(ETH=10)), instruments=[perp("main:BTC/USDT:USDT")], prices={"ETH": 3000})
    finding = found(seen)[Kind.NOT_TRADING]
    assert (finding.severity, "does not list it" in finding.text) == (Severity.CRITICAL, True)


@pytest.mark.parametrize(
    ("fault", "severity"),
    [
        (Fault.UNREACHABLE, Severity.WARNING),
        (Fault.UNREADABLE, Severity.WARNING),
        (Fault.REFUSED, Severity.CRITICAL),
    ],
)
def test_account_unreachable(fault: Fault, severity: Severity) -> None:
    """A failed call names the account, the call and whose fault it is; the hedge that needs it is blocked."""
    seen = view(account=account(spot=broken(fault), positions=derivatives((ETH_PERP, -10))))
    assessment = assess(seen, USUAL)
    findings = {finding.kind: finding for finding in assessment.findings}
    assert findings[Kind.ACCOUNT_UNREACHABLE].severity is severity
    assert "main" in findings[Kind.ACCOUNT_UNREACHABLE].text
    assert "fetch_balance spot" in findings[Kind.ACCOUNT_UNREACHABLE].text
    assert fault.value in findings[Kind.ACCOUNT_UNREACHABLE].text
    assert Kind.DATA_MISSING in findings
    assert assessment.hedges[0].status is HedgeStatus.BLOCKED
    assert assessment.exposures[0].quantity == 10, "the last good balance is shown"
    assert assessment.exposures[0].as_of == OLD, "with its age"
    assert "drift/alts" in assessment.undetermined


def test_stale_data() -> None:
    """Readings older than three cycles are stale, and block."""
    stale = view(marks={ETH_PERP: quote(3000, OLD)})
    assert Kind.DATA_STALE in found(stale)
    assert assess(stale, USUAL).hedges[0].status is HedgeStatus.BLOCKED


@pytest.mark.parametrize(("skew", "is_torn"), [(10, False), (11, True)])
def test_torn_data(skew: int, is_torn: bool) -> None:
    """Legs read more than 10 s apart are not one picture."""
    seen = view(marks={ETH_PERP: quote(3000, T0 - timedelta(seconds=skew))})
    assert (Kind.DATA_STALE in found(seen)) is is_torn


@pytest.mark.parametrize(("max_age", "is_stale"), [(None, False), (timedelta(days=30), True)])
def test_an_old_holding(max_age: timedelta | None, is_stale: bool) -> None:
    """Coins in a cold wallet go stale only where the user set an age."""
    cold = Holding("ETH", Decimal(1), as_of=T0 - timedelta(days=60), max_age=max_age)
    seen = view(short="-11")
    assert (Kind.DATA_STALE in found(seen, policy(hedge("ETH"), holdings=[cold]))) is is_stale


def test_a_price_that_is_missing() -> None:
    """An asset without a price blocks the hedge that names it; one that no hedge names is only told."""
    spot = balances(ETH=10, UNI=100)
    seen = view(account=account(spot=spot, positions=derivatives((ETH_PERP, -10))))
    unnamed = assess(seen, USUAL)
    assert {f.kind: f.severity for f in unnamed.findings} == {Kind.PRICE_MISSING: Severity.INFO}
    assert unnamed.hedges[0].status is HedgeStatus.OK
    named = assess(seen, policy(hedge("ETH", "UNI")))
    assert named.hedges[0].status is HedgeStatus.BLOCKED
    assert named.hedges[0].hedge_ratio is None
    assert {f.kind for f in named.findings} == {Kind.PRICE_MISSING, Kind.DATA_MISSING}


def test_a_price_that_could_not_be_read() -> None:
    """A market that does not answer leaves a price missing, which is not the same as having no market."""
    lost: Missing = Missing(Fault.UNREACHABLE, "prices", "no answer", account="main")
    assessment = assess(view(prices={"ETH": lost}), USUAL)
    assert {f.kind for f in assessment.findings} == {Kind.ACCOUNT_UNREACHABLE, Kind.DATA_MISSING}
    assert "price_missing/ETH" in assessment.undetermined


def test_asset_uncovered() -> None:
    """An asset above dust that no hedge names is told; dust, cash and ignored assets are not."""
    spot = balances(ETH=10, UNI=100, DOGE=10, USDC=5000, SPAM=10**9)
    seen = view(
        account=account(spot=spot, positions=derivatives((ETH_PERP, -10))),
        prices={"UNI": 8, "DOGE": "0.15", "USDC": 1, "SPAM": 1},
    )
    findings = assess(seen, policy(hedge("ETH"), ignore=["SPAM"])).findings
    assert [(f.kind, f.subject) for f in findings] == [(Kind.ASSET_UNCOVERED, "UNI")]


def test_the_wildcard_takes_the_rest() -> None:
    """`*` covers what no other hedge names, and leaves cash alone."""
    spot = balances(ETH=10, UNI=100, USDT=5000)
    seen = view(account=account(spot=spot, positions=derivatives((ETH_PERP, -10))), prices={"UNI": 8})
    btc = "main:BTC/USDT:USDT"
    setup = policy(hedge("ETH"), hedge("*", name="rest", legs=[btc]))
    covered = {row.asset: row.hedge for row in assess(seen, setup).exposures}
    assert covered == {"ETH": "alts", "UNI": "rest"}


def test_position_unowned() -> None:
    """A position that no hedge names is told, and counts as exposure of its coin."""
    uni = "main:UNI/USDT:USDT"
    seen = snapshot(
        account(spot=balances(ETH=10), positions=derivatives((ETH_PERP, -10), (uni, 50))),
        instruments=[perp(), perp(uni)],
        marks={ETH_PERP: 3000, uni: 8},
        prices={"ETH": 3000, "UNI": 8},
    )
    assessment = assess(seen, USUAL)
    assert {f.kind: f.subject for f in assessment.findings}[Kind.POSITION_UNOWNED] == uni
    assert {row.asset: row.quantity for row in assessment.exposures}["UNI"] == 50


def test_position_untrusted() -> None:
    """A position whose size the venue tells in two ways blocks its hedge."""
    odd = Position(ETH_PERP, dec(-10), trusted=False)
    seen = view(account=account(spot=balances(ETH=10), positions=derivatives(odd)))
    assessment = assess(seen, USUAL)
    assert [f.kind for f in assessment.findings] == [Kind.POSITION_UNTRUSTED]
    assert assessment.hedges[0].status is HedgeStatus.BLOCKED


@pytest.mark.parametrize(("polls", "severity"), [(1, Severity.WARNING), (2, Severity.WARNING), (3, Severity.CRITICAL)])
def test_position_vanished(polls: int, severity: Severity) -> None:
    """A position that went without a reason blocks at once and is critical after three polls, with the command."""
    doubt = Doubt(ETH_PERP, "main", "ETH", InstrumentId(ETH_PERP), dec(-10), dec(0), polls)
    assessment = assess(view(short="0", doubts=[doubt]), USUAL)
    finding = {f.kind: f for f in assessment.findings}[Kind.POSITION_VANISHED]
    assert finding.severity is severity
    assert ("hedged accept-position main ETH/USDT:USDT" in finding.text) is (polls >= 3)
    assert assessment.hedges[0].status is HedgeStatus.BLOCKED
    assert Kind.DRIFT not in {f.kind for f in assessment.findings}


def test_position_closed() -> None:
    """A position that went and was explained does not block, and is told with what the venue shows."""
    doubt = Doubt(ETH_PERP, "main", "ETH", InstrumentId(ETH_PERP), dec(-10), dec(0), 1, "a liquidation at 3,300")
    assessment = assess(replace(view(short="0"), explained=(doubt,)), USUAL)
    findings = {f.kind: f for f in assessment.findings}
    assert "a liquidation at 3,300" in findings[Kind.POSITION_CLOSED].text
    assert assessment.hedges[0].status is HedgeStatus.UNDER


def test_balance_vanished() -> None:
    """A balance that went without a reason blocks the hedge of its asset, and no other."""
    doubt = Doubt("main/spot/ETH", "main", "ETH", None, dec(10), dec(0), 3)
    btc = "main:BTC/USDT:USDT"
    setup = policy(hedge("ETH"), hedge("BTC", name="btc", legs=[btc]))
    seen = snapshot(
        account(spot=balances(BTC=1), positions=derivatives((ETH_PERP, -10), (btc, -1))),
        instruments=[perp(), perp(btc)],
        marks={ETH_PERP: 3000, btc: 60000},
        prices={"ETH": 3000, "BTC": 60000},
        doubts=[doubt],
    )
    assessment = assess(seen, setup)
    assert {f.kind: f.severity for f in assessment.findings}[Kind.BALANCE_VANISHED] is Severity.CRITICAL
    assert [state.status for state in assessment.hedges] == [HedgeStatus.BLOCKED, HedgeStatus.OK]


@pytest.mark.parametrize(
    ("price", "severity"),
    [("0.995", None), ("0.99", Severity.WARNING), ("1.01", Severity.WARNING), ("0.9128", Severity.CRITICAL)],
)
def test_depeg(price: str, severity: Severity | None) -> None:
    """A stablecoin 1 % off the quote is told (USDC stood at 0.9128 on 2023-03-11)."""
    finding = found(view(prices={"USDC": price})).get(Kind.DEPEG)
    assert (finding.severity if finding else None) is severity


@pytest.mark.parametrize(("short", "severity"), [("0", Severity.INFO), ("-1", Severity.WARNING)])
def test_no_exposure(short: str, severity: Severity) -> None:
    """A hedge with nothing left to hedge is told, louder while it still holds a short."""
    assessment = assess(view(eth="0", short=short), USUAL)
    assert {f.kind: f.severity for f in assessment.findings} == {Kind.NO_EXPOSURE: severity}
    state = assessment.hedges[0]
    assert (state.hedge_ratio, state.drift, state.status) == (None, None, HedgeStatus.NO_EXPOSURE)


def test_a_missing_datum_blocks_exactly_what_needs_it() -> None:
    """One venue down stops its own hedge; the hedge that never had anything there goes on."""
    other = "other:BTC/USDT:USDT"
    setup = policy(hedge("ETH"), hedge("BTC", name="btc", legs=[other]), accounts=["main", "other"])
    seen = snapshot(
        account(spot=broken(Fault.UNREACHABLE), positions=derivatives((ETH_PERP, -10))),
        account("other", spot=balances(BTC=1), positions=derivatives((other, -1))),
        instruments=[perp(), perp(other)],
        marks={ETH_PERP: 3000, other: 60000},
        prices={"ETH": 3000, "BTC": 60000},
    )
    assert [state.status for state in assess(seen, setup).hedges] == [HedgeStatus.BLOCKED, HedgeStatus.OK]


def test_what_was_never_read_blocks_everything() -> None:
    """A wallet that was never read may hold anything, so no hedge may trade."""
    other = "other:BTC/USDT:USDT"
    setup = policy(hedge("BTC", name="btc", legs=[other]), accounts=["main", "other"])
    seen = snapshot(
        account(spot=broken(Fault.UNREACHABLE, last=False)),
        account("other", spot=balances(BTC=1), positions=derivatives((other, -1))),
        instruments=[perp(other)],
        marks={other: 60000},
        prices={"BTC": 60000},
    )
    assert assess(seen, setup).hedges[0].status is HedgeStatus.BLOCKED


def assess_shared(short: str) -> Assessment:
    setup = policy(hedge("ETH"), hedge("UNI", name="uni"))
    seen = snapshot(
        account(spot=balances(ETH=10, UNI=1000), positions=derivatives((ETH_PERP, short))),
        marks={ETH_PERP: 3000},
        prices={"ETH": 3000, "UNI": 30},
    )
    return assess(seen, setup)


def test_hedges_that_share_an_instrument_are_one_position() -> None:
    """Two hedges of 30,000 over one short of 60,000: shares pro rata, one drift, one group."""
    assessment = assess_shared("-20")
    assert [group.name for group in assessment.groups] == ["alts+uni"]
    assert [(s.name, s.hedge_value, s.hedge_ratio) for s in assessment.hedges] == [
        ("alts", 30_000, 1),
        ("uni", 30_000, 1),
    ]
    drifted = assess_shared("-16")
    assert {f.subject for f in drifted.findings if f.kind is Kind.DRIFT} == {"alts", "uni"}
    assert drifted.groups[0].drift == Decimal("-0.2")


def test_a_contract_rolled_into_stays_a_leg() -> None:
    """A later contract of the named chain counts as the hedge's own, not as a foreign position."""
    march = "main:ETH/USDT:USDT-270326"
    seen = snapshot(
        account(spot=balances(ETH=10), positions=derivatives((march, -10))),
        instruments=[future(DATED, T0 + timedelta(days=50)), future(march, T0 + timedelta(days=140))],
        marks={DATED: 3000, march: 3000},
        prices={"ETH": 3000},
    )
    assessment = assess(seen, policy(hedge("ETH", legs=[DATED])))
    assert assessment.findings == ()
    assert assessment.hedges[0].hedge_ratio == 1


def test_a_buy_hedge_counts_the_other_way() -> None:
    """An instrument that rises when the assets fall hedges them when it is held long."""
    from hedged.model.policy import LegPolicy

    dom = InstrumentId("main:BTCDOM/USDT:USDT")
    seen = snapshot(
        account(spot=balances(ETH=10), positions=derivatives((dom, 10))),
        instruments=[perp(dom)],
        marks={dom: 3000},
        prices={"ETH": 3000},
    )
    assert assess(seen, policy(hedge("ETH", legs=[LegPolicy(dom, direction=-1)]))).hedges[0].hedge_ratio == 1


def test_carry_of_a_short_at_positive_funding() -> None:
    """0.01 % each 8 h is 10.95 % a year, which a short of 30,000 receives."""
    rate = {"funding_rate": Decimal("0.0001"), "funding_interval_hours": Decimal(8)}
    seen = view(marks={ETH_PERP: Read(Quote(mark=Decimal(3000), **rate), T0)})
    assert assess(seen, USUAL).hedges[0].legs[0].carry_year == Decimal(-3285)


def test_thresholds_are_the_users() -> None:
    """A skew the user allows is allowed."""
    seen = view(marks={ETH_PERP: quote(3000, T0 - timedelta(seconds=11))})
    setup = policy(hedge("ETH"), thresholds=Thresholds(leg_skew_max=timedelta(seconds=20)))
    assert found(seen, setup) == {}


def test_an_untrusted_position_of_no_hedge_blocks_the_hedge_of_its_coin() -> None:
    """A position whose size is not known changes the exposure by an unknown amount."""
    uni = "main:UNI/USDT:USDT"
    odd = Position(InstrumentId(uni), dec(-300), trusted=False)
    seen = snapshot(
        account(spot=balances(ETH=10, UNI=100), positions=derivatives((ETH_PERP, -10), odd)),
        instruments=[perp(), perp(uni)],
        marks={ETH_PERP: 3000, uni: 8},
        prices={"ETH": 3000, "UNI": 8},
    )
    states = assess(seen, policy(hedge("ETH"), hedge("UNI", name="uni", legs=["main:BTC/USDT:USDT"]))).hedges
    assert {state.name: "not trusted" in " ".join(state.blocked_by) for state in states} == {"alts": False, "uni": True}


def test_a_wallet_whose_debt_equals_its_coins_is_needed() -> None:
    """Net zero is not nothing: unread, the wallet may hold anything of that coin."""
    borrowed = Read((Balance("ETH", free=dec(10), debt=dec(10)),), OLD)
    lost: Missing = Missing(Fault.UNREACHABLE, "margin wallet", "no answer", borrowed)
    seen = view(account=account(spot=balances(ETH=10), positions=derivatives((ETH_PERP, -10)), margin=lost))
    assert assess(seen, USUAL).hedges[0].status is HedgeStatus.BLOCKED


def test_missing_positions_that_were_exposure_block_the_hedge_of_their_coin() -> None:
    """An account without a leg, whose last positions counted as exposure, is needed by the hedge of that coin only."""
    last = derivatives(("other:ETH/USDT:USDT", 5), at=T0 - timedelta(seconds=5))
    lost: Missing = Missing(Fault.UNREACHABLE, "positions", "no answer", last)
    setup = policy(hedge("ETH"), hedge("BTC", name="btc", legs=["main:BTC/USDT:USDT"]), accounts=["main", "other"])
    seen = snapshot(
        account(spot=balances(ETH=10, BTC=1), positions=derivatives((ETH_PERP, -10), ("main:BTC/USDT:USDT", -1))),
        account("other", positions=lost),
        instruments=[perp(), perp("main:BTC/USDT:USDT"), perp("other:ETH/USDT:USDT")],
        marks={ETH_PERP: 3000, "main:BTC/USDT:USDT": 60000, "other:ETH/USDT:USDT": 3000},
        prices={"ETH": 3000, "BTC": 60000},
    )
    assert [state.status for state in assess(seen, setup).hedges] == [HedgeStatus.BLOCKED, HedgeStatus.OK]


def test_without_a_key_what_is_short_is_unknown() -> None:
    """Public data alone tells nothing of positions, and unknown is not zero."""
    from hedged.model.snapshot import AccountSnapshot

    seen = view(account=AccountSnapshot("main", {"spot": balances(ETH=10)}))
    state = assess(seen, USUAL).hedges[0]
    assert (state.legs[0].contracts, state.hedge_ratio, state.status) == (None, None, HedgeStatus.BLOCKED)
    assert "no key" in state.blocked_by[0]


def test_a_fall_back_nobody_holds_is_not_needed() -> None:
    """Its missing mark blocks nothing while the preferred instrument trades."""
    second = "main:ETH/USDC:USDC"
    lost: Missing = Missing(Fault.UNREACHABLE, "marks", "no answer", account="main")
    seen = snapshot(
        account(spot=balances(ETH=10), positions=derivatives((ETH_PERP, -10))),
        instruments=[perp(), perp(second)],
        marks={ETH_PERP: 3000, second: lost},
        prices={"ETH": 3000},
    )
    assert assess(seen, policy(hedge("ETH", legs=[ETH_PERP, second]))).hedges[0].status is HedgeStatus.OK
    held = replace(
        seen, accounts={"main": account(spot=balances(ETH=10), positions=derivatives((ETH_PERP, -9), (second, -1)))}
    )
    assert assess(held, policy(hedge("ETH", legs=[ETH_PERP, second]))).hedges[0].status is HedgeStatus.BLOCKED


def test_a_token_without_a_market_does_not_stop_the_rest() -> None:
    """The wildcard covers what can be priced; what somebody drops into a wallet is told."""
    seen = view(account=account(spot=balances(ETH=10, SPAM=10**6), positions=derivatives((ETH_PERP, -10))))
    assessment = assess(seen, policy(hedge("*", name="all")))
    assert assessment.hedges[0].status is HedgeStatus.OK
    assert {f.kind for f in assessment.findings} == {Kind.PRICE_MISSING}


def test_dust_whose_price_is_missing_blocks_nothing() -> None:
    """What was worth less than dust when it was last priced does not count."""
    lost: Missing = Missing(Fault.UNREACHABLE, "prices", "no answer", Read(dec(8), OLD), account="main")
    seen = view(
        account=account(spot=balances(ETH=10, UNI="0.01"), positions=derivatives((ETH_PERP, -10))), prices={"UNI": lost}
    )
    assert assess(seen, policy(hedge("ETH", "UNI"))).hedges[0].status is HedgeStatus.OK


def test_a_halted_leg_with_a_share_is_replaced_by_nothing() -> None:
    """Under weights nothing takes a halted instrument's place, and the finding says so."""
    legs = [LegPolicy(InstrumentId(ETH_PERP), weight=dec("0.5")), LegPolicy(InstrumentId(DATED), weight=dec("0.5"))]
    seen = snapshot(
        account(spot=balances(ETH=10), positions=derivatives((DATED, -5))),
        instruments=[perp(trading=False), future(DATED, T0 + timedelta(days=50))],
        marks={ETH_PERP: 3000, DATED: 3000},
        prices={"ETH": 3000},
    )
    finding = found(seen, policy(hedge("ETH", legs=legs)))[Kind.NOT_TRADING]
    assert (finding.severity, "Nothing takes its place" in finding.text) == (Severity.CRITICAL, True)


def test_a_liquidation_is_critical() -> None:
    """A short that ran out of margin is no everyday closing."""
    doubt = Doubt(ETH_PERP, "main", "ETH", InstrumentId(ETH_PERP), dec(-10), dec(0), 1, "liquidated at 3,300")
    findings = {f.kind: f for f in assess(replace(view(short="0"), explained=(doubt,)), USUAL).findings}
    assert findings[Kind.POSITION_CLOSED].severity is Severity.CRITICAL


def test_balances_read_long_before_the_marks_are_torn() -> None:
    """A balance is part of the picture too."""
    seen = view(
        account=account(spot=balances(T0 - timedelta(seconds=11), ETH=10), positions=derivatives((ETH_PERP, -10)))
    )
    assert Kind.DATA_STALE in found(seen)


def test_an_outage_does_not_resolve_the_margin() -> None:
    """While positions cannot be read, neither margin nor liquidation is over."""
    lost: Missing = Missing(Fault.UNREACHABLE, "positions", "no answer", derivatives((ETH_PERP, -10), at=OLD))
    keys = assess(view(account=account(spot=balances(ETH=10), positions=lost)), USUAL).undetermined
    assert {"margin/main", "liquidation_near/main", "position_unowned/*", "position_untrusted/*"} <= keys


def test_ignored_assets_count_nowhere() -> None:
    """By the venue's name or by the alias: what is ignored is no exposure."""
    seen = view(
        account=account(spot=balances(ETH=10, stETH=5, SCAM=7), positions=derivatives((ETH_PERP, -10))),
        prices={"SCAM": 1},
    )
    rows = assess(seen, policy(hedge("ETH", "*"), ignore=["stETH", "SCAM"], aliases={"stETH": "ETH"})).exposures
    assert [(row.asset, row.quantity) for row in rows] == [("ETH", 10)]


STAKED = policy(hedge("ETH"), aliases={"WBETH": "ETH", "LDUSDT": "USDT"})


@pytest.mark.parametrize(
    ("price", "counts", "told"),
    [
        ("3240", "10.8", False),  # ten of them have earned eight per cent
        (None, "10", False),  # no account has a price of it
        ("1499", "10", True),  # another coin of the same name, most likely
        ("6001", "10", True),
    ],
)
def test_an_alias_counts_as_what_it_is_worth(price: str | None, counts: str, told: bool) -> None:
    """A staked coin is more than one of the coin that it stands for; one to one where nobody knows how much."""
    coins = account(spot=balances(WBETH=10, LDUSDT=5), positions=derivatives((ETH_PERP, -10)))
    seen = view(account=coins, prices={} if price is None else {"WBETH": price})
    assessment = assess(seen, STAKED)
    (row,) = assessment.exposures
    assert (row.asset, row.quantity, row.value) == ("ETH", dec(counts), dec(counts) * 3000)
    assert [finding.subject for finding in assessment.findings if finding.kind is Kind.DEPEG] == ["WBETH"] * told


def test_a_holding_and_a_debt_in_an_alias_count_as_what_they_are_worth() -> None:
    """Off the exchange and borrowed, as in a wallet."""
    owed = Read((Balance("WBETH", free=dec(0), debt=dec(2)),), T0)
    setup = replace(STAKED, holdings=(Holding("WBETH", dec(10), T0),))
    seen = view(account=account(spot=owed, positions=derivatives()), prices={"WBETH": 3300})
    assert [(row.asset, row.quantity) for row in assess(seen, setup).exposures] == [("ETH", dec("8.8"))]


def test_an_alias_without_its_price_blocks_the_hedge_of_its_coin() -> None:
    """It had one: what it is worth now is not known, and one to one would be a guess."""
    lost: Missing = Missing(Fault.UNREACHABLE, "prices", "no answer", Read(dec(3240), OLD))
    coins = account(spot=balances(WBETH=10), positions=derivatives((ETH_PERP, -10)))
    (state,) = assess(view(account=coins, prices={"WBETH": lost}), STAKED).hedges
    assert state.status is HedgeStatus.BLOCKED
    assert "price of WBETH" in state.blocked_by[0]
    assert state.exposure_value == 32_400, "shown as last seen"


@pytest.mark.parametrize(
    ("base", "prices", "counts"),
    [
        ("1000PEPE", {"PEPE": "0.00001"}, {"PEPE": "-4000000"}),
        ("kPEPE", {"PEPE": "0.00001"}, {"PEPE": "-4000000"}),
        ("1MPEPE", {"PEPE": "0.00001"}, {"PEPE": "-4999000000"}),
        ("1000SATS", {"1000SATS": "0.0002"}, {"PEPE": "1000000", "1000SATS": "-5000"}),  # a coin of that name
    ],
)
def test_a_contract_on_a_thousand_coins_nets_with_the_coin(
    base: str, prices: dict[str, str], counts: dict[str, str]
) -> None:
    """A million PEPE and 5,000 contracts of a thousand each short, which no hedge names."""
    name = f"main:{base}/USDT:USDT"
    seen = snapshot(
        account(spot=balances(PEPE=1_000_000), positions=derivatives((name, -5000))),
        instruments=[perp(name), perp()],
        marks={name: "0.01"},
        prices=prices,
    )
    rows = assess(seen, policy(hedge("ETH"))).exposures
    assert {row.asset: row.quantity for row in rows} == {asset: dec(each) for asset, each in counts.items()}


def test_a_stale_position_in_a_thousand_coins_blocks_the_hedge_of_the_coin() -> None:
    """Whose exposure it changes."""
    name = "main:1000ETH/USDT:USDT"
    lost: Missing = Missing(Fault.UNREACHABLE, "positions", "no answer", derivatives((name, -1), at=OLD))
    seen = snapshot(
        account(spot=balances(ETH=10), positions=derivatives((ETH_PERP, -10))),
        account("other", positions=lost),
        instruments=[perp(name), perp()],
        marks={name: 3_000_000, ETH_PERP: 3000},
        prices={"ETH": 3000},
    )
    assert any("other: positions" in why for why in assess(seen, USUAL).hedges[0].blocked_by)


def test_an_unowned_position_counts_in_coins() -> None:
    """50 contracts of 0.1 are 5 coins."""
    uni = "main:UNI/USDT:USDT"
    seen = snapshot(
        account(spot=balances(ETH=10), positions=derivatives((ETH_PERP, -10), (uni, 50))),
        instruments=[perp(), perp(uni, multiplier="0.1")],
        marks={ETH_PERP: 3000, uni: 8},
        prices={"ETH": 3000, "UNI": 8},
    )
    assert {row.asset: row.quantity for row in assess(seen, USUAL).exposures}["UNI"] == 5


def test_an_expired_named_contract_still_stands_for_its_chain() -> None:
    """The venue no longer lists the contract in the file; the one rolled into is the hedge's all the same."""
    march = "main:ETH/USDT:USDT-270326"
    seen = snapshot(
        account(spot=balances(ETH=10), positions=derivatives((march, -10))),
        instruments=[future(march, T0 + timedelta(days=140))],
        marks={march: 3000},
        prices={"ETH": 3000},
    )
    assessment = assess(seen, policy(hedge("ETH", legs=[DATED])))
    assert assessment.hedges[0].hedge_ratio == 1
    assert Kind.POSITION_UNOWNED not in {f.kind for f in assessment.findings}


def test_a_position_of_unknown_size_blocks_the_hedge_of_its_coin() -> None:
    """An inverse position without an entry price moves like an unknown number of coins."""
    inverse = InstrumentId("main:ETH/USD:ETH")
    contract = replace(perp(inverse, multiplier=10, lot=1), linear=False, quote="USD", settle="ETH")
    seen = snapshot(
        account(spot=balances(ETH=10), positions=derivatives((ETH_PERP, -10), Position(inverse, dec(-1500)))),
        instruments=[perp(), contract],
        marks={ETH_PERP: 3000, inverse: 3000},
        prices={"ETH": 3000},
    )
    state = assess(seen, USUAL).hedges[0]
    assert state.status is HedgeStatus.BLOCKED
    assert "not known" in state.blocked_by[0]


def test_a_good_margin_without_a_liquidation_price_ends_the_alert() -> None:
    """Venues leave the price out when it is far: with a low ratio the danger is over."""
    far = view(
        account=account(
            spot=balances(ETH=10),
            positions=derivatives((ETH_PERP, -10), margin=Margin(equity=dec(100_000), maintenance=dec(300))),
        )
    )
    assert assess(far, USUAL).undetermined == frozenset()
