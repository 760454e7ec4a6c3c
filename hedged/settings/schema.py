"""Every table and key of a configuration file, with its default and bounds.

What spans several tables (names that must be unique, instruments of unknown accounts, one asset in two hedges) is
in `checks`. `config/hedged.example.toml` is the same list for users, and a test keeps both equal.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from ipaddress import ip_address
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool

from hedged.adapters.store.retention import Retention
from hedged.model.finding import Kind, Severity
from hedged.model.policy import Limits, Mode, PaperPolicy, Thresholds
from hedged.settings.fields import (
    AccountName,
    Amount,
    Asset,
    AssetOrRest,
    Duration,
    FilePath,
    Fraction,
    Frozen,
    InstrumentName,
    Moment,
    Name,
    Patience,
    PositiveAmount,
    Whole,
)
from hedged.tell.lifecycle import REPEAT, AlertRules

_LIMITS = Limits()
_RETENTION = Retention()
_RULES = AlertRules()
_PAPER = PaperPolicy()
_THRESHOLDS = Thresholds()
_HOST = re.compile(r"[A-Za-z0-9._:-]{1,253}")


def _loopback(value: str) -> str:
    """`host:port` on this machine; anything else would send real keys to a stranger."""
    parts = urlsplit(f"//{value}")
    try:
        port, host = parts.port, parts.hostname or ""
        local = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        port, local = None, False
    if not local or not port or parts.path or parts.query or parts.fragment or "@" in value:
        raise ValueError('must be a port of this machine, such as "127.0.0.1:8443"')
    return value


def _host(value: str) -> str:
    if not _HOST.fullmatch(value):
        raise ValueError("must be a host name or an address alone: port, user and password have places of their own")
    return value


def _topic(value: str) -> str:
    if not re.fullmatch(r"[^\s#+$/\x00][^\s#+\x00]*", value) or value.endswith("/"):
        raise ValueError("must be an MQTT topic without #, +, spaces, a leading $ or / and a trailing /")
    return value


def _http_url(value: str) -> str:
    parts = urlsplit(value)
    if parts.scheme not in {"http", "https"} or not parts.hostname or not value.isprintable() or " " in value:
        raise ValueError("must be an http:// or https:// address")
    return value


def _ladder(value: tuple[timedelta, ...]) -> tuple[timedelta, ...]:
    if len(set(value)) != len(value) or not 1 <= len(value) <= 10:
        raise ValueError("must be 1 to 10 different durations")
    return tuple(sorted(value, reverse=True))


Wallet = Literal["spot", "margin", "swap", "funding", "earn", "portfolio"]


class Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True, validate_default=False)


class ScheduleSettings(Table):
    every: Duration = timedelta(seconds=60)
    streams: bool = True
    jump: Annotated[Decimal, Field(ge=Decimal("0.0005"), le=Decimal("0.5"))] = Decimal("0.01")
    every_min: Duration = timedelta(seconds=5)


class PortfolioSettings(Table):
    dust_value: Amount = Decimal(10)
    ignore: tuple[Asset, ...] = ()
    aliases: Annotated[Mapping[Asset, Asset], Frozen] = {}


class AccountSettings(Table):
    name: AccountName
    exchange: str
    wallets: Annotated[
        tuple[Literal["spot", "margin", "swap", "funding", "earn", "portfolio"], ...], Field(min_length=1)
    ] = (
        "spot",
        "swap",
    )
    sandbox: StrictBool = False
    connect_to: Annotated[str, AfterValidator(_loopback)] | None = None
    ca_file: FilePath | None = None
    credentials_file: FilePath | None = None
    # the simulated market alone
    seed: Annotated[Whole, Field(ge=0, le=2**32 - 1)] = 1
    scenario: Literal["calm", "story"] = "calm"
    balances: Annotated[Mapping[Asset, Amount], Frozen] = {}


class HoldingSettings(Table):
    asset: Asset
    quantity: Amount
    as_of: Moment
    note: str = ""
    max_age: Duration | None = None


class InstrumentSettings(Table):
    instrument: InstrumentName
    direction: Literal["buy", "sell"]


class HedgeSettings(Table):
    name: Name
    assets: Annotated[tuple[AssetOrRest, ...], Field(min_length=1)]
    instruments: Annotated[tuple[InstrumentName, ...], Field(min_length=1)]
    target: Literal["value"] = "value"
    target_ratio: Annotated[Decimal, Field(ge=0, le=Decimal("1.5"))] = Decimal(1)
    band: Fraction = Decimal("0.05")
    beta: Annotated[Mapping[Asset, Annotated[Decimal, Field(gt=0, le=10)]], Frozen] = {}
    weights: tuple[Annotated[Decimal, Field(gt=0, le=1)], ...] | None = None
    mode: Mode | None = None


class TierSettings(Table):
    instrument: InstrumentName
    notional_floor: Amount
    maintenance_margin_rate: Fraction
    leverage_max: Annotated[Decimal, Field(ge=1, le=1000)]


class PaperSettings(Table):
    cash: Amount = _PAPER.cash
    fee_taker: Annotated[Decimal, Field(ge=Decimal("-0.01"), le=Decimal("0.1"))] = _PAPER.fee_taker
    fee_maker: Annotated[Decimal, Field(ge=Decimal("-0.01"), le=Decimal("0.1"))] = _PAPER.fee_maker
    slippage_bps: Annotated[Decimal, Field(ge=0, le=1000)] = _PAPER.slippage_bps
    spread_bps: Annotated[Decimal, Field(ge=0, le=1000)] = _PAPER.spread_bps
    leverage: Annotated[Decimal, Field(ge=1, le=125)] = _PAPER.leverage


class MarginSettings(Table):
    warning: Fraction = _THRESHOLDS.margin_ratio_warning
    critical: Fraction = _THRESHOLDS.margin_ratio_critical
    liquidation_near: Fraction = _THRESHOLDS.liquidation_distance_near


class ExpirySettings(Table):
    ladder: Annotated[tuple[Duration, ...], AfterValidator(_ladder)] = _THRESHOLDS.expiry_ladder


class LimitSettings(Table):
    order_notional_min: Amount = _LIMITS.order_notional_min
    order_notional_max: PositiveAmount | None = None
    position_notional_max: PositiveAmount | None = None
    turnover_day_max: PositiveAmount | None = None
    orders_cycle_max: Annotated[Whole, Field(ge=1, le=1000)] = _LIMITS.orders_cycle_max
    price_collar: Fraction = _LIMITS.price_collar


class RepeatSettings(Table):
    """How long until a firing alert is told again, by severity."""

    info: Duration = REPEAT[Severity.INFO]
    warning: Duration = REPEAT[Severity.WARNING]
    critical: Duration = REPEAT[Severity.CRITICAL]


class AlertSettings(Table):
    stale_after: Duration | None = None  # three times `every`
    leg_skew_max: Duration = _THRESHOLDS.leg_skew_max
    depeg: Fraction = _THRESHOLDS.depeg
    settle: Patience = _RULES.settle
    repeat: RepeatSettings = RepeatSettings()
    hold: Annotated[Mapping[Kind, Patience], Frozen, Field(alias="for")] = {}


class MqttSettings(Table):
    host: Annotated[str, AfterValidator(_host)]
    port: Annotated[Whole, Field(ge=1, le=65_535)] | None = None  # 8883 with TLS, else 1883
    tls: bool = False
    ca_file: FilePath | None = None
    certificate_file: FilePath | None = None
    key_file: FilePath | None = None
    prefix: Annotated[str, AfterValidator(_topic)] = "hedged"
    credentials_file: FilePath | None = None


class NotifySettings(Table):
    log: bool = True
    heartbeat_url: Annotated[str, AfterValidator(_http_url)] | None = None
    credentials_file: FilePath | None = None


class StoreSettings(Table):
    path: FilePath | None = None
    keep_cycles: Duration = _RETENTION.every_cycle
    keep_hourly: Duration = _RETENTION.one_an_hour
    keep_daily: Duration = _RETENTION.one_a_day
    keep_history: Duration = _RETENTION.orders_and_alerts
    keep_delivered: Duration = _RETENTION.delivered


class Document(Table):
    """A whole file."""

    name: Name | None = None
    mode: Mode = Mode.MONITOR
    quote: Asset = "USDT"
    schedule: ScheduleSettings = ScheduleSettings()
    portfolio: PortfolioSettings = PortfolioSettings()
    accounts: Annotated[tuple[AccountSettings, ...], Field(min_length=1)]
    holdings: tuple[HoldingSettings, ...] = ()
    instruments: tuple[InstrumentSettings, ...] = ()
    hedges: tuple[HedgeSettings, ...] = ()
    tiers: tuple[TierSettings, ...] = ()
    paper: PaperSettings = PaperSettings()
    margin: MarginSettings = MarginSettings()
    expiry: ExpirySettings = ExpirySettings()
    limits: LimitSettings = LimitSettings()
    alerts: AlertSettings = AlertSettings()
    mqtt: MqttSettings | None = None
    notify: NotifySettings = NotifySettings()
    store: StoreSettings = StoreSettings()
