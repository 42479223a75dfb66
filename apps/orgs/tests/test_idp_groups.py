"""Groups of people: what a source says replaces what it said, and nobody comes in who does not belong."""

import uuid

import pytest
from django.test import TestCase

from apps.audit.models import AuditLog
from apps.core.actors import Actor
from apps.core.errors import Conflict, InvalidInput, NotFound
from apps.core.realtime import last_seq, missed_events
from apps.orgs import idpgroups
from apps.orgs.idpgroups import MAX_GROUPS, Told, sync_groups, sync_memberships
from apps.orgs.models import IdpGroup, IdpGroupMember, OrgSettings

pytestmark = pytest.mark.django_db
PROVIDER = Actor(kind="job", name="system:scim")


def push(cast, *groups, source="scim", org=None):
    sync_groups(org=org or cast.org_a, actor=PROVIDER, source=source, groups=groups)


def sign_in(cast, *names, person=None, source="oidc", org=None):
    person = person or cast.bob
    sync_memberships(org=org or cast.org_a, actor=person.actor, user=person.user, source=source, names=names)


def people(cast, org=None):
    """E-mail addresses by the name of their group."""
    found = {row.name: set() for row in IdpGroup.objects.for_org(org or cast.org_a)}
    for row in IdpGroupMember.objects.for_org(org or cast.org_a).select_related("group", "user"):
        found[row.group.name].add(row.user.email.partition("@")[0])
    return found


def told(cast, prefix=("idp_group", "member.groups_told")):
    rows = AuditLog.objects.for_org(cast.org_a).order_by("seq")
    return [(row.action, row.details) for row in rows if row.action.startswith(prefix)]


def test_a_push_replaces_what_its_source_said_before(cast):
    alice, bob = cast.alice.user.pk, cast.bob.user.pk
    push(cast, Told("Eng", "1", [alice, bob]), Told("Ops", "2", [bob]))
    assert people(cast) == {"Eng": {"alice", "bob"}, "Ops": {"bob"}}
    push(cast, Told("Eng", "1", [alice]), Told("Empty", "3"))
    assert people(cast) == {"Eng": {"alice"}, "Empty": set()}
    assert [(action, details["name"]) for action, details in told(cast)] == [
        ("idp_group.created", "Eng"),
        ("idp_group.created", "Ops"),
        ("idp_group.updated", "Eng"),
        ("idp_group.created", "Empty"),
        ("idp_group.deleted", "Ops"),
    ]
    assert told(cast)[2][1]["left"] == [str(bob)]


def test_the_same_once_more_leaves_no_trace(cast):
    groups = [Told("Eng", "1", [cast.bob.user.pk]), Told("Empty")]
    push(cast, *groups)
    sign_in(cast, "Staff")
    trail, version = told(cast), stored(cast)
    push(cast, *groups)
    sign_in(cast, "staff")
    assert (told(cast), stored(cast)) == (trail, version)


def stored(cast):
    return [
        sorted(map(str, model.objects.for_org(cast.org_a).values_list("pk", flat=True)))
        for model in (IdpGroup, IdpGroupMember)
    ]


def test_a_group_stays_itself_under_a_new_name(cast):
    push(cast, Told("Eng", "1"), Told("Ops", "2"))
    rows = dict(IdpGroup.objects.for_org(cast.org_a).values_list("external_id", "pk"))
    push(cast, Told("Ops", "1"), Told("eng", "2"))
    assert dict(IdpGroup.objects.for_org(cast.org_a).values_list("name", "pk")) == {
        "Ops": rows["1"],
        "eng": rows["2"],
    }
    # The provider lost its id, or made the group anew: the name says which it is.
    push(cast, Told("Ops", "7"))
    assert IdpGroup.objects.for_org(cast.org_a).get().pk == rows["1"]


