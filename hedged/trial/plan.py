"""What one seed stands for: when it begins, how the portfolio is configured, and what goes wrong, when."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from hedged.adapters.clock import Draws, seeded_draws
from hedged.model.policy import Mode

EVERY = 120.0  # seconds between two cycles
QUIET = 900.0  # seconds at the end in which nothing goes wrong, so that everything must come right
BAND = Decimal("0.02")
COLLAR = Decimal("0.01")
ORDER_MAX, POSITION_MAX, TURNOVER_MAX = Decimal(42_000), Decimal(50_000), Decimal(600_000)
ORDERS_CYCLE_MAX, ORDERS_MINUTE_MAX = 4, 6
CHANNELS = ("phone", "mail")

COINS = {"SOL": Decimal(120), "LINK": Decimal(700), "ETH": Decimal(4), "BTC": Decimal("0.15")}
CASH = Decimal(30_000)

_TIMES = (
    datetime(2026, 11, 2, 6, 40, tzinfo=UTC),  # funding at 08:00
    datetime(2026, 11, 5, 21, 30, tzinfo=UTC),  # midnight
    datetime(2026, 12, 21, 3, 0, tzinfo=UTC),  # a contract that is to be rolled
    datetime(2026, 12, 25, 4, 0, tzinfo=UTC),  # and its last hours
)
_MIXES = (
    {"alts": Mode.LIVE, "eth": Mode.LIVE, "btc": Mode.LIVE},
    {"alts": Mode.LIVE, "eth": Mode.APPROVE, "btc": Mode.LIVE},
    {"alts": Mode.LIVE, "eth": Mode.MONITOR, "btc": Mode.APPROVE},
    {"alts": Mode.APPROVE, "eth": Mode.LIVE, "btc": Mode.LIVE},
    {"alts": Mode.PAPER, "eth": Mode.PAPER, "btc": Mode.PAPER},
    {"alts": Mode.LIVE, "eth": Mode.LIVE, "btc": Mode.LIVE},
)


@dataclass(frozen=True, slots=True)
class Hedge:
    """One hedge of the trial's portfolio, all on one account."""

    name: str
    assets: tuple[str, ...]
    symbol: str

    @property
    def dated(self) -> bool:
        return "-" in self.symbol

    def trades(self, symbol: str) -> bool:
        """Whether a contract is its own, or of its chain."""
        return symbol == self.symbol or (self.dated and symbol.startswith(self.symbol.partition("-")[0] + "-"))


HEDGES = (
    Hedge("alts", ("SOL", "LINK"), "ETH/USDT:USDT"),
    Hedge("eth", ("ETH",), "ETH/USDT:USDT-261225"),
    Hedge("btc", ("BTC",), "BTC/USDT:USDT"),
)


@dataclass(frozen=True, slots=True)
class Spell:
    """Something that lasts: `start` ≤ t < `end`, in seconds from the beginning."""

    kind: str
    start: float
    end: float

    def holds(self, at: float) -> bool:
        return self.start <= at < self.end


@dataclass(slots=True)
class Plan:
    """One seed. Every stream of random numbers has a name, so that one more draw in one moves nothing in another."""

    seed: int
    hours: float
    start: datetime = field(init=False)
    modes: dict[str, Mode] = field(init=False)
    spells: list[Spell] = field(init=False)
    counts: Counter[str] = field(default_factory=Counter, init=False)  # faults that happened, by kind

    def __post_init__(self) -> None:
        self.start = _TIMES[self.seed // len(_MIXES) % len(_TIMES)] + timedelta(
            minutes=self.stream("start").randrange(60)
        )
        self.modes = dict(_MIXES[self.seed % len(_MIXES)])
        self.spells = list(self._spells(self.stream("spells")))

    def stream(self, name: str) -> Draws:
        return seeded_draws(f"{self.seed}/{name}")

    @property
    def seconds(self) -> float:
        return self.hours * 3600

    @property
    def troubled_until(self) -> float:
        """From here on nothing goes wrong any more."""
        return max(self.seconds - QUIET, 0.0)

    def holding(self, at: float, *kinds: str) -> str | None:
        """The first of these kinds that lasts now; None: none does."""
        return next((spell.kind for spell in self.spells if spell.kind in kinds and spell.holds(at)), None)

    def up_since(self, at: float, channel: str) -> float:
        """Since when nothing keeps this channel, the disk or the venue from working; now, while something does."""
        hindering = {f"{channel}_down", f"{channel}_hangs", "disk_full", "disk_locked"}
        ends = [min(spell.end, at) for spell in self.spells if spell.kind in hindering and spell.start <= at]
        return max(ends, default=0.0)

    def stormy(self, at: float) -> bool:
        return self.holding(at, "storm") is not None

    def toml(self, store: Path) -> str:
        """The configuration, as a user would write it."""
        hedges = "".join(
            f'[[hedges]]\nname = "{each.name}"\nassets = [{", ".join(f"{asset!r}" for asset in each.assets)}]\n'
            f'instruments = ["sim:{each.symbol}"]\nmode = "{self.modes[each.name].value}"\nband = {BAND}\n'
            f'placement = "{"passive" if self.seed % 2 and each.name != "btc" else "ioc"}"\n'
            for each in HEDGES
        )
        return f"""name = "trial"
mode = "{"paper" if self.paper else "monitor"}"
[schedule]
every = "{EVERY:.0f}s"
[[accounts]]
name = "sim"
exchange = "simulated"
{hedges}[limits]
order_notional_min = 50
order_notional_max = {ORDER_MAX}
position_notional_max = {POSITION_MAX}
turnover_day_max = {TURNOVER_MAX}
orders_cycle_max = {ORDERS_CYCLE_MAX}
orders_minute_max = {ORDERS_MINUTE_MAX}
price_collar = {COLLAR}
equity_drop_day_max = 0.9
[paper]
cash = {CASH}
[notify]
log = false
[mqtt]
host = "127.0.0.1"
commands = ["ack", "silence", "pause", "approve", "set-ratio"]
[store]
path = "{store}"
"""

    @property
    def paper(self) -> bool:
        return Mode.PAPER in self.modes.values()

    def _spells(self, draw: Draws) -> list[Spell]:
        """Storms, in which every call may fail, and outages of one thing at a time."""
        kinds = (
            ("storm", 3600.0, (120.0, 1500.0)),
            ("venue_down", 9000.0, (30.0, 900.0)),
            ("disk_full", 9000.0, (20.0, 600.0)),
            ("disk_locked", 9000.0, (10.0, 120.0)),
            ("phone_down", 7200.0, (60.0, 3600.0)),
            ("mail_down", 7200.0, (60.0, 3600.0)),
            ("phone_hangs", 9000.0, (30.0, 900.0)),
            ("positions_empty", 9000.0, (30.0, 600.0)),
            ("balances_empty", 9000.0, (30.0, 600.0)),
            ("no_explanations", 12000.0, (300.0, 1800.0)),
            ("quotes_frozen", 9000.0, (600.0, 2400.0)),
        )
        spells = []
        for kind, gap, (shortest, longest) in kinds:
            at = draw.expovariate(1 / gap)
            while at < self.troubled_until:
                end = min(at + draw.uniform(shortest, longest), self.troubled_until)
                spells.append(Spell(kind, at, end))
                at = end + draw.expovariate(1 / gap)
        return spells
