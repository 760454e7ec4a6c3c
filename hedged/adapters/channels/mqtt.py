"""MQTT: the state as retained topics, alerts as QoS 1 messages, and a last will.

    <prefix>/<instance>/status               online | offline, retained; offline is also the last will
    <prefix>/<instance>/hedge/<name>/state   JSON, retained: the hedge's item of `once --json`, with `now` and `mode`
    <prefix>/<instance>/alert/<event id>     JSON, QoS 1, not retained

In a name `%`, `#`, `+`, `/` and what is not printable are percent-encoded. One task keeps the connection: aiomqtt
does not reconnect by itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

import structlog

from hedged.errors import DeliveryError
from hedged.model.alert import Message
from hedged.ports import Clock, Ids, StandingAlerts
from hedged.tell.message import message_object
from hedged.tell.outbox import Backoff

if TYPE_CHECKING:
    import aiomqtt

_log = structlog.get_logger(__name__)

_STEADY = 30.0  # seconds that a connection has to stand before the back-off begins anew
_GOODBYE = 0.8  # seconds for saying offline; the daemon gives its background tasks one to end


@dataclass(frozen=True, slots=True)
class MqttOptions:
    """Where the broker is and who we are there. Times in seconds."""

    host: str
    instance: str
    port: int = 1883
    prefix: str = "hedged"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: Path | None = None  # None: the system's authorities
    cert_file: Path | None = None
    key_file: Path | None = None
    keepalive: int = 30
    timeout: float = 5.0  # for the connection and for each acknowledgement
    backoff: Backoff = field(default_factory=lambda: Backoff(first=1.0, cap=30.0))


class MqttChannel:
    """Publishes to one broker. `run`, a task of the daemon, keeps the connection; cancelling it says offline."""

    name = "mqtt"
    confirms = False

    def __init__(self, options: MqttOptions, clock: Clock, ids: Ids, standing: StandingAlerts | None = None) -> None:
        self._options = options
        self._standing = standing
        self._clock = clock
        self._ids = ids
        self._root = f"{options.prefix}/{encode(options.instance)}"
        self._client: aiomqtt.Client | None = None  # None: not connected
        self._state: Mapping[str, object] | None = None  # the latest only: a newer one replaces it
        self._retained: set[str] = set()  # names of hedges whose state the broker is known to keep
        self._wake = asyncio.Event()
        self._error = "not connected yet"
        self._complained = False

    async def deliver(self, message: Message) -> None:
        """Returns after the broker's acknowledgement. Raises `DeliveryError`, at once while not connected."""
        import aiomqtt  # noqa: PLC0415 - only for those who have a broker

        if self._client is None:
            raise DeliveryError(f"the MQTT broker {self._address}: {self._error}")
        payload = json.dumps(message_object(message), ensure_ascii=False)
        try:
            await self._client.publish(f"{self._root}/alert/{encode(message.event_id)}", payload, qos=1)
        except (aiomqtt.MqttError, ValueError) as error:  # ValueError: a payload beyond the protocol's limit
            raise DeliveryError(f"the MQTT broker {self._address}: {error}") from None

    async def publish_state(self, state: Mapping[str, object]) -> None:
        """Remember it, for the connection's task to publish now or on reconnecting. Never waits."""
        self._state = state
        self._wake.set()

    async def close(self) -> None:
        """Nothing: the connection ends with `run`."""

    @property
    def _address(self) -> str:
        return f"{self._options.host}:{self._options.port}"

    async def run(self) -> None:
        """Connect, and connect again whenever the connection is lost, until cancelled."""
        import aiomqtt  # noqa: PLC0415 - only for those who have a broker

        failures = 0
        while True:
            began = self._clock.monotonic()
            try:
                async with self._new_client() as client:
                    await self._serve(client)
            except (aiomqtt.MqttError, OSError, ValueError) as error:
                self._lost(str(error))
            except Exception as error:  # noqa: BLE001 - a bug here must not end the reconnecting for ever
                self._lost(f"{type(error).__name__}: {error}")
            finally:
                self._client = None
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise asyncio.CancelledError  # a broken connection raised something else while we were ending it
            failures = 1 if self._clock.monotonic() - began >= _STEADY else failures + 1
            await self._clock.sleep(self._options.backoff.after(failures) * self._jitter())

    async def _serve(self, client: aiomqtt.Client) -> None:
        """Publish until the connection breaks, which raises."""
        import aiomqtt  # noqa: PLC0415 - only for those who have a broker

        status = f"{self._root}/status"
        await client.publish(status, "online", qos=1, retain=True)
        await client.subscribe(f"{self._root}/hedge/+/state", qos=0)
        self._client = client
        self._found()
        self._wake.set()
        tasks = {asyncio.create_task(self._listen(client)), asyncio.create_task(self._publish_states(client))}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except asyncio.CancelledError:
            # A broker sends no last will for a client that takes its leave.
            with contextlib.suppress(aiomqtt.MqttError):
                await client.publish(status, "offline", qos=1, retain=True, timeout=_GOODBYE)
            raise
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self, client: aiomqtt.Client) -> None:
        """Learn which hedges an earlier run left on the broker; raises when the connection breaks."""
        async for message in client.messages:
            if message.retain and message.payload:
                self._retained.add(unquote(str(message.topic).removeprefix(self._root).split("/")[2]))
                self._wake.set()

    async def _publish_states(self, client: aiomqtt.Client) -> None:
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._state is not None:
                await self._publish_state(client, self._state)

    async def _publish_state(self, client: aiomqtt.Client, state: Mapping[str, object]) -> None:
        hedges = _hedges(state)
        for name, hedge in hedges.items():
            payload = json.dumps({**hedge, "now": state.get("now"), "mode": state.get("mode")}, ensure_ascii=False)
            self._retained.add(name)
            await client.publish(self._state_topic(name), payload, qos=1, retain=True)
        for name in sorted(self._retained - hedges.keys()):  # left the configuration
            await client.publish(self._state_topic(name), b"", qos=1, retain=True)
            self._retained.discard(name)

    def _state_topic(self, name: str) -> str:
        return f"{self._root}/hedge/{encode(name)}/state"

    def _new_client(self) -> aiomqtt.Client:
        import aiomqtt  # noqa: PLC0415 - only for those who have a broker

        options = self._options
        tls = None
        if options.tls:
            tls = aiomqtt.TLSParameters(
                ca_certs=_path(options.ca_file), certfile=_path(options.cert_file), keyfile=_path(options.key_file)
            )
        return aiomqtt.Client(
            options.host,
            options.port,
            username=options.username,
            password=options.password,
            # The same id every time: the broker then ends a half-open old connection, and sends its last will,
            # before ours says online, and not minutes after.
            identifier="hedged-" + hashlib.sha256(self._root.encode()).hexdigest()[:16],
            will=aiomqtt.Will(f"{self._root}/status", "offline", qos=1, retain=True),
            timeout=options.timeout,
            keepalive=options.keepalive,
            tls_params=tls,
        )

    def _jitter(self) -> float:
        """0.5 … 1, so that many daemons do not come back to a broker in step."""
        return 0.5 + int(self._ids.new()[-8:], 16) / 2**33

    def _lost(self, error: str) -> None:
        self._error = error
        if not self._complained:
            self._complained = True
            _log.warning("no connection to the MQTT broker, trying again", broker=self._address, error=error)

    def _found(self) -> None:
        if self._complained:
            self._complained = False
            _log.info("connected to the MQTT broker again", broker=self._address)


def encode(name: str) -> str:
    """A name as one level of a topic."""
    return "".join(quote(char, safe="") if char in "%#+/" or not char.isprintable() else char for char in name)


def _hedges(state: Mapping[str, object]) -> dict[str, Mapping[str, object]]:
    hedges = state.get("hedges")
    if not isinstance(hedges, list | tuple):
        return {}
    return {str(hedge["name"]): hedge for hedge in hedges}


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path)
