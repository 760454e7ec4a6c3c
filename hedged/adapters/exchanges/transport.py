"""The HTTP session under ccxt, and the redirection of its sockets to a server on this machine."""

from __future__ import annotations

import ipaddress
import socket
import ssl
from pathlib import Path

import aiohttp
import certifi
from aiohttp.abc import AbstractResolver, ResolveResult

from hedged.errors import ConfigurationError


def open_session(account: str, connect_to: str | None, ca_file: Path | None) -> aiohttp.ClientSession:
    """A session that verifies TLS; opening it sends nothing. Raises `ConfigurationError`.

    With `connect_to` ("127.0.0.1:8443") every venue's name leads to that loopback address while addresses, TLS
    names and ccxt's error tables stay the venue's own; the certificate is verified against `ca_file`.
    """
    try:
        context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        if ca_file is None:
            context.load_verify_locations(certifi.where())  # a bare machine has no authorities of its own
    except OSError as error:
        problem = f"account {account}: ca_file = {ca_file}  a readable file of PEM certificates ({error.strerror})"
        raise ConfigurationError(problem) from None
    resolver = LoopbackResolver(*parse_loopback(account, connect_to)) if connect_to else aiohttp.ThreadedResolver()
    connector = aiohttp.TCPConnector(ssl=context, resolver=resolver)
    session = aiohttp.ClientSession(connector=connector)
    # aiohttp sends what it holds to be repeatable once more when a connection drops, unseen by the limiter and by us;
    # some venues place orders by GET, and a DELETE that arrived is not the same as one that did not
    session._retry_connection = False  # noqa: SLF001  there is no argument for it
    return session


class TooLong(Exception):
    """A body that goes on beyond what can be meant."""


async def read_up_to(response: aiohttp.ClientResponse, most: int) -> bytes:
    """The body, unpacked. Raises `TooLong` as soon as there are more than `most` bytes, and reads no further."""
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > most:
            response.close()
            raise TooLong(f"the reply goes on after {most >> 20} MB")
    return bytes(body)


def parse_loopback(account: str, connect_to: str) -> tuple[str, int]:
    """("127.0.0.1", 8443) of "127.0.0.1:8443"; `ConfigurationError` unless the address is this machine's loopback."""
    host, _, port = connect_to.rpartition(":")
    try:
        loopback = ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        loopback = False
    if not loopback or not port.isascii() or not port.isdigit() or not 0 < int(port) < 65536:
        problem = f"account {account}: connect_to = {connect_to}  a loopback address and port, such as 127.0.0.1:8443"
        raise ConfigurationError(problem)
    return host.strip("[]"), int(port)


class LoopbackResolver(AbstractResolver):
    """Every name is one address and port of this machine."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        version = ipaddress.ip_address(self._host).version
        return [
            ResolveResult(
                hostname=host,
                host=self._host,
                port=self._port,
                family=socket.AF_INET6 if version == 6 else socket.AF_INET,
                proto=socket.IPPROTO_TCP,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Holds nothing."""
