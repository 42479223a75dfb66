"""Flows as machines report them, and as auditors find them."""

import csv
import io
import time
import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from apps.audit.models import AuditLog
from apps.flows.models import FlowLog, FlowReport
from apps.flows.tasks import prune_flows
from apps.machines.models import Machine
from apps.machines.tests.agents import auth_key, enrol
from apps.orgs.models import OrgMember, OrgSettings
from apps.policy.tests.calls import act, data, rows, rule

URL = "/api/flow-report"


@pytest.fixture
def pair(cast):
    """Two machines of A, whose flows are logged."""
    key = auth_key(cast.alice, cast.org_a, reusable=True)["key"]
    OrgSettings.objects.for_org(cast.org_a).update(flow_logs_enabled=True)
    return enrol(key, "web"), enrol(key, "db")


def stored(agent):
    return Machine.all_orgs.get(pk=agent.id)


def flow(source, destination, /, **values):
    return {
        "at": time.time(),
        "source": stored(source).tailnet_ip,
        "destination": stored(destination).tailnet_ip,
        "protocol": "tcp",
        "port": 5432,
        "verdict": "allow",
        "rule_id": None,
        "packets": 10,
        "bytes": 1200,
        "count": 1,
        **values,
    }


def report(agent, *flows, status=200, **values):
    now = time.time()
    body = {"from": now - 10, "to": now, "dropped": 0, "rows": list(flows), **values}
    return data(agent.client.call(URL, body), status)


def found(cast, person=None, status=200, **filters):
    return act(person or cast.alice, cast.org_a, "policy", "flows", status, **filters)


def only(cast, **filters):
    (one,) = found(cast, **filters)["flows"]
    return one


def test_a_flow_is_found_with_the_names_of_its_ends_and_of_its_rule(cast, pair):
    web, db = pair
    made = rule(cast.alice, cast.org_a, name="web to db")
    assert report(db, flow(web, db, rule_id=made["id"]))["accepted"] == 1
    answer = found(cast)
    assert (answer["enabled"], answer["next_cursor"]) == (True, None)
    one = answer["flows"][0]
    assert one["machine"] == {"id": db.id, "name": "db"}
    assert one["source"] == {"id": web.id, "name": "web", "address": stored(web).tailnet_ip}
    assert one["destination"] == {"id": db.id, "name": "db", "address": stored(db).tailnet_ip}
    assert one["rule"] == {"id": made["id"], "name": "web to db"}
    figures = [one[name] for name in ("protocol", "port", "verdict", "packets", "bytes", "count")]
    assert figures == ["tcp", 5432, "allow", 10, 1200, 1]
    # A rule that is gone is still named by its id.
    rows(cast.alice, cast.org_a, "acl_rules", method="DELETE", id=f"eq.{made['id']}")
    assert only(cast)["rule"] == {"id": made["id"], "name": None}


def test_ipv6_and_networks_behind_a_router(cast, pair):
    web, db = pair
    six = stored(web).tailnet_ipv6.upper()
    report(db, flow(web, db, source=six, destination="2001:DB8:0::7", protocol="47", port=0))
    one = only(cast)
    assert one["source"]["id"] == web.id
    assert one["destination"] == {"id": None, "name": None, "address": "2001:db8::7"}


def test_every_filter_narrows(cast, pair):
    web, db = pair
    made = rule(cast.alice, cast.org_a)
    report(
        db,
        flow(web, db, rule_id=made["id"]),
        flow(web, db, port=22, verdict="deny", at=time.time() - 3600),
        flow(web, db, protocol="udp", port=53, source="198.51.100.9"),
    )
    report(web, flow(db, web, protocol="icmp", port=0))
    ports = lambda **filters: sorted(row["port"] for row in found(cast, **filters)["flows"])  # noqa: E731
    assert ports() == [0, 22, 53, 5432]
    assert ports(verdict="deny") == [22]
    assert ports(protocol="udp") == [53]
    assert ports(port=5432) == [5432]
    assert ports(rule_id=made["id"]) == [5432]
    assert ports(machine_id=web.id) == [0]
    assert ports(source=web.id) == [22, 5432]
    assert ports(source="198.51.100.9") == [53]
    assert ports(destination=web.id) == [0]
    assert ports(destination=stored(db).tailnet_ip) == [22, 53, 5432]
    assert ports(to=(timezone.now() - timedelta(minutes=30)).isoformat()) == [22]
    assert ports(**{"from": (timezone.now() - timedelta(minutes=30)).isoformat()}) == [0, 53, 5432]
    assert ports(source=str(uuid.uuid4())) == []