def test_sources_leave_each_other_alone(cast):
    push(cast, Told("Eng", "1", [cast.bob.user.pk]))
    sign_in(cast, "Staff")
    push(cast, Told("Ops", "2"))
    sign_in(cast)
    assert people(cast) == {"Ops": set()}
    sign_in(cast, "Staff")
    push(cast)
    assert people(cast) == {"Staff": {"bob"}}


def test_a_sign_in_changes_only_who_signs_in(cast):
    sign_in(cast, "Eng", "Staff")
    sign_in(cast, "Eng", person=cast.alice)
    sign_in(cast, "Staff", "Ops")
    assert people(cast) == {"Eng": {"alice"}, "Staff": {"bob"}, "Ops": {"bob"}}
    assert told(cast)[-1] == (
        "member.groups_told",
        {
            "user_id": str(cast.bob.user.pk),
            "source": "oidc",
            "joined": ["Ops"],
            "left": ["Eng"],
            "created": ["Ops"],
        },
    )


def test_a_group_of_sign_ins_goes_with_the_last_of_them(cast):
    sign_in(cast, "Eng")
    sign_in(cast)
    assert people(cast) == {}
    assert told(cast)[-1][1]["deleted"] == ["Eng"]
    # A pushed one is there without anybody.
    push(cast, Told("Eng", "1", [cast.bob.user.pk]))
    sign_in(cast, source="scim")
    assert people(cast) == {"Eng": set()}


def test_strangers_do_not_count(cast):
    push(cast, Told("Eng", "1", [cast.charlie.user.pk, uuid.uuid4(), cast.bob.user.pk]))
    assert people(cast) == {"Eng": {"bob"}}
    with pytest.raises(NotFound):
        sign_in(cast, "Eng", person=cast.charlie)
    assert not IdpGroup.objects.for_org(cast.org_b).exists()


def test_organisations_share_nothing(cast):
    push(cast, Told("Eng", "1", [cast.bob.user.pk]))
    push(cast, Told("ENG", "1", [cast.charlie.user.pk]), org=cast.org_b)
    push(cast)
    assert people(cast, cast.org_b) == {"ENG": {"charlie"}}
    row = IdpGroup.objects.for_org(cast.org_b).get()
    member = IdpGroupMember.objects.for_org(cast.org_b).get()
    with pytest.raises(NotFound):
        idpgroups.remove_group(org=cast.org_a, actor=PROVIDER, group_id=row.pk)
    with pytest.raises(NotFound):
        idpgroups.remove_membership(org=cast.org_a, actor=PROVIDER, member_id=member.pk)


@pytest.mark.parametrize("name", ["", "a,b", "x" * 65, " eng", "eng\n", "Ingénieurs", "tag:x"])
def test_a_name_that_no_group_can_have(cast, name):
    with pytest.raises(InvalidInput) as refused:
        push(cast, Told("Eng"), Told(name))
    assert refused.value.extra["field"] == "name"
    sign_in(cast, "Eng", name)
    assert people(cast) == {"Eng": {"bob"}}
    assert told(cast)[-1][1]["skipped"] == [{"name": name, "reason": "name"}]


def test_names_are_one_space_for_all_sources(cast):
    push(cast, Told("Eng", "1"))
    with pytest.raises(Conflict) as refused:
        push(cast, Told("ENG"), source="oidc")
    assert (refused.value.extra["field"], refused.value.extra["names"]) == ("name", ["ENG"])
    sign_in(cast, "ENG", "Staff")
    assert people(cast) == {"Eng": set(), "Staff": {"bob"}}
    assert told(cast)[-1][1]["skipped"] == [{"name": "ENG", "reason": "taken"}]
    for twice in ((Told("Ops", "1"), Told("ops", "2")), (Told("Ops", "1"), Told("Dev", "1"))):
        with pytest.raises(Conflict):
            push(cast, *twice)


