"""Telegram against a local server that speaks the Bot API: alerts, buttons, and everything that can go wrong."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hedged.act.brake import keep_pause
from hedged.adapters.channels.telegram import TelegramChannel
from hedged.adapters.channels.telegram_api import BotApi, Chat, TelegramError
from hedged.adapters.channels.telegram_board import Board
from hedged.adapters.channels.telegram_desk import TelegramDesk
from hedged.adapters.channels.telegram_kept import TelegramMemory
from hedged.adapters.channels.telegram_text import button_data, proposal_text
from hedged.adapters.store.memory import MemoryStore
from hedged.daemon.commands import Commands
from hedged.model.alert import Message, MessageKind, Told
from hedged.model.command import CommandOutcome, Verb
from hedged.model.finding import Severity
from hedged.model.policy import World
from hedged.model.proposal import Proposal, Verdict
from hedged.model.stop import Stop
from tests.bot_api import CHAT, FAULTS, STRANGER, TOKEN, USER, BotServer
from tests.broker import free_port
from tests.fakes import BrokenStore
from tests.store_samples import alert, proposal, record
from tests.support import T0, HandClock

ALERT = Message(
    "e" * 24,
    MessageKind.FIRING,
    "margin/main",
    Severity.CRITICAL,
    "Critical: margin",
    "12 % left ±.",
    T0,
    alerts=(Told("e" * 24, "margin/main", MessageKind.FIRING, Severity.CRITICAL),),
)


@dataclass
class Scene:
    """A desk over a store, beside a server."""

    server: BotServer
    store: BrokenStore
    clock: HandClock
    channel: TelegramChannel
    desk: TelegramDesk
    commands: Commands

    async def propose(self, *proposals: Proposal, n: int = 1) -> None:
        """As a cycle leaves them; shown once this returns."""
        await self.store.record_cycle(record(n, at=self.clock.now(), proposals=proposals), [])
        await self.desk.show()

    async def verdict(self, name: str = "0badcafe") -> Verdict:
        found = await self.store.proposal(name)
        assert found is not None
        return found.verdict

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.002)

    async def answered(self, query: str) -> str:
        await self.until(lambda: query in self.server.answers)
        return self.server.answers[query].text

    async def audited(self) -> list[tuple[str, str]]:
        return [(row.verb, row.outcome.value) for row in await self.store.past_commands(100)]


def desk_over(server: BotServer, store: MemoryStore, clock: HandClock) -> Scene:
    chat = Chat(BotApi(TOKEN, clock, server=server.url), TOKEN, CHAT, frozenset({USER}))
    commands = Commands(store, "mine", ["alts"], (), clock)
    memory = TelegramMemory(store, clock)
    board = Board(chat, store, memory, clock, quote="USDT", sender="mine, paper")
    desk = TelegramDesk(chat, store=store, memory=memory, board=board, commands=commands, clock=clock)
    channel = TelegramChannel(chat)
    channel.desk = desk
    return Scene(server, store, clock, channel, desk, commands)


@contextlib.asynccontextmanager
async def running(scene: Scene) -> AsyncIterator[Scene]:
    """With both loops."""
    tasks = [asyncio.create_task(loop()) for loop in (scene.desk.poll, scene.desk.keep_shown)]
    try:
        yield scene
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            assert isinstance(ended, asyncio.CancelledError), ended
        await scene.channel.close()


@pytest.fixture
async def scene() -> AsyncIterator[Scene]:
    async with BotServer() as server:
        store, clock = BrokenStore(), HandClock()
        await store.open("mine", World.PAPER, T0)
        made = desk_over(server, store, clock)
        yield made
        await made.channel.close()


def only(server: BotServer) -> int:
    (number,) = server.messages
    return number


# alerts


async def test_an_alert_arrives_escaped_with_a_button(scene: Scene) -> None:
    """Title bold, names as they are and never as marks; what is critical can be acknowledged."""
    await scene.channel.deliver(replace(ALERT, title="Critical: <b>A&B</b>", body="x < y & z.\n<i>no</i>"))
    message = scene.server.messages[only(scene.server)]
    assert message.html == "<b>Critical: &lt;b&gt;A&amp;B&lt;/b&gt;</b>\nx &lt; y &amp; z.\n&lt;i&gt;no&lt;/i&gt;"
    assert message.text == "Critical: <b>A&B</b>\nx < y & z.\n<i>no</i>"
    assert list(message.buttons) == ["Acknowledge"]
    assert not message.silent


@pytest.mark.parametrize(
    ("kind", "severity", "button", "silent"),
    [
        (MessageKind.FIRING, Severity.CRITICAL, True, False),
        (MessageKind.REPEAT, Severity.CRITICAL, True, False),
        (MessageKind.ESCALATED, Severity.CRITICAL, True, False),
        (MessageKind.UNCONFIRMED, Severity.CRITICAL, True, False),
        (MessageKind.PASSED, Severity.CRITICAL, False, True),
        (MessageKind.RESOLVED, Severity.CRITICAL, False, True),
        (MessageKind.REMOVED, Severity.CRITICAL, False, True),
        (MessageKind.FIRING, Severity.WARNING, False, False),
        (MessageKind.FIRING, Severity.INFO, False, True),
        (MessageKind.DIGEST, Severity.INFO, False, True),
        (MessageKind.TEST, Severity.INFO, False, False),
    ],
)
async def test_what_makes_a_sound_and_what_has_a_button(
    scene: Scene, kind: MessageKind, severity: Severity, button: bool, silent: bool
) -> None:
    """Only what stands and is critical is acknowledged; ends and notes make no sound."""
    told = replace(ALERT.alerts[0], kind=kind, severity=severity)
    await scene.channel.deliver(replace(ALERT, kind=kind, severity=severity, alerts=(told,)))
    message = scene.server.messages[only(scene.server)]
    assert (bool(message.buttons), message.silent) == (button, silent)


async def test_without_buttons_there_are_none(scene: Scene) -> None:
    """Where nobody may press, nothing is offered, and proposals are told like anything else."""
    scene.channel.desk = None
    await scene.channel.deliver(ALERT)
    await scene.channel.deliver(replace(ALERT, key="proposal/alts"))
    await scene.channel.publish_state({})
    assert [message.buttons for message in scene.server.messages.values()] == [{}, {}]


@pytest.mark.parametrize("body", ["A sentence of words. " * 400, "𝔘𝔫 " * 3000, "word " * 3000, "<&> " * 3000])
async def test_what_is_too_long_is_cut(scene: Scene, body: str) -> None:
    """As Telegram counts, after escaping; whole sentences where there are any, and a hint where the rest is."""
    await scene.channel.deliver(replace(ALERT, body=body))
    text = scene.server.messages[only(scene.server)].text
    title, _, said = text.partition("\n")
    assert title == ALERT.title
    kept, _, more = said.rpartition("\n")
    assert more == f"More: `hedged alerts {ALERT.event_id}`."
    assert body.startswith(kept.removesuffix("…"))
    assert kept.endswith("." if "." in body else "…")
    assert len(text.encode("utf-16-le")) // 2 > 3900


@pytest.mark.parametrize("fault", FAULTS)
async def test_every_fault_is_a_delivery_error_without_the_token(scene: Scene, fault: str) -> None:
    """It waits in the outbox; neither address nor token is in the words."""
    api = BotApi(TOKEN, scene.clock, server=scene.server.url, timeout=0.5)
    scene.server.faults["sendMessage"] = fault
    with pytest.raises(TelegramError) as caught:
        await TelegramChannel(Chat(api, TOKEN, CHAT)).deliver(ALERT)
    await api.close()
    shown = f"{caught.value} {caught.value!r} {caught.value.__cause__!r} {api!r} {scene.channel.chat!r}"
    assert "CANARY" not in shown
    assert caught.value.__cause__ is None
    assert "sendMessage" in str(caught.value)


async def test_nobody_there(scene: Scene) -> None:
    """No server: no connection, and no address in the words."""
    api = BotApi(TOKEN, scene.clock, server=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(TelegramError, match=r"^sendMessage: no connection \(ClientConnectorError\)$"):
        await TelegramChannel(Chat(api, TOKEN, CHAT)).deliver(ALERT)
    await api.close()


async def test_a_rest_that_is_asked_for_is_kept(scene: Scene) -> None:
    """429: not a word to Telegram for the 35 s that it asks for, then the message."""
    scene.server.faults["sendMessage"] = ["429"]
    with pytest.raises(TelegramError, match="asks for a rest of 35 s"):
        await scene.channel.deliver(ALERT)
    await scene.clock.move(34)
    with pytest.raises(TelegramError, match="1 s of it are left"):
        await scene.channel.deliver(ALERT)
    assert scene.server.calls == ["sendMessage"]
    await scene.clock.move(1)
    await scene.channel.deliver(ALERT)
    assert len(scene.server.messages) == 1


# proposals


@pytest.mark.parametrize(
    ("button", "verdict", "said", "shown"),
    [
        ("Approve", Verdict.APPROVED, "proposal 0badcafe is approved: sell 2", "✔ Approved by telegram 7"),
        ("Reject", Verdict.REJECTED, "proposal 0badcafe is rejected: sell 2", "✘ Rejected by telegram 7"),
    ],
)
async def test_a_proposal_is_answered_by_a_button(
    scene: Scene, button: str, verdict: Verdict, said: str, shown: str
) -> None:
    """Shown with its numbers; the answer is kept under the person's id, said, audited and written into the message."""
    async with running(scene):
        await scene.propose(proposal())
        number = only(scene.server)
        message = scene.server.messages[number]
        assert "Proposal 0badcafe: sell 2 ETH/USDT:USDT on main [mine, paper]" in message.text
        assert "near 3000.1: 6,000.20 USDT" in message.text
        assert "Why: drift −0.08 is outside the band of 0.05" in message.text
        assert "Good until 2026-11-02 12:30 UTC" in message.text
        assert list(message.buttons) == ["Approve", "Reject"]
        query = scene.server.press(number, button)
        assert (await scene.answered(query)).startswith(said)
        await scene.until(lambda: shown in message.text)
    found = await scene.store.proposal("0badcafe")
    assert found is not None
    assert (found.verdict, found.decided_by) == (verdict, "telegram 7")
    assert message.buttons == {}
    assert await scene.audited() == [("approve" if button == "Approve" else "reject", "done")]
    assert only(scene.server) == number


