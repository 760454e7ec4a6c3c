"""A configuration as the rest of the program sees it: checked, frozen, with its paths resolved."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, time
from functools import partial
from pathlib import Path
from urllib.parse import quote

from hedged.adapters.credentials import CredentialFiles, Secret, TelegramLogin
from hedged.adapters.store.retention import Retention
from hedged.errors import ConfigurationError
from hedged.model.broker import Broker
from hedged.model.finding import Severity
from hedged.model.policy import Mode, PortfolioPolicy, World
from hedged.settings.brokers import brokers
from hedged.settings.faults import Problem, SettingsError, Source
from hedged.settings.keys import order_keys, usable_keys
from hedged.settings.lines import find_lines
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
    TelegramSettings,
    WebSettings,
)
from hedged.settings.sectors import Sectors
from hedged.settings.templates import Templates
from hedged.settings.worlds import SIMULATED
from hedged.tell.rules import AlertRules

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
    templates: Templates = field(repr=False)
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
    def telegram(self) -> TelegramSettings | None:
        return self.document.telegram

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
            keep=self.alerts.keep,
            lower_after=self.alerts.lower_after,
            group_interval=self.alerts.group_interval,
            templates=self.templates.by_kind,
            group_template=self.templates.group,
        )

    def digest_at(self) -> time | None:
        """When in the day, UTC, the digest is due."""
        return None if self.alerts.digest is None else time.fromisoformat(self.alerts.digest).replace(tzinfo=UTC)

    def route(self, names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Of the channels that there are, those told at once and those told where nobody acknowledges.

        Raises `ConfigurationError` for a name that is none of theirs.
        """
        chosen = self.alerts.channels
        known = ", ".join(names) or "none"
        wrong: list[Problem] = []
        for key, named in (("first", chosen.first), ("then", chosen.then)):
            wrong += [
                Problem(("alerts", "channels", key, number), f"is no channel that there is: {known}")
                for number, name in enumerate(named)
                if name not in names
            ]
        wrong += [
            Problem(("alerts", "channels", "then", number), "stands in first too: take it out of one")
            for number, name in enumerate(chosen.then)
            if name in chosen.first
        ]
        first = chosen.first or tuple(name for name in names if name not in chosen.then)
        if names and not first:
            wrong.append(Problem(("alerts", "channels", "then"), f"leaves no channel that is told at once: {known}"))
        if wrong:
            raise SettingsError(map(self._source().fault, wrong))
        return first, chosen.then

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

    def telegram_login(self, telegram: TelegramSettings) -> TelegramLogin:
        """Raises `ConfigurationError`, also where buttons are wanted and nobody may press them."""
        login = self.credentials().telegram(telegram.credentials_file)
        if login is None:
            raise ConfigurationError(
                f"{self.path}: [telegram] needs the secret file telegram: "
                '{"token": "123456:…", "chat_id": 123456, "users": [123456]}'
            )
        if telegram.buttons and not login.users:
            raise ConfigurationError(
                f"{self.path}: [telegram] buttons: nobody may press them: name `users` in the secret file telegram, or "
                "set buttons = false"
            )
        return login

    def web_token(self) -> Secret | None:
        """What `/metrics` asks for; None: nothing. Raises `ConfigurationError`, also for one that can be guessed."""
        files = self.credentials()
        token = files.token("web-token", self.web.credentials_file)
        if token is not None and len(token.reveal()) < _WEB_TOKEN_MIN:
            file = files.file("web-token", self.web.credentials_file)
            raise ConfigurationError(
                f"{file}: must be at least {_WEB_TOKEN_MIN} characters, such as what `openssl rand -hex 32` prints"
            )
        return token

    def check_credentials(self) -> None:
        """Read every secret file that this portfolio would use. Raises ConfigurationError with all their faults."""
        faults = self.credential_faults()
        if faults:
            raise ConfigurationError(*faults)

    def credential_faults(self) -> list[str]:
        """All that is wrong with secret files and channels, or missing of them. Asks no network."""
        files = self.credentials()
        reads: list[Callable[[], object]] = [
            partial(usable_keys, account, files, self.path)
            for account in self.accounts
            if account.exchange != SIMULATED
        ]
        reads += [self._check_program, self._check_channels]
        if self.telegram is not None:
            reads.append(partial(self.telegram_login, self.telegram))
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
        return faults

    def order_faults(self) -> Mapping[str, tuple[str, ...]]:
        """Accounts that hedges send orders to → why none could be sent there. Asks no network."""
        sending = {
            instrument.partition(":")[0]
            for hedge in self.hedges
            if (hedge.mode or self.mode) in {Mode.APPROVE, Mode.LIVE}
            for instrument in hedge.instruments
        }
        faults = {}
        for account in self.accounts:
            if account.name in sending and account.exchange != SIMULATED:
                try:
                    order_keys(account, self.credentials(), self.path)
                except ConfigurationError as error:
                    faults[account.name] = error.problems
        return faults

    def state_directory(self) -> Path:
        """Where this user's portfolios keep what they keep, unless told otherwise."""
        return state_directory(self.environ)

    def _check_program(self) -> None:
        """Whether the program of the channel exec can be run."""
        program = self.notify.exec[0] if self.notify.exec else None
        if program is not None and not (Path(program).is_file() and os.access(program, os.X_OK)):
            problem = Problem(("notify", "exec"), f"{program} is no program that this user may run")
            raise SettingsError([self._source().fault(problem)])

    def _check_channels(self) -> None:
        """Whether each URL is one, and the named channels are there."""
        urls = self.credentials().notify(self.notify.credentials_file)
        if urls:
            from hedged.adapters.channels.apprise import apprise_channels  # noqa: PLC0415 - heavy

            apprise_channels(urls)
        names = ["log"] if self.notify.log else []
        names += ["mqtt"] if self.mqtt is not None else []
        names += ["telegram"] if self.telegram is not None else []
        names += ["exec"] if self.notify.exec else []
        self.route([*names, *(each.name for each in urls)])

    def _source(self) -> Source:
        """The file once more, for the lines of what is wrong with it only beside what is there."""
        try:
            text = self.path.read_text(encoding="utf-8-sig")
            return Source(self.path, tomllib.loads(text), find_lines(text), {})
        except (OSError, ValueError):
            return Source(self.path, {}, {}, {})

    def store_path(self) -> Path:
        """The database, one for each world; a dry run has its own beside the real one and leaves that alone."""
        name = self.name if self.dry_run else self.instance
        path = self.store.path or self.state_directory() / f"{quote(name, safe=' ')}.sqlite"
        return path.with_name(f"{path.name}.{self.world}") if self.dry_run else path


def credential_files(path: Path, environ: Mapping[str, str]) -> CredentialFiles:
    """Where the secrets of the configuration at `path` are looked for."""
    directory = environ.get("CREDENTIALS_DIRECTORY")
    return CredentialFiles(
        beside=path.absolute().parent / "credentials", directory=Path(directory) if directory else None
    )


def state_directory(environ: Mapping[str, str]) -> Path:
    """systemd's, else the user's (XDG Base Directory: a relative XDG_STATE_HOME is ignored)."""
    if given := environ.get("STATE_DIRECTORY"):
        return Path(given.partition(":")[0])
    state_home = Path(environ.get("XDG_STATE_HOME") or "~/.local/state")
    if not state_home.is_absolute():
        home = environ.get("HOME")
        state_home = (Path(home) if home else Path.home()) / ".local" / "state"
    return state_home / "hedged"
