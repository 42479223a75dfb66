"""The readings of this host: those of its system, and those that every system has."""

import json
import platform
from importlib import import_module
from pathlib import Path
from typing import Any

from agent import __version__
from agent.posture.findings import Reading, UnknownReading
from agent.settings import platform_name

ATTRIBUTES_FILE = "attributes.json"
MAX_ATTRIBUTES_BYTES = 16 * 1024
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def host_readings(directory: Path) -> list[Reading]:
    """What can be read here; directory: the profile's, for the administrator's own attributes."""
    common = [
        Reading(("os_version", "agent_version"), _versions),
        Reading(("custom_attributes",), lambda: attributes(directory / ATTRIBUTES_FILE)),
    ]
    # Only Linux's have been run; the others are parsers under test.
    system = platform_name()
    if system in ("linux", "macos", "windows"):
        common += import_module(f"agent.posture.{system}").readings()
    return common


def attributes(path: Path) -> dict[str, Any]:
    """custom_attributes: an object of texts, numbers and flags that this host's administrator wrote."""
    try:
        with path.open("rb") as file:
            text = file.read(MAX_ATTRIBUTES_BYTES + 1)
    except FileNotFoundError:
        raise UnknownReading(f"there is no {ATTRIBUTES_FILE}") from None
    try:
        found = json.loads(text) if len(text) <= MAX_ATTRIBUTES_BYTES else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict) or not all(
        value is None or isinstance(value, str | int | float | bool) for value in found.values()
    ):
        raise UnknownReading(f"{ATTRIBUTES_FILE} is no flat JSON object of at most 16 KB")
    return {"custom_attributes": found}


def _versions() -> dict[str, Any]:
    machine = platform.machine()
    architecture = _ARCHITECTURES.get(machine.lower(), machine.lower())
    return {"os_version": f"{platform_name()}/{architecture}", "agent_version": __version__}
