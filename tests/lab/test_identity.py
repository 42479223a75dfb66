"""A control plane that swaps a machine's keys: its peers refuse them, say so, and go on when told to."""

import json
import sqlite3
import time

import pytest

from agent.keys import MachineKeys
from tests.lab.demo import enrol, settled
from tests.lab.site import site, wait_until

pytestmark = pytest.mark.lab


def swap_keys(running, name):
    """Put another machine's keys, properly signed, in the place of a machine's own."""
    announced = MachineKeys.generate().announcement()
    columns = {"public_key": announced.pop("wireguard_public_key"), **announced}
    assignments = ", ".join(f"{column} = ?" for column in columns)
    with sqlite3.connect(running.directory / "control" / "quickztna.sqlite3", timeout=20) as database:
        done = database.execute(
            f"UPDATE machines SET {assignments} WHERE name = ?", (*columns.values(), name)
        )
    assert done.rowcount == 1
    database.close()


def announce(running, account, machine_id, name):
    """Any change of the machine makes the control plane send its row, swapped keys included."""
    body = {"action": "rename", "org_id": account.org_id, "machine_id": machine_id, "name": name}
    running.request("POST", "/api/machine-admin", token=account.token, json=body)


def test_swapped_keys_are_refused_reported_and_accepted_by_a_person_only(tmp_path):
    with site(tmp_path) as running:
        account = running.sign_up("Lab")
        machines = enrol(running, account)
        wait_until(lambda: settled(machines), "a hybrid path between every pair", 60, pause=0.5)
        alpha = machines["alpha"]
        beta = alpha.peers()["beta"]
        swap_keys(running, "beta")
        running.stop_control()
        running.start_control()
        announce(running, account, beta["id"], "bravo")

        wait_until(lambda: alpha.peers().get("bravo", {}).get("refused"), "the refusal on alpha", 20)
        shown = alpha.ztna("peers")
        assert "refused" in shown
        assert "identity" in (alpha.directory / "ztna.log").read_text()
        # Neither the old keys nor the new ones are in the tunnel any more.
        assert alpha.peers()["bravo"]["path"] == "none"
        ping = alpha.host.run("ping", "-n", "-c2", "-W1", beta["tailnet_ip"], check=False)
        assert " 0 received" in ping

        search = {
            "action": "search_audit_logs",
            "org_id": account.org_id,
            "audit_action": "machine.peer_identity_refused",
        }

        def reported():
            found = running.request("POST", "/api/governance", token=account.token, json=search)
            return {entry["details"]["refused_by"] for entry in found["logs"]} >= {"alpha", "gamma"}

        wait_until(reported, "both peers' reports in the trail", 20)

        alpha.ztna("peers", "accept", "bravo", check=False)
        assert alpha.peers()["bravo"]["refused"]  # asking was not answered: nothing changed
        answer = json.loads(alpha.ztna("peers", "accept", "bravo", "--yes", "--json"))
        assert answer["accepted"] == "bravo"
        wait_until(lambda: not alpha.peers()["bravo"]["refused"], "the accepted peer", 5)
        time.sleep(1)
        assert machines["gamma"].peers()["bravo"]["refused"]  # each machine decides for itself
