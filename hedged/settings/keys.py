"""Whether the exchanges will take an account and its keys, as far as that can be told without asking them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from hedged.adapters.credentials import AccountKeys, CredentialFiles
from hedged.errors import ConfigurationError

if TYPE_CHECKING:
    from hedged.settings.schema import AccountSettings

_KEYLESS = (
    "it has no key, so no order can be sent there: give it one that can trade and not withdraw, or let its hedges run "
    'with mode = "monitor"'
)


def usable_keys(account: AccountSettings, files: CredentialFiles, config: Path) -> AccountKeys | None:
    """The keys of an account, of the form that its exchange wants; None: there are none.

    Raises `ConfigurationError`, also for wallets that cannot be read together, with the file that is to be changed.
    """
    from hedged.adapters.exchanges.ccxt_account import check_account  # noqa: PLC0415 - heavy

    file, sandbox = _file_of(account, files), account.sandbox
    with _named(config):
        check_account(account.name, account.exchange, account.wallets, None, sandbox=sandbox)
    keys = files.account(account.name, account.credentials_file, _needed(account.exchange))
    if keys is not None:
        with _named(file):
            check_account(account.name, account.exchange, account.wallets, keys.reveal(), sandbox=sandbox)
    return keys


def order_keys(account: AccountSettings, files: CredentialFiles, config: Path) -> AccountKeys:
    """The keys with which orders can be sent. Raises `ConfigurationError` where they cannot, with the file."""
    from hedged.adapters.exchanges.ccxt_orders import check_orders, find_orders  # noqa: PLC0415 - heavy

    with _named(config):
        find_orders(account.name, account.exchange, account.wallets, sandbox=account.sandbox)
    keys = usable_keys(account, files, config)
    if keys is None:
        raise ConfigurationError(f"{config}: account {account.name}: {_KEYLESS}")
    with _named(_file_of(account, files)):
        check_orders(account.name, account.exchange, account.wallets, keys.reveal(), sandbox=account.sandbox)
    return keys


@contextmanager
def _named(file: Path | None) -> Iterator[None]:
    """Faults that are found meanwhile are told with the file."""
    problems: tuple[str, ...] = ()
    try:
        yield
    except ConfigurationError as error:
        problems = error.problems
    if problems:  # raised here, where no context carries a key along
        raise ConfigurationError(
            *(each if file is None or each.startswith(f"{file}:") else f"{file}: {each}" for each in problems)
        )


def _file_of(account: AccountSettings, files: CredentialFiles) -> Path | None:
    return files.file(f"account-{account.name}", account.credentials_file)


def _needed(exchange: str) -> tuple[str, ...]:
    """What no reader of an account can do without, for the example of a file that holds nothing."""
    names = {
        "hyperliquid": ("walletAddress",),
        **dict.fromkeys(("bitget", "kucoin", "okx", "weex"), ("apiKey", "secret", "password")),
    }
    return names.get(exchange, ("apiKey", "secret"))
