"""Run as a program, on whichever database the environment names: reports while posture is planned, and
while machines come into scopes and leave them.

Prints one JSON object: what became of the plans and of the reports.
"""

import json
import os
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quickztna.settings")
django.setup()

from django.core.management import call_command  # noqa: E402
from django.db import connection  # noqa: E402
from django.test.utils import setup_test_environment  # noqa: E402

from apps.auth.models import User  # noqa: E402
from apps.auth.sessions import open_session  # noqa: E402
from apps.core.actors import Actor  # noqa: E402
from apps.machines.models import Machine  # noqa: E402
from apps.machines.services.edits import update_tags  # noqa: E402
from apps.machines.tests.agents import enrol  # noqa: E402
from apps.orgs.services import create_organization  # noqa: E402
from apps.posture.services.reports import take_report  # noqa: E402
from tests.cast import ApiClient  # noqa: E402

MACHINES, PLANS = 8, 12
SIGNALS = {"disk_encrypted": True, "antivirus_enabled": True}


def run() -> dict[str, object]:
    """Machines report again and again, healthy and not, while posture is planned, taken back and edited."""
    user = User.objects.create_user("race@example.com", "correct horse battery staple")
    actor = Actor(kind="user", id=user.pk, email=user.email, role="owner")
    org = create_organization(user=user, actor=actor, name="race", slug="race")
    owner = ApiClient(open_session(user=user, kind="cli", actor=actor).access)

    def ask(topic: str, **body: object) -> dict:
        answer = owner.call(f"/api/{topic}", {"org_id": str(org.pk), **body}).json()
        assert answer["success"], answer
        return answer["data"]

    key = ask("key-management", action="create_auth_key", name="race", reusable=True)["key"]
    agents = [enrol(key, f"m{number}") for number in range(MACHINES)]
    for agent in agents:
        agent.heartbeat()
    ask("org-management", action="update_org_settings", posture_enforcement="enforce")
    done, failures = threading.Event(), Counter()

    def report(agent) -> int:
        count = 0
        try:
            while not done.is_set():
                machine = Machine.objects.for_org(org).get(pk=agent.id)
                values = {**SIGNALS, "firewall_enabled": count % 2 == 0}
                take_report(node=machine, actor=Actor(kind="machine", id=machine.pk), values=values)
                count += 1
        except Exception as error:
            failures[type(error).__name__] += 1
        finally:
            connection.close()
        return count

    def retag() -> None:
        try:
            count = 0
            while not done.is_set():
                count += 1
                for agent in agents:
                    update_tags(org=org, actor=actor, machine_id=agent.id, tags=["crew"] * (count % 2))
        except Exception as error:
            failures[f"tags: {type(error).__name__}"] += 1
        finally:
            connection.close()

    def follow() -> bool:
        """A policy whose scope machines come into, and that goes with its group."""
        group = ask("db/segmentation_groups", name="crew")
        scope = {"groups": ["crew"], "tags": ["crew"]}
        policy = ask("db/posture_policies", name="crew", require_firewall=True, scope=scope)
        members = [{"group_id": group["id"], "machine_id": agent.id} for agent in agents]
        joined = ask("db/segmentation_group_members", rows=members)["rows"]
        left = owner.call("/api/db/segmentation_group_members", {"id": joined[0]["id"]}, method="DELETE")
        forced = {"id": group["id"], "force": True}
        ended = owner.call("/api/db/segmentation_groups", forced, method="DELETE")
        removed = owner.call("/api/db/posture_policies", {"id": policy["id"]}, method="DELETE")
        return {each.status_code for each in (left, ended, removed)} == {200}

    results: Counter[str] = Counter()

    def change() -> None:
        try:
            for number in range(PLANS):
                policy = {"name": f"p{number}", "require_firewall": True}
                changes = {
                    "posture_policies": {"create": [policy]},
                    "segmentation_groups": {
                        "create": [{"name": f"g{number}", "members": [agent.id for agent in agents]}]
                    },
                }
                made = ask("policy", action="plan", changes=changes)
                for action in ("apply", "rollback"):
                    found = ask("policy", action=action, plan_id=made["plan_id"], **FORCED[action])
                    results[found["status"]] += 1
                direct = ask("db/posture_policies", name="direct", require_firewall=True)
                gone = owner.call("/api/db/posture_policies", {"id": direct["id"]}, method="DELETE")
                results["direct"] += gone.status_code == 200
                results["followed"] += follow()
        except Exception as error:
            failures[f"plan: {type(error).__name__}: {error}"[:300]] += 1
        finally:
            done.set()
            connection.close()

    with ThreadPoolExecutor(MACHINES + 2) as pool:
        reports = [pool.submit(report, agent) for agent in agents]
        pool.submit(retag)
        pool.submit(change).result()
        counts = [each.result() for each in reports]
    held = Machine.objects.for_org(org).filter(quarantine_reason="posture").count()
    return {"results": results, "failures": failures, "reported": min(counts) > 0, "held": held}


# Everybody may be cut off for a moment: that is what is tried.
FORCED = {"apply": {"force": True}, "rollback": {}}

if __name__ == "__main__":
    setup_test_environment()
    call_command("migrate", verbosity=0)
    json.dump(run(), sys.stdout)
