"""What each kind of alert says: a headline, what hedged does about it, what the reader can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hedged.model.finding import Kind


@dataclass(frozen=True, slots=True)
class Words:
    headline: str  # with {subject}; goes behind "Warning: "
    does: str  # a sentence
    advice: str  # goes behind "You can "


_NO_ORDER = "hedged makes no order that needs it and reads it again in the next cycle."

OF_ITS_CYCLE = frozenset({Kind.DRIFT, Kind.ROLL, Kind.MARGIN_ODDS})
"""Kinds about which orders are made: what hedged does is true of the cycle that says it, and of no later moment."""

WORDS: Mapping[Kind, Words] = {
    Kind.DRIFT: Words(
        "hedge {subject} is outside its band",
        "hedged makes no order for it in this cycle.",
        "ask `hedged once --config FILE` what it would trade and what stops it.",
    ),
    Kind.MARGIN: Words(
        "margin of {subject} is running low",
        "hedged moves no collateral.",
        "add collateral to the account, or buy back part of the short.",
    ),
    Kind.MARGIN_ODDS: Words(
        "liquidation of {subject} is too likely",
        "hedged buys nothing back for it now.",
        "add collateral to the account or buy back part of the short; coins elsewhere are none. "
        '`on_critical = "reduce"` under `[margin]` lets hedged buy back.',
    ),
    Kind.LIQUIDATION_NEAR: Words(
        "liquidation of {subject} is near",
        "hedged moves no collateral.",
        "add collateral to the account, or buy back part of the short; liquidation ends the hedge at a loss.",
    ),
    Kind.EXPIRY: Words(
        "{subject} expires soon",
        "hedged rolls it in time into the next contract of its chain, or into the hedge's next instrument; in monitor "
        "mode it says how.",
        "name a fall-back in the hedge's instruments in case there is no next contract.",
    ),
    Kind.DATA_STALE: Words(
        "data of hedge {subject} is stale",
        _NO_ORDER,
        "check the account's status page and the connection; a holding by hand needs a new `as_of`.",
    ),
    Kind.DATA_MISSING: Words(
        "data of hedge {subject} is missing",
        _NO_ORDER,
        "check this machine's connection, the exchange's status page and, if it was refused, the key.",
    ),
    Kind.ACCOUNT_UNREACHABLE: Words(
        "account {subject} cannot be read",
        "hedged makes no order for the hedges that need it and tries again in the next cycle.",
        "check this machine's connection, the exchange's status page and, if it was refused, the key.",
    ),
    Kind.ASSET_UNCOVERED: Words(
        "{subject} is held, but no hedge covers it",
        "hedged leaves it unhedged.",
        'add it to the `assets` of a hedge, or to `ignore` under `[portfolio]`; `assets = ["*"]` takes the rest.',
    ),
    Kind.PRICE_MISSING: Words(
        "{subject} has no price",
        _NO_ORDER,
        "name it under `aliases` if it goes by another name, or under `ignore` if it is worth nothing.",
    ),
    Kind.POSITION_UNOWNED: Words(
        "position {subject} belongs to no hedge",
        "hedged counts it as exposure and does not trade it.",
        "name the instrument in a hedge, or close the position at the exchange.",
    ),
    Kind.POSITION_VANISHED: Words(
        "position {subject} has vanished",
        "hedged makes no order on it until it is explained.",
        "look at the exchange, and accept it if the position is rightly gone.",
    ),
    Kind.POSITION_CLOSED: Words(
        "position {subject} was closed",
        "hedged believes it, and hedges anew what is open now.",
        "look at the exchange: after a liquidation the account needs margin before a hedge can be built again.",
    ),
    Kind.POSITION_REDUCED: Words(
        "position {subject} was made smaller",
        "hedged believes it, and hedges anew what is open now as far as margin allows.",
        "look at the exchange: auto-deleveraging closes shorts that are in profit, a liquidation those out of margin.",
    ),
    Kind.POSITION_UNTRUSTED: Words(
        "position {subject} contradicts itself",
        "hedged makes no order on it while its quantity and notional disagree.",
        "compare the position with the exchange's own page and report the difference.",
    ),
    Kind.BALANCE_VANISHED: Words(
        "balance {subject} has vanished",
        "hedged makes no order for its hedges until it is explained.",
        "look at the exchange, and accept it if the balance is rightly gone.",
    ),
    Kind.DEPEG: Words(
        "{subject} is off its peg",
        "hedged values it at its market price.",
        "move collateral and cash to another currency if you do not trust this one.",
    ),
    Kind.NOT_TRADING: Words(
        "{subject} is not trading",
        "hedged sends no order there.",
        "name another instrument in the hedge if this one does not come back.",
    ),
    Kind.NO_EXPOSURE: Words(
        "hedge {subject} has no exposure",
        "hedged holds no short for it beyond what it buys back.",
        "remove the hedge if its assets are sold for good.",
    ),
    Kind.CYCLE_MISSED: Words(
        "a cycle was missed",
        "hedged goes on with the next one.",
        "check whether the machine sleeps or is overloaded.",
    ),
    Kind.CYCLE_OVERRUN: Words(
        "a cycle took too long",
        "hedged goes on with the next one.",
        "choose a longer `every` under `[schedule]`, or check the connection to the exchanges.",
    ),
    Kind.ORDER_REFUSED: Words(
        "an order of hedge {subject} was refused",
        "hedged sends nothing and decides anew in the next cycle.",
        "check `[limits]` against what the hedge needs.",
    ),
    Kind.ORDER_REJECTED: Words(
        "an order of hedge {subject} was rejected",
        "hedged decides anew in the next cycle.",
        "see to what the reason names; on paper, margin comes from `cash` and `leverage` under `[paper]`.",
    ),
    Kind.ORDER_RECOVERED: Words(
        "an earlier order of hedge {subject} was cleared up",
        "hedged goes on from there.",
        "compare it with the exchange's own list if you want to be sure.",
    ),
    Kind.ORDER_FAILED: Words(
        "an order of hedge {subject} is in doubt",
        "hedged looks it up before anything else trades there.",
        "look at the account's orders at the exchange; where they show what hedged cannot find, tell it with "
        "`hedged accept-order`.",
    ),
    Kind.CLOCK_SKEW: Words(
        "this machine's clock is off {subject}'s",
        "hedged signs with the exchange's time and judges ages by this machine's; beyond a minute it sends no order.",
        "let the machine set its clock by NTP (`timedatectl`); where no exchange can be asked for the time, "
        "`hedged resume --config FILE` says that it is right.",
    ),
    Kind.STORE_DEGRADED: Words(
        "the database cannot be used",
        "hedged makes no order until it can, and goes on watching.",
        "check the space and the permissions where the database lies.",
    ),
    Kind.CYCLE_FAILED: Words(
        "a cycle failed",
        "hedged makes no order and tries again in the next cycle.",
        "look in the log for the cycle's error, and report it.",
    ),
    Kind.ROLL: Words(
        "hedge {subject} leaves a contract that ends",
        "hedged makes no order for it now.",
        "name another instrument in the hedge if nothing takes its place.",
    ),
    Kind.TOO_COARSE: Words(
        "hedge {subject} cannot be met with its contracts",
        "hedged leaves it as it is.",
        "name an instrument with smaller contracts, or check the `multiplier` of one entered by hand.",
    ),
    Kind.KEY_WITHDRAWS: Words(
        "the key of {subject} can withdraw",
        "hedged halts all orders and goes on reading with it until the next start, which refuses it.",
        "make a key that can read and nothing else, and delete this one at the exchange.",
    ),
    Kind.KEY_UNCONFIRMED: Words(
        "nobody can tell what the key of {subject} may do",
        "hedged reads with it.",
        "look at the key's permissions at the exchange; if it cannot withdraw, say so with "
        "`withdraw_disabled_confirmed = <today>` under the account, anew every 90 days.",
    ),
    Kind.KEY_MISSING: Words(
        "{subject} has no key",
        "hedged reads its prices; coins and positions that are there are in no figure.",
        "put a key that can only read into the file that is named, or enter what is there as `[[holdings]]`.",
    ),
    Kind.STREAM_DOWN: Words(
        "{subject}'s streams are down",
        "hedged reads the account at every interval as before, and learns of a jump or a fill only then.",
        "check what the firewall lets through (websockets), or set `streams = false` under `[schedule]`.",
    ),
    Kind.HISTORY_MISSING: Words(
        "past prices for hedge {subject} are missing",
        "hedged goes by what it has, or by the usual ratios, and asks again.",
        'see whether an exchange of yours lists the market at all; fixed `beta`, `band` or `target = "value"` need '
        "no past.",
    ),
    Kind.HEDGE_INEFFECTIVE: Words(
        "hedge {subject} hedges worse than it did",
        "hedged goes on with the instruments and the ratio that are configured.",
        "ask `hedged effect --config FILE` where the losses come from, and choose other instruments or another ratio.",
    ),
    Kind.PAUSED: Words(
        "orders of {subject} are paused",
        "hedged goes on watching and sends no order.",
        "end it with `hedged resume --config FILE` on the machine where hedged runs.",
    ),
    Kind.PAUSED_DUE: Words(
        "hedge {subject} needs an order that is stopped",
        "hedged sends no order until it is resumed.",
        "place it by hand at the exchange, or let hedged do it: `hedged resume --config FILE`.",
    ),
    Kind.HALTED: Words(
        "hedged has stopped trading {subject}",
        "hedged goes on watching and sends no order until a person resumes it.",
        "compare orders and positions with the exchange's own pages, end what went wrong, then "
        "`hedged resume --config FILE`.",
    ),
    Kind.CHANNEL_DOWN: Words(
        "channel {subject} takes no messages",
        "hedged keeps what it has to say there and tries again; it is told here meanwhile.",
        "see what `hedged doctor --config FILE` says of it, and try it with `hedged notify test --channel NAME`.",
    ),
    Kind.PROPOSAL: Words(
        "an order of hedge {subject} waits for your word",
        "hedged sends nothing until a person has approved it, and decides it anew then.",
        "approve it with `hedged approve ID --config FILE`, or say no with `hedged reject ID --config FILE`.",
    ),
    Kind.PROPOSAL_VOID: Words(
        "an approved order of hedge {subject} was not sent",
        "hedged proposes anew what is wanted now.",
        "look at `hedged proposals --config FILE`.",
    ),
    Kind.PROPOSAL_FILLED: Words(
        "the approved order of {subject} was filled",
        "hedged reads the position again in the next cycle.",
        "look at what else waits for your word: `hedged proposals --config FILE`.",
    ),
    Kind.RELOAD_REFUSED: Words(
        "the changed configuration of {subject} was refused",
        "hedged goes on with the configuration that it had.",
        "see what `hedged check-config --config FILE` says of it, mend it and have it read again.",
    ),
    Kind.FENCED: Words(
        "another hedged trades for {subject}",
        "hedged sends no order and keeps nothing in the database any more; it goes on watching and telling.",
        "stop one of the two, and start again the one that is to trade.",
    ),
    Kind.FOREIGN_ORDER: Words(
        "somebody else trades {subject}",
        "hedged believes the position that it reads, and hedges from there.",
        "see who trades on this account; a contract that hedged trades should be traded by nobody else.",
    ),
    Kind.COMMANDS_DROPPED: Words(
        "commands to {subject} were dropped",
        "hedged did nothing of what they asked.",
        "see who may publish to `…/cmd/#` at the broker, and what sends commands that are old, retained or sent twice.",
    ),
    Kind.TOPICS_DENIED: Words(
        "the MQTT broker denies {subject} a topic",
        "hedged publishes to the others and tells its alerts on every channel that works.",
        "allow hedged's user to write and to read the topic (`topic readwrite …` in mosquitto's ACL); "
        "`hedged doctor --config FILE` tries each one.",
    ),
}
