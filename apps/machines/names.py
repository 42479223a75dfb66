"""Machine names, which are DNS labels, and tags."""

import re
import uuid
from collections.abc import Callable, Iterable
from typing import Any

from apps.core.errors import InvalidInput

LABEL_LENGTH = 63
MAX_TAGS = 50
TAG = re.compile(r"[A-Za-z0-9_-]{1,50}")

# organisation -> labels that no machine may take
LabelSource = Callable[[uuid.UUID], set[str]]
_reserved: list[LabelSource] = []


def reserve_labels(source: LabelSource) -> None:
    """Register who gives out names in the organisation's domain besides machines."""
    _reserved[:] = [source]


def reserved_labels(org_id: uuid.UUID) -> set[str]:
    """Labels that something other than a machine has."""
    return _reserved[0](org_id) if _reserved else set()


def dns_label(text: str) -> str:
    """The DNS label that a name becomes; "" when nothing of it can stand in one."""
    label = re.sub(r"[^a-z0-9-]+", "-", text.strip().lower())
    return re.sub(r"-{2,}", "-", label).strip("-")[:LABEL_LENGTH].strip("-")


def parse_name(name: str) -> str:
    """The label of a name that a person gave; raises InvalidInput."""
    if not 1 <= len(name) <= 100:
        raise InvalidInput("Name must be 1-100 characters", field="name")
    label = dns_label(name)
    if not label:
        raise InvalidInput("Name contains only invalid characters", field="name")
    return label


def numbered(label: str, number: int) -> str:
    """`label-2` and so on, within a label's length."""
    ending = f"-{number}"
    return label[: LABEL_LENGTH - len(ending)].rstrip("-") + ending


def magicdns_name(name: str, slug: str) -> str:
    """A machine's full name."""
    return f"{name}.{domain_of(slug)}"


def domain_of(slug: str) -> str:
    """The organisation's domain."""
    return f"{slug}.zt.net"


def parse_tags(tags: Any) -> list[str]:
    """Tags without `tag:`, duplicates merged, in their order; raises InvalidInput."""
    if not isinstance(tags, list):
        raise InvalidInput("tags must be an array", field="tags")
    found = []
    for tag in tags:
        bare = tag.removeprefix("tag:") if isinstance(tag, str) else ""
        if not TAG.fullmatch(bare):
            raise InvalidInput("tags: each must be 1-50 of A-Z, a-z, 0-9, _ and -", field="tags")
        found.append(bare)
    found = list(dict.fromkeys(found))
    if len(found) > MAX_TAGS:
        raise InvalidInput(f"tags: at most {MAX_TAGS}", field="tags")
    return found


def as_selectors(tags: Iterable[str]) -> list[str]:
    """Tags as selectors name them."""
    return [f"tag:{tag}" for tag in tags]
