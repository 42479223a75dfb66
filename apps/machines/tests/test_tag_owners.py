"""Who may put which tags on which machines, and who tries in vain."""

import pytest

from apps.audit.models import AuditLog
from apps.core.realtime import last_seq, missed_events
from apps.machines.models import Machine, TagOwner
from apps.machines.tests.agents import Keys, admin, auth_key, code, enrol
from apps.orgs.members import leave, remove_member
from apps.orgs.models import OrgMember
from tests.cast import ApiClient

pytestmark = pytest.mark.django_db


def table(person, org, body=None, method="GET", **filters):
    query = "&".join(f"{name}={value}" for name, value in {"org_id": org.pk, **filters}.items())
    return person.client.call(f"/api/db/tag_owners?{query}", body, method=method)


def own(cast, tag, person, by=None, org=None, **values):
    body = {"tag": tag, "principal_id": str(person.user.pk), **values}
    return table(by or cast.alice, org or cast.org_a, body, "POST")


def setup(person, org, name="bobs", **values):
    body = {"org_id": str(org.pk), "name": name, "os": "linux", **Keys().fields(), **values}
    response = person.client.call("/api/client-setup", body)
    assert response.status_code == 200, response.content
    return response.json()["data"]


@pytest.fixture
def bobs(cast):
    """A machine of Bob's, which an administrator tagged prod; Bob owns the tag dev."""
    made = setup(cast.bob, cast.org_a)
    assert admin(cast.alice, "update_tags", made["machine_id"], tags=["prod"]).status_code == 200
    assert own(cast, "tag:dev", cast.bob).status_code == 201
    return made


def tags(cast, machine_id):
    return Machine.objects.for_org(cast.org_a).get(pk=machine_id).tags


def entries(cast, prefix):
    found = AuditLog.objects.for_org(cast.org_a).filter(action__startswith=prefix).order_by("seq")
    return [(row.action, row.details) for row in found]


def test_an_owner_sets_and_takes_his_tags_and_leaves_the_others(cast, bobs):
    machine_id = bobs["machine_id"]
    assert admin(cast.bob, "update_tags", machine_id, tags=["prod", "tag:dev"]).status_code == 200
    assert tags(cast, machine_id) == ["prod", "dev"]
    assert admin(cast.bob, "update_tags", machine_id, tags=["prod"]).status_code == 200
    assert tags(cast, machine_id) == ["prod"]
    assert not entries(cast, "machine.tags_refused")


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        (["prod", "db"], ["db"]),
        (["prod", "dev", "db", "ops"], ["db", "ops"]),
        (["dev"], ["prod"]),
        ([], ["prod"]),
        (["prod", "DEV"], ["DEV"]),
    ],
)
def test_any_other_tag_is_refused_and_on_record(cast, bobs, asked, refused):
    machine_id = bobs["machine_id"]
    for action, values in (("update_tags", {}), ("update", {"name": "renamed"})):
        response = admin(cast.bob, action, machine_id, tags=asked, **values)
        assert code(response) == (403, "FORBIDDEN")
        assert response.json()["error"]["tags"] == refused
    assert tags(cast, machine_id) == ["prod"]
    assert Machine.objects.for_org(cast.org_a).get(pk=machine_id).name == "bobs"
    told = entries(cast, "machine.tags_refused")
    expected = {"name": "bobs", "before": ["prod"], "asked": asked, "tags": refused}
    assert told == [("machine.tags_refused", expected)] * 2


def test_the_machine_itself_goes_as_far_as_its_owner(cast, bobs):
    node = ApiClient(bobs["node_key"])

    def ask(wanted):
        body = {"action": "update_tags", "machine_id": bobs["machine_id"], "tags": wanted}
        return node.call("/api/machine-admin", body)

    assert ask(["prod", "dev"]).status_code == 200
    assert code(ask(["prod", "dev", "db"])) == (403, "FORBIDDEN")
    assert tags(cast, bobs["machine_id"]) == ["prod", "dev"]
    assert entries(cast, "machine.tags_refused")[0][1]["tags"] == ["db"]


def test_a_machine_of_nobody_and_one_of_somebody_else_stay_as_they_are(cast, bobs):
    nobodys = enrol(auth_key(cast.alice, cast.org_a)["key"], "ci")
    body = {"action": "update_tags", "machine_id": nobodys.id, "tags": ["dev"]}
    assert code(nobodys.client.call("/api/machine-admin", body)) == (403, "FORBIDDEN")
    # He owns the tag, and not the machine.
    assert code(admin(cast.bob, "update_tags", nobodys.id, tags=["dev"])) == (403, "FORBIDDEN")
    other = cast.join("dora@example.com", "member")
    own(cast, "ops", other)
    assert code(admin(other, "update_tags", bobs["machine_id"], tags=["prod", "ops"])) == (403, "FORBIDDEN")
    assert code(admin(other, "update_tags", bobs["machine_id"], tags=["prod"])) == (403, "FORBIDDEN")
    assert code(admin(cast.charlie, "update_tags", bobs["machine_id"], tags=[])) == (404, "NOT_FOUND")
    foreign = {"action": "update_tags", "machine_id": bobs["machine_id"], "tags": ["prod", "dev"]}
    assert code(nobodys.client.call("/api/machine-admin", foreign)) == (403, "FORBIDDEN")
    assert (tags(cast, nobodys.id), tags(cast, bobs["machine_id"])) == ([], ["prod"])


