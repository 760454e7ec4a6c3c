"""The installer below a folder of its own, with a stand-in for Python that makes empty environments in no time."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import ROOT

SCRIPT = ROOT / "deploy" / "install.sh"

FAKE_PYTHON = f"""#!/bin/sh
# `-m venv DIR` makes an environment whose programs only say what they were asked; the rest is Python's own.
if [ "$1 $2" = "-m venv" ]; then
  mkdir -p "$3/bin" "$3/lib"
  for name in pip python; do
    printf '#!/bin/sh\\necho "%s $*" >>"%s/calls"\\n[ ! -e "%s/../../../fail" ] || exit 1\\n' \\
      "$name" "$3" "$3" >"$3/bin/$name"
    chmod +x "$3/bin/$name"
  done
else
  exec {sys.executable} "$@"
fi
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """What the installer needs of the checkout, in a folder that tests may change."""
    copy = tmp_path / "checkout"
    for folder in ("deploy", "systemd"):
        shutil.copytree(ROOT / folder, copy / folder)
    for name in ("requirements.lock", "pyproject.toml", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    (copy / "README.md").write_text("hedged\n")
    for name in ("hedged/__init__.py", "config/paper.toml", "config/hedged.example.toml"):
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_text(f"# {name}\n")
    (tmp_path / "python").write_text(FAKE_PYTHON)
    (tmp_path / "python").chmod(0o755)
    return copy


def install(checkout: Path, *options: str, fails: bool = False) -> str:
    """Run the installer with its root beside the checkout; its output."""
    tmp = checkout.parent
    result = subprocess.run(
        [checkout / "deploy/install.sh", "--root", tmp / "root", "--python", tmp / "python", *options],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp)},
    )
    assert (result.returncode != 0) is fails, result.stdout + result.stderr
    return result.stdout + result.stderr


def tree(folder: Path) -> dict[str, tuple[int, str]]:
    """Every path below with its mode and content, or the target of a link, so that any change shows."""
    return {
        str(path.relative_to(folder)): (
            path.lstat().st_mode,
            str(path.readlink()) if path.is_symlink() else path.read_text() if path.is_file() else "",
        )
        for path in sorted(folder.rglob("*"))
    }


def test_a_dry_run_changes_nothing(checkout: Path) -> None:
    """The steps are printed, and not even the root folder appears."""
    for _ in range(2):
        told = install(checkout, "--dry-run")
        assert "-m venv" in told
        assert "hedged.service" in told
        assert not (checkout.parent / "root").exists()


def test_everything_is_put_in_place(checkout: Path) -> None:
    """Environment, command, configuration, manual, unit and the place for secrets."""
    told = install(checkout)
    root = checkout.parent / "root"
    current = root / "opt/hedged/current"
    assert current.is_symlink()
    calls = (current / "calls").read_text()
    assert "--require-hashes --only-binary :all: --requirement" in calls
    assert "--no-deps --no-index --no-build-isolation" in calls
    assert "compileall" in calls
    assert (root / "etc/hedged/hedged.toml").read_text() == "# config/paper.toml\n"
    assert (root / "etc/hedged/hedged.example.toml").exists()
    assert (root / "etc/systemd/system/hedged.service").read_text() == (ROOT / "systemd/hedged.service").read_text()
    assert (root / "etc/credstore").stat().st_mode & 0o777 == 0o700
    assert str((root / "usr/local/bin/hedged").readlink()) == "/opt/hedged/current/bin/hedged"
    assert "Next:" in told


def test_the_second_run_changes_nothing(checkout: Path) -> None:
    """Installed already: no step, no change, not even to a time stamp's file."""
    install(checkout)
    before = tree(checkout.parent / "root")
    assert install(checkout) == "everything is in place already\n"
    assert install(checkout, "--dry-run") == "everything is in place already\n"
    assert tree(checkout.parent / "root") == before


