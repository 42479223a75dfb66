"""Names of groups. Groups of machines and groups of people share them, for rules say `group:` of both."""

import re
from collections.abc import Collection
from typing import Any

from apps.orgs import signals

LONGEST_GROUP_NAME = 64
GROUP_NAME = r"^[A-Za-z0-9 _-]{1,64}$"


def is_group_name(name: str) -> bool:
    """Whether a group can have this name."""
    return re.fullmatch(GROUP_NAME, name) is not None and name == name.strip()


def names_of_others(org: Any, names: Collection[str]) -> set[str]:
    """Of these names, in lower case, those that groups kept by other apps have."""
    answers = signals.group_names_asked.send(None, org=org, names=names)
    return {name for _, taken in answers for name in taken}
