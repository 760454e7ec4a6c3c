"""Secret files: where they are found, what is refused, and that nothing shows what they hold."""

from __future__ import annotations

import copy
import os
import pickle
import traceback
from pathlib import Path

import pytest

from hedged.adapters.credentials import AccountKeys, CredentialFiles, Login, NotifyUrl, Secret
from hedged.errors import ConfigurationError

CANARY = "CANARY-9f8e7d6c5b4a"


@pytest.fixture
def files(tmp_path: Path) -> CredentialFiles:
    (tmp_path / "beside").mkdir()
    (tmp_path / "systemd").mkdir()
    return CredentialFiles(beside=tmp_path / "beside", directory=tmp_path / "systemd")


def write(folder: Path, name: str, text: str | bytes, mode: int = 0o600) -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    path.chmod(mode)
    return path


def test_the_nearest_file_wins(files: CredentialFiles, tmp_path: Path) -> None:
    """The table's own file, then systemd's, then the one beside the configuration, then none."""
    assert files.account("main") is None
    write(files.beside, "account-main", '{"apiKey": "beside", "secret": "s"}')
    assert files.account("main") == AccountKeys({"apiKey": "beside", "secret": "s"})
    assert files.directory is not None
    write(files.directory, "account-main", '{"apiKey": "systemd", "secret": "s"}')
    assert files.account("main") == AccountKeys({"apiKey": "systemd", "secret": "s"})
    given = write(tmp_path, "given", '{"apiKey": "given", "secret": "s"}')
    assert files.account("main", given) == AccountKeys({"apiKey": "given", "secret": "s"})


def test_a_given_file_that_is_not_there_is_an_error(files: CredentialFiles, tmp_path: Path) -> None:
    """Falling back to another key than the one that was named would be worse than stopping."""
    write(files.beside, "account-main", '{"apiKey": "beside", "secret": "s"}')
    with pytest.raises(ConfigurationError, match="absent: no such file"):
        files.account("main", tmp_path / "absent")


@pytest.mark.parametrize("mode", [0o400, 0o440, 0o600, 0o640])
def test_modes_up_to_0640_are_taken(files: CredentialFiles, mode: int) -> None:
    """Owner and group may read it."""
    write(files.beside, "web-token", "token", mode)
    assert files.token("web-token") == Secret("token")


@pytest.mark.parametrize("mode", [0o644, 0o660, 0o604, 0o700, 0o641, 0o620 | 0o010])
def test_modes_beyond_0640_are_refused(files: CredentialFiles, mode: int) -> None:
    """The message says what to do about it."""
    path = write(files.beside, "web-token", "token", mode)
    with pytest.raises(ConfigurationError) as caught:
        files.token("web-token")
    assert str(caught.value) == f"{path}: mode {mode:04o} lets others in: chmod 640 {path}"