def test_pages_follow_each_other_without_a_gap_or_a_repeat(cast, pair, django_assert_max_num_queries):
    web, db = pair
    moment = time.time() - 60
    report(db, *(flow(web, db, port=port, at=moment + port // 4) for port in range(1, 31)))
    seen, cursor = [], None
    while True:
        with django_assert_max_num_queries(12):
            page = found(cast, limit=7, cursor=cursor)
        seen += [row["port"] for row in page["flows"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert sorted(seen) == list(range(1, 31))
    assert [port // 4 for port in seen] == sorted((port // 4 for port in seen), reverse=True)
    for wrong in ("~", "yesterday~x", "9" * 90):
        assert found(cast, status=400, cursor=wrong)["code"] == "INVALID_INPUT"


def test_the_same_report_again_adds_nothing(cast, pair):
    web, db = pair
    now = time.time()
    for accepted in (1, 0):
        again = report(db, flow(web, db), **{"from": now - 10, "to": now})
        assert again["accepted"] == accepted
    # Another machine's report of the same seconds is another one.
    assert report(web, flow(db, web), **{"from": now - 10, "to": now})["accepted"] == 1
    assert FlowLog.objects.for_org(cast.org_a).count() == 2


def test_a_clock_that_is_wrong_does_not_hide_a_flow(cast, pair):
    web, db = pair
    moments = (0, -1e18, 1e18, time.time() + 86_400, time.time() - 10 * 86_400)
    report(db, *(flow(web, db, at=moment) for moment in moments))
    ages = [timezone.now() - row.at for row in FlowLog.objects.for_org(cast.org_a)]
    assert len(ages) == len(moments)
    assert all(timedelta(0) <= age < timedelta(minutes=1) for age in ages)


def test_where_it_is_off_nothing_is_taken_and_the_search_says_so(cast, pair):
    web, db = pair
    report(db, flow(web, db))
    OrgSettings.objects.for_org(cast.org_a).update(flow_logs_enabled=False)
    assert report(db, flow(web, db), status=403)["code"] == "FEATURE_NOT_ENABLED"
    answer = found(cast)
    assert (answer["enabled"], len(answer["flows"])) == (False, 1)


@pytest.mark.parametrize(
    "wrong",
    [
        *({"port": port} for port in (-1, 65536, 1.5, "443", True, None)),
        *({"bytes": size} for size in (-1, 1 << 49, "1", True)),
        *({"at": moment} for moment in ("now", True, None, [])),
        *({"source": text} for text in ("web", "", "10.0.0.0/8", "1.2.3.4.5", None)),
        *({"protocol": text} for text in ("", "sctp", "256", "-1", "TCP", "٣")),
        {"verdict": "maybe"},
        {"rule_id": "x" * 65},
        {"count": 1 << 30},
    ],
)
def test_a_malformed_row_is_refused_and_nothing_of_its_report_is_kept(cast, pair, wrong):
    web, db = pair
    error = report(db, flow(web, db), flow(web, db, **wrong), status=400)
    assert error["code"] in ("INVALID_INPUT", "VALIDATION_ERROR", "MISSING_FIELDS", "INVALID_VALUE")
    assert not FlowLog.objects.for_org(cast.org_a).exists()
    assert not FlowReport.objects.for_org(cast.org_a).exists()


def test_a_report_is_bounded(cast, pair):
    web, db = pair
    report(db, *[flow(web, db)] * 501, status=400)
    assert report(db, *[flow(web, db)] * 500)["accepted"] == 500
    for _ in range(20):
        answer = db.client.call(URL, {"from": 1.0, "to": time.time(), "rows": []})
    assert answer.status_code == 429
    assert "Retry-After" in answer.headers


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_not_a_number_is_no_number(cast, pair, number):
    web, db = pair
    report(db, flow(web, db, at=number), status=400)
    report(db, flow(web, db), status=400, **{"from": number})


def test_machines_and_rules_of_others_mean_nothing_here(cast, pair):
    """A machine that lies gets its own name into its own organisation's log, and nothing else."""
    web, db = pair
    theirs = rule(cast.charlie, cast.org_b, name="theirs")
    foreign = enrol(auth_key(cast.charlie, cast.org_b)["key"], "spy")
    Machine.all_orgs.filter(pk=foreign.id).update(tailnet_ip="100.127.0.9")
    lies = {"machine_id": web.id, "org_id": str(cast.org_b.pk)}
    report(db, flow(web, db, source="100.127.0.9", rule_id=theirs["id"], **lies), **lies)
    one = only(cast)
    assert (one["machine"]["id"], one["source"]["id"], one["rule"]) == (db.id, None, None)
    assert act(cast.charlie, cast.org_b, "policy", "flows")["flows"] == []
    assert report(foreign, flow(web, db), status=403)["code"] == "FEATURE_NOT_ENABLED"


def test_members_do_not_read_who_talks_to_whom_and_auditors_do(cast, pair):
    web, db = pair
    report(db, flow(web, db))
    for action in ("flows", "flows_export"):
        assert act(cast.bob, cast.org_a, "policy", action, 403)["code"] == "FORBIDDEN"
        assert act(cast.charlie, cast.org_a, "policy", action, 403)["code"] == "FORBIDDEN"
    assert rows(cast.bob, cast.org_a, "flow_logs").status_code == 403
    assert cast.alice.client.call(URL, {"from": 0, "to": 1, "rows": []}).status_code in (401, 403)
    OrgMember.objects.for_org(cast.org_a).filter(user=cast.bob.user).update(role="auditor")
    assert len(found(cast, cast.bob)["flows"]) == 1
    assert len(data(rows(cast.bob, cast.org_a, "flow_logs"))) == 1


def test_the_export_is_a_table_that_no_spreadsheet_runs_and_is_on_record(cast, pair):
    web, db = pair
    made = rule(cast.alice, cast.org_a, name="=HYPERLINK(1)")
    report(db, flow(web, db, rule_id=made["id"]), flow(web, db, verdict="deny", port=22))
    body = {"action": "flows_export", "org_id": str(cast.org_a.pk), "verdict": "allow"}
    answer = cast.alice.client.call("/api/policy", body)
    assert answer.headers["Content-Type"].startswith("text/csv")
    (one,) = csv.DictReader(io.StringIO(answer.content.decode()))
    assert (one["source"], one["destination"], one["port"]) == ("web", "db", "5432")
    assert one["rule"] == "'=HYPERLINK(1)"
    entry = AuditLog.objects.for_org(cast.org_a).get(action="flow_logs.exported")
    assert entry.details["filters"] == {"verdict": "allow"}


def test_flows_go_after_thirty_days_and_the_job_may_run_twice(cast, pair):
    web, db = pair
    report(db, flow(web, db), flow(web, db, port=22))
    old = timezone.now() - timedelta(days=31)
    FlowLog.all_orgs.filter(port=22).update(created_at=old)
    FlowReport.all_orgs.update(created_at=old)
    assert prune_flows() == {"flows": 1, "reports": 1}
    assert prune_flows() == {"flows": 0, "reports": 0}
    assert only(cast)["port"] == 5432
