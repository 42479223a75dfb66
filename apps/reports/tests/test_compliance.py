"""The compliance report: true figures, for those who may see them, on record."""

from django.utils import timezone

from apps.audit.models import AuditLog
from apps.machines.models import Machine
from apps.machines.tests.agents import admin, auth_key, enrol
from apps.orgs.models import OrgMember
from apps.policy.tests.calls import act, close, rule
from apps.posture.models import PosturePolicy, PostureReport


def test_figures_are_those_of_the_organisation_and_of_no_other(cast):
    for person, org in ((cast.alice, cast.org_a), (cast.charlie, cast.org_b)):
        key = auth_key(person, org, reusable=True)["key"]
        machines = [enrol(key, name) for name in ("one", "two", "three")]
        assert admin(person, "quarantine", machines[2]).status_code == 200
    close(cast.org_a)
    rule(cast.alice, cast.org_a, name="on")
    rule(cast.alice, cast.org_a, name="off", enabled=False)
    PosturePolicy.objects.create_in(cast.org_a, name="Baseline", scope={})
    good, bad, _ = Machine.objects.for_org(cast.org_a).order_by("created_at")
    for machine, violations in ((good, []), (bad, ["firewall"])):
        PostureReport.objects.create_in(
            cast.org_a,
            machine=machine,
            compliant=not violations,
            violations=violations,
            reported_at=timezone.now(),
        )
    report = act(cast.alice, cast.org_a, "export", "compliance_report")
    summary = report["summary"]
    assert (summary["machines"]["total"], summary["machines"]["quarantined"]) == (3, 1)
    assert summary["posture"] == {"total": 2, "compliant": 1, "compliance_rate": 50.0}
    assert (summary["acl_rules"], summary["default_deny"]) == (1, True)
    assert summary["quarantine_events_30d"] == 1
    assert [row["violations"] for row in report["non_compliant_machines"]] == [["firewall"]]
    assert report["posture_policy"]["policies"] == ["Baseline"]
    assert (report["org_id"], report["report_type"]) == (str(cast.org_a.pk), "compliance")
    entry = AuditLog.objects.for_org(cast.org_a).get(action="export.created")
    assert entry.details == {"kind": "compliance_report"}


def test_where_nothing_was_reported_there_is_no_rate(cast):
    report = act(cast.alice, cast.org_a, "export", "compliance_report")
    assert report["summary"]["posture"] == {"total": 0, "compliant": 0, "compliance_rate": None}
    assert report["posture_policy"] is None


def test_members_and_outsiders_get_none_and_auditors_do(cast):
    for person in (cast.bob, cast.charlie):
        assert act(person, cast.org_a, "export", "compliance_report", 403)["code"] == "FORBIDDEN"
    OrgMember.objects.for_org(cast.org_a).filter(user=cast.bob.user).update(role="auditor")
    act(cast.bob, cast.org_a, "export", "compliance_report")
