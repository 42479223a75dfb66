"""Access reviews: what is revoked ends at once and stays ended, and nobody but the reviewer decides."""

from datetime import timedelta

import pytest
from django.core import mail
from django.utils import timezone

from apps.core.mail import send_due
from apps.machines.models import Machine
from apps.machines.tests.agents import auth_key, enrol
from apps.orgs.models import OrgSettings
from apps.policy.models import AccessReviewCampaign, AccessReviewDecision, AclRule
from apps.policy.tasks import remind_reviewers
from apps.policy.tests.calls import act, close, data, evaluate, rule, trail
from wire.netmap import Netmap

pytestmark = pytest.mark.django_db
FORTNIGHT = timedelta(days=14)


@pytest.fixture
def fleet(cast):
    """Two approved machines, one that waits, three rules in force and one that is not."""
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    close(cast.org_a)
    machines = [enrol(key, name=name) for name in ("alpha", "beta", "waiting")]
    Machine.objects.for_org(cast.org_a).filter(pk=machines[2].id).update(approved_at=None, status="pending")
    rule(cast.alice, cast.org_a, name="open", source="alpha", destination="beta")
    rule(cast.alice, cast.org_a, name="second", source="tag:x", destination="beta")
    rule(cast.alice, cast.org_a, name="third", source="tag:y", destination="beta")
    rule(cast.alice, cast.org_a, name="off", enabled=False)
    return machines


def govern(cast, action, person=None, status=200, **values):
    return act(person or cast.alice, cast.org_a, "governance", action, status, **values)


def campaign(cast, status=201, person=None, **values):
    body = {
        "name": "Fourth quarter",
        "reviewer_user_id": str(cast.bob.user.pk),
        "due_date": (timezone.now() + FORTNIGHT).isoformat(),
        **values,
    }
    return govern(cast, "create_review_campaign", person, status, **body)


def rows_of(cast, campaign_id):
    """name -> row of a campaign."""
    found = govern(cast, "get_review_decisions", campaign_id=campaign_id)["decisions"]
    return {row.get("machine_name") or row["rule_name"]: row for row in found}


def decide(cast, row, decision, person=None, status=200, **values):
    return govern(
        cast,
        "submit_review_decision",
        person or cast.bob,
        status,
        decision_id=row["id"],
        decision=decision,
        **values,
    )


def test_a_campaign_lines_up_what_is_in_force(cast, fleet):
    told = campaign(cast)
    assert (told["machines_to_review"], told["rules_to_review"]) == (2, 3)
    (shown,) = govern(cast, "list_review_campaigns", cast.bob)["campaigns"]
    assert (shown["status"], shown["decided"], shown["total"], shown["overdue"]) == ("pending", 0, 5, False)
    assert shown["created_by"] == str(cast.alice.user.pk)
    rows = govern(cast, "get_review_decisions", cast.bob, campaign_id=told["campaign_id"])["decisions"]
    kinds = [row["resource_type"] for row in rows]
    assert kinds == ["acl_rule"] * 3 + ["machine"] * 2
    assert {row["decision"] for row in rows} == {None}
    ((action, details),) = trail(cast.org_a, "access_review.")
    assert (action, details["rules_to_review"]) == ("access_review.created", 3)
    send_due()
    (letter,) = [message for message in mail.outbox if message.to == ["bob@example.com"]]
    assert letter.subject == "The access review Fourth quarter is yours to do: 2 machines and 3 rules"


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"due_date": "tomorrow"}, "INVALID_INPUT"),
        ({"due_date": "2020-01-01T00:00:00Z"}, "INVALID_INPUT"),
        ({"due_date": "2099-01-01T00:00:00Z"}, "INVALID_INPUT"),
        ({"starts_at": "2099-01-01T00:00:00Z"}, "INVALID_INPUT"),
        ({"name": ""}, "MISSING_FIELDS"),
        ({"name": "x" * 101}, "INVALID_INPUT"),
        ({"reviewer_user_id": "00000000-0000-4000-8000-000000000000"}, "INVALID_INPUT"),
    ],
)
def test_campaigns_that_make_no_sense(cast, fleet, values, code):
    assert campaign(cast, 400, **values)["code"] == code
    assert not AccessReviewDecision.objects.for_org(cast.org_a).exists()


def test_only_administrators_begin_and_only_of_their_own(cast, fleet):
    assert campaign(cast, 403, cast.bob)["code"] == "FORBIDDEN"
    # A reviewer who belongs to another organisation would see this one's machines.
    assert campaign(cast, 400, reviewer_user_id=str(cast.charlie.user.pk))["code"] == "INVALID_INPUT"
    missing = {"name": "x", "reviewer_user_id": str(cast.bob.user.pk)}
    assert govern(cast, "create_review_campaign", status=400, **missing)["code"] == "MISSING_FIELDS"
    assert govern(cast, "get_review_decisions", status=400)["code"] == "MISSING_FIELDS"


