"""The channel that is always there: messages as log lines."""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from hedged.model.alert import Message
from hedged.model.finding import Severity

_log = structlog.get_logger("hedged.alert")


class LogChannel:
    """Writes each message to the log, at the level of its severity."""

    name = "log"
    confirms = False

    async def deliver(self, message: Message) -> None:
        """Never fails: a broken log is nobody's to repair here."""
        write = {Severity.CRITICAL: _log.critical, Severity.WARNING: _log.warning}.get(message.severity, _log.info)
        body = " ".join(message.body.splitlines())
        write(message.title, kind=message.kind.value, event_id=message.event_id, key=message.key, body=body)

    async def publish_state(self, state: Mapping[str, object]) -> None:
        """Nothing: the state is not news."""

    async def close(self) -> None:
        """Nothing to close."""