def test_there_are_only_so_many(cast):
    sign_in(cast, "Staff")
    groups = [Told(f"group {number}", str(number)) for number in range(MAX_GROUPS - 1)]
    with pytest.raises(InvalidInput):
        push(cast, *groups, Told("one more"))
    push(cast, *groups)
    assert IdpGroup.objects.for_org(cast.org_a).count() == MAX_GROUPS
    sign_in(cast, "Staff", "Eng")
    assert told(cast)[-1][1]["skipped"] == [{"name": "Eng", "reason": "limit"}]
    assert not IdpGroup.objects.for_org(cast.org_a).filter(name="Eng").exists()


def events(cast, change):
    """(event, table) of what browsers are told of groups."""
    before = last_seq(cast.org_a.pk)
    with TestCase.captureOnCommitCallbacks(execute=True):
        change()
    found = missed_events(cast.org_a.pk, before, {"acl"})
    return [(event["event"], event["table"]) for event in found if event["table"].startswith("idp_")]


def test_browsers_are_told(cast):
    members = ("REFRESH", "idp_group_members")
    assert events(cast, lambda: sign_in(cast, "Eng")) == [("INSERT", "idp_groups"), members]
    assert events(cast, lambda: sign_in(cast, "Eng", person=cast.alice)) == [members]
    assert events(cast, lambda: push(cast, source="oidc")) == [("DELETE", "idp_groups"), members]
    many = [Told(f"group {number}") for number in range(300)]
    assert events(cast, lambda: push(cast, *many)) == [("REFRESH", "idp_groups")]


def test_the_trail_does_not_grow_with_a_claim(cast):
    sign_in(cast, *(f"no:{number}" for number in range(300)))
    ((_, details),) = told(cast)
    assert (len(details["skipped"]), details["more_skipped"]) == (100, 200)


def test_four_eyes_do_not_hold_up_what_a_provider_says(cast):
    OrgSettings.objects.for_org(cast.org_a).update(four_eyes=True)
    push(cast, Told("Eng", "1"))
    sign_in(cast, "Staff")
    assert people(cast) == {"Eng": set(), "Staff": {"bob"}}


def test_who_leaves_the_organisation_leaves_its_groups(cast):
    push(cast, Told("Eng", "1", [cast.bob.user.pk, cast.alice.user.pk]))
    sign_in(cast, "Staff")
    body = {"action": "remove_member", "org_id": str(cast.org_a.pk), "target_user_id": str(cast.bob.user.pk)}
    assert cast.alice.client.call("/api/org-management", body).status_code == 200
    assert people(cast) == {"Eng": {"alice"}}
    details = AuditLog.objects.for_org(cast.org_a).filter(action="member.removed").get().details
    assert sorted(details["idp_groups"]) == ["Eng", "Staff"]


def table(person, cast, name, method="GET", body=None):
    return person.client.call(f"/api/db/{name}?org_id={cast.org_a.pk}", body, method=method)


def test_members_read_and_nobody_writes(cast):
    push(cast, Told("Eng", "1", [cast.bob.user.pk]))
    (group,) = table(cast.bob, cast, "idp_groups").json()["data"]
    assert {name: group[name] for name in ("name", "source", "external_id")} == {
        "name": "Eng",
        "source": "scim",
        "external_id": "1",
    }
    (member,) = table(cast.bob, cast, "idp_group_members").json()["data"]
    assert (member["group_id"], member["user_id"]) == (group["id"], str(cast.bob.user.pk))
    for name, row in (("idp_groups", group), ("idp_group_members", member)):
        assert table(cast.charlie, cast, name).status_code == 403
        for method, body in (
            ("POST", {"name": "x"}),
            ("PATCH", {"_filters": {"id": row["id"]}, "name": "x"}),
            ("DELETE", {"id": row["id"]}),
        ):
            answer = table(cast.alice, cast, name, method, body)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "FORBIDDEN"), answer.content
    assert people(cast) == {"Eng": {"bob"}}