def test_open_campaigns_are_bounded(cast, fleet, monkeypatch):
    monkeypatch.setattr("apps.policy.services.reviews.MOST_OPEN", 1)
    first = campaign(cast)["campaign_id"]
    assert "open reviews" in campaign(cast, 400)["message"]
    govern(cast, "cancel_review_campaign", campaign_id=first)
    campaign(cast)


def test_the_reviewer_decides_and_nobody_else_does(cast, fleet):
    rows = rows_of(cast, campaign(cast)["campaign_id"])
    other = cast.join("eve@example.com", "member")
    assert decide(cast, rows["alpha"], "approve", other, 403)["code"] == "FORBIDDEN"
    assert decide(cast, {"id": str(fleet[0].id)}, "approve", status=404)["code"] == "NOT_FOUND"
    assert decide(cast, rows["alpha"], "Approve", status=400)["code"] == "INVALID_VALUE"
    stranger = act(
        cast.charlie,
        cast.org_b,
        "governance",
        "submit_review_decision",
        404,
        decision_id=rows["alpha"]["id"],
        decision="revoke",
    )
    assert stranger["code"] == "NOT_FOUND"
    told = decide(cast, rows["alpha"], "approve")
    assert (told["decision"], told["effect"]) == ("approve", None)
    (shown,) = govern(cast, "list_review_campaigns")["campaigns"]
    assert (shown["status"], shown["decided"]) == ("active", 1)
    assert Machine.objects.for_org(cast.org_a).get(pk=fleet[0].id).quarantine_reason is None
    row = rows_of(cast, shown["id"])["alpha"]
    assert (row["decided_by"], row["decided_at"] is not None) == (str(cast.bob.user.pk), True)


def test_a_revoked_rule_is_disabled_and_leaves_the_map(cast, fleet):
    rows = rows_of(cast, campaign(cast)["campaign_id"])
    assert evaluate(cast.alice, cast.org_a, *fleet[:2], port=22)["allowed"]
    before = AclRule.objects.for_org(cast.org_a).get(name="open")
    assert decide(cast, rows["open"], "revoke")["effect"] == "rule_disabled"
    after = AclRule.objects.for_org(cast.org_a).get(name="open")
    assert not after.enabled
    for name in ("source", "destination", "ports", "priority", "action"):
        assert getattr(after, name) == getattr(before, name)
    assert not evaluate(cast.alice, cast.org_a, *fleet[:2], port=22)["allowed"]
    netmap = Netmap.from_json(data(fleet[1].heartbeat()))
    assert not any(netmap.packet_filter.chains.values())
    assert ("acl_rule.updated", "access_review") in [
        (action, details.get("reason")) for action, details in trail(cast.org_a, "acl_rule.")
    ]


def test_a_revoked_machine_stays_out_until_a_later_word(cast, fleet):
    rows = rows_of(cast, campaign(cast)["campaign_id"])
    assert decide(cast, rows["beta"], "revoke")["effect"] == "machine_quarantined"
    for _ in range(2):  # no heartbeat undoes it
        assert data(fleet[1].heartbeat())["status"] == "quarantined"
    assert Machine.objects.for_org(cast.org_a).get(pk=fleet[1].id).quarantine_reason == "review"
    assert decide(cast, rows["beta"], "approve")["effect"] == "quarantine_lifted"
    assert data(fleet[1].heartbeat())["status"] == "online"
    assert [action for action, _ in trail(cast.org_a, "machine.")][-2:] == [
        "machine.quarantined",
        "machine.unquarantined",
    ]


def test_a_review_lifts_no_other_quarantine(cast, fleet):
    rows = rows_of(cast, campaign(cast)["campaign_id"])
    act(cast.alice, cast.org_a, "machine-admin", "quarantine", machine_id=str(fleet[1].id))
    assert decide(cast, rows["beta"], "revoke")["effect"] is None
    assert decide(cast, rows["beta"], "approve")["effect"] is None
    assert Machine.objects.for_org(cast.org_a).get(pk=fleet[1].id).quarantine_reason == "admin"


def test_a_wish_needs_words_and_reaches_the_administrators(cast, fleet):
    rows = rows_of(cast, campaign(cast)["campaign_id"])
    assert decide(cast, rows["open"], "modify", status=400)["code"] == "MISSING_FIELDS"
    assert decide(cast, rows["open"], "modify", notes="only port 443")["effect"] == "admins_told"
    send_due()
    letters = [message.body for message in mail.outbox if message.to == ["alice@example.com"]]
    assert len(letters) == 1
    assert "only port 443" in letters[0]
    assert AclRule.objects.for_org(cast.org_a).get(name="open").enabled


