"""The container image and the compose file, linted: there is no engine to build them with here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support import ROOT

DEPLOY = ROOT / "deploy"
DOCKERFILE = (DEPLOY / "Dockerfile").read_text()
COMPOSE: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]


def instructions(text: str) -> list[tuple[str, str]]:
    """Instruction and its arguments, continuation lines joined, comments left out."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", "", "\n".join(lines)).splitlines()
    return [(line.split(None, 1)[0], line.split(None, 1)[1]) for line in joined]


STEPS = instructions(DOCKERFILE)
FINAL = STEPS[[index for index, (word, _) in enumerate(STEPS) if word == "FROM"][-1] :]


def arguments(word: str, steps: list[tuple[str, str]] = STEPS) -> list[str]:
    return [rest for name, rest in steps if name == word]


def test_images_have_a_version() -> None:
    """No base image is whatever happens to be newest."""
    images = [image.split(" AS ")[0] for image in arguments("FROM")] + [SERVICES["mosquitto"]["image"]]
    assert all(re.search(r":[\w.-]*\d", image) for image in images)


def test_the_image_runs_as_an_ordinary_user() -> None:
    """The last USER is numeric, as orchestrators check it, not root, and comes before what is started."""
    words = [word for word, _ in FINAL]
    assert arguments("USER", FINAL) == ["10001:10001"]
    assert words.index("USER") < words.index("ENTRYPOINT")
    assert "install -d -o 10001 -g 10001 -m 0700 /var/lib/hedged" in arguments("RUN", FINAL)


def test_only_hashed_packages_get_into_the_image() -> None:
    """Each pip call takes hashes or takes nothing from an index, and keeps no cache."""
    pips = [step for step in arguments("RUN") if "pip install" in step]
    assert len(pips) == 2
    assert all("--require-hashes" in step or "--no-index" in step for step in pips)
    assert all("--no-cache-dir" in step for step in pips)


def test_the_builder_stays_behind() -> None:
    """The image that runs holds the finished environment alone."""
    assert arguments("COPY", FINAL) == ["--from=build /opt/hedged /opt/hedged"]


@pytest.mark.parametrize("word", ["ENTRYPOINT", "CMD", "HEALTHCHECK"])
def test_signals_reach_the_daemon(word: str) -> None:
    """Programs start without a shell in between, which would keep SIGTERM to itself."""
    assert all(re.search(r"(^|CMD )\[", rest) for rest in arguments(word))


def test_the_image_has_a_health_check_and_no_secret() -> None:
    """`status` answers for health; no key or password is baked in."""
    assert '"status", "--check"' in arguments("HEALTHCHECK")[0]
    assert not re.search(r"(?i)(password|apikey|secret)\s*=", DOCKERFILE)


def test_everything_copied_exists_and_reaches_the_builder() -> None:
    """Each COPY source is in the checkout and let through by the ignore file, which lets nothing else through."""
    sources = {part for rest in arguments("COPY") if "--from" not in rest for part in rest.split()[:-1]}
    allowed = (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
    assert {line[1:] for line in allowed if line.startswith("!")} == sources
    assert "*" in allowed
    assert all((ROOT / source).exists() for source in sources)


@pytest.mark.parametrize("name", ["hedged", "mosquitto"])
def test_services_are_confined(name: str) -> None:
    """Read-only, without capabilities, with bounded memory, processes and logs."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"mem_limit", "pids_limit"} <= service.keys()
    assert service["logging"]["options"]["max-size"]


def test_only_this_machine_reaches_the_broker() -> None:
    """Passwords travel in the clear without TLS, so the port is published on loopback."""
    assert SERVICES["mosquitto"]["ports"] == ["127.0.0.1:1883:1883"]
    assert "ports" not in SERVICES["hedged"]


def test_the_stop_is_not_cut_short() -> None:
    """The daemon needs up to 10 s to finish the cycle and the order in hand."""
    assert SERVICES["hedged"]["stop_grace_period"] == "12s"


def test_every_name_used_is_defined() -> None:
    """Volumes and secrets of the services are declared, and mounted files are in the checkout or generated."""
    for service in SERVICES.values():
        assert set(service.get("secrets", [])) <= COMPOSE["secrets"].keys()
        for volume in service["volumes"]:
            source = volume.split(":")[0]
            if not source.startswith("."):
                assert source in COMPOSE["volumes"]
            elif not source.startswith(("./secrets/", "./hedged.toml")):
                assert (DEPLOY / source).exists()


def test_what_is_generated_is_never_committed() -> None:
    """Secrets and the user's own configuration beside the compose file are ignored by git."""
    assert (DEPLOY / ".gitignore").read_text().splitlines() == ["secrets/", "hedged.toml"]


def test_the_broker_mounts_what_its_configuration_reads() -> None:
    """Each file that mosquitto.conf names is mounted there."""
    configuration = (DEPLOY / "mosquitto" / "mosquitto.conf").read_text()
    named = set(re.findall(r"^(?:password_file|acl_file|persistence_location) (\S+?)/?$", configuration, re.MULTILINE))
    mounted = {volume.split(":")[1] for volume in SERVICES["mosquitto"]["volumes"]}
    assert named <= mounted
    assert Path("/mosquitto/config/mosquitto.conf").as_posix() in mounted
