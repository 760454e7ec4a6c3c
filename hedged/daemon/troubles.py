"""What is wrong around the cycles: clocks, streams, and topics that a broker denies, as findings. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from hedged.model.finding import Finding, Kind, Severity
from hedged.model.stream import StreamState

SKEW_SECONDS_MAX = 1.0
STREAM_DOWN_AFTER = timedelta(minutes=5)
DENIED_NAMED = 5  # topics in a sentence


def topics_denied(portfolio: str, channel: str, topics: Sequence[str]) -> Iterator[Finding]:
    """Topics that a broker denies, which it tells nobody who publishes there."""
    if topics:
        named = ", ".join(topics[:DENIED_NAMED]) + (" and more" if len(topics) > DENIED_NAMED else "")
        text = f"{portfolio}: what was published over {channel} did not come back: {named}."
        yield Finding(Kind.TOPICS_DENIED, portfolio, Severity.WARNING, text, {"topics": len(topics)})


def clocks_apart(portfolio: str, doubt: str | None, skews: Mapping[str, float | None]) -> Iterator[Finding]:
    """A clock that no order can rest on (`doubt`), and accounts whose venue's clock and this machine's are apart.

    `skews`: by account, our clock less the venue's in seconds; None: not known.
    """
    if doubt is not None:
        text = f"{portfolio}: {doubt}; orders wait until the clock is right."
        yield Finding(Kind.CLOCK_SKEW, portfolio, Severity.CRITICAL, text)
    for name, skew in skews.items():
        if skew is not None and abs(skew) > SKEW_SECONDS_MAX:
            text = f"{name}: this machine's clock is {abs(skew):.1f} s {'ahead' if skew > 0 else 'behind'}."
            yield Finding(Kind.CLOCK_SKEW, name, Severity.WARNING, text, {"skew_ms": round(skew * 1000)})


def streams_down(
    streams: Mapping[str, Sequence[StreamState]], told: Collection[str], now: datetime
) -> Iterator[Finding]:
    """Accounts whose streams have been down for minutes: nothing is lost but the quick reaction.

    Once told (`told`: keys of the alerts that fire) it is over when every stream stands again, also where a restart
    forgot how long it was down.
    """
    for name, states in streams.items():
        down = [state for state in states if not state.up]
        long = any(now - state.since >= STREAM_DOWN_AFTER for state in down)
        if long or (down and f"{Kind.STREAM_DOWN.value}/{name}" in told):
            listed = ", ".join(f"{state.name} ({state.detail})" for state in down)
            text = f"{name}: streams down: {listed}."
            yield Finding(Kind.STREAM_DOWN, name, Severity.INFO, text, {"streams_down": len(down)})
