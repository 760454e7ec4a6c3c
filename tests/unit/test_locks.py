"""The lock files: hashed, from the public index alone, and of one mind with pyproject.toml."""

from __future__ import annotations

import re
import tomllib
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.support import ROOT

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
UV: dict[str, Any] = tomllib.loads((ROOT / "uv.lock").read_text())
HASHED = (ROOT / "requirements.lock").read_text()
REMEDY = "run .ci/lock"


def pinned() -> dict[str, set[str]]:
    """Name → versions in requirements.lock (more than one where Python's version decides)."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==(\S+)", HASHED, re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def test_every_pin_has_hashes() -> None:
    """Each requirement is an exact version with at least one sha256."""
    entries = re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", HASHED, flags=re.MULTILINE).strip())
    assert entries
    for entry in entries:
        assert re.match(r"[\w.-]+==\S+", entry), entry
        assert "--hash=sha256:" in entry, entry


def test_the_locks_satisfy_the_project() -> None:
    """Each dependency, and what builds the project, is locked in both files at versions that it allows."""
    uv = {package["name"]: package["version"] for package in UV["package"] if "version" in package}
    build = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    for text in [*PROJECT["dependencies"], *build]:
        wanted = Requirement(text)
        name = canonicalize_name(wanted.name)
        assert name in pinned(), f"{name}: {REMEDY}"
        for version in pinned()[name]:
            assert wanted.specifier.contains(version), f"{name} {version}: {REMEDY}"
        if text in PROJECT["dependencies"]:
            assert wanted.specifier.contains(uv[name]), f"{name} {uv[name]}: {REMEDY}"


def test_uv_s_lock_knows_the_project_s_requirements() -> None:
    """uv.lock was made from the dependencies and extras that pyproject.toml has now."""
    [hedged] = [package for package in UV["package"] if package["name"] == "hedged"]
    metadata = hedged["metadata"]
    names = {canonicalize_name(Requirement(text).name) for text in PROJECT["dependencies"]}
    locked = {each["name"] for each in metadata["requires-dist"] if "marker" not in each}
    assert locked == names, REMEDY
    assert set(metadata["provides-extras"]) == set(PROJECT["optional-dependencies"]), REMEDY


def test_only_the_public_index_is_named() -> None:
    """No host of a private index or mirror gets into a file that others install from."""
    hosts = set(re.findall(r"https?://([^/\"\s]+)", (ROOT / "uv.lock").read_text()))
    assert hosts == {"pypi.org", "files.pythonhosted.org"}
    assert not re.search(r"https?://|file:|--(extra-)?index|--find-links|--trusted-host", HASHED)
