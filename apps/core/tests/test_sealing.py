"""Secrets at rest open only where they were sealed."""

import uuid

import pytest

from apps.core import sealing
from apps.core.models import OrgDataKey

pytestmark = pytest.mark.django_db
PLACE = {"table": "vault", "column": "value"}


def test_a_secret_opens_in_its_place_only(cast):
    row = uuid.uuid4()
    sealed = sealing.seal_for_org(cast.org_a.pk, **PLACE, row=row, secret=b"canary")
    assert b"canary" not in sealed
    assert sealing.open_for_org(cast.org_a.pk, **PLACE, row=row, sealed=sealed) == b"canary"
    elsewhere = [
        (cast.org_b.pk, {**PLACE, "row": row}),
        (cast.org_a.pk, {**PLACE, "row": uuid.uuid4()}),
        (cast.org_a.pk, {**PLACE, "column": "other", "row": row}),
        (cast.org_a.pk, {**PLACE, "table": "other", "row": row}),
    ]
    for org_id, place in elsewhere:
        with pytest.raises(sealing.SealBrokenError):
            sealing.open_for_org(org_id, **place, sealed=sealed)


def test_altered_and_foreign_values_do_not_open(cast, settings):
    sealed = sealing.seal_platform("test", "here", b"canary")
    for broken in (sealed[:-1], b"\x02" + sealed[1:], sealed[:-1] + bytes([sealed[-1] ^ 1]), b""):
        with pytest.raises(sealing.SealBrokenError):
            sealing.open_platform("test", "here", broken)
    settings.KEK = bytes(32)
    with pytest.raises(sealing.SealBrokenError):
        sealing.open_platform("test", "here", sealed)


def test_each_organisation_has_a_key_of_its_own(cast):
    for org in (cast.org_a, cast.org_b):
        sealing.seal_for_org(org.pk, **PLACE, row=org.pk, secret=b"x")
    keys = {bytes(key.wrapped) for key in OrgDataKey.all_orgs.all()}
    assert len(keys) == 2
