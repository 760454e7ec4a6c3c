"""A certificate authority for one test run, and a server certificate for the names of a venue."""

from __future__ import annotations

import ipaddress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

NAMES = (
    "localhost",
    "api.binance.com",
    "fapi.binance.com",
    "dapi.binance.com",
    "papi.binance.com",
    "eapi.binance.com",
    "demo-api.binance.com",
    "demo-fapi.binance.com",
    "api-spot.weex.com",
    "api-contract.weex.com",
    "api.mexc.com",
    "demo-dapi.binance.com",
    "www.okx.com",
    "api.bybit.com",
    "api-testnet.bybit.com",
    "open-api.bingx.com",
    "open-api-vst.bingx.com",
    "api.bitget.com",
    "api.gateio.ws",
    "api-testnet.gateapi.io",
    "stream.binance.com",
    "fstream.binance.com",
    "dstream.binance.com",
    "ws-api.binance.com",
    "ws-fapi.binance.com",
    "stream.bybit.com",
    "ws.okx.com",
    "open-api-ws.bingx.com",
    "open-api-swap.bingx.com",
    "open-api-cswap-ws.bingx.com",
    "contract.mexc.com",
    "wbs-api.mexc.com",
    "ws-spot.weex.com",
    "ws-contract.weex.com",
    "ws.bitget.com",
    "fx-ws.gateio.ws",
    "wspap.bitget.com",
    "api.hyperliquid.xyz",
    "api.hyperliquid-testnet.xyz",
    "api.kucoin.com",
    "api-futures.kucoin.com",
    "ws-api-spot.kucoin.com",
    "ws-api-futures.kucoin.com",
    "www.deribit.com",
    "test.deribit.com",
    "futures.kraken.com",
    "api.kraken.com",
    "api.coinbase.com",
)
_SIGNS_CERTIFICATES = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=True,
    crl_sign=True,
    encipher_only=False,
    decipher_only=False,
)
_FROM, _TO = datetime(2020, 1, 1, tzinfo=UTC), datetime(2020, 1, 1, tzinfo=UTC) + timedelta(days=365 * 30)


def make_ca(folder: Path) -> tuple[Path, Path, Path]:
    """(ca_file, cert, key) as PEM files in `folder`: the authority's certificate, the server's and its key."""
    authority_key, server_key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _name("hedged test authority")
    root = (
        _builder(authority, authority, authority_key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_SIGNS_CERTIFICATES, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    names: list[x509.GeneralName] = [x509.DNSName(name) for name in NAMES]
    names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    leaf = (
        _builder(_name("localhost"), authority, server_key)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    ca_file, cert, key = folder / "ca.pem", folder / "server.pem", folder / "server.key"
    ca_file.write_bytes(root.public_bytes(serialization.Encoding.PEM))
    cert.write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
    key.write_bytes(
        server_key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return ca_file, cert, key


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _builder(subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_FROM)
        .not_valid_after(_TO)
    )
