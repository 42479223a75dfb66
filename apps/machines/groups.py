"""Which groups machines are in, and what names nothing. Whoever keeps groups registers here."""

import uuid
from collections.abc import Callable, Collection, Mapping

# (organisation, machines or None for all) -> names of their groups, in lower case
GroupSource = Callable[[uuid.UUID, Collection[uuid.UUID] | None], Mapping[uuid.UUID, Collection[str]]]
_source: list[GroupSource] = []
# (organisation, tags, groups) -> selectors of those that nothing has; groups in lower case
Unresolved = Callable[[uuid.UUID, Collection[str], Collection[str]], list[str]]
_unresolved: list[Unresolved] = []


def provide_groups(source: GroupSource, unresolved: Unresolved) -> None:
    """Register who keeps groups."""
    _source[:], _unresolved[:] = [source], [unresolved]


def groups_of(
    org_id: uuid.UUID, ids: Collection[uuid.UUID] | None = None
) -> Mapping[uuid.UUID, Collection[str]]:
    """Groups by machine; a machine that is missing is in none."""
    return _source[0](org_id, ids) if _source else {}


def unresolved_of(org_id: uuid.UUID, tags: Collection[str], groups: Collection[str]) -> list[str]:
    """Of these tags and groups those that nothing has, as selectors name them."""
    return _unresolved[0](org_id, tags, groups) if _unresolved and (tags or groups) else []
