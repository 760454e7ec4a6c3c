"""A program for each message: real processes."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from hedged.adapters.channels.exec import ENVIRONMENT, ExecChannel
from hedged.errors import DeliveryError
from hedged.model.alert import Message, MessageKind
from hedged.model.finding import Severity
from hedged.tell.message import message_object
from tests.support import T0

ALERT = Message("e1", MessageKind.FIRING, "margin/main", Severity.CRITICAL, "Critical: margin", "12 % left ±", T0)


def program(folder: Path, text: str) -> str:
    path = folder / "program"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o700)
    return str(path)


async def test_it_gets_the_message_as_json_and_nothing_of_our_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On its standard input, with its own arguments; secrets in the daemon's environment stay there."""
    monkeypatch.setenv("HEDGED_CANARY", "CANARY")
    path = program(tmp_path, f'cat > {tmp_path}/in; env > {tmp_path}/env; echo "$1" > {tmp_path}/arg; echo noise')
    channel = ExecChannel([path, "--loud"])
    await channel.deliver(ALERT)
    assert json.loads((tmp_path / "in").read_text()) == message_object(ALERT)
    names = {line.partition("=")[0] for line in (tmp_path / "env").read_text().splitlines()}
    assert names - {"PWD", "SHLVL", "_", "OLDPWD"} == set(ENVIRONMENT)
    assert (tmp_path / "arg").read_text() == "--loud\n"
    assert not channel.confirms, "that a program ended well says nothing about people"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cat > /dev/null; exit 3", "ended with 3"),
        ("echo first >&2; echo no modem >&2; exit 1", "ended with 1: no modem"),
        ("kill -9 $$", "ended with -9"),
    ],
)
async def test_another_end_than_0_is_no_delivery(tmp_path: Path, text: str, said: str) -> None:
    """With its code, and the last line that it complained of."""
    with pytest.raises(DeliveryError, match=said):
        await ExecChannel([program(tmp_path, text)]).deliver(ALERT)


async def test_one_that_does_not_read_is_no_failure(tmp_path: Path) -> None:
    """Its exit code alone counts."""
    await ExecChannel([program(tmp_path, "exec <&-; exit 0")]).deliver(ALERT)


async def test_one_that_hangs_is_killed_with_what_it_started(tmp_path: Path) -> None:
    """After its time, so that no process is left behind by a bad script."""
    path = program(tmp_path, f"sleep 1000 & echo $! > {tmp_path}/child; wait")
    with pytest.raises(DeliveryError, match="did not end within 0.5 s"):
        await ExecChannel([path], within=0.5).deliver(ALERT)
    child = int((tmp_path / "child").read_text())
    async with asyncio.timeout(10):
        while _runs(child):
            await asyncio.sleep(0.01)


async def test_one_that_is_not_there(tmp_path: Path) -> None:
    """Named, as a failed delivery."""
    with pytest.raises(DeliveryError, match="/none cannot be run: No such file"):
        await ExecChannel([str(tmp_path / "none")]).deliver(ALERT)


def _runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"
