"""From a saved rule to its enforcement: a thousand simulated agents and three real ones, embedded mode.

The real ones are daemons in network namespaces, with wireguard-go and nftables. Rules are written through
the API by an administrator; the clock runs from the request to the acknowledgement of each machine that
the rule concerns, as the control plane counts it. A rule of one group concerns a few machines, a rule for
everybody all of them.
"""

import argparse
import asyncio
import logging
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx

from tests.bench import agentfarm
from tests.bench.measure import finish, progress
from tests.lab.site import Account, Site, site, wait_until

AGENTS, REAL = 1000, 3
GROUP_EDITS, EVERYBODY_EDITS = 20, 6
SETTLE_SECONDS = 15.0


class Rules:
    """The administrator at work on the table of rules."""

    def __init__(self, running: Site, account: Account) -> None:
        self._http = httpx.AsyncClient(base_url=running.console_url, timeout=30, trust_env=False)
        self._headers = {"Authorization": f"Bearer {account.token}"}
        self._org_id = account.org_id

    async def save(self, method: str, rule_id: str | None = None, **values: Any) -> str:
        """Write one rule; its id."""
        filters = {"id": f"eq.{rule_id}"} if rule_id else {}
        answer = await self._http.request(
            method,
            "/api/db/acl_rules",
            params={"org_id": self._org_id, **filters},
            json=values or None,
            headers=self._headers,
        )
        envelope = answer.json()
        if not envelope["success"]:
            raise SystemExit(f"{method} acl_rules: {envelope['error']}")
        data = envelope["data"]
        row = data[0] if isinstance(data, list) else data
        return str(row["id"]) if row and "id" in row else rule_id or ""

    async def all(self) -> list[dict[str, Any]]:
        """The rules as they are."""
        answer = await self._http.get(
            "/api/db/acl_rules", params={"org_id": self._org_id}, headers=self._headers
        )
        return answer.json()["data"]


class Acknowledged:
    """What the control plane counted since a moment, by machine."""

    def __init__(self) -> None:
        from django.utils import timezone

        self._since = timezone.now()

    def took_ms(self) -> dict[str, list[int]]:
        """Times from commit to acknowledgement by machine id."""
        from apps.machines.models import NetmapAck

        found: dict[str, list[int]] = {}
        rows = NetmapAck.all_orgs.filter(created_at__gte=self._since)
        for machine_id, took in rows.values_list("machine_id", "took_ms"):
            found.setdefault(str(machine_id), []).append(took)
        return found


async def edit(rules: Rules, rule_id: str, times: int, concerned: int) -> dict[str, list[int]]:
    """Change the ports of a rule again and again, each time when all machines that it concerns follow."""
    gathered: dict[str, list[int]] = {}
    for number in range(times):
        acknowledged = Acknowledged()
        await rules.save("PATCH", rule_id, ports="*" if number % 2 else "22")
        deadline = time.monotonic() + SETTLE_SECONDS
        while len(found := await asyncio.to_thread(acknowledged.took_ms)) < concerned:
            if time.monotonic() > deadline:
                raise SystemExit(f"{len(found)} of {concerned} machines acknowledged")
            await asyncio.sleep(0.3)
        for machine_id, took in found.items():
            gathered.setdefault(machine_id, []).extend(took)
    return gathered


def figures_of(prefix: str, took: dict[str, list[int]]) -> dict[str, float]:
    """Median, 99th percentile and worst."""
    times = sorted(time for entries in took.values() for time in entries)
    return {
        f"{prefix}p50_ms": times[len(times) // 2],
        f"{prefix}p99_ms": times[min(len(times) - 1, len(times) * 99 // 100)],
        f"{prefix}max_ms": times[-1],
    }


async def measure(running: Site, account: Account, machines: list[agentfarm.Enrolled]) -> dict[str, Any]:
    """All edits under all agents."""
    rules = Rules(running, account)
    for row in await rules.all():
        await rules.save("DELETE", row["id"])
    ends = [*(f"tag:group{number}" for number in range(agentfarm.GROUPS)), "tag:real"]
    ids = [await rules.save("POST", name=end, source=end, destination=end) for end in ends]
    everybody = await rules.save("POST", name="everybody", source="tag:group0", destination="*")
    progress(f"connecting {len(machines)} agents")
    async with agentfarm.farm(machines, running.console_url) as agents:
        await asyncio.sleep(3)
        progress(f"{GROUP_EDITS} edits of a rule of one group")
        per_group = len(machines) // agentfarm.GROUPS
        one = await edit(rules, ids[1], GROUP_EDITS // 2, per_group)
        real = await edit(rules, ids[-1], GROUP_EDITS // 2, REAL)
        progress(f"{EVERYBODY_EDITS} edits of a rule for everybody")
        # The group that it speaks of has a wider rule of its own: nothing changes among them.
        everyone = await edit(rules, everybody, EVERYBODY_EDITS, len(machines) - per_group + REAL)
        errors = sum(len(agent.refusals) for agent in agents)
    simulated = {machine.machine_id for machine in machines}
    both: dict[str, list[int]] = {}
    for took in (one, real):
        for key, entries in took.items():
            both.setdefault(key, []).extend(entries)
    filtered = {key: entries for key, entries in (real | everyone).items() if key not in simulated}
    return {
        "agents": len(machines) + REAL,
        "real_agents": REAL,
        "edits": GROUP_EDITS + EVERYBODY_EDITS,
        **figures_of("", both),
        "everybody_agents": len(everyone),
        **figures_of("everybody_", everyone),
        **figures_of("real_", filtered),
        "errors": errors,
    }


def main() -> int:
    """Run and print."""
    parser = argparse.ArgumentParser(prog="./dev bench propagate", description=__doc__)
    parser.add_argument(
        "--json", action="store_true", help="accepted for symmetry: the last line is always JSON"
    )
    parser.add_argument("--agents", type=int, default=AGENTS, metavar="N", help="simulated agents (1000)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, site(Path(name), progress=progress) as running:
        account = running.sign_up("Propagate")
        running.set_up_django()
        logging.disable(logging.WARNING)
        machines = agentfarm.populate(account.org_id, options.agents)
        key = running.auth_key(account, tags=["real"])
        progress(f"starting {REAL} real agents")
        for number in range(REAL):
            machine = running.machine(running.lab.public_host(f"real{number}"))
            machine.up(key)
            wait_until(lambda one=machine: (one.json("status") or {}).get("tailnet_ip"), "enrolment", 20)
        figures = asyncio.run(measure(running, account, machines))
    finish("propagate", figures, {})
    return 0


if __name__ == "__main__":
    sys.exit(main())
