"""Every error `hedged` raises on purpose, by whose fault it is.

HedgedError
├── ConfigurationError        the user's file is wrong: exit 78, never retried
├── VenueError                an exchange could not be read; the datum is *missing*, never zero
│   ├── Unreachable           no answer (network, time-out, 5xx, rate limit): the next cycle tries again
│   ├── Unreadable            an answer that is not what the endpoint promises: the next cycle tries again
│   └── Refused               the venue understood and said no (key, permission): a person has to act
├── StoreError                the database could not be read or written
│   ├── WrongStore            another world's or another application's database: exit 78
│   ├── Fenced                another process may send this portfolio's orders now: watching goes on
│   ├── NotApproved           a person took the approval of an order back: that order is not sent
│   └── StoreUnavailable      locked, full or damaged: orders stop, watching goes on
├── ProposalError             a proposal cannot be answered: nobody knows it, it has expired, or was answered already
├── DeliveryError             a channel did not take a message: retried by the outbox
└── DataError                 a file of prices has an impossible row: names file, row and reason
"""

from __future__ import annotations


class HedgedError(Exception):
    """Base of every deliberate error; its text is meant to be read by the user."""


class ConfigurationError(HedgedError):
    """One or more faults in the configuration, a line each: `file:line  key = value  what is allowed`."""

    def __init__(self, *problems: str) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


class VenueError(HedgedError):
    """A call to a venue gave nothing usable. Names the account and the call, never an address or a key."""

    def __init__(self, account: str, call: str, detail: str) -> None:
        super().__init__(f"{account}: {call}: {detail}")
        self.account = account
        self.call = call
        self.detail = detail


class Unreachable(VenueError):
    """No answer, or an answer that asks us to come back later."""


class Unreadable(VenueError):
    """A reply that is not the shape the endpoint promises (HTML, empty, truncated, wrong types)."""


class Refused(VenueError):
    """The venue understood and refused: wrong key, missing permission, address not bound."""


class StoreError(HedgedError):
    """The database could not be used."""


class WrongStore(StoreError):
    """The database belongs to another application or another world (simulated, paper, real)."""


class Fenced(StoreError):
    """Another process has taken over: what this one would write is refused."""


class NotApproved(StoreError):
    """An order's approval was taken back, used up or has ended since it was decided: the store itself is well."""

    def __init__(self, proposal_id: str, stands: str) -> None:
        super().__init__(f"proposal {proposal_id} is {stands}: an order needs an approval that no other order has used")
        self.proposal_id = proposal_id


class StoreUnavailable(StoreError):
    """The database is locked, full or damaged; nothing that was acknowledged is lost."""


class ProposalError(HedgedError):
    """A person's answer to a proposal is refused; nothing was changed."""


class DeliveryError(HedgedError):
    """A channel did not take a message."""


class DataError(HedgedError):
    """A price file holds an impossible row."""
