"""Accounts, the files they and the channels name, and thresholds that must agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path

from hedged.settings.draft import Draft, located, number_of, table_in, texts_in, twice
from hedged.settings.faults import Problem, nearest
from hedged.settings.fields import parse_duration
from hedged.settings.lines import Place
from hedged.settings.worlds import SIMULATED, is_test

TAKING_ORDERS = frozenset({"binance", "bingx", "bitget", "bybit", "gate", "kucoin", "mexc", "okx", "weex"})
"""The venues that orders can be sent to, and looked up at by our id; a test holds it against the dialects."""

AVAILABLE: Mapping[str, frozenset[str]] = {
    "binance": frozenset({"spot", "margin", "swap", "funding", "earn", "portfolio"}),
    "bingx": frozenset({"spot", "funding", "swap"}),
    "bitget": frozenset({"spot", "funding", "margin", "earn", "swap", "uta"}),
    "bybit": frozenset({"spot", "margin", "swap", "funding", "earn"}),
    "coinbase": frozenset({"spot", "swap"}),
    "deribit": frozenset({"spot", "swap"}),
    "gate": frozenset({"spot", "margin", "earn", "swap"}),
    "hyperliquid": frozenset({"spot", "swap", "earn"}),
    "kraken": frozenset({"spot", "margin", "earn"}),
    "krakenfutures": frozenset({"swap", "funding"}),
    "kucoin": frozenset({"spot", "margin", "swap", "funding"}),
    "mexc": frozenset({"spot", "margin", "swap"}),
    "okx": frozenset({"spot", "margin", "swap", "funding", "earn"}),
    "weex": frozenset({"spot", "swap"}),
    SIMULATED: frozenset({"spot", "swap"}),
}
"""Exchanges this version reads, and their wallets. Written down, because asking the adapters takes long to import."""

_SIMULATED_ONLY = ("seed", "scenario", "balances", "cash")
_VENUE_ONLY = ("sandbox", "connect_to", "ca_file", "credentials_file", "withdraw_disabled_confirmed")


KEEP_HISTORY_MIN = timedelta(days=2)


def _accounts(draft: Draft) -> Iterator[Problem]:
    for place, account in draft.accounts:
        exchange = account.get("exchange")
        if isinstance(exchange, str) and exchange not in AVAILABLE:
            yield Problem((*place, "exchange"), _exchange_text(exchange))
        yield from _wallets((*place, "wallets"), texts_in(account, "wallets"), exchange)
        useless = _VENUE_ONLY if exchange == SIMULATED else _SIMULATED_ONLY
        whose = "has no meaning for" if exchange == SIMULATED else "is only for exchange ="
        for key in useless:
            if key in account and isinstance(exchange, str):
                yield Problem((*place, key), f'{whose} "simulated"', show_value=key != "balances")
        if account.get("sandbox") is True and "connect_to" in account:
            yield Problem((*place, "sandbox"), "cannot be combined with connect_to")
        if "connect_to" in account and "ca_file" not in account:
            yield Problem((*place, "connect_to"), "needs ca_file, the certificate of the server that is to be trusted")
        if "ca_file" in account and "connect_to" not in account and exchange != SIMULATED:
            yield Problem((*place, "ca_file"), "is only for connect_to")
        for key in ("ca_file", "credentials_file"):
            yield from _missing_file(draft, (*place, key), account.get(key))


def _wallets(place: Place, wallets: Sequence[tuple[int, str]], exchange: object) -> Iterator[Problem]:
    yield from twice(place, wallets)
    known = AVAILABLE.get(exchange) if isinstance(exchange, str) else None
    for index, wallet in wallets:
        if known is not None and wallet not in known:
            yield Problem((*place, index), f"is none of {exchange}'s wallets: {', '.join(sorted(known))}")


def _exchange_text(exchange: str) -> str:
    available = ", ".join(f'"{name}"' for name in AVAILABLE)
    likely = nearest(exchange, AVAILABLE)
    return f"unknown exchange; available: {available}" + (f'; did you mean "{likely}"?' if likely else "")


def _worlds(draft: Draft) -> Iterator[Problem]:
    tests = [is_test(account) for _, account in draft.accounts]
    if any(tests) and not all(tests):
        place = draft.accounts[tests.index(True)][0]
        yield Problem(
            (*place, "name"),
            "is a test account (simulated, sandbox or connect_to), which never shares a file with real ones",
        )


def _thresholds(draft: Draft) -> Iterator[Problem]:
    margin = table_in(draft.values, "margin")
    warning, critical = number_of(margin.get("warning", "0.5")), number_of(margin.get("critical", "0.75"))
    if warning is not None and critical is not None and warning >= critical:
        key = "warning" if "warning" in margin else "critical"
        yield Problem(("margin", key), f"warning ({warning}) must be below critical ({critical})")
    try:
        every = parse_duration(table_in(draft.values, "schedule").get("every", "60s"))
        stale_after = parse_duration(table_in(draft.values, "alerts").get("stale_after", every * 3))
    except ValueError:
        return  # the schema's to report
    if stale_after < every:
        yield Problem(("alerts", "stale_after"), "must not be shorter than [schedule] every")


def _channels(draft: Draft) -> Iterator[Problem]:
    mqtt = table_in(draft.values, "mqtt")
    tls = str(mqtt.get("tls")).lower() in {"true", "t", "1", "yes", "y", "on"}
    for key in ("ca_file", "certificate_file", "key_file"):
        if key in mqtt and not tls:
            yield Problem(("mqtt", key), "needs tls = true")
    for key, other in (("certificate_file", "key_file"), ("key_file", "certificate_file")):
        if key in mqtt and other not in mqtt:
            yield Problem(("mqtt", key), f"needs {other} as well")
    for key in ("ca_file", "certificate_file", "key_file", "credentials_file"):
        yield from _missing_file(draft, ("mqtt", key), mqtt.get(key))
    for name in ("notify", "telegram", "web"):
        given = table_in(draft.values, name).get("credentials_file")
        yield from _missing_file(draft, (name, "credentials_file"), given)


def _store(draft: Draft) -> Iterator[Problem]:
    try:
        history = parse_duration(table_in(draft.values, "store").get("keep_history", "365d"))
    except ValueError:
        history = KEEP_HISTORY_MIN  # the schema's to report
    if history < KEEP_HISTORY_MIN:
        yield Problem(("store", "keep_history"), "must be at least 2d: a day's turnover is counted from it")
    if _stands(draft, table_in(draft.values, "store").get("path"), Path.is_dir):
        yield Problem(("store", "path"), "is a directory: name the file of the database")


def _missing_file(draft: Draft, place: Place, value: object) -> Iterator[Problem]:
    if _stands(draft, value, Path.is_file) is False:
        yield Problem(place, f"no such file: {located(draft.folder, str(value))}")


def _stands(draft: Draft, value: object, kind: Callable[[Path], bool]) -> bool | None:
    """Whether something of that kind is at a path; None where that cannot be told, or the value is no path."""
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        return None  # the schema's to report
    try:
        return kind(located(draft.folder, value))
    except OSError:
        return None  # not ours to see from here: using it will tell


CHECKS = (_accounts, _worlds, _thresholds, _channels, _store)