def test_the_last_decision_completes_and_what_is_gone_keeps_its_name(cast, fleet):
    campaign_id = campaign(cast)["campaign_id"]
    rows = rows_of(cast, campaign_id)
    AclRule.objects.for_org(cast.org_a).filter(name="third").delete()
    for row in rows.values():
        decide(cast, row, "revoke" if row.get("rule_name") == "third" else "approve")
    (shown,) = govern(cast, "list_review_campaigns")["campaigns"]
    assert shown["status"] == "completed"
    assert shown["completed_at"]
    assert decide(cast, rows["open"], "revoke", status=400)["code"] == "INVALID_STATE"
    for action in ("cancel_review_campaign", "extend_review_campaign"):
        later = {"due_date": (timezone.now() + FORTNIGHT).isoformat()} if "extend" in action else {}
        refused = govern(cast, action, status=400, campaign_id=campaign_id, **later)
        assert refused["code"] == "INVALID_STATE"
    act(cast.alice, cast.org_a, "machine-admin", "delete", machine_id=str(fleet[1].id))
    assert rows_of(cast, campaign_id)["beta"]["machine_name"] == "beta"
    assert trail(cast.org_a, "access_review.")[-1][0] == "access_review.completed"


def test_lists_are_paged_newest_first(cast, fleet):
    names = ["first", "second", "third"]
    for name in names:
        campaign(cast, name=name)
    page = govern(cast, "list_review_campaigns", limit=2)
    assert [row["name"] for row in page["campaigns"]] == ["third", "second"]
    rest = govern(cast, "list_review_campaigns", limit=2, cursor=page["next_cursor"])
    assert ([row["name"] for row in rest["campaigns"]], rest["next_cursor"]) == (["first"], None)
    assert govern(cast, "list_review_campaigns", status=400, cursor="nonsense")["code"] == "INVALID_INPUT"


def test_reminders_come_once_and_decide_nothing(cast, fleet):
    campaign_id = campaign(cast, starts_at=(timezone.now() + timedelta(days=1)).isoformat())["campaign_id"]
    rows = AccessReviewCampaign.objects.for_org(cast.org_a).filter(pk=campaign_id)
    nothing = {"started": 0, "reminded": 0, "overdue": 0}
    assert remind_reviewers() == nothing
    now = timezone.now()
    rows.update(starts_at=now)
    assert remind_reviewers() == {**nothing, "started": 1}
    assert rows.get().status == "active"
    for left, expected in ((6, "reminded"), (0.5, "reminded"), (-0.5, "overdue")):
        rows.update(due_date=now + timedelta(days=left))
        assert remind_reviewers() == {**nothing, expected: 1}
        assert remind_reviewers() == nothing
    send_due()
    subjects = [message.subject.removeprefix("The access review Fourth quarter ") for message in mail.outbox]
    assert subjects[1:] == ["has begun", "ends in 7 days", "ends in 1 day", "is overdue"]
    (shown,) = govern(cast, "list_review_campaigns")["campaigns"]
    assert (shown["status"], shown["overdue"], shown["decided"]) == ("active", True, 0)
    metrics = govern(cast, "get_metrics")
    assert metrics["access_reviews"] == {"pending_campaigns": 1, "overdue": 1}
    assert metrics["policy"]["unresolved_rules"] == 2
    later = (timezone.now() + FORTNIGHT).isoformat()
    govern(cast, "extend_review_campaign", campaign_id=campaign_id, due_date=later)
    assert govern(cast, "get_metrics")["access_reviews"]["overdue"] == 0
    assert [action for action, _ in trail(cast.org_a, "access_review.")] == [
        f"access_review.{verb}" for verb in ("created", "started", "overdue", "extended")
    ]


def test_one_pair_of_eyes_disables_no_rule_where_two_are_asked_for(cast, fleet):
    rows = rows_of(cast, campaign(cast)["campaign_id"])
    OrgSettings.objects.for_org(cast.org_a).update(four_eyes=True)
    refused = decide(cast, rows["open"], "revoke", status=403)
    assert refused["code"] == "FOUR_EYES_REQUIRED"
    assert AclRule.objects.for_org(cast.org_a).get(name="open").enabled
    assert rows_of(cast, rows["open"]["campaign_id"])["open"]["decision"] is None
    # What he wants waits as a plan; once that is applied, his decision has nothing left to disable.
    plan = {"plan_id": refused["plan_id"]}
    for action in ("approve", "apply"):
        act(cast.alice, cast.org_a, "policy", action, **plan)
    assert not AclRule.objects.for_org(cast.org_a).get(name="open").enabled
    assert decide(cast, rows["open"], "revoke")["effect"] is None
    # A machine is no policy: cutting it off waits for nobody.
    assert decide(cast, rows["beta"], "revoke")["effect"] == "machine_quarantined"