async def test_what_was_decided_elsewhere_is_shown(scene: Scene) -> None:
    """By command line, by the cycle that used it, by time: the message follows, and a late press is told why not."""
    await scene.propose(proposal())
    number = only(scene.server)
    old = scene.server.messages[number].buttons["Approve"]
    decided = replace(proposal(), verdict=Verdict.APPROVED, decided_at=T0, decided_by="cli")
    for after, text in (
        (decided, "✔ Approved by cli at 2026-11-02 12:00 UTC; it is sent in the next cycle"),
        (
            replace(decided, verdict=Verdict.USED, client_order_id="h1"),
            "✔ Approved by cli at 2026-11-02 12:00 UTC, and",
        ),
    ):
        scene.store._proposals[after.id] = after
        await scene.desk.show()
        assert text in scene.server.messages[number].text
    async with running(scene):
        query = scene.server.send_data(old, number)
        assert "is used already by cli" in await scene.answered(query)
        assert scene.server.answers[query].alarm
    assert await scene.audited() == [("approve", "refused")]


async def test_an_expired_proposal_is_not_approved(scene: Scene) -> None:
    """Half an hour and a second later the button is too late, and says so."""
    async with running(scene):
        await scene.propose(proposal())
        scene.clock.advance(1801)
        query = scene.server.press(only(scene.server), "Approve")
        assert "was good until 2026-11-02 12:30:00 UTC and has expired" in await scene.answered(query)
    assert await scene.verdict() is Verdict.OPEN