def test_systemds_directory_is_exempt(files: CredentialFiles, tmp_path: Path) -> None:
    """systemd guards it itself; a link in it that leads elsewhere is not guarded by that."""
    assert files.directory is not None
    path = write(files.directory, "web-token", "token", 0o444)
    assert files.token("web-token") == Secret("token")
    path.unlink()
    path.symlink_to(write(tmp_path, "open", "token", 0o644))
    with pytest.raises(ConfigurationError, match="mode 0644"):
        files.token("web-token")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "F:1:1: not JSON: Expecting value"),
        (f'{{"apiKey": "{CANARY}"', "F:1:33: not JSON: Expecting ',' delimiter"),
        (f'["{CANARY}"]', "F: must be a JSON object with apiKey, secret, password, walletAddress, privateKey"),
        ("{}", 'F: holds no key: write {"apiKey": "…", "secret": "…"} or remove it'),
        (f'{{"apikey": "{CANARY}"}}', "F: unknown key 'apikey'; did you mean apiKey?"),
        (
            f'{{"apiKey": "x", "{CANARY}": "x"}}',
            "F: unknown key (number 2 in the file); allowed: apiKey, secret, password, walletAddress, privateKey",
        ),
        (f'{{"passphrase": "{CANARY}"}}', "F: unknown key 'passphrase'; the passphrase goes in password"),
        (f'{{"api_passphrase": "{CANARY}"}}', "F: unknown key 'api_passphrase'; the passphrase goes in password"),
        ('{"apiKey": 5}', "F: apiKey must be text in quotes, not empty"),
        ('{"apiKey": " "}', "F: apiKey must be text in quotes, not empty"),
        (b'{"apiKey": "\xff"}', "F: is not UTF-8 text"),
        ("[" * 50_000, "F: not JSON: nested too deeply"),
        (" " * 65_537, "F: is larger than 65536 bytes"),
    ],
)
def test_a_wrong_account_file_is_refused_without_quoting_it(
    files: CredentialFiles, text: str | bytes, problem: str
) -> None:
    """Neither the message nor the traceback, with all that hangs on it, shows what the file holds."""
    path = write(files.beside, "account-main", text)
    with pytest.raises(ConfigurationError) as caught:
        files.account("main")
    assert str(caught.value).replace(str(path), "F") == problem
    assert caught.value.__context__ is None
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_what_is_not_a_file_is_refused(files: CredentialFiles) -> None:
    """A pipe would hang the start, a folder has no text, a dangling link is not the same as no file."""
    os.mkfifo(files.beside / "notify")
    (files.beside / "mqtt").mkdir()
    (files.beside / "web-token").symlink_to("nowhere")
    for read, text in ((files.notify, "is not a file"), (files.mqtt, "is not a file")):
        with pytest.raises(ConfigurationError, match=text):
            read()
    with pytest.raises(ConfigurationError, match="no such file"):
        files.token("web-token")


def test_the_brokers_login(files: CredentialFiles) -> None:
    """Both parts, or an error that names them."""
    assert files.mqtt() is None
    write(files.beside, "mqtt", '{"username": "hedged", "password": "p"}')
    assert files.mqtt() == Login("hedged", Secret("p"))
    write(files.beside, "mqtt", '{"username": "hedged"}')
    with pytest.raises(ConfigurationError, match='must be {"username": "…", "password": "…"}'):
        files.mqtt()


def test_notification_addresses_stand_one_a_line(files: CredentialFiles) -> None:
    """Comments and blank lines are left out; a name before one is its channel's, the others are counted."""
    assert files.notify() == ()
    path = write(files.beside, "notify", "# phone\n\ntgram://a/b\nphone = ntfy://c?x=y\n  mailto://d\n")
    assert files.notify() == (
        NotifyUrl("notify-1", Secret("tgram://a/b"), f"{path}:3"),
        NotifyUrl("phone", Secret("ntfy://c?x=y"), f"{path}:4"),
        NotifyUrl("notify-3", Secret("mailto://d"), f"{path}:5"),
    )


def test_wrong_lines_of_addresses_are_all_named_and_not_quoted(files: CredentialFiles) -> None:
    """Which line it is, and never what stands there."""
    text = f"tgram://a/b\n{CANARY}\nlog = ntfy://{CANARY}\np = ntfy://{CANARY}\np = ntfy://{CANARY}\n"
    path = write(files.beside, "notify", text)
    with pytest.raises(ConfigurationError) as caught:
        files.notify()
    assert caught.value.problems == (
        f"{path}:2: not an address such as tgram://TOKEN/CHAT",
        f"{path}:3: a channel log is there already: give this one another name",
        f"{path}:5: a channel p is there already: give this one another name",
    )


def test_a_token_is_one_line(files: CredentialFiles) -> None:
    """The line end that editors add does not belong to it."""
    assert files.token("web-token") is None
    write(files.beside, "web-token", "token\n")
    assert files.token("web-token") == Secret("token")
    for text in ("", "a\nb\n"):
        write(files.beside, "web-token", text)
        with pytest.raises(ConfigurationError, match="must hold one line"):
            files.token("web-token")


