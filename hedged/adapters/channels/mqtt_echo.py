"""What was published and has to come back: a broker acknowledges also what its ACL denies."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

import structlog

from hedged.adapters.channels.mqtt_client import MqttOptions

if TYPE_CHECKING:
    import aiomqtt

_log = structlog.get_logger(__name__)


class Echoes:
    """Publishes, and waits for each message to come back on the same connection, which has to be subscribed to it."""

    def __init__(self, options: MqttOptions) -> None:
        self._options = options
        self._topics = options.topics
        self._expected: dict[tuple[str, bytes], list[asyncio.Future[None]]] = {}
        self._denied: dict[str, None] = {}  # in the order it was found

    @property
    def denied(self) -> tuple[str, ...]:
        """Topics of which nothing came back when they were last tried; of all alerts and of all replies the filter."""
        return tuple(self._denied)

    async def publish(self, client: aiomqtt.Client, topic: str, payload: bytes, *, retain: bool) -> bool:
        """Whether it came back. Raises `aiomqtt.MqttError` where the connection is lost."""
        import aiomqtt  # noqa: PLC0415 - only for those who have a broker

        with self._expecting(topic, payload) as echo:
            publishing = asyncio.create_task(client.publish(topic, payload, qos=1, retain=retain))
            try:
                await asyncio.wait({publishing, echo}, return_when=asyncio.FIRST_COMPLETED)
                if not echo.cancelled():
                    await publishing
                    await asyncio.wait({echo}, timeout=self._options.echo_within)
            finally:
                publishing.cancel()
                await asyncio.gather(publishing, return_exceptions=True)
            if echo.cancelled():
                raise aiomqtt.MqttError("the connection was lost")
            if not echo.done():
                self.refuse(topic)
                return False
        self.forget(topic)
        return True

    def came(self, message: aiomqtt.Message) -> None:
        """Anything that came in. What was retained is no echo: it may have been published long ago."""
        if not message.retain:
            for echo in self._expected.get((str(message.topic), message.payload), ()):
                if not echo.done():
                    echo.set_result(None)

    def lost(self) -> None:
        """The connection: nothing will come back any more."""
        for waiting in self._expected.values():
            for echo in waiting:
                echo.cancel()

    def forget(self, topic: str) -> None:
        """Nothing more is known against it."""
        self._denied.pop(self._topics.rule(topic), None)

    def refuse(self, topic: str) -> None:
        """The broker denies it."""
        rule = self._topics.rule(topic)
        if rule not in self._denied:
            self._denied[rule] = None
            _log.warning("the MQTT broker denies a topic", broker=self._options.address, topic=topic)

    @contextlib.contextmanager
    def _expecting(self, topic: str, payload: bytes) -> Iterator[asyncio.Future[None]]:
        echo: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiting = self._expected.setdefault((topic, payload), [])
        waiting.append(echo)
        try:
            yield echo
        finally:
            waiting.remove(echo)
            if not waiting:
                self._expected.pop((topic, payload), None)


def denies(topic: str) -> str:
    """The sentence's end after the broker's address."""
    return f"did not hand back what was published to {topic}: allow hedged's user to write and to read it (ACL)"