async def test_nothing_is_approved_while_orders_are_paused(scene: Scene) -> None:
    """The person is told that, and by whom."""
    await keep_pause(scene.store, Stop(T0, "`hedged pause`", "holiday"))
    async with running(scene):
        await scene.propose(proposal())
        query = scene.server.press(only(scene.server), "Approve")
        assert "orders are paused since" in await scene.answered(query)
    assert await scene.verdict() is Verdict.OPEN


async def test_a_proposal_that_nobody_answered_is_renewed_in_its_message(scene: Scene) -> None:
    """No second message for the same want; the new numbers and buttons stand in the first, the old buttons are dead."""
    async with running(scene):
        await scene.propose(proposal())
        number = only(scene.server)
        old = scene.server.messages[number].buttons["Approve"]
        scene.clock.advance(1801)
        expired = replace(proposal(), verdict=Verdict.EXPIRED, ended_because="nobody answered")
        renewed = proposal("00c0ffee", at=scene.clock.now(), quantity="3")
        await scene.propose(expired, renewed, n=2)
        message = scene.server.messages[only(scene.server)]
        assert "Proposal 00c0ffee: sell 3 ETH/USDT:USDT" in message.text
        late = scene.server.send_data(old, number)
        assert "is expired already" in await scene.answered(late)
        query = scene.server.press(number, "Approve")
        assert "proposal 00c0ffee is approved" in await scene.answered(query)
    assert await scene.verdict("00c0ffee") is Verdict.APPROVED


