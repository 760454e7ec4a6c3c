"""Who has signed an action of Hyperliquid: the hash of what is asked, and the address that its signature gives away.

Written from the venue's documentation of signing and from the curve's own arithmetic, without ccxt but for the hash
function: what is checked here is what ccxt has made.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ccxt.static_dependencies import keccak

_P = 2**256 - 2**32 - 977  # the field of secp256k1, its order, and its generator
_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
)
_Point = tuple[int, int] | None


def signer(request: Mapping[str, Any], *, test: bool = False) -> str:
    """The address whose key has signed this request's action, nonce and expiry; of some stranger if any was changed."""
    agent = action_hash(request["action"], request["nonce"], request.get("expiresAfter"), request.get("vaultAddress"))
    signature = request["signature"]
    r, s = (int(signature[name], 16) for name in ("r", "s"))
    return _recover(_typed(agent, test=test), r, s, int(signature["v"]) - 27)


def address(private_key: str) -> str:
    return _address(_times(int(private_key, 16), _G))


def action_hash(action: Mapping[str, Any], nonce: int, expires: int | None, vault: str | None = None) -> bytes:
    """A vault or a sub-account stands behind a one, else there is a zero; an expiry stands behind a zero."""
    whose = b"\x00" if vault is None else b"\x01" + bytes.fromhex(vault.removeprefix("0x"))
    after = b"" if expires is None else b"\x00" + expires.to_bytes(8, "big")
    return _hash(_packed(action) + nonce.to_bytes(8, "big") + whose + after)


def _typed(connection: bytes, *, test: bool) -> bytes:
    """EIP-712: an `Agent` of the domain `Exchange`, whose source is 'a' on the main net and 'b' on the test net."""
    kind = _hash(b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)")
    domain = _hash(kind + _hash(b"Exchange") + _hash(b"1") + (1337).to_bytes(32, "big") + bytes(32))
    agent = _hash(b"Agent(string source,bytes32 connectionId)")
    return _hash(b"\x19\x01" + domain + _hash(agent + _hash(b"b" if test else b"a") + connection))


def _packed(value: object) -> bytes:
    """MessagePack, of what an action holds: maps in the order given, short lists, texts, whole numbers, flags."""
    if isinstance(value, bool):
        return b"\xc3" if value else b"\xc2"
    if isinstance(value, int):
        return _whole(value)
    if isinstance(value, str):
        text = value.encode()
        return (bytes([0xA0 | len(text)]) if len(text) < 32 else bytes([0xD9, len(text)])) + text
    if isinstance(value, Mapping):
        return bytes([0x80 | len(value)]) + b"".join(_packed(each) for item in value.items() for each in item)
    assert isinstance(value, Sequence)
    return bytes([0x90 | len(value)]) + b"".join(map(_packed, value))


def _whole(value: int) -> bytes:
    if value < 128:
        return bytes([value])
    code, size = next((code, size) for code, size in ((0xCC, 1), (0xCD, 2), (0xCE, 4), (0xCF, 8)) if value < 256**size)
    return bytes([code]) + value.to_bytes(size, "big")


def _recover(digest: bytes, r: int, s: int, parity: int) -> str:
    y = pow(r**3 + 7, (_P + 1) // 4, _P)
    if y % 2 != parity:
        y = _P - y
    inverse, z = pow(r, -1, _N), int.from_bytes(digest, "big")
    return _address(_plus(_times(s * inverse % _N, (r, y)), _times(-z * inverse % _N, _G)))


def _address(point: _Point) -> str:
    assert point is not None
    return "0x" + _hash(b"".join(each.to_bytes(32, "big") for each in point))[-20:].hex()


def _times(factor: int, point: _Point) -> _Point:
    total: _Point = None
    while factor:
        if factor & 1:
            total = _plus(total, point)
        point, factor = _plus(point, point), factor >> 1
    return total


def _plus(one: _Point, other: _Point) -> _Point:
    if one is None or other is None:
        return one or other
    (x1, y1), (x2, y2) = one, other
    if x1 == x2 and (y1 + y2) % _P == 0:
        return None
    slope = 3 * x1 * x1 * pow(2 * y1, -1, _P) if one == other else (y2 - y1) * pow(x2 - x1, -1, _P)
    x = (slope * slope - x1 - x2) % _P
    return x, (slope * (x1 - x) - y1) % _P


def _hash(data: bytes) -> bytes:
    return bytes(keccak.SHA3(data))
