"""Every table and key of a configuration file, with its default and bounds.

What spans several tables (names that must be unique, instruments of unknown accounts, one asset in two hedges) is
in `checks`. `config/hedged.example.toml` is the same list for users, and a test keeps both equal.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StrictBool

from hedged.adapters.store.retention import Retention
from hedged.model.command import Verb
from hedged.model.finding import Kind, Severity
from hedged.model.guard import UNFOLLOWED_KEPT
from hedged.model.order import Placement
from hedged.model.policy import (
    BAND,
    PROPOSALS_EXPIRE,
    RISK_COST_YEAR,
    CountdownUse,
    Limits,
    MarginPolicy,
    Mode,
    OnCritical,
    PaperPolicy,
    RollPolicy,
    Target,
    Thresholds,
)
from hedged.model.timing import Measure, Signal
from hedged.settings import bounds
from hedged.settings.fields import (
    AccountName,
    Amount,
    Asset,
    AssetOrRest,
    Duration,
    Expiry,
    FilePath,
    Fraction,
    Frozen,
    InstrumentName,
    Moment,
    Name,
    Patience,
    PositiveAmount,
    PriceSource,
    Whole,
)
from hedged.tell.rules import REPEAT, AlertRules

_LIMITS = Limits()
_RETENTION = Retention()
_RULES = AlertRules()
_PAPER = PaperPolicy()
_ROLL = RollPolicy()
_MARGIN = MarginPolicy()
_SIGNAL = Signal()
_THRESHOLDS = Thresholds()
_CONTRACTS_MAX = Decimal("1e12")


ChannelName = Annotated[str, AfterValidator(bounds.channel_name)]
Wallet = Literal["spot", "margin", "swap", "funding", "earn", "portfolio", "uta"]


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
    sectors_file: FilePath | None = None


class AccountSettings(Table):
    name: AccountName
    exchange: str
    wallets: Annotated[
        tuple[Literal["spot", "margin", "swap", "funding", "earn", "portfolio", "uta"], ...], Field(min_length=1)
    ] = (
        "spot",
        "swap",
    )
    sandbox: StrictBool = False
    connect_to: Annotated[str, AfterValidator(bounds.loopback)] | None = None
    ca_file: FilePath | None = None
    credentials_file: FilePath | None = None
    withdraw_disabled_confirmed: Moment | None = None
    # the simulated market alone
    seed: Annotated[Whole, Field(ge=0, le=2**32 - 1)] = 1
    scenario: Literal["calm", "story"] = "calm"
    balances: Annotated[Mapping[Asset, Amount], Frozen] = {}
    cash: Amount = Decimal(0)


class HoldingSettings(Table):
    asset: Asset
    quantity: Amount
    as_of: Moment
    note: str = ""
    max_age: Duration | None = None


class InstrumentSettings(Table):
    """Which way an instrument hedges; with a multiplier, a contract at a broker that is entered by hand."""

    instrument: InstrumentName
    direction: Literal["buy", "sell"] | None = None
    multiplier: PositiveAmount | None = None
    lot: PositiveAmount = Decimal(1)
    expiry: Expiry = None
    price_from: PriceSource | None = None  # the contract's coin where not given


class PositionSettings(Table):
    instrument: InstrumentName
    contracts: Annotated[Decimal, Field(ge=-_CONTRACTS_MAX, le=_CONTRACTS_MAX)]
    as_of: Moment
    entry: PositiveAmount | None = None
    note: str = ""
    max_age: Duration | None = None


class WindowSettings(Table):
    from_: Annotated[Moment | None, Field(alias="from")] = None
    until: Moment | None = None
    cron: Annotated[str, AfterValidator(bounds.crontab)] | None = None
    lasts: Duration | None = None


class SignalSettings(Table):
    measure: Measure = _SIGNAL.measure
    days: Annotated[Whole, Field(ge=2, le=365)] = _SIGNAL.days
    on_below: Annotated[Decimal, Field(ge=-5, le=5)] = _SIGNAL.on_below
    off_above: Annotated[Decimal, Field(ge=-5, le=5)] = _SIGNAL.off_above
    min_hold: Patience = _SIGNAL.min_hold


class HedgeSettings(Table):
    name: Name
    assets: Annotated[tuple[AssetOrRest, ...], Field(min_length=1)]
    instruments: Annotated[tuple[InstrumentName, ...], Field(min_length=1)]
    target: Target = Target.VALUE
    target_ratio: Annotated[Decimal, Field(ge=0, le=Decimal("1.5"))] = Decimal(1)
    band: Annotated[Fraction | None, BeforeValidator(bounds.optimal)] = BAND  # None: "optimal"
    beta: Annotated[
        Mapping[Asset, Annotated[Decimal, Field(gt=0, le=10)]] | None, BeforeValidator(bounds.estimated), Frozen
    ] = {}  # None: "estimated"
    risk_cost_year: Annotated[Decimal, Field(gt=0, le=10)] = RISK_COST_YEAR
    carry_shrink_max: Annotated[Decimal, Field(ge=0, le=1)] = Decimal(0)
    weights: tuple[Annotated[Decimal, Field(gt=0, le=1)], ...] | None = None
    mode: Mode | None = None
    placement: Placement = Placement.IOC
    insurance: tuple[WindowSettings, ...] = ()
    signal: SignalSettings | None = None


class TierSettings(Table):
    instrument: InstrumentName
    notional_floor: Amount
    maintenance_margin_rate: Fraction
    leverage_max: Annotated[Decimal, Field(ge=1, le=1000)]


class PaperSettings(Table):
    cash: Amount = _PAPER.cash
    coins: Annotated[Mapping[Asset, PositiveAmount], Frozen] = {}
    fee_taker: Annotated[Decimal, Field(ge=Decimal("-0.01"), le=Decimal("0.1"))] = _PAPER.fee_taker
    fee_maker: Annotated[Decimal, Field(ge=Decimal("-0.01"), le=Decimal("0.1"))] = _PAPER.fee_maker
    slippage_bps: Annotated[Decimal, Field(ge=0, le=1000)] = _PAPER.slippage_bps
    spread_bps: Annotated[Decimal, Field(ge=0, le=1000)] = _PAPER.spread_bps
    leverage: Annotated[Decimal, Field(ge=1, le=125)] = _PAPER.leverage


class MarginSettings(Table):
    warning: Fraction = _THRESHOLDS.margin_ratio_warning
    critical: Fraction = _THRESHOLDS.margin_ratio_critical
    liquidation_near: Fraction = _THRESHOLDS.liquidation_distance_near
    top_up_within: Annotated[Duration, AfterValidator(bounds.at_most_a_month)] = _MARGIN.top_up_within
    probability: Annotated[Decimal, Field(ge=Decimal("0.001"), le=Decimal("0.1"))] = Decimal(repr(_MARGIN.probability))
    on_critical: OnCritical = _MARGIN.on_critical


class ExpirySettings(Table):
    roll: Duration = _ROLL.before
    stop: Duration = _ROLL.stop
    ladder: Annotated[tuple[Duration, ...], AfterValidator(bounds.ladder)] = _THRESHOLDS.expiry_ladder


class LimitSettings(Table):
    order_notional_min: Amount = _LIMITS.order_notional_min
    order_notional_max: PositiveAmount | None = None
    position_notional_max: PositiveAmount | None = None
    turnover_day_max: PositiveAmount | None = None
    orders_cycle_max: Annotated[Whole, Field(ge=1, le=1000)] = _LIMITS.orders_cycle_max
    price_collar: Fraction = _LIMITS.price_collar
    orders_minute_max: Annotated[Whole, Field(ge=1, le=1000)] = _LIMITS.orders_minute_max
    orders_hour_max: Annotated[Whole, Field(ge=1, le=1000)] = _LIMITS.orders_hour_max
    orders_day_max: Annotated[Whole, Field(ge=1, le=1000)] = _LIMITS.orders_day_max
    rejections_max: Annotated[Whole, Field(ge=1, le=1000)] = _LIMITS.rejections_max
    unfollowed_max: Annotated[Whole, Field(ge=1, le=UNFOLLOWED_KEPT)] = _LIMITS.unfollowed_max
    equity_drop_day_max: Fraction | None = None
    leverage_max: Annotated[Decimal, Field(gt=0, le=125)] | None = None
    free_margin_min: Annotated[Decimal, Field(ge=0, lt=1)] | None = None
    passive_for: Duration = _LIMITS.passive_for
    countdown: CountdownUse = _LIMITS.countdown


class ApproveSettings(Table):
    expires: Annotated[Duration, AfterValidator(bounds.an_answers_time)] = PROPOSALS_EXPIRE


class RepeatSettings(Table):
    """How long until a firing alert is told again, by severity."""

    info: Duration = REPEAT[Severity.INFO]
    warning: Duration = REPEAT[Severity.WARNING]
    critical: Duration = REPEAT[Severity.CRITICAL]


class ChannelSettings(Table):
    """Who is told at once (nobody named: all that are not named in `then`), and who where nobody acknowledges."""

    first: Annotated[tuple[ChannelName, ...], AfterValidator(bounds.once_each_name)] = ()
    then: Annotated[tuple[ChannelName, ...], AfterValidator(bounds.once_each_name)] = ()


class AlertSettings(Table):
    stale_after: Duration | None = None  # three times `every`
    leg_skew_max: Duration = _THRESHOLDS.leg_skew_max
    depeg: Fraction = _THRESHOLDS.depeg
    settle: Patience = _RULES.settle
    lower_after: Patience = _RULES.lower_after
    group_interval: Annotated[Patience, AfterValidator(bounds.at_most_half_a_day)] = _RULES.group_interval
    messages_minute_max: Annotated[Whole, Field(ge=1, le=1000)] = 20
    escalate_after: Duration = timedelta(minutes=5)
    digest: Annotated[str, AfterValidator(bounds.time_of_day)] | None = None
    templates: FilePath | None = None
    channels: ChannelSettings = ChannelSettings()
    repeat: RepeatSettings = RepeatSettings()
    hold: Annotated[Mapping[Kind, Patience], Frozen, Field(alias="for")] = {}
    keep: Annotated[Mapping[Kind, Patience], Frozen, Field(alias="keep_firing_for")] = {}


class MqttSettings(Table):
    host: Annotated[str, AfterValidator(bounds.host)]
    port: Annotated[Whole, Field(ge=1, le=65_535)] | None = None  # 8883 with TLS, else 1883
    tls: bool = False
    ca_file: FilePath | None = None
    certificate_file: FilePath | None = None
    key_file: FilePath | None = None
    protocol: Literal["5", "3.1.1"] = "5"
    prefix: Annotated[str, AfterValidator(bounds.topic)] = "hedged"
    discovery: bool = False
    discovery_prefix: Annotated[str, AfterValidator(bounds.topic)] = "homeassistant"
    commands: Annotated[tuple[Verb, ...], AfterValidator(bounds.once_each)] = ()
    credentials_file: FilePath | None = None


class NotifySettings(Table):
    log: bool = True
    heartbeat_url: Annotated[str, AfterValidator(bounds.http_url)] | None = None
    heartbeat_signals: StrictBool = True
    exec: Annotated[tuple[str, ...], AfterValidator(bounds.command)] = ()
    credentials_file: FilePath | None = None


class TelegramSettings(Table):
    buttons: StrictBool = True
    server: Annotated[str, AfterValidator(bounds.bot_server)] = "https://api.telegram.org"
    credentials_file: FilePath | None = None


class WebSettings(Table):
    listen: Annotated[str, AfterValidator(bounds.listen)] | None = None
    url: Annotated[str, AfterValidator(bounds.page_url)] | None = None
    names: tuple[Annotated[str, AfterValidator(bounds.host)], ...] = ()
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
    positions: tuple[PositionSettings, ...] = ()
    hedges: tuple[HedgeSettings, ...] = ()
    tiers: tuple[TierSettings, ...] = ()
    paper: PaperSettings = PaperSettings()
    margin: MarginSettings = MarginSettings()
    expiry: ExpirySettings = ExpirySettings()
    limits: LimitSettings = LimitSettings()
    approve: ApproveSettings = ApproveSettings()
    alerts: AlertSettings = AlertSettings()
    mqtt: MqttSettings | None = None
    notify: NotifySettings = NotifySettings()
    telegram: TelegramSettings | None = None
    web: WebSettings = WebSettings()
    store: StoreSettings = StoreSettings()