async def test_a_proposal_that_was_answered_keeps_its_message(scene: Scene) -> None:
    """The next one for the same want has its own: what a person decided is not written over."""
    await scene.propose(proposal())
    first = only(scene.server)
    rejected = replace(proposal(), verdict=Verdict.REJECTED, decided_at=T0, decided_by="cli")
    await scene.propose(rejected, proposal("00c0ffee", at=scene.clock.now(), quantity="3"), n=2)
    second = next(number for number in scene.server.messages if number != first)
    assert "✘ Rejected by cli" in scene.server.messages[first].text
    assert "Proposal 00c0ffee" in scene.server.messages[second].text


async def test_news_of_proposals_are_their_messages(scene: Scene) -> None:
    """The alert is delivered once the proposal is in the chat with its buttons, and not told twice; a repeat is."""
    await scene.store.record_cycle(record(1, proposals=[proposal()]), [])
    news = replace(ALERT, key="proposal/alts", severity=Severity.WARNING)
    scene.server.faults["sendMessage"] = ["500"]
    with pytest.raises(TelegramError):
        await scene.channel.deliver(news)
    await scene.channel.deliver(news)
    await scene.channel.deliver(news)
    assert list(scene.server.messages[only(scene.server)].buttons) == ["Approve", "Reject"]
    await scene.channel.deliver(replace(news, kind=MessageKind.REPEAT))
    assert len(scene.server.messages) == 2


async def test_a_message_that_is_gone_is_not_tried_for_ever(scene: Scene) -> None:
    """Somebody deleted it: said once, and the next proposal has a message of its own."""
    await scene.propose(proposal())
    scene.server.messages.clear()
    ended = replace(proposal(), verdict=Verdict.REJECTED, decided_by="cli", decided_at=T0)
    scene.store._proposals[ended.id] = ended
    with structlog.testing.capture_logs() as logs:
        for _ in range(3):
            await scene.desk.show()
    assert [each["event"] for each in logs] == ["a proposal's message cannot be changed any more"]
    assert scene.server.calls.count("editMessageText") == 1


async def test_a_restart_shows_nothing_twice(scene: Scene) -> None:
    """Which message shows which proposal outlives the process."""
    await scene.propose(proposal())
    number = only(scene.server)
    again = desk_over(scene.server, scene.store, scene.clock)
    await again.desk.show()
    assert only(scene.server) == number
    async with running(again):
        assert "is approved" in await again.answered(scene.server.press(number, "Approve"))
        await again.until(lambda: "✔ Approved" in scene.server.messages[number].text)


