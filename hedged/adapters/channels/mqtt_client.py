"""A connection to a broker: its options, and its failures in words.

The library tells some failures (a client certificate that the broker refuses) only to its log, so that is listened to.
"""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from hedged.adapters.channels.mqtt_topics import Topics
from hedged.tell.outbox import Backoff

if TYPE_CHECKING:
    import aiomqtt

_SESSION_KEPT = 3600  # seconds that a broker keeps what was sent to us while we are away, under MQTT 5
_INCOMING_MAX = 2_000  # messages; what comes beyond is dropped by the library
_OUTGOING_MAX = 1_000

Protocol = Literal["5", "3.1.1"]


@dataclass(frozen=True, slots=True)
class MqttOptions:
    """Where the broker is and who we are there. Times in seconds."""

    host: str
    instance: str
    port: int = 1883
    prefix: str = "hedged"
    protocol: Protocol = "5"
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: bool = False
    ca_file: Path | None = None  # None: the system's authorities
    cert_file: Path | None = None
    key_file: Path | None = None
    keepalive: int = 30
    timeout: float = 5.0  # for the connection and for each acknowledgement
    echo_within: float = 4.0  # for what was acknowledged to come back
    again_after: float = 30.0  # until others have had time to come back too, and what fires is told once more
    backoff: Backoff = field(default_factory=lambda: Backoff(first=1.0, cap=30.0))

    @property
    def address(self) -> str:
        return f"{self.host}:{self.port}"

    @property
    def topics(self) -> Topics:
        return Topics(self.prefix, self.instance)


class Complaints(logging.Handler):
    """The last thing that the library logged as a warning or worse."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.last = ""

    def emit(self, record: logging.LogRecord) -> None:
        self.last = record.getMessage()


def new_client(options: MqttOptions, complaints: Complaints, *, visiting: bool = False) -> aiomqtt.Client:
    """Not connected yet. `visiting`: beside the daemon, without its session and its last will."""
    import aiomqtt  # noqa: PLC0415 - only for those who have a broker
    from paho.mqtt.client import MQTT_CLEAN_START_FIRST_ONLY  # noqa: PLC0415
    from paho.mqtt.packettypes import PacketTypes  # noqa: PLC0415
    from paho.mqtt.properties import Properties  # noqa: PLC0415

    logger = logging.Logger("mqtt")  # noqa: LOG001 - of this client alone, and told in our words
    logger.addHandler(complaints)
    tls = None
    if options.tls:
        tls = aiomqtt.TLSParameters(
            ca_certs=_path(options.ca_file), certfile=_path(options.cert_file), keyfile=_path(options.key_file)
        )
    five = options.protocol == "5"
    properties = None
    if five and not visiting:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.SessionExpiryInterval = _SESSION_KEPT
    topics = options.topics
    # The same id every time: the broker then ends a half-open old connection, and sends its last will, before ours
    # says online, and not minutes after; and it hands over what came while we were away.
    name = "hedged-" + hashlib.sha256(topics.root.encode()).hexdigest()[:16]
    client = aiomqtt.Client(
        options.host,
        options.port,
        username=options.username,
        password=options.password,
        identifier=f"{name}-visit" if visiting else name,
        protocol=aiomqtt.ProtocolVersion.V5 if five else aiomqtt.ProtocolVersion.V311,
        clean_session=None if five else visiting,
        clean_start=visiting if five else MQTT_CLEAN_START_FIRST_ONLY,  # a word of version 5 alone
        properties=properties,
        will=None if visiting else aiomqtt.Will(topics.status, "offline", qos=1, retain=True),
        timeout=options.timeout,
        keepalive=options.keepalive,
        max_queued_incoming_messages=_INCOMING_MAX,
        max_queued_outgoing_messages=_OUTGOING_MAX,
        tls_params=tls,
        logger=logger,
    )
    client.pending_calls_threshold = _OUTGOING_MAX  # a state and its alerts go out together
    return client


async def subscribed(client: aiomqtt.Client, topic: str, qos: int, options: MqttOptions) -> bool:
    """Subscribe; False: the broker refuses it. Raises `aiomqtt.MqttError`.

    Under MQTT 5 messages come as they were published: else one that is being retained now looks like any other.
    """
    from paho.mqtt.reasoncodes import ReasonCode  # noqa: PLC0415
    from paho.mqtt.subscribeoptions import SubscribeOptions  # noqa: PLC0415

    if options.protocol == "5":
        codes = await client.subscribe(topic, options=SubscribeOptions(qos=qos, retainAsPublished=qos > 0))
    else:
        codes = await client.subscribe(topic, qos=qos)
    return not any(isinstance(code, ReasonCode) and code.is_failure for code in codes)


def in_words(error: BaseException, complaints: Complaints, options: MqttOptions) -> str:
    """Why there is no connection, as the sentence's end after the broker's address."""
    said = f"{error} {complaints.last}".lower()
    words = next((words for needles, words in _WORDS if any(needle in said for needle in needles)), None)
    if words is None:
        return f"{error}".strip() or type(error).__name__
    if words is _LOGIN and options.username is None:
        words = "it lets nobody in without user name and password: write them into the secret file `mqtt`"
    return words.format(
        host=options.host,
        cert=options.cert_file,
        ca=options.ca_file or "the system's store",
        seconds=f"{options.timeout:g}",
    )


_LOGIN = "not authorized, it refuses the user name or the password in the secret file `mqtt`"

_WORDS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("bad user name or password", "bad username or password", "not authori"), _LOGIN),
    (("alert certificate expired",), "our client certificate {cert} has expired: renew it"),
    (("alert unknown ca", "alert bad certificate"), "it does not trust our client certificate {cert}"),
    (
        ("alert certificate required", "alert handshake failure", "peer did not return a certificate"),
        "it wants a client certificate: `certificate_file` and `key_file` under `[mqtt]`",
    ),
    (("certificate has expired",), "its certificate has expired: renew it on the broker's machine"),
    (("certificate is not yet valid",), "its certificate is not valid yet: compare the clocks of both machines"),
    (("hostname mismatch", "ip address mismatch"), "its certificate is made for another name than {host}"),
    (
        ("self-signed certificate", "self signed certificate", "unable to get local issuer"),
        "its certificate is signed by no authority in {ca}: name its own with `ca_file` under `[mqtt]`",
    ),
    (("wrong version number", "record layer failure", "packet length too long"), "it speaks no TLS on this port"),
    (
        ("unsupported protocol version", "incorrect protocol version", "unacceptable protocol version"),
        'it does not speak this version of MQTT: `protocol = "3.1.1"` under `[mqtt]` is the older one',
    ),
    (
        ("connection reset", "eof occurred", "unexpected eof", "the connection was lost", "during message iteration"),
        "it ended the connection; where it always does, compare `port` and `tls` under `[mqtt]` with the broker's own",
    ),
    (("connection refused",), "nobody listens there"),
    (("name or service not known", "name resolution", "no address associated"), "its name cannot be resolved"),
    (("timed out",), "it did not answer within {seconds} s"),
)


def _path(path: Path | None) -> str | None:
    return None if path is None else str(path)
