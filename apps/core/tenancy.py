"""Rows that belong to an organisation, and a manager that can't be used without saying which.

`Model.objects` raises unless entered by `.for_org(org)` (or `.create_in(org, ...)`).
`Model.all_orgs` is the plain manager for relations, admin, migrations and jobs that sweep all
organisations; a test counts its uses and the count may only shrink.
"""

import uuid
from typing import Any

from django.db import models

from apps.core.models_base import Row

# Models without an organisation, each with the reason; the sweep refuses any other.
GLOBAL_MODELS: dict[str, str] = {
    "core.JobRun": "a job sweeps all organisations",
    "core.UserPreferences": "belongs to a person, perhaps in an organisation",
    "core.IdempotencyKey": "belongs to a caller, who may have no organisation",
    "core.MailMessage": "belongs to a mailbox, which may have no account",
    "ztna_auth.User": "a person may be in several organisations",
    "ztna_auth.Session": "belongs to a person",
    "ztna_auth.RefreshToken": "belongs to a session",
    "ztna_auth.OneTimeToken": "belongs to a person or to nobody yet",
    "ztna_auth.SigningKey": "signs for the whole control plane",
    "orgs.Organization": "is the tenant itself",
    "releases.ClientVersion": "a build is the same for everybody",
    "relays.BuiltinRegion": "offered to every organisation",
    "relays.RelayCut": "relays serve all organisations, and digests name nobody",
}


class UnscopedQueryError(RuntimeError):
    """An organisation's rows were asked for without naming the organisation."""


class OrgManager(models.Manager):
    """Manager whose only ways in are `for_org` and `create_in`."""

    def get_queryset(self):
        raise UnscopedQueryError(f"{self.model.__name__}.objects needs .for_org(org)")

    def for_org(self, org: Any):
        """Rows of one organisation; `org` is an Organization or its id."""
        return super().get_queryset().filter(org_id=org_id_of(org))

    def create_in(self, org: Any, **values: Any):
        """Insert a row into one organisation and return it."""
        return super().get_queryset().create(org_id=org_id_of(org), **values)


class OrgOwned(Row):
    """Base of every model that belongs to an organisation; a child's Meta extends OrgOwned.Meta."""

    org = models.ForeignKey("orgs.Organization", on_delete=models.CASCADE, related_name="+", db_index=False)

    objects = OrgManager()
    all_orgs = models.Manager()

    class Meta:
        abstract = True
        default_manager_name = "all_orgs"
        base_manager_name = "all_orgs"


def org_id_of(org: Any) -> uuid.UUID:
    """The id of an Organization, or the id itself; raises UnscopedQueryError for anything else."""
    value = getattr(org, "pk", org)
    if not isinstance(value, uuid.UUID):
        raise UnscopedQueryError(f"not an organisation: {type(org).__name__}")
    return value
