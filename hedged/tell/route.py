"""Which channels a message goes to. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from hedged.model.alert import Message
from hedged.model.finding import Kind

SAYING_NOTHING = frozenset({"log", "mqtt", "exec"})
"""Channels whose acknowledgement is our own, a broker's or a program's: it says nothing about people."""


def receivers(message: Message, channels: Sequence[str], further: Sequence[str]) -> list[str]:
    """All, or with the further ones; a channel that is down is not told so itself."""
    told = {each.key for each in message.alerts}
    named = dict.fromkeys([*channels, *(further if message.further else ())])
    return [name for name in named if told != {f"{Kind.CHANNEL_DOWN.value}/{name}"}]
