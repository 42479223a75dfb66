"""The organisation and its settings."""

import ipaddress

import pytest

from apps.audit.models import AuditLog
from apps.orgs.models import Organization, OrgSettings

pytestmark = pytest.mark.django_db
URL = "/api/org-management"


def update(person, org, **values):
    return person.client.call(URL, {"action": "update_org_settings", "org_id": str(org.pk), **values})


def test_a_new_organisation_has_an_owner_settings_and_a_prefix_of_its_own(cast):
    made = cast.bob.client.call(URL, {"action": "create", "name": "Bob's Own"}).json()["data"]
    assert (made["slug"], made["role"]) == ("bob-s-own", "owner")
    org = Organization.objects.get(pk=made["id"])
    prefix = ipaddress.ip_network(org.ipv6_prefix)
    assert prefix.prefixlen == 48
    assert prefix.subnet_of(ipaddress.ip_network("fd00::/8"))
    assert OrgSettings.objects.for_org(org).get().default_deny
    listed = cast.bob.client.get("/api/user-orgs").json()["data"]
    assert {entry["role"] for entry in listed} == {"owner", "member"}


@pytest.mark.parametrize("slug", ["Org", "-x", "www", "a.b", "x" * 64])
def test_bad_slugs(cast, slug):
    response = cast.bob.client.call(URL, {"action": "create", "name": "X", "slug": slug})
    assert (response.status_code, response.json()["error"]["code"]) == (400, "INVALID_INPUT")


def test_a_taken_slug_is_a_conflict_and_a_taken_name_is_not(cast):
    taken = cast.bob.client.call(URL, {"action": "create", "name": "X", "slug": "org-a"})
    assert (taken.status_code, taken.json()["error"]["field"]) == (409, "slug")
    assert cast.bob.client.call(URL, {"action": "create", "name": "Org A"}).status_code == 201


def test_settings_change_and_say_what_was_before(cast):
    answer = update(cast.alice, cast.org_a, key_expiry_days=30, nonsense=1).json()["data"]
    assert answer["settings"]["key_expiry_days"] == 30
    assert answer["ignored"] == ["nonsense"]
    row = AuditLog.objects.for_org(cast.org_a).latest("seq")
    assert row.action == "org.settings_updated"
    assert row.details == {"before": {"key_expiry_days": 180}, "after": {"key_expiry_days": 30}}
    update(cast.alice, cast.org_a, key_expiry_days=30)
    assert AuditLog.objects.for_org(cast.org_a).latest("seq").pk == row.pk


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"key_expiry_days": 0}, "INVALID_INPUT"),
        ({"key_expiry_days": 731}, "INVALID_INPUT"),
        ({"key_expiry_days": "soon"}, "INVALID_INPUT"),
        ({"pqc_policy": "sometimes"}, "INVALID_VALUE"),
        ({"default_deny": False}, "CONFIRMATION_REQUIRED"),
    ],
    ids=str,
)
def test_bad_values_change_nothing(cast, values, code):
    assert update(cast.alice, cast.org_a, **values).json()["error"]["code"] == code
    name = next(iter(values))
    settings = OrgSettings.objects.for_org(cast.org_a).get()
    assert getattr(settings, name) == OrgSettings._meta.get_field(name).default


def test_owner_settings_are_closed_to_admins_in_every_way(cast):
    admin = cast.join("admin@example.com", "admin")
    assert update(admin, cast.org_a, api_key_max_days=365).json()["error"]["code"] == "FIELD_NOT_WRITABLE"
    url = f"/api/db/org_settings?org_id={cast.org_a.pk}&key_expiry_days=gt.0"
    refused = admin.client.call(url, {"api_key_max_days": 365}, method="PATCH")
    assert refused.json()["error"] == {
        "code": "FIELD_NOT_WRITABLE",
        "message": "Not writable: api_key_max_days",
        "fields": ["api_key_max_days"],
    }
    assert admin.client.call(url, {"key_expiry_days": 10}, method="PATCH").json()["data"] == {"changes": 1}
    owner = cast.alice.client.call(url, {"default_deny": False}, method="PATCH")
    assert owner.json()["error"]["code"] == "CONFIRMATION_REQUIRED"
    assert update(cast.alice, cast.org_a, default_deny=False, confirm="org-a").status_code == 200