def test_an_update_replaces_the_program_and_keeps_what_is_yours(checkout: Path) -> None:
    """New sources make a new environment and remove the old one; the user's configuration stays as it is."""
    install(checkout)
    root = checkout.parent / "root"
    old = str((root / "opt/hedged/current").readlink())
    (root / "etc/hedged/hedged.toml").write_text("mine")
    (checkout / "hedged/__init__.py").write_text("# newer")
    install(checkout)
    new = str((root / "opt/hedged/current").readlink())
    assert new != old
    assert sorted(path.name for path in (root / "opt/hedged").iterdir()) == sorted(["current", new])
    assert (root / "etc/hedged/hedged.toml").read_text() == "mine"


def test_an_update_that_breaks_half_way_leaves_the_old_program(checkout: Path) -> None:
    """`current` moves only to an environment that was built to its end, and the next run builds it anew."""
    install(checkout)
    root = checkout.parent / "root"
    old = str((root / "opt/hedged/current").readlink())
    (checkout / "hedged/__init__.py").write_text("# newer")
    (root / "fail").touch()
    install(checkout, fails=True)
    assert str((root / "opt/hedged/current").readlink()) == old
    assert (root / "opt/hedged" / old / "bin/python").exists()
    (root / "fail").unlink()
    install(checkout)
    assert str((root / "opt/hedged/current").readlink()) != old


def test_each_account_s_secret_gets_a_line(checkout: Path) -> None:
    """Accounts other than `main` are named in a drop-in, which follows what is in the store."""
    root = checkout.parent / "root"
    drop_in = root / "etc/systemd/system/hedged.service.d/accounts.conf"
    store = root / "etc/credstore"
    install(checkout)
    assert not drop_in.exists()
    for name in ("hedged.account-main", "hedged.account-okx", "hedged.mqtt", "other"):
        (store / name).write_text("{}")
    install(checkout)
    assert drop_in.read_text().splitlines()[1:] == ["[Service]", "LoadCredential=account-okx:hedged.account-okx"]
    (store / "hedged.account-okx").unlink()
    install(checkout)
    assert not drop_in.exists()


def test_uninstalling_leaves_what_is_yours(checkout: Path) -> None:
    """Program, command and unit go; configuration and secrets stay. Twice is as good as once."""
    install(checkout)
    root = checkout.parent / "root"
    (root / "etc/credstore/hedged.account-okx").write_text("{}")
    install(checkout)
    install(checkout, "--uninstall", "--dry-run")
    assert (root / "opt/hedged/current").exists()
    install(checkout, "--uninstall")
    left = {path for path, (_, content) in tree(root).items() if content}
    assert left == {"etc/hedged/hedged.toml", "etc/hedged/hedged.example.toml", "etc/credstore/hedged.account-okx"}
    assert "nothing is installed" in install(checkout, "--uninstall")


def test_a_command_of_another_is_left_alone(checkout: Path) -> None:
    """A program of the same name in /usr/local/bin is neither overwritten nor removed."""
    theirs = checkout.parent / "root/usr/local/bin/hedged"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    assert "not ours" in install(checkout, fails=True)
    install(checkout, "--uninstall")
    assert theirs.read_text() == "theirs"


def test_an_old_python_is_refused(checkout: Path) -> None:
    """Without Python 3.11 nothing begins, and the message says what to do."""
    (checkout.parent / "python").write_text("#!/bin/sh\nexit 1\n")
    assert "--python" in install(checkout, fails=True)
    assert not (checkout.parent / "root").exists()


@pytest.mark.parametrize("option", ["--frobnicate", "install"])
def test_an_unknown_option_is_a_usage_error(checkout: Path, option: str) -> None:
    """A typo runs nothing: exit 2 and the options."""
    result = subprocess.run([SCRIPT, option], capture_output=True, text=True, timeout=10, check=False)
    assert result.returncode == 2
    assert "--dry-run" in result.stderr
