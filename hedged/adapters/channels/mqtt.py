"""MQTT: the state as retained topics, alerts as QoS 1 messages, a last will, and commands where they are allowed.

The topics stand in `mqtt_topics`. One task keeps the connection: aiomqtt does not reconnect by itself. A broker that
denies a publication acknowledges it all the same, so everything published is read back: what does not come back counts
as not delivered. On every connection the alerts that still fire are published again, and once more when others have
had time to reconnect too, because a broker that was killed has forgotten what it held for them.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Coroutine, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import structlog

from hedged.adapters.channels.home_assistant import BIRTH, Discovery, leaving
from hedged.adapters.channels.mqtt_client import Complaints, MqttOptions, in_words, new_client, subscribed
from hedged.adapters.channels.mqtt_echo import Echoes, denies
from hedged.errors import DeliveryError, StoreError
from hedged.model.alert import Message
from hedged.ports import Clock, CommandTaker, Ids, StandingAlerts
from hedged.tell.message import message_object
from hedged.tell.outbox import Failing
from hedged.tell.state import time

if TYPE_CHECKING:
    import aiomqtt

    from hedged.model.command import Reply

__all__ = ["MqttChannel", "MqttOptions"]

_log = structlog.get_logger(__name__)

_STEADY = 30.0  # seconds that a connection has to stand before the back-off begins anew
_GOODBYE = 0.8  # seconds for saying offline; the daemon gives its background tasks one to end
_COMMANDS_MAX = 100  # that wait to be carried out; what comes beyond is dropped


class MqttChannel:
    """Publishes to one broker. `run`, a task of the daemon, keeps the connection; cancelling it says offline.

    `discovery`: how Home Assistant is told. `offered`: whether that is wanted; where it is not, a message that an
    earlier run left is taken back. `commands`: who carries them out; None: none are taken.
    """

    name = "mqtt"
    confirms = False

    def __init__(
        self,
        options: MqttOptions,
        clock: Clock,
        ids: Ids,
        standing: StandingAlerts | None = None,
        *,
        commands: CommandTaker | None = None,
        discovery: Discovery | None = None,
        offered: bool = True,
    ) -> None:
        self._options = options
        self._clock = clock
        self._ids = ids
        self._standing = standing
        self._commands = commands
        self._discovery = discovery
        self._offered = offered
        self._topics = options.topics
        self._client: aiomqtt.Client | None = None  # None: not connected
        self._state: Mapping[str, object] | None = None  # the latest only: a newer one replaces it
        self._retained: set[str] = set()  # topics of states that the broker is known to keep
        self._described: Mapping[str, object] = {}  # the device as the broker is known to keep it
        self._wake = asyncio.Event()
        self._asked: asyncio.Queue[tuple[str, bytes, bool]] = asyncio.Queue(_COMMANDS_MAX)
        self._overflowing = False
        self._echoes = Echoes(options)
        self._complaints = Complaints()
        self._failing: Failing | None = None

    async def deliver(self, message: Message) -> None:
        """Returns once the broker has handed it out. Raises `DeliveryError`, at once while not connected."""
        import aiomqtt  # noqa: PLC0415 - only for those who have a broker

        if self._client is None:
            why = "not connected yet" if self._failing is None else self._failing.why
            raise DeliveryError(f"the MQTT broker {self._options.address}: {why}")
        topic = self._topics.alert(message.event_id)
        try:
            came_back = await self._publish(self._client, topic, message_object(message))
        except (aiomqtt.MqttError, ValueError) as error:  # ValueError: a payload beyond the protocol's limit
            raise DeliveryError(f"the MQTT broker {self._options.address}: {error}") from None
        if not came_back:
            raise DeliveryError(f"the MQTT broker {self._options.address} {denies(topic)}")

    async def publish_state(self, state: Mapping[str, object]) -> None:
        """Remember it, for the connection's task to publish now or on reconnecting. Never waits."""
        self._state = state
        self._wake.set()

    async def close(self) -> None:
        """Nothing: the connection ends with `run`."""

    @property
    def denied(self) -> tuple[str, ...]:
        """Topics that the broker denies."""
        return self._echoes.denied

    @property
    def failing(self) -> Failing | None:
        """Since when there is no connection, and why; None: there is one, or it was not tried yet."""
        return self._failing

    async def run(self) -> None:
        """Connect, and connect again whenever the connection is lost, until cancelled."""
        import aiomqtt  # noqa: PLC0415 - only for those who have a broker

        failures = 0
        while True:
            began = self._clock.monotonic()
            self._complaints = Complaints()
            try:
                async with new_client(self._options, self._complaints) as client:
                    await self._serve(client)
            except (aiomqtt.MqttError, OSError, ValueError) as error:
                self._lost(in_words(error, self._complaints, self._options))
            except Exception as error:  # noqa: BLE001 - a bug here must not end the reconnecting for ever
                self._lost(f"{type(error).__name__}: {error}")
            finally:
                self._client = None
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise asyncio.CancelledError  # a broken connection raised something else while we were ending it
            failures = 1 if self._clock.monotonic() - began >= _STEADY else failures + 1
            await self._clock.sleep(self._options.backoff.after(failures) * self._jitter())

    async def _serve(self, client: aiomqtt.Client) -> None:
        """Work until the connection breaks, which raises."""
        import aiomqtt  # noqa: PLC0415 - only for those who have a broker

        self._described = {}
        await self._subscribe(client)
        self._client = client
        self._found()
        self._wake.set()
        work: list[Coroutine[Any, Any, None]] = [
            self._listen(client),
            self._publish_states(client),
            self._tell_again(client),
            *([self._carry_out(client, self._commands)] if self._commands is not None else []),
        ]
        tasks = {asyncio.create_task(each) for each in work}
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for task in done:
                task.result()
        except asyncio.CancelledError:
            # A broker sends no last will for a client that takes its leave.
            with contextlib.suppress(aiomqtt.MqttError):
                await client.publish(self._topics.status, "offline", qos=1, retain=True, timeout=_GOODBYE)
            raise
        finally:
            self._client = None
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._echoes.lost()

    async def _subscribe(self, client: aiomqtt.Client) -> None:
        """To what we publish ourselves, to Home Assistant's birth, and to commands where they are allowed."""
        wanted = dict.fromkeys(self._topics.own, 0)
        if self._discovery is not None:
            wanted |= {self._discovery.topic: 0} | ({BIRTH: 0} if self._offered else {})
        if self._commands is not None:
            wanted[self._topics.commands] = 1
        else:
            await client.unsubscribe(self._topics.commands)  # an earlier run may have allowed some
        for topic, qos in wanted.items():
            if not await subscribed(client, topic, qos, self._options):
                self._echoes.refuse(topic)
            elif topic in {self._topics.commands, BIRTH}:  # of the others the echo tells
                self._echoes.forget(topic)

    async def _listen(self, client: aiomqtt.Client) -> None:
        """Hear our own echo, what earlier runs left, a birth, commands; raises when the connection breaks."""
        async for message in client.messages:
            topic, payload = str(message.topic), message.payload
            self._echoes.came(message)
            verb = self._topics.verb(topic)
            if verb is not None:  # also without the setting: what came before it was taken back
                self._ask(verb, payload, retained=message.retain)
            elif topic == BIRTH:
                self._born(payload)
            elif message.retain and payload:
                self._left_by_another_run(topic, payload)

    def _left_by_another_run(self, topic: str, payload: bytes) -> None:
        """Or by this one, before the connection was lost."""
        if self._discovery is not None and topic == self._discovery.topic:
            self._described = _object(payload)
            self._wake.set()
        elif self._topics.is_state(topic) and topic not in self._retained:
            self._retained.add(topic)
            self._wake.set()

    def _born(self, payload: bytes) -> None:
        """Home Assistant has started: it knows nothing that is not told now."""
        if payload == b"online":
            self._described = {}
            self._wake.set()

    def _ask(self, verb: str, payload: bytes, *, retained: bool) -> None:
        if self._commands is None:
            return
        try:
            self._asked.put_nowait((verb, payload, retained))
            self._overflowing = False
        except asyncio.QueueFull:
            if not self._overflowing:
                _log.warning("too many commands at once, those beyond are dropped", waiting=_COMMANDS_MAX)
            self._overflowing = True

    async def _carry_out(self, client: aiomqtt.Client, commands: CommandTaker) -> None:
        """One command after the other, apart from the listening, which must not wait for a store."""
        while True:
            verb, payload, retained = await self._asked.get()
            reply = await commands.take(self.name, verb, payload, retained=retained)
            if reply is not None and not retained:
                await self._publish(client, self._topics.reply(reply.request), _reply_object(reply))

    async def _publish_states(self, client: aiomqtt.Client) -> None:
        await self._echoes.publish(client, self._topics.status, b"online", retain=True)
        while True:
            await self._wake.wait()
            self._wake.clear()
            if self._discovery is not None:
                await self._describe(client, self._discovery)
            if self._state is not None:
                await self._publish_state(client, self._topics.states(self._state))

    async def _publish_state(self, client: aiomqtt.Client, states: Mapping[str, Mapping[str, object]]) -> None:
        self._retained |= {topic for topic in states if self._topics.is_state(topic)}
        await asyncio.gather(*(self._publish(client, topic, each, retain=True) for topic, each in states.items()))
        for topic in sorted(self._retained - states.keys()):  # left the configuration
            await client.publish(topic, b"", qos=1, retain=True)
            self._retained.discard(topic)
            self._echoes.forget(topic)

    async def _describe(self, client: aiomqtt.Client, discovery: Discovery) -> None:
        """Keep Home Assistant's description of us as it should be, written only where it is not."""
        if not self._offered:
            if self._described:
                await client.publish(discovery.topic, b"", qos=1, retain=True)
                self._described = {}
        elif self._state is not None and (wanted := discovery.message(self._state)) != self._described:
            if (removing := leaving(self._described, wanted)) is not None:
                await self._publish(client, discovery.topic, removing, retain=True)
            await self._publish(client, discovery.topic, wanted, retain=True)
            self._described = wanted

    async def _tell_again(self, client: aiomqtt.Client) -> None:
        """What still fires, now and when others have had time to come back."""
        if self._standing is None:
            return
        for pause in (0.0, self._options.again_after):
            await self._clock.sleep(pause)
            try:
                messages = await self._standing.standing()
            except StoreError as error:
                _log.warning("what still fires could not be told again", error=str(error))
                continue
            for message in messages:
                if not await self._publish(client, self._topics.alert(message.event_id), message_object(message)):
                    break

    async def _publish(
        self, client: aiomqtt.Client, topic: str, value: Mapping[str, object], *, retain: bool = False
    ) -> bool:
        """Whether it came back. Raises `aiomqtt.MqttError` where the connection is lost."""
        payload = json.dumps(value, ensure_ascii=False).encode()
        return await self._echoes.publish(client, topic, payload, retain=retain)

    def _jitter(self) -> float:
        """0.5 … 1, so that many daemons do not come back to a broker in step."""
        return 0.5 + int(self._ids.new()[-8:], 16) / 2**33

    def _lost(self, why: str) -> None:
        if self._failing is None:
            _log.warning("no connection to the MQTT broker, trying again", broker=self._options.address, error=why)
            self._failing = Failing(self._clock.now(), why)
        self._failing = replace(self._failing, why=why)

    def _found(self) -> None:
        if self._failing is not None:
            self._failing = None
            _log.info("connected to the MQTT broker again", broker=self._options.address)


def _reply_object(reply: Reply) -> dict[str, object]:
    return {
        "schema": "hedged.reply/1",
        "request": reply.request,
        "verb": reply.verb,
        "ok": reply.ok,
        "text": reply.text,
        "at": time(reply.at),
    }


def _object(payload: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(payload)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
