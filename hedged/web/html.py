"""Pages as HTML, made of the objects that are served as JSON. No script, nothing from elsewhere, everything escaped."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from typing import Any

from hedged.tell.formats import text_as_html
from hedged.tell.text import clean

REFRESH = 60  # seconds

_LINE_MAX = 4_000
_SHOWN_MAX = 300  # of each sort
_STYLE = """
:root{color-scheme:light dark;--ink:#1d2330;--dim:#5a6478;--page:#f5f6f8;--card:#fff;--edge:#dfe3ea;
--critical:#b3261e;--warning:#8a5a00;--info:#2456a6;--over:#2e6b3f}
@media(prefers-color-scheme:dark){:root{--ink:#e7eaf0;--dim:#9aa4b8;--page:#12151b;--card:#1b2029;--edge:#2d3543;
--critical:#ff8a80;--warning:#f0b95a;--info:#8fb8ff;--over:#86cf9b}}
*{box-sizing:border-box}
body{margin:0;background:var(--page);color:var(--ink);font:16px/1.5 system-ui,sans-serif}
main{max-width:56rem;margin:0 auto;padding:1rem}
h1{font-size:1.4rem;line-height:1.25;margin:.25rem 0}
h2{font-size:1.1rem;margin:1.75rem 0 .5rem}
h3{font-size:1rem;line-height:1.35;margin:0}
p{margin:.4rem 0}
a{color:inherit;text-underline-offset:.15em}
a.back{display:inline-block;padding:.4rem .4rem .4rem 0;color:var(--dim)}
article{background:var(--card);border:1px solid var(--edge);border-left:.3rem solid var(--edge);border-radius:.4rem;
padding:.75rem 1rem;margin:.6rem 0;overflow-wrap:anywhere}
.critical{border-left-color:var(--critical)}.warning{border-left-color:var(--warning)}
.info{border-left-color:var(--info)}.over{border-left-color:var(--over)}
.word{font-size:.8rem;font-weight:600;text-transform:uppercase;letter-spacing:.04em}
.critical .word{color:var(--critical)}.warning .word{color:var(--warning)}
.info .word{color:var(--info)}.over .word{color:var(--over)}
.dim,ul{color:var(--dim);font-size:.9rem}
ul{list-style:none;margin:.5rem 0 0;padding:0}
li{margin:.1rem 0}
.failed{color:var(--critical)}
table{border-collapse:collapse;width:100%;font-size:.9rem;margin-top:.6rem}
th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-top:1px solid var(--edge);
font-weight:400;overflow-wrap:anywhere}
th{color:var(--dim);width:40%}
td{font-variant-numeric:tabular-nums}
"""

POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src 'sha256-"
    f"{b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)
"""What a browser may load and run of these pages: their own style, and nothing else."""

Json = Mapping[str, Any]


def overview_page(found: Json, *, silence: str | None) -> str:
    """`found`: a listing with what is over. `silence`: why it may be old; None: a cycle was completed lately."""
    firing = [each for each in found["alerts"] if each["state"] == "firing"]
    pending = [each for each in found["alerts"] if each["state"] == "pending"]
    over = [each for each in found["alerts"] if each["state"] == "resolved"]
    count = f"{len(firing)} alert{'' if len(firing) == 1 else 's'} firing" if firing else "No alert is firing"
    body = [
        f"<h1>{count}</h1>",
        *_unrecorded(found),
        _who(found),
        *([] if silence is None else [_note("Not up to date", f"{silence} What follows may be old.")]),
        *(_note("On its way", line) for line in _waiting(found["waiting"])),
        *_cards(firing),
        *_section("Pending", _cards(pending)),
        *_section("Silences", [_silence(each) for each in found["silences"][:_SHOWN_MAX]]),
        *_section("Over within the last day", _cards(over)),
    ]
    return _page(f"{count}: {found['portfolio']}", body, refresh=True)


def event_page(found: Json) -> str:
    """All of one event."""
    single = found["alerts"][0] if len(found["alerts"]) == 1 else None
    messages = found["messages"]
    title = single["title"] if single is not None else messages[-1]["title"] if messages else found["event_id"]
    shown = [_message(each) for each in messages[: -_SHOWN_MAX - 1 : -1]]
    body = [
        '<a class="back" href="../alerts">← All alerts</a>',
        f"<h1>{_text(title)}</h1>",
        *_unrecorded(found),
        _who(found),
        *(_whole(each) for each in found["alerts"][:_SHOWN_MAX]),
        *_more(found["alerts"]),
        *_section("What was said, the latest first", [*shown, *_more(messages)]),
    ]
    return _page(title, body)


def word_page(title: str, text: str) -> str:
    """A page that only says why there is nothing to see."""
    return _page(title, [f"<h1>{_text(title)}</h1>", f"<p>{_text(text)}</p>"])


def _page(title: str, body: Iterable[str], *, refresh: bool = False) -> str:
    again = f'<meta http-equiv="refresh" content="{REFRESH}">\n' if refresh else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"{again}<title>{_text(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        + "\n".join(body)
        + "\n</main>\n</body>\n</html>\n"
    )


def _text(text: str) -> str:
    """What came from outside on one line, and nothing of it a tag."""
    return escape(clean(text, _LINE_MAX))


def _lines(text: str) -> str:
    return text_as_html("\n".join(clean(line, _LINE_MAX) for line in text.splitlines()))


def _who(found: Json) -> str:
    world = "" if found["world"] == "real" else f", {found['world']}"
    last = found.get("last_cycle_at")
    seen = f"; last cycle {_moment(last)}" if last else ""
    return f'<p class="dim">{_text(found["portfolio"])}{_text(world)}; read {_moment(found["now"])}{seen}</p>'


def _section(title: str, parts: Sequence[str]) -> Iterator[str]:
    if parts:
        yield f"<h2>{escape(title)}</h2>"
        yield from parts


def _unrecorded(found: Json) -> Iterator[str]:
    """The store is old: what is shown is what the process knows, which dies with it."""
    if (why := found.get("not_recorded")) is not None:
        text = (
            f"hedged could not record its last cycle: {why}. The alerts are as the running process knows them; what "
            "was said of them since, to whom it was delivered, and whatever ended before may be missing."
        )
        yield _note("Not recorded", text, tone="critical")


def _note(word: str, text: str, *, tone: str = "warning") -> str:
    return f'<article class="{tone}"><span class="word">{escape(word)}</span><p>{_text(text)}</p></article>'


def _waiting(waiting: Mapping[str, int]) -> Iterator[str]:
    for channel, number in waiting.items():
        if number:
            yield f"{number} message{'' if number == 1 else 's'} for {channel} wait{'s' if number == 1 else ''}."


def _cards(alerts: Sequence[Json]) -> list[str]:
    return [*map(_card, alerts[:_SHOWN_MAX]), *_more(alerts)]


def _more(listed: Sequence[Json]) -> Iterator[str]:
    if (more := len(listed) - _SHOWN_MAX) > 0:
        yield f'<p class="dim">… and {more} more, which are in the JSON.</p>'


def _card(alert: Json) -> str:
    """One alert in a list; the heading leads to all of it."""
    link = f"alerts/{escape(alert['event_id'])}"
    return (
        f'<article class="{_tone(alert)}"><span class="word">{_state(alert)}</span>\n'
        f'<h3><a href="{link}">{_text(alert["key"])}</a></h3>\n<p>{_text(alert["text"])}</p>\n'
        f"{_list([*_facts(alert), *map(_delivery, alert['deliveries'])])}</article>"
    )


def _whole(alert: Json) -> str:
    numbers = "".join(
        f"<tr><th>{_text(name.replace('_', ' '))}</th><td>{_text(_value(value))}</td></tr>"
        for name, value in alert["values"].items()
    )
    table = f"<table>{numbers}</table>" if numbers else ""
    return (
        f'<article class="{_tone(alert)}"><span class="word">{_state(alert)}</span>\n<h3>{_text(alert["key"])}</h3>\n'
        f"<p>{_lines(alert['body'])}</p>\n{table}{_list(_facts(alert))}</article>"
    )


def _message(message: Json) -> str:
    deliveries = [_delivery(each) for each in message["deliveries"]]
    tone = "over" if message["kind"] in {"resolved", "removed", "passed"} else message["severity"]
    return (
        f'<article class="{escape(tone)}"><span class="word">{_moment(message["at"])}</span>\n'
        f"<h3>{_text(message['title'])}</h3>\n<p>{_lines(message['body'])}</p>\n{_list(deliveries)}</article>"
    )


def _facts(alert: Json) -> Iterator[str]:
    """How it stands with people."""
    if (said := alert["acknowledged"]) is not None:
        until = f" until {_moment(said['until'])}" if said["until"] else ""
        yield f"Acknowledged by {_text(said['by'])} {_moment(said['at'])}{until}"
    if (silenced := alert["silenced"]) is not None:
        yield f"Silenced by {_text(silenced['by'])} until {_moment(silenced['ends_at'])}"
    if alert["explained_by"] is not None:
        yield f"Not told: {_text(alert['explained_by'])} explains it"
    if alert["waits_for_its_group"]:
        yield "Waits for the next message about its kind"
    if alert["state"] == "firing" and alert["severity"] == "critical" and alert["confirmed"] is False:
        yield _failed("Not confirmed: no service has taken it and nobody has acknowledged it")


def _delivery(delivery: Json) -> str:
    what = f"{_text(delivery['channel'])}: {_text(delivery['kind'])} of {_moment(delivery['at'])}"
    if delivery["delivered_at"] is not None:
        return f"{what}, delivered {_moment(delivery['delivered_at'])}"
    tries = delivery["attempts"]
    if not tries:
        return f"{what}, on its way"
    return _failed(f"{what}, {tries} attempt{'' if tries == 1 else 's'} in vain: {_text(delivery['error'] or '')}")


def _failed(line: str) -> str:
    return f'<span class="failed">{line}</span>'


def _silence(silence: Json) -> str:
    why = f": {silence['reason']}" if silence["reason"] else ""
    said = _text(f"by {silence['by']}{why}")
    return (
        f'<article class="info"><h3>{_text(silence["pattern"])}</h3>\n'
        f'<p class="dim">until {_moment(silence["ends_at"])} {said}</p></article>'
    )


def _list(lines: Iterable[str]) -> str:
    listed = "".join(f"<li>{line}</li>" for line in lines)
    return f"<ul>{listed}</ul>" if listed else ""


def _tone(alert: Json) -> str:
    return "over" if alert["state"] == "resolved" else escape(alert["severity"])


def _state(alert: Json) -> str:
    """How severe it is, and since when it is so."""
    if alert["state"] == "resolved":
        return f"over since {_moment(alert['resolved_at'])}"
    if alert["state"] == "pending":
        return f"pending since {_moment(alert['since'])}"
    return f"{_text(alert['severity'])} since {_moment(alert['since'])}"


def _moment(moment: str | None) -> str:
    """`2026-11-02 12:00 UTC` of an ISO time, which is UTC, to the minute."""
    if moment is None:
        return "unknown"
    return f'<time datetime="{escape(moment)}">{escape(moment[:16].replace("T", " "))} UTC</time>'


def _value(value: object) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return str(value)