async def test_a_storm_of_proposals_is_bounded(scene: Scene) -> None:
    """Twenty messages a pass; the others come with the next."""
    await scene.propose(*(replace(proposal(f"{n:08x}"), hedge=f"h{n}") for n in range(50)))
    counts = [len(scene.server.messages)]
    for _ in range(3):
        await scene.desk.show()
        counts.append(len(scene.server.messages))
    assert counts == [20, 40, 50, 50]


# who may not


@pytest.mark.parametrize(
    ("user", "chat"), [(STRANGER, CHAT), (USER, CHAT + 1), (USER, USER), ("7", CHAT), (None, CHAT), (True, CHAT)]
)
async def test_a_stranger_is_answered_and_decides_nothing(scene: Scene, user: Any, chat: Any) -> None:
    """Not in the list, or in another chat: said, audited, told as a finding."""
    async with running(scene):
        await scene.propose(proposal())
        number = only(scene.server)
        data = scene.server.messages[number].buttons["Approve"]
        query = scene.server.send_data(data, number, user=user, chat=chat)
        assert await scene.answered(query) == "You may not decide here. That you tried is kept."
    assert await scene.verdict() is Verdict.OPEN
    assert await scene.audited() == [("approve", "dropped")]
    (finding,) = scene.commands.findings(scene.clock.now())
    assert "1 not allowed" in finding.text


def forged() -> st.SearchStrategy[Any]:
    """Data as a client of one's own may send it: near to what is right, and anything at all."""
    right = button_data(TOKEN, Verb.APPROVE, "0badcafe", proposal().digest)
    assert right is not None
    near = st.builds(
        lambda at, char: right[:at] + char + right[at + 1 :],
        st.integers(0, len(right) - 1),
        st.sampled_from("ark:0123456789abcdef"),
    ).filter(lambda data: data != right)
    other = replace(proposal(), quantity=proposal().quantity * 10)
    offered = st.sampled_from(
        [
            button_data("999999:another-token", Verb.APPROVE, "0badcafe", proposal().digest),
            button_data(TOKEN, Verb.APPROVE, "0badcafe", other.digest),
            button_data(TOKEN, Verb.APPROVE, "00000000", proposal().digest),
            f"a{button_data(TOKEN, Verb.REJECT, '0badcafe', proposal().digest)[1:]}",
            f"k{right[1:]}",
            right + " ",
            right.upper(),
        ]
    )
    anything = st.one_of(st.text(max_size=80), st.none(), st.integers(), st.lists(st.text(max_size=3), max_size=3))
    return st.one_of(near, offered, anything)


