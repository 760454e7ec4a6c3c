#!/bin/sh
# Installs hedged as a systemd service on Debian 12 or newer, from the folder this file came in.
# Running it again updates what differs and leaves the rest alone: nothing of yours is ever overwritten.
set -eu

usage() {
  cat <<'TEXT'
usage: deploy/install.sh [--dry-run] [--uninstall] [--root DIR] [--python PROGRAM]

  --dry-run         print the steps, change nothing
  --uninstall       remove program and unit; configuration, secrets and database stay
  --root DIR        install below DIR instead of /, without touching systemd (for packaging and tests)
  --python PROGRAM  the Python to use, 3.11 or newer (default: python3)

What goes where:
  /opt/hedged/<version>           program and dependencies, from requirements.lock; /opt/hedged/current points to it
  /etc/hedged/hedged.toml         the portfolio; put in place once, then yours
  /etc/credstore/hedged.<name>    secrets, for example hedged.account-main; yours
  /etc/systemd/system             hedged.service, and a drop-in that names further accounts' secrets
  /usr/local/bin/hedged           the command
TEXT
}

dry_run='' uninstall='' root='' python=python3
while [ $# -gt 0 ]; do
  case $1 in
    --dry-run) dry_run=yes ;;
    --uninstall) uninstall=yes ;;
    --root) root=${2:?--root needs a folder}; shift ;;
    --python) python=${2:?--python needs a program}; shift ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; exit 2 ;;
  esac
  shift
done

fail() {
  echo "install.sh: $*" >&2
  exit 1
}

case $root in
  '' | /*) ;;
  *) root=$PWD/$root ;;
esac
source=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
opt=$root/opt/hedged
etc=$root/etc/hedged
credstore=$root/etc/credstore
unit=$root/etc/systemd/system/hedged.service
drop_in=$root/etc/systemd/system/hedged.service.d/accounts.conf
command=$root/usr/local/bin/hedged

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

changes=0
# Say what is done, and do it, or only say it.
step() {
  echo "+ $*"
  changes=$((changes + 1))
  [ -n "$dry_run" ] || "$@"
}

systemd_runs() {
  [ -z "$root" ] && [ -d /run/systemd/system ]
}

# put FILE WHERE MODE: only if it differs
put() {
  cmp -s "$1" "$2" && return
  step install -D -m "$3" "$1" "$2"
}

if [ -z "$root$dry_run" ] && [ "$(id -u)" -ne 0 ]; then
  fail "must run as root (or with --dry-run, or with --root DIR)"
fi

command_is_ours() {
  [ "$(readlink "$command" || true)" = /opt/hedged/current/bin/hedged ]
}

remove() {
  if command_is_ours; then step rm "$command"; fi
  for path in "$unit" "$drop_in" "$opt"; do
    if [ -e "$path" ] || [ -L "$path" ]; then step rm -rf "$path"; fi
  done
  if [ -d "${drop_in%/*}" ]; then step rmdir --ignore-fail-on-non-empty "${drop_in%/*}"; fi
}

if [ -n "$uninstall" ]; then
  if systemd_runs && [ -e "$unit" ]; then step systemctl disable --now hedged; fi
  remove
  if systemd_runs && [ "$changes" -gt 0 ]; then step systemctl daemon-reload; fi
  [ "$changes" -gt 0 ] || echo "nothing is installed"
  echo "left in place: $etc, $credstore/hedged.*, $root/var/lib/hedged"
  exit 0
fi

# --- the program -----------------------------------------------------------------------------------------------------

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
  fail "$python is not Python 3.11 or newer; name another with --python"
"$python" -c 'import venv, ensurepip' 2>/dev/null ||
  fail "$python cannot make environments: apt install python3-venv"

# What is installed is named after all that went into it, so the same again is recognised.
version=$(
  cd "$source"
  {
    "$python" -VV
    find hedged -type f ! -path '*/__pycache__/*' | LC_ALL=C sort | tr '\n' '\0' |
      xargs -0 sha256sum requirements.lock pyproject.toml
  } | sha256sum | cut -c 1-12
)
program=$opt/$version

# An environment is built to its end before `current` points to it: one that breaks half way is never run.
if [ "$(readlink "$opt/current" || true)" != "$version" ]; then
  if [ -e "$program" ]; then step rm -rf "$program"; fi
  step install -d -m 0755 "$opt"
  step "$python" -m venv "$program"
  step "$program/bin/pip" install --quiet --no-input --disable-pip-version-check \
    --require-hashes --only-binary :all: --requirement "$source/requirements.lock"
  step cp -R "$source/pyproject.toml" "$source/README.md" "$source/LICENSE" "$source/hedged" "$scratch"
  step "$program/bin/pip" install --quiet --no-input --disable-pip-version-check \
    --no-deps --no-index --no-build-isolation "$scratch"
  step "$program/bin/python" -m compileall -q -j 0 "$program/lib" # the service may not write it later
  step ln -sfn "$version" "$opt/.current"
  step mv -T "$opt/.current" "$opt/current"
  for old in "$opt"/*; do
    case $old in
      "$program" | "$opt/current" | "$opt/*") ;;
      *) step rm -rf "$old" ;;
    esac
  done
fi
if ! command_is_ours; then
  [ ! -e "$command" ] || fail "$command is there and is not ours; move it away first"
  step install -d -m 0755 "${command%/*}"
  step ln -sfn /opt/hedged/current/bin/hedged "$command"
fi

# --- the configuration -----------------------------------------------------------------------------------------------

put "$source/config/hedged.example.toml" "$etc/hedged.example.toml" 0644
[ -e "$etc/hedged.toml" ] || put "$source/config/paper.toml" "$etc/hedged.toml" 0644
[ -d "$credstore" ] || step install -d -m 0700 "$credstore"

# --- the unit --------------------------------------------------------------------------------------------------------

changes_before=$changes
put "$source/systemd/hedged.service" "$unit" 0644

# systemd 252 cannot be told `all files hedged.account-*`, so each account gets its line.
{
  echo "# Written by deploy/install.sh: run it again when accounts come or go."
  echo "[Service]"
  for secret in "$credstore"/hedged.account-*; do
    name=${secret##*/hedged.}
    case $name in
      'account-*' | account-main) ;; # no file, or in the unit itself
      *) echo "LoadCredential=$name:hedged.$name" ;;
    esac
  done
} >"$scratch/accounts.conf"
if grep -q LoadCredential "$scratch/accounts.conf"; then
  put "$scratch/accounts.conf" "$drop_in" 0644
elif [ -e "$drop_in" ]; then
  step rm "$drop_in"
fi

if systemd_runs; then
  if [ "$changes" -gt "$changes_before" ]; then step systemctl daemon-reload; fi
  if [ "$changes" -gt 0 ]; then step systemctl try-restart hedged; fi
fi

if [ "$changes" -eq 0 ]; then
  echo "everything is in place already"
elif [ -z "$dry_run" ]; then
  cat <<TEXT

Installed. Next:
  1. edit $etc/hedged.toml ($etc/hedged.example.toml explains every key)
  2. hedged check-config --config $etc/hedged.toml
  3. secrets, if the accounts need any, as root:
       install -m 0600 /dev/stdin $credstore/hedged.account-<name>    then run this script again
  4. systemctl enable --now hedged; journalctl -fu hedged
TEXT
fi
