"""What is written to Telegram, and what its buttons carry. Pure.

Text is HTML of which only <b> is ours: everything else is escaped. Lengths count as Telegram counts them, in UTF-16
units after the marks are taken out.

A button carries at most 64 bytes: a letter, the id of what it answers, and a seal that only the holder of the bot's
token can make, over the very numbers that were shown. A client may send what it likes under our messages; what does
not carry the seal was not offered by us.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from hedged.model.alert import Told
from hedged.model.command import Verb
from hedged.model.proposal import Proposal, Verdict
from hedged.tell.formats import cut
from hedged.tell.state import money
from hedged.tell.text import clean

TEXT_MAX = 4096
ANSWER_MAX = 200
DATA_MAX = 64  # bytes
_SEAL = 16  # hex digits: 64 bits
_NAME_MAX = 60
_LABEL_MAX = 60
_ROWS_MAX = 8  # buttons under a message: a person sees them all

_LETTERS = {"a": Verb.APPROVE, "r": Verb.REJECT, "k": Verb.ACK}
_DATA = re.compile(r"([ark]):([0-9A-Za-z_-]{1,40}):([0-9a-f]{16})", re.ASCII)
_MORE = "… cut here: `hedged proposals` has all of it."

Buttons = list[list[dict[str, str]]]


@dataclass(frozen=True, slots=True)
class Pressed:
    """What a button's data says, its seal not yet checked."""

    verb: Verb
    about: str  # a proposal's id, or an event's
    seal: str


def seal(token: str, verb: Verb, about: str, digest: str = "") -> str:
    """`digest`: of the numbers shown. 16 hex digits."""
    said = f"{verb.value}|{about}|{digest}".encode()
    return hmac.new(token.encode(), said, "sha256").hexdigest()[:_SEAL]


def button_data(token: str, verb: Verb, about: str, digest: str = "") -> str | None:
    """None where it does not fit: better no button than one that cannot be read."""
    letter = next(letter for letter, each in _LETTERS.items() if each is verb)
    data = f"{letter}:{about}:{seal(token, verb, about, digest)}"
    return data if len(data.encode()) <= DATA_MAX and _DATA.fullmatch(data) else None


def parse_data(data: object) -> Pressed | None:
    """None: none of ours."""
    match = _DATA.fullmatch(data) if isinstance(data, str) and len(data) <= DATA_MAX else None
    return None if match is None else Pressed(_LETTERS[match[1]], match[2], match[3])


def proposal_buttons(token: str, proposal: Proposal) -> Buttons:
    row = [
        {"text": word, "callback_data": data}
        for word, verb in (("Approve", Verb.APPROVE), ("Reject", Verb.REJECT))
        if (data := button_data(token, verb, proposal.id, proposal.digest)) is not None
    ]
    return [row] if row else []


def acknowledge_buttons(token: str, alerts: Sequence[Told]) -> Buttons:
    """One for each, named by it where there are several."""
    return [
        [
            {
                "text": clean(f"Acknowledge {each.key}" if len(alerts) > 1 else "Acknowledge", _LABEL_MAX),
                "callback_data": data,
            }
        ]
        for each in alerts[:_ROWS_MAX]
        if (data := button_data(token, Verb.ACK, each.event_id)) is not None
    ]


def under(buttons: Buttons) -> dict[str, object]:
    """The part of a call that puts them under a message; left out where there are none, which takes away what was."""
    return {"reply_markup": {"inline_keyboard": buttons}} if buttons else {}


def headed(title: str, body: str, more: str = _MORE) -> str:
    """Bold title and body, cut at a sentence where both are too long; `more` says where the rest is."""
    room = TEXT_MAX - _units(title) - 1
    return f"<b>{escape(title, quote=False)}</b>\n{escape(cut(body, room, more, _units), quote=False)}"


def proposal_text(proposal: Proposal, quote: str, sender: str) -> str:
    """The order with its numbers, why, until when, and how it stands."""
    account, _, symbol = proposal.instrument.partition(":")
    order = f"{proposal.side.value} {money(proposal.quantity)} {symbol} on {account}"
    only = ", reduce-only" if proposal.reduce_only else ""
    lines = [
        f"{order} near {money(proposal.price)}: {proposal.notional:,.2f} {quote}{only}.",
        f"Why: {proposal.reason or proposal.purpose.value}",
        standing(proposal),
    ]
    title = clean(f"Proposal {proposal.id}: {order} [{clean(sender, _NAME_MAX)}]", 160)
    return headed(title, "\n".join(clean(line, 1000) for line in lines))


def standing(proposal: Proposal) -> str:
    """How it stands, in a sentence."""
    who = f" by {proposal.decided_by}" if proposal.decided_by else ""
    when = f" at {proposal.decided_at:%Y-%m-%d %H:%M} UTC" if proposal.decided_at is not None else ""
    why = f": {proposal.ended_because}" if proposal.ended_because else ""
    until = f"{proposal.expires_at:%Y-%m-%d %H:%M} UTC"
    return {
        Verdict.OPEN: f"Good until {until}. Approved, it is decided and priced again before it is sent.",
        Verdict.APPROVED: f"✔ Approved{who}{when}; it is sent in the next cycle if it still fits, until {until}.",
        Verdict.USED: f"✔ Approved{who}{when}, and the order was sent.",
        Verdict.REJECTED: f"✘ Rejected{who}{when}.",
        Verdict.EXPIRED: f"✘ Expired{why}.",
        Verdict.REPLACED: f"✘ Replaced by a newer proposal{why}.",
    }[proposal.verdict]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", errors="replace")) // 2
