"""Run as a program, on whichever database the environment names: enrolments all at once.

Prints one JSON object: what each of many threads got.
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

from apps.auth.models import User  # noqa: E402
from apps.core.actors import Actor  # noqa: E402
from apps.core.errors import ApiError  # noqa: E402
from apps.machines.keys import KeyBundle  # noqa: E402
from apps.machines.models import AuthKey, Machine  # noqa: E402
from apps.machines.services.authkeys import create_auth_key  # noqa: E402
from apps.machines.services.enrolment import Candidate, judge_auth_key, register_machine  # noqa: E402
from apps.machines.tests.agents import Keys, b64  # noqa: E402
from apps.orgs.services import create_organization  # noqa: E402

# More than any server of ours runs; SQLite's waiting writers draw lots, so that many more starve.
THREADS = 24


def run(machines: int, reusable: bool) -> dict[str, object]:
    """Register `machines` machines of one name with one key, as much at once as can be."""
    name = f"race-{machines}-{reusable}".lower()
    user = User.objects.create_user(f"{name}@example.com", "correct horse battery staple")
    actor = Actor(kind="user", id=user.pk, email=user.email, role="owner")
    org = create_organization(user=user, actor=actor, name=name, slug=name)
    _, secret = create_auth_key(org=org, actor=actor, name="race", reusable=reusable)
    start = threading.Barrier(min(THREADS, machines))

    def enrol(number: int) -> str:
        keys = KeyBundle(wireguard=b64(Keys().wireguard))
        try:
            if number < start.parties:
                start.wait(30)
            register_machine(
                auth_key=judge_auth_key(secret, address="127.0.0.1"),
                credential=secret,
                candidate=Candidate(name="same", os="linux", keys=keys),
                actor=Actor(kind="user", ip_address="127.0.0.1"),
            )
            return "OK"
        except ApiError as error:
            return error.code
        finally:
            connection.close()

    with ThreadPoolExecutor(min(THREADS, machines)) as pool:
        results = Counter(pool.map(enrol, range(machines)))
    rows = Machine.objects.for_org(org)
    return {
        "results": results,
        "rows": rows.count(),
        "addresses": rows.values("tailnet_ip").distinct().count(),
        "names": rows.values("name").distinct().count(),
        "used_count": AuthKey.objects.for_org(org).get().used_count,
    }


if __name__ == "__main__":
    call_command("migrate", verbosity=0)
    json.dump({"many": run(200, True), "single": run(20, False)}, sys.stdout)
