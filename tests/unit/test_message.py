"""What alerts and orders read like."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hedged.model.alert import Alert, AlertState, MessageKind
from hedged.model.finding import Kind, Severity
from hedged.model.instrument import InstrumentId
from hedged.model.order import (
    GATE_SEAL,
    ApprovedIntent,
    Decision,
    Fill,
    Intent,
    Outcome,
    Refusal,
    Rejected,
    Side,
    Unknown,
)
from hedged.tell.grouping import News
from hedged.tell.message import LINE_MAX, TITLE_MAX, compose, compose_group, message_object
from hedged.tell.orders import order_sentences, order_text, order_trouble
from hedged.tell.templates import GROUP_FIELDS, Template, problem
from hedged.tell.text import SUBJECT_MAX, clean
from hedged.tell.words import WORDS
from tests.support import T0

DRIFT = Alert(
    key="drift/alts",
    kind=Kind.DRIFT,
    subject="alts",
    severity=Severity.WARNING,
    state=AlertState.FIRING,
    event_id="e1",
    text="Hedge alts is under-hedged: 0.91 of 1.00 (band ±0.05).",
    values={"hedge_ratio": Decimal("0.91")},
    since=T0,
    fired_at=T0,
)
INTENT = Intent(
    "hd01", "alts", InstrumentId("main:ETH/USDT:USDT"), Side.SELL, Decimal("0.40"), Decimal(3000), Decimal(1200),
    reduce_only=False, reason="drift",
)  # fmt: skip
FILL = Fill("hd01", INTENT.instrument, Side.SELL, Decimal("0.4"), Decimal("3001.20"), Decimal("0.6"), T0)


def test_a_drift_message_whole() -> None:
    """What, how bad, what hedged does, what the reader can do, since when: on one screen."""
    message = compose(DRIFT, MessageKind.FIRING, T0, order=order_text(INTENT, reach=Decimal("0.95")))
    assert message.title == "Warning: hedge alts is outside its band"
    assert message.body == (
        "Hedge alts is under-hedged: 0.91 of 1.00 (band ±0.05). "
        "hedged sells 0.4 contracts of ETH/USDT:USDT on main (1,200.00 USDT) to reach 0.95.\n"
        "Since 2026-11-02 12:00 UTC."
    )


@pytest.mark.parametrize(
    ("kind", "severity", "title"),
    [
        (MessageKind.FIRING, Severity.CRITICAL, "Critical: margin of main is running low"),
        (MessageKind.REPEAT, Severity.WARNING, "Still warning: margin of main is running low"),
        (MessageKind.ESCALATED, Severity.CRITICAL, "Now critical: margin of main is running low"),
        (MessageKind.RESOLVED, Severity.CRITICAL, "Resolved: margin of main is running low"),
        (MessageKind.REMOVED, Severity.WARNING, "Closed: margin of main is running low"),
    ],
)
def test_the_title_says_what_and_how_bad(kind: MessageKind, severity: Severity, title: str) -> None:
    """The first words tell a new alert from a repeat, a worse one and an end."""
    alert = replace(DRIFT, kind=Kind.MARGIN, subject="main", severity=severity)
    assert compose(alert, kind, T0).title == title


@pytest.mark.parametrize(
    ("lasted", "words"),
    [(45, ""), (12 * 60, "for 12 min"), (7500, "for 2 h 5 min"), (7200, "for 2 h"), (273_600, "for 3 d 4 h")],
)
def test_how_long_it_has_lasted(lasted: int, words: str) -> None:
    """Durations are told in their two largest units, and only from a minute up."""
    last = compose(DRIFT, MessageKind.REPEAT, T0 + timedelta(seconds=lasted)).body.splitlines()[-1]
    assert last == "Since 2026-11-02 12:00 UTC" + (f", {words}." if words else ".")


def test_one_that_came_back_says_when_it_first_fired() -> None:
    """So that the reader finds the earlier message."""
    again = replace(DRIFT, since=T0 + timedelta(hours=1))
    assert compose(again, MessageKind.FIRING, T0 + timedelta(hours=1)).body.endswith(
        "Since 2026-11-02 13:00 UTC; it first fired 2026-11-02 12:00 UTC."
    )


def test_an_end_says_since_when_and_after_how_long() -> None:
    """The time is that of the end, not of the message."""
    over = replace(DRIFT, state=AlertState.RESOLVED, resolved_at=T0 + timedelta(minutes=7), closed_as="resolved")
    body = compose(over, MessageKind.RESOLVED, T0 + timedelta(hours=1)).body
    assert body.startswith("It is over since 2026-11-02 12:07 UTC, after 7 min. It was: Hedge alts")


def test_a_removed_hedge_says_that_its_short_stays() -> None:
    """Taking a hedge out of the configuration closes nothing at the exchange."""
    body = compose(DRIFT, MessageKind.REMOVED, T0).body
    assert "Hedge alts is no longer in the configuration" in body
    assert "No position was closed" in body


@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_words(kind: Kind) -> None:
    """A headline, what hedged does, and what to do: for each kind there is."""
    message = compose(replace(DRIFT, kind=kind), MessageKind.FIRING, T0)
    assert len(message.title) <= TITLE_MAX
    assert "{" not in message.title
    assert WORDS[kind].does in message.body
    assert "You can " in message.body


@pytest.mark.parametrize("kind", Kind)
def test_what_is_composed_apart_from_a_cycle_says_nothing_of_its_orders(kind: Kind) -> None:
    """Pages and what is told anew to a connection do not know what was sold meanwhile; all else is said as ever."""
    body = compose(replace(DRIFT, kind=kind), MessageKind.REPEAT, T0, later=True).body
    silent = kind in {Kind.DRIFT, Kind.ROLL, Kind.MARGIN_ODDS}
    assert (WORDS[kind].does in body) is not silent
    assert body.startswith(f"{DRIFT.text}\n" if silent else f"{DRIFT.text} ")
    assert "You can " in body


def test_a_group_of_which_one_was_ordered_does_not_say_that_none_was() -> None:
    """The order stands in its own line; what to do for the rest is said all the same."""
    sold = News(DRIFT, MessageKind.FIRING, order="hedged sold it.")
    body = compose_group([sold, other("b")], "g1", T0).body.splitlines()
    assert body[0].endswith("hedged sold it.")
    assert body[2:] == [f"You can {WORDS[Kind.DRIFT].advice}"]


@pytest.mark.parametrize(
    ("outcome", "text"),
    [
        (FILL, "hedged sold 0.4 contracts of ETH/USDT:USDT on main at 3,001.2, fee 0.60 USDT to reach 0.95."),
        (
            replace(FILL, quantity=Decimal("0.3")),
            (
                "hedged sold 0.3 of 0.4 contracts of ETH/USDT:USDT on main at 3,001.2, fee 0.60 USDT. "
                "More is needed to reach 0.95."
            ),
        ),
        (
            Rejected("hd01", "margin is insufficient."),
            "The order to sell 0.4 contracts of ETH/USDT:USDT on main was rejected: margin is insufficient.",
        ),
        (
            Unknown("hd01", "time-out"),
            (
                "Nobody knows yet whether the order to sell 0.4 contracts of ETH/USDT:USDT on main was placed "
                "(time-out): hedged looks it up before anything else trades there."
            ),
        ),
    ],
)
def test_what_became_of_an_order(outcome: Outcome, text: str) -> None:
    """A fill, a part of one, a refusal and not knowing read differently."""
    assert order_text(INTENT, outcome, reach=Decimal("0.95")) == text


def test_a_part_of_what_is_wanted_does_not_reach_it() -> None:
    """The first real order on a contract, a slice, what was approved: each says what it is, and that more is needed."""
    intent = replace(INTENT, part="the first order there is the smallest, to see that it is filled")
    done = "hedged sold 0.4 contracts of ETH/USDT:USDT on main at 3,001.2, fee 0.60 USDT"
    assert order_text(intent, FILL, reach=Decimal("0.95")) == (
        f"{done}: the first order there is the smallest, to see that it is filled. More is needed to reach 0.95."
    )
    assert order_text(intent, FILL) == f"{done}: the first order there is the smallest, to see that it is filled."


def test_buying_back_one_contract() -> None:
    """The other side, the singular, and no ratio where none is known."""
    intent = replace(INTENT, side=Side.BUY, quantity=Decimal(1))
    assert order_text(intent) == "hedged buys 1 contract of ETH/USDT:USDT on main (1,200.00 USDT)."


def test_sentences_and_trouble_of_a_cycle() -> None:
    """Orders, refusals and proposals are told under their hedge; what did not go through is trouble."""
    other = replace(INTENT, client_order_id="hd02", hedge="majors")
    refused = replace(INTENT, client_order_id="hd03", hedge="rest")
    proposed = replace(INTENT, client_order_id="hd04", hedge="watched", side=Side.BUY)
    decision = Decision(
        "drift",
        intents=tuple(ApprovedIntent(each, Decimal(2940), GATE_SEAL) for each in (INTENT, other)),
        refused=(Refusal(refused, "order_notional_max is 1,000 USDT"),),
        proposals=(proposed,),
    )
    outcomes = [FILL, Unknown("hd02", "time-out")]
    sentences = order_sentences(decision, outcomes, {"alts": Decimal("0.95")})
    assert sentences["alts"].startswith("hedged sold 0.4 contracts")
    assert sentences["majors"].startswith("Nobody knows yet")
    assert sentences["rest"] == (
        "Selling 0.4 contracts of ETH/USDT:USDT on main is not sent, the gate refused it: "
        "order_notional_max is 1,000 USDT."
    )
    assert sentences["watched"].startswith("Buying 0.4 contracts of ETH/USDT:USDT on main would bring it back")
    assert order_trouble(decision, outcomes) == {"majors", "rest"}


def test_the_json_form() -> None:
    """Decimals are strings, times end in Z, and the schema is numbered."""
    message = compose(DRIFT, MessageKind.FIRING, T0)
    found = json.loads(json.dumps(message_object(message)))
    assert (found["schema"], found["event_id"], found["kind"], found["severity"]) == (1, "e1", "firing", "warning")
    assert found["at"] == "2026-11-02T12:00:00Z"
    assert found["values"] == {"hedge_ratio": "0.91"}


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ETH\x1b[2J", "ETH [2J"),
        ("A\nB\r\tC", "A B C"),
        ("ABC\u202eDEF\u200b", "ABC DEF"),
        ("Ω-币", "Ω-币"),
        ("x" * 100, "x" * (SUBJECT_MAX - 1) + "…"),
    ],
)
def test_untrusted_names_are_made_harmless(name: str, shown: str) -> None:
    """Control, bidirectional and zero-width characters go, other scripts stay, length is bounded."""
    message = compose(replace(DRIFT, kind=Kind.PRICE_MISSING, subject=name, text=f"{name}."), MessageKind.FIRING, T0)
    assert message.title == f"Warning: {shown} has no price"
    assert message.body.isprintable() or message.body.replace("\n", "").isprintable()


@given(st.text(max_size=2000), st.sampled_from(Kind), st.sampled_from(MessageKind))
def test_no_name_breaks_a_message(name: str, kind: Kind, said: MessageKind) -> None:
    """Whatever a venue calls an asset, title and body stay bounded and printable."""
    alert = replace(DRIFT, kind=kind, subject=name, text=name, values={"asset": name})
    message = compose(alert, said, T0, order=name)
    assert len(message.title) <= TITLE_MAX
    assert len(message.body) < 5500
    assert (message.title + message.body.replace("\n", "") + str(message.values["asset"])).isprintable()
    assert clean(clean(name, 40), 40) == clean(name, 40)


OWN = Template(
    text="{state}: {subject}\n{text} / {does} / {advice}\n{since} {kind} {severity} {key} {event_id}",
    html="<b>{text}</b>{{x}}",
)


def test_the_users_own_words() -> None:
    """The first line is the title; in HTML what is filled in is escaped, and what the user wrote is not."""
    alert = replace(DRIFT, text="<b>alts</b> is {0} under-hedged.")
    message = compose(alert, MessageKind.FIRING, T0, template=OWN)
    assert message.title == "Warning: alts"
    words = WORDS[Kind.DRIFT]
    assert message.body.splitlines() == [
        f"<b>alts</b> is {{0}} under-hedged. / {words.does} / {words.advice}",
        "Since 2026-11-02 12:00 UTC. drift warning drift/alts e1",
    ]
    assert message.html == "<b>&lt;b&gt;alts&lt;/b&gt; is {0} under-hedged.</b>{x}"


def test_own_words_leave_out_advice_where_it_is_over() -> None:
    """There is nothing to do any more; the body without a template is there to be used."""
    over = replace(DRIFT, state=AlertState.RESOLVED, resolved_at=T0, closed_as="resolved")
    message = compose(over, MessageKind.RESOLVED, T0, template=Template(text="{title}\n[{does}{advice}] {body}"))
    assert message.title == "Resolved: hedge alts is outside its band"
    assert message.body.startswith("[] It is over since")


@pytest.mark.parametrize(
    ("source", "wrong"),
    [
        ("{title}\n{body}", None),
        ("100 {{%}} {text}", None),
        ("{number}", "{number} is no field"),
        ("{text.__class__}", "{text.__class__} is no field"),
        ("{text[0]}", "{text[0]} is no field"),
        ("{text!r}", "stands alone"),
        ("{text:>9}", "stands alone"),
        ("{}", "{} is no field"),
        ("{text", "expected '}'"),
        ("text}", "Single '}'"),
    ],
)
def test_a_template_is_fields_and_nothing_else(source: str, wrong: str | None) -> None:
    """No attribute, no index, no format: nothing that could reach further than the fields."""
    said = problem(source)
    assert said is None if wrong is None else said is not None and wrong in said


@given(st.text(max_size=200))
def test_no_template_breaks_a_message(source: str) -> None:
    """What was found to be right can be filled in; what was not is told before."""
    if problem(source) is None:
        message = compose(DRIFT, MessageKind.FIRING, T0, template=Template(text=source, html=source))
        assert message.body
        assert message.title
        assert len(message.title) <= TITLE_MAX


def test_a_message_lists_what_it_speaks_of() -> None:
    """One alert or many: whoever reads JSON finds each with its own event id."""
    single = message_object(compose(DRIFT, MessageKind.FIRING, T0))
    assert single["alerts"] == [{"event_id": "e1", "key": "drift/alts", "kind": "firing", "severity": "warning"}]
    other = replace(DRIFT, event_id="e2", key="drift/b", subject="b")
    group = compose_group([News(DRIFT, MessageKind.FIRING), News(other, MessageKind.RESOLVED)], "g1", T0)
    assert [each["event_id"] for each in message_object(group)["alerts"]] == ["e1", "e2"]  # type: ignore[attr-defined]
    assert (group.event_id, group.key, group.kind) == ("g1", "drift/*", MessageKind.FIRING)
    assert group.body.splitlines()[1] == "- b: over since 2026-11-02 12:00 UTC, after 0 s. It was: " + DRIFT.text


def other(name: str, **change: object) -> News:
    return News(replace(DRIFT, event_id=name, key=f"drift/{name}", subject=name, **change), MessageKind.FIRING)


def test_a_group_in_the_users_own_words() -> None:
    """The group's template is the whole message, and each of its lines is the kind's own template on one line."""
    own = Template(text="{count} of {kind}: {subjects}\n{lines}\n{does}", html="<p>{lines}</p>{{{key}}}")
    line = Template(text="{severity}!\n{subject} & co")
    message = compose_group([News(DRIFT, MessageKind.FIRING), other("b")], "g1", T0, template=own, line=line)
    assert message.title == "2 of drift: alts, b"
    assert message.body == f"- warning! alts & co\n- warning! b & co\n{WORDS[Kind.DRIFT].does}"
    assert message.html == "<p>- warning! alts &amp; co<br>\n- warning! b &amp; co</p>{drift/*}"
    assert (message.event_id, message.key) == ("g1", "drift/*")


def test_a_line_in_the_users_own_words_without_a_template_of_groups() -> None:
    """Title and end stay hedged's own; a line is bounded whatever the template makes of it."""
    line = Template(text="{subject} {text}" + " and on" * 100)
    body = compose_group([News(DRIFT, MessageKind.FIRING), other("b")], "g1", T0, line=line).body.splitlines()
    assert body[0].startswith(f"- alts {DRIFT.text} and on")
    assert max(map(len, body[:2])) <= LINE_MAX + 2
    assert body[2:] == [WORDS[Kind.DRIFT].does, f"You can {WORDS[Kind.DRIFT].advice}"]


@given(st.text(max_size=200))
def test_no_template_of_groups_breaks_a_message(source: str) -> None:
    """What was found to be right for a group can be filled in."""
    if problem(source, GROUP_FIELDS) is None:
        own = Template(text=source, html=source)
        message = compose_group([News(DRIFT, MessageKind.FIRING), other("b")], "g1", T0, template=own)
        assert message.body
        assert 0 < len(message.title) <= TITLE_MAX


@pytest.mark.parametrize(
    ("source", "right"), [("{lines} {count} {subjects}", True), ("{text}", False), ("{since}", False)]
)
def test_a_group_has_fields_of_its_own(source: str, right: bool) -> None:
    """What is said of one alert alone is no field of many, and the other way round."""
    assert (problem(source, GROUP_FIELDS) is None) is right
    assert (problem(source) is None) is not right
