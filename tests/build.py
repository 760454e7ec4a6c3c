"""Short ways to make the values that the pure core takes. Money may be given as str or int."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from hedged.model.instrument import ContractKind, Instrument, InstrumentId
from hedged.model.policy import HedgePolicy, Holding, LegPolicy, Limits, Mode, PortfolioPolicy, Thresholds, World
from hedged.model.snapshot import (
    AccountSnapshot,
    Balance,
    Derivatives,
    Doubt,
    Leg,
    Margin,
    Missing,
    Position,
    Quote,
    Read,
    Snapshot,
)
from tests.support import T0

Number = str | int | Decimal
ETH_PERP = InstrumentId("main:ETH/USDT:USDT")
BTC_PERP = InstrumentId("main:BTC/USDT:USDT")


def dec(value: Number) -> Decimal:
    return value if isinstance(value, Decimal) else Decimal(value)


def perp(
    name: str = ETH_PERP,
    *,
    multiplier: Number = 1,
    lot: Number = "0.001",
    notional_min: Number = 0,
    trading: bool = True,
    delisting: datetime | None = None,
) -> Instrument:
    account, _, symbol = name.partition(":")
    base = symbol.partition("/")[0]
    return Instrument(
        id=InstrumentId(name),
        account=account,
        symbol=symbol,
        kind=ContractKind.PERPETUAL,
        base=base,
        quote="USDT",
        settle="USDT",
        multiplier=dec(multiplier),
        lot_size=dec(lot),
        notional_min=dec(notional_min),
        trading=trading,
        delisting=delisting,
    )


def future(name: str, expiry: datetime, *, multiplier: Number = 1, lot: Number = "0.001") -> Instrument:
    account, _, symbol = name.partition(":")
    return Instrument(
        id=InstrumentId(name),
        account=account,
        symbol=symbol,
        kind=ContractKind.FUTURE,
        base=symbol.partition("/")[0],
        quote="USDT",
        settle="USDT",
        multiplier=dec(multiplier),
        lot_size=dec(lot),
        expiry=expiry,
    )


def hedge(
    *assets: str,
    name: str = "alts",
    legs: Sequence[str | LegPolicy] = (ETH_PERP,),
    ratio: Number = 1,
    band: Number = "0.05",
    beta: Mapping[str, Number] | None = None,
    mode: Mode = Mode.PAPER,
) -> HedgePolicy:
    return HedgePolicy(
        name=name,
        assets=tuple(asset for asset in assets if asset != "*"),
        legs=tuple(leg if isinstance(leg, LegPolicy) else LegPolicy(InstrumentId(leg)) for leg in legs),
        target_ratio=dec(ratio),
        band=dec(band),
        beta={asset: dec(value) for asset, value in (beta or {}).items()},
        mode=mode,
        takes_rest="*" in assets,
    )


def policy(
    *hedges: HedgePolicy,
    holdings: Sequence[Holding] = (),
    mode: Mode = Mode.PAPER,
    limits: Limits | None = None,
    thresholds: Thresholds | None = None,
    aliases: Mapping[str, str] | None = None,
    ignore: Sequence[str] = (),
    accounts: Sequence[str] = ("main",),
) -> PortfolioPolicy:
    return PortfolioPolicy(
        name="test",
        mode=mode,
        world=World.PAPER,
        quote="USDT",
        every=timedelta(seconds=60),
        hedges=hedges,
        holdings=tuple(holdings),
        limits=limits or Limits(),
        thresholds=thresholds or Thresholds(),
        aliases=aliases or {},
        ignore=frozenset(ignore),
        accounts=frozenset(accounts),
    )


def balances(at: datetime = T0, **assets: Number) -> Read[tuple[Balance, ...]]:
    return Read(tuple(Balance(asset=name, free=dec(amount)) for name, amount in assets.items()), at)


def derivatives(
    *held: tuple[str, Number] | Position, at: datetime = T0, margin: Margin | None = None
) -> Read[Derivatives]:
    positions = tuple(
        each if isinstance(each, Position) else Position(InstrumentId(each[0]), dec(each[1])) for each in held
    )
    return Read(Derivatives(positions=positions, margin=margin), at)


def quote(mark: Number, at: datetime = T0, **more: Decimal) -> Read[Quote]:
    return Read(Quote(mark=dec(mark), **more), at)


def account(
    name: str = "main",
    *,
    spot: Leg[tuple[Balance, ...]] | None = None,
    positions: Leg[Derivatives] | None = None,
    **wallets: Leg[tuple[Balance, ...]],
) -> AccountSnapshot:
    return AccountSnapshot(
        account=name,
        wallets={"spot": spot if spot is not None else balances(), **wallets},
        derivatives=positions if positions is not None else derivatives(),
    )


def snapshot(
    *accounts: AccountSnapshot,
    instruments: Sequence[Instrument] = (),
    marks: Mapping[str, Number | Read[Quote] | Missing[Quote]] | None = None,
    prices: Mapping[str, Number | Read[Decimal] | Missing[Decimal]] | None = None,
    doubts: Sequence[Doubt] = (),
    now: datetime = T0,
) -> Snapshot:
    listed = list(instruments) or [perp()]
    return Snapshot(
        now=now,
        accounts={each.account: each for each in accounts or (account(),)},
        instruments={each.id: each for each in listed},
        quotes={
            InstrumentId(name): value if isinstance(value, Read | Missing) else quote(value, now)
            for name, value in (marks or {}).items()
        },
        prices={
            asset: value if isinstance(value, Read | Missing) else Read(dec(value), now)
            for asset, value in (prices or {}).items()
        },
        doubts=tuple(doubts),
    )
