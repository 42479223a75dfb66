"""What is known of a machine's health and place. Whoever judges it registers here."""

import uuid
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Verdict:
    """compliant: None if nothing is known. restricted: posture keeps it from tagged machines."""

    compliant: bool | None = None
    restricted: bool = False

    @property
    def word(self) -> str:
        """compliant, non_compliant or unknown."""
        return {True: "compliant", False: "non_compliant", None: "unknown"}[self.compliant]


# (organisation, machines or None for all) -> verdicts of those of which something is known
VerdictSource = Callable[[uuid.UUID, Collection[uuid.UUID] | None], Mapping[uuid.UUID, Verdict]]
_source: list[VerdictSource] = []


def provide_verdicts(source: VerdictSource) -> None:
    """Register who judges health; a verdict that changes has to `touch` its machine."""
    _source[:] = [source]


def verdicts_of(org_id: uuid.UUID, ids: Collection[uuid.UUID] | None = None) -> Mapping[uuid.UUID, Verdict]:
    """Verdicts by machine; one that is missing is `Verdict()`."""
    return _source[0](org_id, ids) if _source else {}
