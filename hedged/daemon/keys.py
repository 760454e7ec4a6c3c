"""What the keys in use may do: asked at the start, again while that failed, and once a day from then on.

A key that can withdraw is refused at the start. One that has learned to since then stops all orders: its user is not
the only one who set it up, or no longer knows what it may do. What is traded live is traded with a key that cannot
withdraw for all that is known, by the venue's word or the user's: else it is refused too or, where the venue could not
be asked, orders wait until it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import structlog

from hedged.errors import VenueError
from hedged.model.finding import Finding, Kind, Severity
from hedged.model.permissions import Permissions
from hedged.ports import Clock

CONFIRMED_FOR = timedelta(days=90)
ASK_EVERY = timedelta(days=1)
RETRY_AFTER = timedelta(minutes=10)
_TOMORROW = timedelta(days=-1)
_LOOK_EVERY = 60.0  # seconds

log = structlog.get_logger(__name__)


def is_confirmed(said: datetime, now: datetime) -> bool:
    """Whether a user's word that a key cannot withdraw is fresh; a day later somewhere is not the future."""
    return _TOMORROW < now - said < CONFIRMED_FOR


def _refusal(name: str, told: Permissions, said: datetime | None, now: datetime) -> str | None:
    if told.trade is False:
        return f"account {name}: its key may not trade: allow orders on derivatives for it, and nothing more"
    if told.withdraw is None and not (said is not None and is_confirmed(said, now)):
        return (
            f"account {name}: the venue does not tell whether its key may withdraw: look there, and write "
            f"withdraw_disabled_confirmed = {now:%Y-%m-%d} under the account, which is good for {CONFIRMED_FOR.days} d"
        )
    return None


class Keyed(Protocol):
    """A venue that a key is used on."""

    async def permissions(self) -> Permissions | None:
        """What the key may do; None where the venue does not tell. Raises `VenueError`."""


@dataclass(slots=True)
class _Known:
    ask_at: datetime
    permissions: Permissions | None = None
    error: str | None = None  # why it is not known this time


class KeyWatch:
    """`confirmed`: account → when its user said that the key cannot withdraw, None: never.

    `unkeyed`: account without a key → where it was looked for.
    """

    def __init__(
        self,
        venues: Mapping[str, Keyed],
        confirmed: Mapping[str, datetime | None],
        clock: Clock,
        unkeyed: Mapping[str, Sequence[Path]] | None = None,
    ) -> None:
        self._venues = venues
        self._confirmed = confirmed
        self._clock = clock
        self._unkeyed = unkeyed or {}
        self._known = {name: _Known(clock.now()) for name in venues}

    async def check(self) -> None:
        """Ask about those keys that are due, side by side. Raises nothing that a venue does wrong."""
        now = self._clock.now()
        due = [name for name, known in self._known.items() if known.ask_at <= now]
        await asyncio.gather(*(self._ask(name, now) for name in due))

    async def run(self, halt: Callable[[str], Awaitable[None]]) -> None:
        """Keep checking; `halt` is told why, as long as a key can withdraw."""
        while True:
            await self._clock.sleep(_LOOK_EVERY)
            await self.check()
            if names := self.withdrawing():
                await halt(
                    f"the key of {', '.join(names)} may withdraw now: give hedged one that cannot, start it again, "
                    "then resume"
                )

    async def _ask(self, name: str, now: datetime) -> None:
        known = self._known[name]
        try:
            known.permissions = await self._venues[name].permissions()
        except VenueError as error:
            if known.error is None:
                log.warning("the key's permissions could not be checked", account=name, error=str(error))
            known.error, known.ask_at = f"{error.call}: {error.detail}", now + RETRY_AFTER
            return
        known.error, known.ask_at = None, now + ASK_EVERY

    def withdrawing(self) -> list[str]:
        """Accounts whose key is known to be able to withdraw."""
        return [name for name, known in self._known.items() if known.permissions and known.permissions.withdraw]

    def refused(self, accounts: Iterable[str], now: datetime) -> list[str]:
        """Why nothing may be traded live with the keys of these accounts, as far as the venues have answered."""
        return [
            why
            for name in accounts
            if (known := self._known.get(name)) is not None
            and known.error is None
            and (why := _refusal(name, known.permissions or Permissions(), self._confirmed.get(name), now))
        ]

    def not_asked(self, accounts: Iterable[str], now: datetime) -> str | None:
        """Why live orders wait: a key that could not be asked about yet, and nobody has given his word for it."""
        names = [
            name
            for name in accounts
            if (known := self._known.get(name)) is not None
            and known.error is not None
            and (known.permissions or Permissions()).withdraw is None
            and not self._has_word(name, now)
        ]
        if not names:
            return None
        return f"on hold until it is known whether the key of {', '.join(names)} may withdraw: it could not be asked"

    def _has_word(self, name: str, now: datetime) -> bool:
        said = self._confirmed.get(name)
        return said is not None and is_confirmed(said, now)

    def findings(self, now: datetime) -> Iterator[Finding]:
        """Keys that can withdraw, keys of which nobody can tell, and accounts that have none."""
        for name, places in self._unkeyed.items():
            looked = " or ".join(str(place) for place in places)
            text = f"{name}: no key ({looked}), so nothing that is held there is read or counted, only prices."
            yield Finding(Kind.KEY_MISSING, name, Severity.INFO, text)
        for name, known in self._known.items():
            withdraw = known.permissions.withdraw if known.permissions is not None else None
            if withdraw:
                text = f"{name}: its key may withdraw. Whoever gets hold of it can empty the account."
                yield Finding(Kind.KEY_WITHDRAWS, name, Severity.CRITICAL, text)
            elif withdraw is None:
                yield self._unconfirmed(name, known, now)

    def _unconfirmed(self, name: str, known: _Known, now: datetime) -> Finding:
        """Told as long as the venue does not say: as information while the user's own word for it is fresh."""
        why = f"it could not be asked ({known.error})" if known.error else "the venue does not tell"
        said = self._confirmed.get(name)
        day = f"{said:%Y-%m-%d}" if said is not None else None
        if said is not None and self._has_word(name, now):
            until = said + CONFIRMED_FOR
            text = f"{name}: that its key cannot withdraw is your word of {day}, good until {until:%Y-%m-%d}; {why}."
            return Finding(Kind.KEY_UNCONFIRMED, name, Severity.INFO, text, {"confirmed": day})
        old = f" Your word of {day} is not of the last {CONFIRMED_FOR.days} days." if day is not None else ""
        text = f"{name}: nobody knows whether its key may withdraw: {why}.{old}"
        return Finding(Kind.KEY_UNCONFIRMED, name, Severity.WARNING, text, {"confirmed": day})
