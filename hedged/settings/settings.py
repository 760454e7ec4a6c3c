"""A configuration as the rest of the program sees it: checked, frozen, with its paths resolved."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from urllib.parse import quote

from hedged.adapters.credentials import CredentialFiles, Secret
from hedged.adapters.store.retention import Retention
from hedged.errors import ConfigurationError
from hedged.model.broker import Broker
from hedged.model.finding import Severity
from hedged.model.policy import Mode, PortfolioPolicy, World
from hedged.settings.brokers import brokers
from hedged.settings.policy import portfolio_policy
from hedged.settings.schema import (
    AccountSettings,
    AlertSettings,
    Document,
    ExpirySettings,
    HedgeSettings,
    HoldingSettings,
    LimitSettings,
    MarginSettings,
    MqttSettings,
    NotifySettings,
    PaperSettings,
    PortfolioSettings,
    ScheduleSettings,
    StoreSettings,
    WebSettings,
)
from hedged.settings.sectors import Sectors
from hedged.settings.worlds import SIMULATED
from hedged.tell.lifecycle import AlertRules

_WEB_TOKEN_MIN = 16  # characters


@dataclass(frozen=True, slots=True)
class Settings:
    """One file, the environment over it. Built by `load` alone, which has checked that its parts agree.

    Paths in the tables are absolute already. `dry_run` is true when approve or live was turned into paper.
    """

    path: Path
    name: str
    world: World
    dry_run: bool
    document: Document = field(repr=False)
    sectors: Sectors = field(repr=False)
    environ: Mapping[str, str] = field(repr=False)

    @property
    def mode(self) -> Mode:
        return self.document.mode

    @property
    def quote(self) -> str:
        return self.document.quote

    @property
    def schedule(self) -> ScheduleSettings:
        return self.document.schedule

    @property
    def portfolio(self) -> PortfolioSettings:
        return self.document.portfolio

    @property
    def accounts(self) -> tuple[AccountSettings, ...]:
        return self.document.accounts

    @property
    def holdings(self) -> tuple[HoldingSettings, ...]:
        return self.document.holdings

    @property
    def hedges(self) -> tuple[HedgeSettings, ...]:
        return self.document.hedges

    @property
    def paper(self) -> PaperSettings:
        return self.document.paper

    @property
    def margin(self) -> MarginSettings:
        return self.document.margin

    @property
    def expiry(self) -> ExpirySettings:
        return self.document.expiry

    @property
    def limits(self) -> LimitSettings:
        return self.document.limits

    @property
    def alerts(self) -> AlertSettings:
        return self.document.alerts

    @property
    def mqtt(self) -> MqttSettings | None:
        return self.document.mqtt

    @property
    def notify(self) -> NotifySettings:
        return self.document.notify

    @property
    def web(self) -> WebSettings:
        return self.document.web

    @property
    def store(self) -> StoreSettings:
        return self.document.store

    @property
    def instance(self) -> str:
        """Who speaks, over MQTT (the channel encodes it for topics): other worlds are never taken for the real one."""
        return self.name if self.world is World.REAL else f"{self.name}-{self.world}"

    @property
    def brokers(self) -> tuple[Broker, ...]:
        """What is held where hedged cannot look."""
        return brokers(self.document)

    def policy(self) -> PortfolioPolicy:
        return portfolio_policy(self.document, self.name, self.world, self.sectors)

    def alert_rules(self) -> AlertRules:
        return AlertRules(
            hold=self.alerts.hold,
            repeat={severity: getattr(self.alerts.repeat, severity.value) for severity in Severity},
            settle=self.alerts.settle,
        )

    def retention(self) -> Retention:
        return Retention(
            every_cycle=self.store.keep_cycles,
            one_an_hour=self.store.keep_hourly,
            one_a_day=self.store.keep_daily,
            orders_and_alerts=self.store.keep_history,
            delivered=self.store.keep_delivered,
        )

    def credentials(self) -> CredentialFiles:
        """Where secrets of this portfolio are looked for."""
        return credential_files(self.path, self.environ)

    def web_token(self) -> Secret | None:
        """What `/metrics` asks for; None: nothing. Raises `ConfigurationError`, also for one that can be guessed."""
        token = self.credentials().token("web-token", self.web.credentials_file)
        if token is not None and len(token.reveal()) < _WEB_TOKEN_MIN:
            raise ConfigurationError(
                f"the secret file web-token: must be at least {_WEB_TOKEN_MIN} characters, such as what "
                "`openssl rand -hex 32` prints"
            )
        return token

    def check_credentials(self) -> None:
        """Read every secret file that this portfolio would use. Raises ConfigurationError with all their faults."""
        files = self.credentials()
        reads: list[Callable[[], object]] = [
            partial(files.account, account.name, account.credentials_file)
            for account in self.accounts
            if account.exchange != SIMULATED
        ]
        reads.append(partial(files.notify, self.notify.credentials_file))
        if self.web.listen is not None:
            reads.append(self.web_token)
        if self.mqtt is not None:
            reads.append(partial(files.mqtt, self.mqtt.credentials_file))
        faults: list[str] = []
        for read in reads:
            try:
                read()
            except ConfigurationError as error:
                faults += error.problems
        if faults:
            raise ConfigurationError(*faults)

    def store_path(self) -> Path:
        """The database, one for each world; a dry run has its own beside the real one and leaves that alone."""
        name = self.name if self.dry_run else self.instance
        path = self.store.path or _state_directory(self.environ) / f"{quote(name, safe=' ')}.sqlite"
        return path.with_name(f"{path.name}.{self.world}") if self.dry_run else path


def credential_files(path: Path, environ: Mapping[str, str]) -> CredentialFiles:
    """Where the secrets of the configuration at `path` are looked for."""
    directory = environ.get("CREDENTIALS_DIRECTORY")
    return CredentialFiles(
        beside=path.absolute().parent / "credentials", directory=Path(directory) if directory else None
    )


def _state_directory(environ: Mapping[str, str]) -> Path:
    """systemd's, else the user's (XDG Base Directory: a relative XDG_STATE_HOME is ignored)."""
    if given := environ.get("STATE_DIRECTORY"):
        return Path(given.partition(":")[0])
    state_home = Path(environ.get("XDG_STATE_HOME") or "~/.local/state")
    if not state_home.is_absolute():
        home = environ.get("HOME")
        state_home = (Path(home) if home else Path.home()) / ".local" / "state"
    return state_home / "hedged"