async def test_forged_buttons_do_nothing() -> None:
    """Of a thousand buttons that hedged did not make none is carried out, and each is answered."""
    async with BotServer() as server:
        store, clock = BrokenStore(), HandClock()
        await store.open("mine", World.PAPER, T0)
        scene = desk_over(server, store, clock)
        await store.record_cycle(record(1, proposals=[proposal()]), [])
        queries: list[str] = []

        @settings(max_examples=1000, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(forged())
        def draw(data: Any) -> None:
            queries.append(server.send_data(data))

        draw()
        async with running(scene):
            await scene.until(lambda: len(server.answers) == len(queries))
        assert len(queries) >= 1000
        assert await scene.verdict() is Verdict.OPEN
        assert {answer.text for answer in server.answers.values()} == {
            "hedged does not offer this button now, or not with these numbers: nothing was done."
        }
        rows = await store.past_commands(2000)
        assert {row.outcome for row in rows} == {CommandOutcome.DROPPED}
        assert len(rows) == 60, "a flood fills no disk"


@pytest.mark.parametrize(
    "query",
    [
        {},
        {"id": 5, "from": {"id": USER}},
        {"id": "", "from": {"id": USER}},
        {"id": "x" * 65, "from": {"id": USER}},
        {"id": "a\nb", "from": {"id": USER}},
        {"id": "1", "from": USER, "message": 7, "data": "a"},
        {"id": "1", "from": {"id": USER}, "message": {"chat": None}},
        {"id": "1", "from": {"id": USER}, "message": {"chat": {"id": CHAT}}},
    ],
)
async def test_a_press_in_another_shape_does_nothing(scene: Scene, query: dict[str, Any]) -> None:
    """It is dropped, and the next press is heard."""
    async with running(scene):
        await scene.propose(proposal())
        scene.server.add({"callback_query": query})
        assert "is approved" in await scene.answered(scene.server.press(only(scene.server), "Approve"))
    assert (await scene.audited())[-1][1] == "dropped"


# once


async def test_an_update_is_used_once(scene: Scene) -> None:
    """Handed out again and again, also after a restart: one command, one answer."""
    scene.server.forgetful = True
    async with running(scene):
        await scene.propose(proposal())
        number = only(scene.server)
        first = scene.server.press(number, "Reject")
        await scene.answered(first)
        scene.server.updates.append(scene.server.updates[0])
        await scene.until(lambda: scene.server.calls.count("getUpdates") > 1)
    again, before = desk_over(scene.server, scene.store, scene.clock), len(scene.server.asked_offsets)
    async with running(again):
        second = scene.server.send_data("a:other:0000000000000000")
        await again.answered(second)
    assert [verb for verb, outcome in await scene.audited() if outcome == "done"] == ["reject"]
    assert scene.server.calls.count("answerCallbackQuery") == 2
    taken = scene.server.updates[0]["update_id"]
    assert (scene.server.asked_offsets[0], scene.server.asked_offsets[before]) == (None, taken + 1)


async def test_a_query_under_another_update_number_is_used_once_too(scene: Scene) -> None:
    """After a week of silence Telegram numbers updates anew: the query's own id is what counts."""
    async with running(scene):
        await scene.propose(proposal())
        query = scene.server.press(only(scene.server), "Reject")
        update = dict(scene.server.updates[0])
        await scene.answered(query)
        scene.server.answers.clear()
        scene.server.add({"callback_query": update["callback_query"]})
        assert "its nonce was used before" in await scene.answered(query)
    assert [row for row in await scene.audited() if row[1] == "done"] == [("reject", "done")]


async def test_after_a_week_of_silence_lower_numbers_are_new(scene: Scene) -> None:
    """An offset that old is forgotten, or the first press of that week would be passed over."""
    async with running(scene):
        scene.server.add({"callback_query": {"id": "1", "from": {"id": USER}}}, number=900_000_000)
        await scene.answered("1")
        await scene.until(lambda: len(scene.server.asked_offsets) == 2)  # or that question would come in late
    scene.clock.advance(7 * 86_400)
    again = desk_over(scene.server, scene.store, scene.clock)
    scene.server.updates.clear()
    async with running(again):
        scene.server.add({"callback_query": {"id": "2", "from": {"id": USER}}}, number=5)
        await again.answered("2")


async def test_a_crash_between_taking_and_doing_does_nothing_twice(scene: Scene) -> None:
    """What was taken and not done is lost, and pressed again by the person."""
    await scene.propose(proposal())
    number = only(scene.server)
    scene.server.forgetful = True
    query = scene.server.press(number, "Approve")
    scene.store.broken = {"proposal"}
    async with running(scene):
        assert "cannot use its database now" in await scene.answered(query)
        scene.store.broken = set()
        assert await scene.verdict() is Verdict.OPEN
        assert "is approved" in await scene.answered(scene.server.press(number, "Approve"))


# faults while it runs


@pytest.mark.parametrize("fault", FAULTS)
async def test_polling_survives_every_fault(scene: Scene, fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Said once however often it fails, without the token; then the button is heard, and that is said once."""
    monkeypatch.setattr("hedged.adapters.channels.telegram_desk.POLL_SECONDS", 0.2)
    monkeypatch.setattr("hedged.adapters.channels.telegram_desk.POLL_SLACK", 0.2)
    scene.server.faults["getUpdates"] = [fault] * 3
    with structlog.testing.capture_logs() as logs:
        async with running(scene):
            await scene.propose(proposal())
            query = scene.server.press(only(scene.server), "Approve")
            async with asyncio.timeout(30):
                while query not in scene.server.answers or "buttons are heard again" not in repr(logs):
                    await asyncio.sleep(0.005)
                    if scene.clock.sleeping:
                        await scene.clock.move(60)
    said = [each for each in logs if "buttons" in each["event"]]
    assert [each["event"] for each in said] == [
        "buttons in Telegram are not heard, trying again",
        "buttons are heard again",
    ]
    assert "CANARY" not in repr(logs)
    if fault == "409":
        assert "every portfolio needs its own bot" in said[0]["error"]
    if fault == "401":
        assert "the token in the secret file `telegram` is not valid" in said[0]["error"]


async def test_how_long_it_waits(scene: Scene) -> None:
    """As long as Telegram asks; longer with a token that is not valid than with a connection that broke."""
    waits = {}
    for fault in ("429", "401", "500"):
        scene.clock.slept.clear()
        scene.server.faults["getUpdates"] = [fault]
        async with running(desk_over(scene.server, scene.store, scene.clock)):
            await scene.until(lambda: bool(scene.clock.slept))
        waits[fault] = scene.clock.slept[0]
    assert waits == {"429": 35.0, "401": 60.0, "500": 1.0}


async def test_an_answer_at_once_is_no_busy_loop(scene: Scene) -> None:
    """A server that does not hold the question open is asked once a second."""
    async with running(scene):

        async def at_once(_asked: dict[str, Any]) -> Any:
            return []

        scene.server._getUpdates = at_once
        scene.server._new.set()
        await scene.until(lambda: 1.0 in scene.clock.sleeping)
        before = scene.server.calls.count("getUpdates")
        await asyncio.sleep(0.05)
        assert scene.server.calls.count("getUpdates") == before


@pytest.mark.parametrize("updates", [[{"update_id": "1"}], [7], ["x"], [{"callback_query": {}}], {"a": 1}, "text"])
async def test_updates_in_another_shape_are_a_fault(scene: Scene, updates: Any) -> None:
    """Nothing is done on them, and polling goes on."""
    good = scene.server._getUpdates

    async def bad(_asked: dict[str, Any]) -> Any:
        return updates

    scene.server._getUpdates = bad
    async with running(scene):
        await scene.propose(proposal())
        await scene.until(lambda: bool(scene.clock.sleeping))
        scene.server._getUpdates = good
        query = scene.server.press(only(scene.server), "Reject")
        async with asyncio.timeout(20):
            while query not in scene.server.answers:
                await scene.clock.move(60)
                await asyncio.sleep(0.002)
    assert await scene.verdict() is Verdict.REJECTED


async def test_an_answer_that_does_not_arrive_changes_nothing(scene: Scene) -> None:
    """The query is too old: what was done is done, said once, and written into the message."""
    with structlog.testing.capture_logs() as logs:
        async with running(scene):
            await scene.propose(proposal())
            number = only(scene.server)
            scene.server.faults["answerCallbackQuery"] = "500"
            scene.server.press(number, "Approve")
            await scene.until(lambda: "✔ Approved" in scene.server.messages[number].text)
            scene.server.send_data("x")
            await scene.until(lambda: scene.server.calls.count("answerCallbackQuery") == 2)
    assert [each["event"] for each in logs if "answers" in each["event"]] == ["answers do not reach Telegram"]
    assert await scene.verdict() is Verdict.APPROVED


async def test_proposals_are_shown_once_telegram_is_there_again(scene: Scene) -> None:
    """Said once, tried again with growing pauses, and kicked by the next cycle."""
    scene.server.faults["sendMessage"] = ["500", "429", "drop"]
    await scene.store.record_cycle(record(1, proposals=[proposal()]), [])
    with structlog.testing.capture_logs() as logs:
        async with running(scene):
            async with asyncio.timeout(20):
                while not scene.server.messages:
                    await scene.clock.move(60)
                    await asyncio.sleep(0.002)
    said = [each["event"] for each in logs if "proposals" in each["event"]]
    assert said[0] == "proposals cannot be shown in Telegram, trying again"
    assert said.count(said[0]) == 1


async def test_what_cannot_be_understood_of_the_past_is_begun_anew(scene: Scene) -> None:
    """A row that another version wrote: the proposal is shown, once more at worst."""
    await scene.store.put_blob("telegram", {"offset": "x", "shown": 7}, T0)
    await scene.propose(proposal())
    assert list(scene.server.messages[only(scene.server)].buttons) == ["Approve", "Reject"]


# acknowledging


async def test_a_critical_alert_is_acknowledged_by_its_button(scene: Scene) -> None:
    """It is repeated no more, and the button goes."""
    fires = replace(alert("main", ALERT.event_id), severity=Severity.CRITICAL)
    await scene.store.record_cycle(record(1, alerts=[fires]), [])
    async with running(scene):
        await scene.channel.deliver(ALERT)
        number = only(scene.server)
        query = scene.server.press(number, "Acknowledge")
        assert "is acknowledged: it is repeated no more" in await scene.answered(query)
        await scene.until(lambda: scene.server.messages[number].buttons == {})
    (said,) = await scene.store.acknowledgements()
    assert (said.event_id, said.by) == (ALERT.event_id, "telegram 7")
    assert await scene.audited() == [("ack", "done")]


async def test_of_several_alerts_each_has_its_button(scene: Scene) -> None:
    """A group's message: one acknowledged, the others still can be; what is no more than a warning has none."""
    told = [Told(f"{n}" * 24, f"margin/{n}", MessageKind.FIRING, Severity.CRITICAL) for n in range(3)]
    minor = Told("9" * 24, "margin/9", MessageKind.FIRING, Severity.WARNING)
    fires = [replace(alert(each.key, each.event_id), severity=Severity.CRITICAL) for each in told]
    await scene.store.record_cycle(record(1, alerts=fires), [])
    async with running(scene):
        await scene.channel.deliver(replace(ALERT, event_id="g1", key="margin/*", alerts=(*told, minor)))
        number = only(scene.server)
        message = scene.server.messages[number]
        assert list(message.buttons) == [f"Acknowledge margin/{n}" for n in range(3)]
        query = scene.server.press(number, "Acknowledge margin/1")
        assert "is acknowledged" in await scene.answered(query)
        await scene.until(lambda: list(message.buttons) == ["Acknowledge margin/0", "Acknowledge margin/2"])
    assert [each.event_id for each in await scene.store.acknowledgements()] == ["1" * 24]


async def test_what_is_over_cannot_be_acknowledged(scene: Scene) -> None:
    """The person is told that nothing fires any more."""
    async with running(scene):
        await scene.channel.deliver(ALERT)
        query = scene.server.press(only(scene.server), "Acknowledge")
        assert "nothing fires under" in await scene.answered(query)


def test_an_event_whose_name_is_too_long_has_no_button() -> None:
    """64 bytes are all that a button carries."""
    assert button_data(TOKEN, Verb.ACK, "e" * 40) is not None
    assert button_data(TOKEN, Verb.ACK, "e" * 41) is None
    assert button_data(TOKEN, Verb.ACK, "group/ü") is None


def test_names_in_a_proposal_are_not_believed() -> None:
    """Marks, line breaks and bidirectional tricks in a reason or a name stay text on their line."""
    made = replace(proposal(), reason="<b>x</b>\n\u202eApproved &", hedge="<i>")
    text = proposal_text(made, "USDT", "a<b>\nb")
    assert "Why: &lt;b&gt;x&lt;/b&gt; Approved &amp;" in text
    assert "\u202e" not in text
    assert text.count("<b>") == 1
