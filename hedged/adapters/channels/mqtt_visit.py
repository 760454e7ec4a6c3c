"""A visit to the broker beside the daemon: can it be reached, and is each topic ours to write and to read?

Nothing changes by it. Each topic gets what it holds already, or nothing, as a message that is not retained.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import replace

from hedged.adapters.channels.mqtt_client import Complaints, MqttOptions, in_words, new_client
from hedged.errors import DeliveryError

PROBE = "doctor"  # the event id and the request that stand for all others


async def visit(options: MqttOptions, topics: Sequence[str]) -> list[str]:
    """Those of `topics` that did not come back. Raises `DeliveryError`, with the reason in words."""
    import aiomqtt  # noqa: PLC0415 - only for those who have a broker

    complaints = Complaints()
    held: dict[str, bytes] = {}
    came: set[str] = set()
    news = asyncio.Event()

    async def listen(client: aiomqtt.Client) -> None:
        async for message in client.messages:
            if message.retain:
                held[str(message.topic)] = message.payload
            else:
                came.add(str(message.topic))
            news.set()

    async def until_back(expected: set[str]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(options.echo_within):
                while not expected <= came:
                    news.clear()
                    await news.wait()

    try:
        async with new_client(options, complaints, visiting=True) as client:
            for topic in topics:
                await client.subscribe(topic, qos=0)
            listening = asyncio.create_task(listen(client))
            try:
                first, *others = topics
                await client.publish(first, held.get(first, b""), qos=1)
                await until_back({first})  # by then what the others hold has come too
                for topic in others:
                    await client.publish(topic, held.get(topic, b""), qos=1)
                await until_back(set(others))
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
    except (aiomqtt.MqttError, OSError, ValueError) as error:
        raise DeliveryError(in_words(error, complaints, options)) from None
    return [topic for topic in topics if topic not in came]


async def leave(options: MqttOptions, topic: str, payload: str) -> None:
    """Publish one message beside the daemon, not retained. Raises `DeliveryError`, with the reason in words."""
    import aiomqtt  # noqa: PLC0415 - only for those who have a broker

    complaints = Complaints()
    try:
        async with new_client(options, complaints, visiting=True) as client:
            await client.publish(topic, payload, qos=1)
    except (aiomqtt.MqttError, OSError, ValueError) as error:
        raise DeliveryError(in_words(error, complaints, options)) from None


async def lets_anybody_in(options: MqttOptions) -> bool:
    """Whether the broker takes a connection without user name and password."""
    import aiomqtt  # noqa: PLC0415 - only for those who have a broker

    nobody = replace(options, username=None, password=None)
    try:
        async with new_client(nobody, Complaints(), visiting=True):
            return True
    except (aiomqtt.MqttError, OSError, ValueError):
        return False