BOT = "123456:AAE-CANARY_CANARY_CANARY_CANARY-0"


@pytest.mark.parametrize(
    ("chat", "users", "login"),
    [
        ("-100500", "[7, 8]", (-100500, frozenset({7, 8}))),
        ('"-100500"', '["7"]', (-100500, frozenset({7}))),
        ("7", "[]", (7, frozenset())),
    ],
)
def test_the_bot_and_who_may_press(files: CredentialFiles, chat: str, users: str, login: tuple[object, ...]) -> None:
    """Numbers may stand in quotes, as people copy them."""
    assert files.telegram() is None
    write(files.beside, "telegram", f'{{"token": "{BOT}", "chat_id": {chat}, "users": {users}}}')
    found = files.telegram()
    assert found is not None
    assert (found.token.reveal(), found.chat_id, found.users) == (BOT, *login)
    assert "CANARY" not in repr(found)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (BOT, "not JSON"),
        (f'"{BOT}"', "must be a JSON object"),
        (f'{{"token": "{BOT}"}}', "must be {"),
        ('{"token": "CANARY", "chat_id": 7}', "must be {"),
        (f'{{"token": "{BOT}/", "chat_id": 7}}', "must be {"),
        (f'{{"token": "{BOT}", "chat_id": "@CANARY"}}', "must be {"),
        (f'{{"token": "{BOT}", "chat_id": true}}', "must be {"),
        (f'{{"token": "{BOT}", "chat_id": 7.5}}', "must be {"),
        (f'{{"token": "{BOT}", "chat_id": 7, "users": ["@CANARY"]}}', "users must be a list of user ids"),
        (f'{{"token": "{BOT}", "chat_id": 7, "users": 7}}', "users must be a list of user ids"),
        (f'{{"token": "{BOT}", "chat_id": 7, "users": [-7]}}', "users must be a list of user ids"),
        (f'{{"token": "{BOT}", "chat_id": 7, "users": [true]}}', "users must be a list of user ids"),
        (f'{{"token": "{BOT}", "chat_id": 7, "user": [7]}}', "unknown key 'user'; did you mean users"),
    ],
)
def test_a_bot_that_cannot_be_understood(files: CredentialFiles, text: str, why: str) -> None:
    """The file is named, and nothing that stands in it."""
    path = write(files.beside, "telegram", text)
    with pytest.raises(ConfigurationError) as caught:
        files.telegram()
    assert str(caught.value).startswith(f"{path}")
    assert why in str(caught.value)
    assert "CANARY" not in str(caught.value)


def test_a_secret_never_shows_itself() -> None:
    """Not in a log line, a traceback with local variables, a format string or a dump."""
    secret = Secret(CANARY)
    keys = AccountKeys({"apiKey": CANARY, "secret": CANARY})
    for shown in (repr(secret), str(secret), f"{secret}", f"{secret!a:>80}", f"{[secret]}", f"{Login('me', secret)}"):
        assert CANARY not in shown
    assert repr(keys) == "AccountKeys(apiKey=…, secret=…)"
    for dump in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match="not to be pickled"):
            dump(secret)
    assert secret.reveal() == CANARY
    assert keys.reveal() == {"apiKey": CANARY, "secret": CANARY}


def test_only_the_end_of_a_long_key_is_shown() -> None:
    """Four characters tell keys apart; of a short one they would give too much away."""
    assert Secret("abcdefghijkl").tail() == "…ijkl"
    assert Secret("abcdefghijk").tail() == "…"
    assert AccountKeys({"apiKey": "abcdefghijkl", "secret": CANARY}).tail() == "…ijkl"
    assert AccountKeys({"secret": CANARY}).tail() == "…"


def test_secrets_are_equal_by_what_they_hold() -> None:
    """A reload compares them to see what has changed."""
    assert Secret("a") == Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
