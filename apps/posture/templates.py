"""Policies to start from: listed with the organisation of all zeros, never changed, never judged."""

import uuid
from datetime import UTC, datetime
from typing import Any

TEMPLATE_ORG = uuid.UUID(int=0)
_MADE = datetime(2026, 1, 1, tzinfo=UTC)
_BASIC = {"require_disk_encryption": True, "require_firewall": True}
_FULL = {**_BASIC, "require_antivirus": True}

_VALUES: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("Basic Security", "Disk encryption and a firewall", _BASIC),
    ("Enterprise Standard", "Antivirus too, and patches of 30 days", {**_FULL, "max_patch_age_days": 30}),
    ("Healthcare/HIPAA", "Antivirus too, and patches of 14 days", {**_FULL, "max_patch_age_days": 14}),
)

# id -> the columns that an own policy starts with
TEMPLATES: dict[uuid.UUID, dict[str, Any]] = {
    uuid.uuid5(TEMPLATE_ORG, name): {"name": name, "description": description, **values}
    for name, description, values in _VALUES
}


def template_rows() -> list[dict[str, Any]]:
    """The templates as rows of posture_policies, without the columns that they leave at their defaults."""
    facts = {"org_id": TEMPLATE_ORG, "created_at": _MADE, "updated_at": _MADE, "created_by": None}
    return [{"id": pk, **facts, **values} for pk, values in TEMPLATES.items()]
