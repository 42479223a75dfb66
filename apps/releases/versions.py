"""Order of version numbers (Semantic Versioning 2.0.0, section 11)."""

import re
from typing import Any

_VERSION = re.compile(r"v?(\d{1,9})\.(\d{1,9})\.(\d{1,9})(?:-([0-9A-Za-z.-]{1,64}))?(?:\+.{1,64})?$")


def version_key(text: str) -> tuple[Any, ...]:
    """A value that sorts like the version; ValueError if the text is none. A leading v is ignored."""
    match = _VERSION.match(text.strip())
    if match is None:
        raise ValueError(f"not a version: {text[:80]}")
    *numbers, before_release = match.groups()
    return (*map(int, numbers), *_precedence(before_release))


def _precedence(before_release: str | None) -> tuple[Any, ...]:
    """A pre-release comes before its release; its numeric parts compare as numbers."""
    if before_release is None:
        return (1, ())
    parts = before_release.split(".")
    return (0, tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in parts))