def test_an_ownership_in_another_organisation_is_none_here(cast, bobs):
    OrgMember.objects.create_in(cast.org_b, user=cast.bob.user, role="member", source="invitation")
    assert own(cast, "db", cast.bob, by=cast.charlie, org=cast.org_b).status_code == 201
    response = admin(cast.bob, "update_tags", bobs["machine_id"], tags=["prod", "db"])
    assert code(response) == (403, "FORBIDDEN")
    assert setup(cast.bob, cast.org_a, "second", tags=["db"])["tags_refused"] == ["db"]


def test_enrolment_gives_what_the_person_owns_and_names_the_rest(cast, bobs):
    made = setup(cast.bob, cast.org_a, "second", tags=["tag:dev", "db"])
    assert (made["tags"], made["tags_refused"]) == (["dev"], ["db"])
    assert tags(cast, made["machine_id"]) == ["dev"]
    # Who comes back keeps what the machine has, and gains nothing by asking again.
    again = setup(cast.bob, cast.org_a, "bobs", tags=["dev", "prod", "db"])
    assert (again["tags"], again["tags_refused"]) == (["prod"], ["dev", "db"])
    by_admin = setup(cast.alice, cast.org_a, "hers", tags=["anything"])
    assert (by_admin["tags"], by_admin["tags_refused"]) == (["anything"], [])
    without = setup(cast.join("dora@example.com", "member"), cast.org_a, "doras", tags=["dev"])
    assert (without["tags"], without["tags_refused"]) == ([], ["dev"])


def test_ownerships_are_listed_added_and_removed_by_administrators(cast):
    before = last_seq(cast.org_a.pk)
    made = own(cast, "tag:dev", cast.bob).json()["data"]
    (row,) = table(cast.bob, cast.org_a).json()["data"]
    assert (row["tag"], row["principal"], row["principal_id"]) == ("dev", "user", str(cast.bob.user.pk))
    assert row["principal_email"] == cast.bob.user.email
    assert code(own(cast, "dev", cast.bob)) == (409, "CONFLICT")
    assert table(cast.alice, cast.org_a, {}, "DELETE", id=f"eq.{made['id']}").status_code == 200
    assert table(cast.bob, cast.org_a).json()["data"] == []
    told = entries(cast, "tag_owner.")
    shown = {
        "tag": "dev",
        "principal": "user",
        "principal_id": str(cast.bob.user.pk),
        "email": cast.bob.user.email,
    }
    assert told == [("tag_owner.added", shown), ("tag_owner.removed", shown)]
    events = missed_events(cast.org_a.pk, before, {"machines"})
    assert [(event["event"], event["table"]) for event in events] == [
        ("INSERT", "tag_owners"),
        ("DELETE", "tag_owners"),
    ]


@pytest.mark.parametrize("role", ["member", "auditor"])
def test_who_is_no_administrator_gives_no_tag_away(cast, role):
    person = cast.join(f"{role}@example.com", role)
    kept = own(cast, "dev", cast.bob).json()["data"]
    assert code(own(cast, "prod", person, by=person)) == (403, "FORBIDDEN")
    assert code(table(person, cast.org_a, {}, "DELETE", id=f"eq.{kept['id']}")) == (403, "FORBIDDEN")
    assert code(own(cast, "prod", person, by=cast.charlie)) == (403, "FORBIDDEN")
    assert code(table(cast.charlie, cast.org_b, {}, "DELETE", id=f"eq.{kept['id']}")) == (404, "NOT_FOUND")
    assert TagOwner.objects.for_org(cast.org_a).count() == 1


def test_what_is_no_ownership_is_refused(cast):
    stranger = own(cast, "dev", cast.charlie)
    assert code(stranger) == (404, "NOT_FOUND")
    group = own(cast, "dev", cast.bob, principal="group")
    assert code(group) == (400, "INVALID_INPUT")
    assert "groups of people cannot own tags yet" in group.json()["error"]["message"]
    for tag in ("", "a b", "x" * 51, "tag:"):
        assert code(own(cast, tag, cast.bob))[0] == 400
    assert not TagOwner.objects.for_org(cast.org_a).exists()


@pytest.mark.parametrize("way", ["removed", "left"])
def test_who_goes_owns_nothing_any_more(cast, bobs, way):
    if way == "removed":
        remove_member(org=cast.org_a, actor=cast.alice.actor, user_id=cast.bob.user.pk)
    else:
        leave(org=cast.org_a, actor=cast.bob.actor)
    assert not TagOwner.objects.for_org(cast.org_a).exists()
    assert entries(cast, "tag_owner.")[-1][0] == "tag_owner.removed"
    node = ApiClient(bobs["node_key"])
    body = {"action": "update_tags", "machine_id": bobs["machine_id"], "tags": ["prod", "dev"]}
    assert node.call("/api/machine-admin", body).status_code == 403
    assert tags(cast, bobs["machine_id"]) == ["prod"]


def test_an_account_that_is_deleted_leaves_no_dead_owner(cast, bobs):
    TagOwner.objects.for_org(cast.org_a).get()
    cast.bob.user.delete()
    assert not TagOwner.objects.for_org(cast.org_a).exists()
