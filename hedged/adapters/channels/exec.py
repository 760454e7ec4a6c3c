"""A program of the user's own for each message: JSON on its standard input, its exit code is the answer.

It says nothing about people: whatever it does, hedged sees only that it ended well.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Mapping, Sequence

from hedged.adapters.log import scrub
from hedged.errors import DeliveryError
from hedged.model.alert import Message
from hedged.tell.message import message_object

ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"}
"""All that the program gets of ours: nothing of what the daemon was started with."""

_WITHIN = 8.0  # seconds, below the courier's patience
_SAID_MAX = 200  # characters of its last line


class ExecChannel:
    """Runs one program, one message at a time."""

    name = "exec"
    confirms = False

    def __init__(self, command: Sequence[str], *, within: float = _WITHIN) -> None:
        self._command = tuple(command)
        self._within = within

    async def deliver(self, message: Message) -> None:
        """Returns once the program has ended with 0. Raises `DeliveryError`; one that takes too long is killed."""
        payload = json.dumps(message_object(message), ensure_ascii=False).encode() + b"\n"
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.PIPE,
                env=ENVIRONMENT,
                cwd="/",
                start_new_session=True,  # what it starts is killed with it
            )
        except (OSError, ValueError) as error:
            raise DeliveryError(
                f"{self._command[0]} cannot be run: {getattr(error, 'strerror', None) or error}"
            ) from None
        try:
            async with asyncio.timeout(self._within):
                said = await _feed(process, payload)
                code = await process.wait()
        except TimeoutError:
            raise DeliveryError(f"{self._command[0]} did not end within {self._within:g} s") from None
        finally:
            if process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                await process.wait()
        if code != 0:
            raise DeliveryError(scrub(f"{self._command[0]} ended with {code}{f': {said}' if said else ''}"))

    async def publish_state(self, state: Mapping[str, object]) -> None:
        """Nothing: a program is run for events, not for states."""

    async def close(self) -> None:
        """Nothing to close."""


async def _feed(process: asyncio.subprocess.Process, payload: bytes) -> str:
    """Write to its standard input, and read what it complains of to the end; its last line, bounded."""
    if process.stdin is None or process.stderr is None:  # both were asked for
        return ""
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # it need not read
        process.stdin.write(payload)
        await process.stdin.drain()
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        process.stdin.close()
    last = b""
    while chunk := await process.stderr.read(4096):
        last = (last + chunk)[-4096:]
    lines = last.decode(errors="replace").strip().splitlines()
    return "".join(char for char in lines[-1] if char.isprintable())[:_SAID_MAX] if lines else ""
