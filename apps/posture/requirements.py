"""What a policy asks and what a machine's signals lack of it. Pure: no clock, no database."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

_NUMBERS = re.compile(r"\d{1,9}(?:\.\d{1,9}){0,5}")
_RELEASE = re.compile(rf"(?P<name>[A-Za-z][\w-]{{0,30}})\D{{0,60}}?\s(?P<version>{_NUMBERS.pattern})")
# A bare minimum for Linux means this distribution.
DEFAULT_DISTRIBUTION = "ubuntu"


@dataclass(frozen=True, slots=True)
class Requirements:
    """What one policy asks; an empty or None field asks nothing.

    min_os_version: {"macos": "13.0"}, and for Linux also {"linux": {"debian": "12"}}: a distribution
    that is not named has no minimum. max_idle_minutes is part of screen_lock.
    """

    allowed_os: frozenset[str] = frozenset()
    min_os_version: Mapping[str, Any] = field(default_factory=dict)
    disk_encryption: bool = False
    firewall: bool = False
    antivirus: bool = False
    max_patch_age_days: int | None = None
    screen_lock: bool = False
    max_idle_minutes: int | None = None
    auto_update: bool = False
    agent_version_min: str | None = None


@dataclass(frozen=True, slots=True)
class Signals:
    """A machine's health; None is unknown. screen_lock_seconds: 0 never locks."""

    os: str
    release: str | None = None  # "ubuntu 24.04", "macos 14.1"
    disk_encrypted: bool | None = None
    firewall_enabled: bool | None = None
    antivirus_enabled: bool | None = None
    patch_age_days: int | None = None
    screen_lock_seconds: int | None = None
    auto_update: bool | None = None
    agent_version: str | None = None


@dataclass(frozen=True, slots=True)
class Lack:
    """One requirement that does not hold: its code, what was found, what was asked."""

    code: str
    found: Any
    allowed: Any


def lacks(asked: Requirements, signals: Signals) -> Iterator[Lack]:
    """What the machine fails, in a fixed order; a requirement on an unknown signal is one too."""
    yield from _switch("disk_encryption_required", "disk_encrypted", asked.disk_encryption, signals)
    yield from _switch("firewall_required", "firewall_enabled", asked.firewall, signals)
    yield from _switch("antivirus_required", "antivirus_enabled", asked.antivirus, signals)
    if asked.max_patch_age_days is not None:
        if signals.patch_age_days is None:
            yield _unknown("patch_age_days")
        elif signals.patch_age_days > asked.max_patch_age_days:
            yield Lack("patch_age_exceeded", signals.patch_age_days, asked.max_patch_age_days)
    if asked.allowed_os and signals.os not in asked.allowed_os:
        yield Lack("os_not_allowed", signals.os, sorted(asked.allowed_os))
    yield from _release(asked.min_os_version, signals)
    if asked.screen_lock:
        yield from _lock(asked.max_idle_minutes, signals.screen_lock_seconds)
    yield from _switch("auto_update_required", "auto_update", asked.auto_update, signals)
    if asked.agent_version_min:
        found = numbers(signals.agent_version)
        if found is None:
            yield _unknown("agent_version")
        elif _older(found, asked.agent_version_min):
            yield Lack("agent_version_too_old", signals.agent_version, asked.agent_version_min)


def numbers(text: str | None) -> tuple[int, ...] | None:
    """The first dotted number of a text; None if it holds none."""
    match = _NUMBERS.search(text or "")
    return tuple(map(int, match[0].split("."))) if match else None


def release_of(text: str | None) -> tuple[str, str] | None:
    """("ubuntu", "22.04") of "Ubuntu 22.04.4 LTS" and its like; None if it does not say."""
    match = _RELEASE.match((text or "").strip())
    return (match["name"].lower(), match["version"]) if match else None


def _switch(code: str, signal: str, asked: bool, signals: Signals) -> Iterator[Lack]:
    found = getattr(signals, signal)
    if asked and found is None:
        yield _unknown(signal)
    elif asked and not found:
        yield Lack(code, False, True)


def _lock(max_idle_minutes: int | None, seconds: int | None) -> Iterator[Lack]:
    if seconds is None:
        yield _unknown("screen_lock_timeout")
    elif seconds == 0 or (max_idle_minutes is not None and seconds > max_idle_minutes * 60):
        yield Lack("screen_lock_required", seconds, max_idle_minutes and max_idle_minutes * 60)


def _release(minimums: Mapping[str, Any], signals: Signals) -> Iterator[Lack]:
    least = minimums.get(signals.os)
    if not least:
        return
    found = release_of(signals.release)
    if found is None:
        yield _unknown("os_version")
        return
    name, version = found
    if signals.os == "linux":
        by_name = least if isinstance(least, Mapping) else {DEFAULT_DISTRIBUTION: least}
        least = by_name.get(name)
    if least and _older(numbers(version) or (), least):
        yield Lack("os_version_too_old", f"{name} {version}", least)


def _older(found: tuple[int, ...], least: str) -> bool:
    """12 is not older than 12.0: what is left out counts as zero."""
    wanted = numbers(least) or ()
    longest = max(len(found), len(wanted))
    return _padded(found, longest) < _padded(wanted, longest)


def _padded(version: tuple[int, ...], length: int) -> tuple[int, ...]:
    return version + (0,) * (length - len(version))


def _unknown(signal: str) -> Lack:
    return Lack("signal_unknown", None, signal)
