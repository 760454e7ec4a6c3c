"""Where to listen, as a configuration spells it."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import urlsplit


def parse_address(value: str) -> tuple[str, int]:
    """`host:port`, the host an address or localhost. Raises `ValueError`."""
    parts = urlsplit(f"//{value}")
    host, port = parts.hostname or "", parts.port  # raises for a port that is none
    if not port or parts.path or parts.query or parts.fragment or "@" in value:
        raise ValueError("not host:port")
    if host != "localhost":
        ip_address(host)
    return host, port


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach it. A name other than localhost might be anybody's."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
