"""What spans several tables of a file: names that must differ, references that must lead somewhere."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from hedged.adapters.credentials import CredentialFiles
from hedged.model.policy import Mode
from hedged.settings import brokers, check_accounts, check_hedges
from hedged.settings.check_accounts import TAKING_ORDERS
from hedged.settings.draft import Draft, mode_of, texts_in
from hedged.settings.faults import Problem
from hedged.settings.lines import Place
from hedged.settings.schema import WebSettings
from hedged.settings.worlds import SIMULATED
from hedged.web.address import is_loopback, parse_address


def check(draft: Draft) -> Iterator[Problem]:
    yield from _same_names("account", draft.accounts)
    yield from _same_names("hedge", draft.hedges)
    for part in (*check_accounts.CHECKS, *brokers.CHECKS, *check_hedges.CHECKS):
        yield from part(draft)


def senders(draft: Draft) -> Iterator[Problem]:
    """Hedges whose orders are to reach a venue: it has to be one that they can be sent to and looked up at."""
    accounts = {table.get("name"): table for _, table in draft.accounts}
    takes_orders = {SIMULATED, *TAKING_ORDERS}
    for place, hedge in draft.hedges:
        mode = mode_of(hedge["mode"]) if "mode" in hedge else draft.mode
        if mode not in {Mode.APPROVE, Mode.LIVE}:
            continue
        for number, instrument in texts_in(hedge, "instruments"):
            exchange = accounts.get(instrument.partition(":")[0], {}).get("exchange")
            if not isinstance(exchange, str) or exchange in takes_orders:
                continue
            listed = ", ".join(sorted(takes_orders - {SIMULATED}))
            yield Problem(
                (*place, "instruments", number),
                f'is on {exchange}, which hedged sends no orders to: with mode = "{mode}" name one on {listed}',
            )


def exposed(web: WebSettings, files: CredentialFiles) -> Iterator[Problem]:
    """What others can reach asks for a token; and there is no address of pages that nobody serves."""
    has_token = web.credentials_file is not None or files.has("web-token")
    if web.listen is None:
        if web.url is not None:
            yield Problem(("web", "url"), "needs `listen` as well: without it there are no pages to reach")
        return
    if has_token:
        return
    if not is_loopback(parse_address(web.listen)[0]):
        yield Problem(
            ("web", "listen"),
            "can be reached from elsewhere and needs a token in the secret file web-token, or an address of this "
            'machine alone, such as "127.0.0.1:9464"',
        )
        return
    if web.url is not None and not is_loopback(urlsplit(web.url).hostname or ""):
        yield Problem(("web", "url"), "is reached from elsewhere and needs a token in the secret file web-token")
    for number, name in enumerate(web.names):
        if not is_loopback(name):
            yield Problem(
                ("web", "names", number), "is reached from elsewhere and needs a token in the secret file web-token"
            )


def _same_names(what: str, tables: Iterable[tuple[Place, Mapping[str, Any]]]) -> Iterator[Problem]:
    seen: set[str] = set()
    for place, table in tables:
        name = table.get("name")
        if isinstance(name, str):
            if name in seen:
                yield Problem((*place, "name"), f"another {what} has this name: names must differ")
            seen.add(name)
