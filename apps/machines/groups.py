"""Which groups machines are in. Whoever keeps groups registers here."""

import uuid
from collections.abc import Callable, Collection, Mapping

# (organisation, machines or None for all) -> names of their groups, in lower case
GroupSource = Callable[[uuid.UUID, Collection[uuid.UUID] | None], Mapping[uuid.UUID, Collection[str]]]
_source: list[GroupSource] = []


def provide_groups(source: GroupSource) -> None:
    """Register who keeps groups."""
    _source[:] = [source]


def groups_of(
    org_id: uuid.UUID, ids: Collection[uuid.UUID] | None = None
) -> Mapping[uuid.UUID, Collection[str]]:
    """Groups by machine; a machine that is missing is in none."""
    return _source[0](org_id, ids) if _source else {}
