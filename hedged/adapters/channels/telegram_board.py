"""Every proposal in the chat as it stands: with its buttons while it is open, with its outcome after."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta

import structlog

from hedged.adapters.channels.telegram_api import BAD_REQUEST, FORBIDDEN, Chat, TelegramError
from hedged.adapters.channels.telegram_kept import Shown, TelegramMemory
from hedged.adapters.channels.telegram_text import proposal_buttons, proposal_text, under
from hedged.model.proposal import Proposal, Verdict
from hedged.ports import Clock, Store

A_PASS_MAX = 20  # new messages
PROPOSALS_OF = timedelta(days=1)

_FINAL = frozenset({Verdict.USED, Verdict.REJECTED, Verdict.EXPIRED, Verdict.REPLACED})

_log = structlog.get_logger(__name__)


class Board:
    """One chat. A proposal has one message; one that renews what nobody answered takes that message over.

    A process that dies between sending and keeping sends a message twice: both work, and one answer is all there is.
    """

    def __init__(
        self,
        chat: Chat,
        store: Store,
        memory: TelegramMemory,
        clock: Clock,
        *,
        quote: str,
        sender: str,
    ) -> None:
        self._chat = chat
        self._store = store
        self._memory = memory
        self._clock = clock
        self._quote = quote
        self._sender = sender
        self._showing = asyncio.Lock()

    async def show(self) -> None:
        """Raises `TelegramError` and `StoreError`."""
        async with self._showing:
            now = self._clock.now()
            proposals = {each.id: each for each in await self._store.proposals(now - PROPOSALS_OF)}
            shown = await self._memory.shown()
            waiting = [each for each in proposals.values() if each.verdict is Verdict.OPEN and each.holds(now)]
            new = sorted((each for each in waiting if each.id not in shown), key=lambda each: each.made_at)
            for proposal in new[:A_PASS_MAX]:
                await self._show_new(proposal, proposals)
            for name, message in list((await self._memory.shown()).items()):
                current = proposals.get(name) or await self._store.proposal(name)
                if current is None or (name not in proposals and current.verdict is message.verdict):
                    await self._memory.forget(name)
                elif current.verdict is not message.verdict:
                    await self._show_end(current, message)

    async def _show_new(self, proposal: Proposal, proposals: Mapping[str, Proposal]) -> None:
        for name, message in (await self._memory.shown()).items():
            before = proposals.get(name)
            unanswered = before is not None and before.decided_by is None and before.verdict in _FINAL
            if message.want == _want(proposal) and unanswered and await self._edit(proposal, message.message_id):
                await self._remember(proposal, message.message_id, instead_of=name)
                return
        sent = await self._chat.api.call("sendMessage", {"chat_id": self._chat.id, **self._content(proposal)})
        number = sent.get("message_id") if isinstance(sent, dict) else None
        if not isinstance(number, int):
            raise TelegramError("sendMessage: an answer without the message's number")
        await self._remember(proposal, number)

    async def _show_end(self, proposal: Proposal, message: Shown) -> None:
        await self._edit(proposal, message.message_id)
        if proposal.verdict in _FINAL and proposal.decided_by is not None:
            await self._memory.forget(proposal.id)
        else:
            await self._remember(proposal, message.message_id)

    async def _edit(self, proposal: Proposal, message_id: int) -> bool:
        """False: the message cannot be changed any more, which is not tried again."""
        content = {"chat_id": self._chat.id, "message_id": message_id, **self._content(proposal)}
        try:
            await self._chat.api.call("editMessageText", content)
        except TelegramError as error:
            if error.code not in {BAD_REQUEST, FORBIDDEN}:
                raise
            if "not modified" in str(error):
                return True
            _log.warning("a proposal's message cannot be changed any more", proposal=proposal.id, error=str(error))
            return False
        return True

    async def _remember(self, proposal: Proposal, message_id: int, instead_of: str | None = None) -> None:
        await self._memory.remember(proposal.id, Shown(message_id, proposal.verdict, _want(proposal)), instead_of)

    def _content(self, proposal: Proposal) -> dict[str, object]:
        buttons = proposal_buttons(self._chat.token, proposal) if proposal.verdict is Verdict.OPEN else []
        return {
            "text": proposal_text(proposal, self._quote, self._sender),
            "parse_mode": "HTML",
            "link_preview_options": {"is_disabled": True},
            **under(buttons),
        }


def _want(proposal: Proposal) -> str:
    return f"{proposal.hedge}|{proposal.instrument}|{proposal.side.value}|{proposal.purpose.value}"
