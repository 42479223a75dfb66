"""The command line against a real control plane."""

import subprocess
import sys

import httpx

from agent.state import Config, Store, Tokens
from apps.machines.tests.agents import Keys
from tests.e2e.conftest import ROOT


class Shell:
    """A group of commands, signed in as an owner of an organisation with machines alpha and beta."""

    def __init__(self, plane, directory, group):
        self.directory, self._group, self._plane = directory, group, plane
        person = {"email": f"{group}@example.test", "password": "correct horse battery", "full_name": "Ada"}
        self.token = token = self._data(plane.post("/api/auth/signup", person))["token"]
        created = {"action": "create", "name": "Rules"}
        self.org = self._data(plane.post("/api/org-management", created, token))["id"]
        body = {"action": "create_auth_key", "org_id": self.org, "name": "key", "reusable": True}
        key = self._data(plane.post("/api/key-management", body, token))["key"]
        self.machines, self.node_keys = {}, {}
        for name in ("alpha", "beta"):
            fields = {"auth_key": key, "name": name, "os": "linux", **Keys().fields()}
            answer = self.post("/api/register-machine", fields)
            self.machines[name], self.node_keys[name] = answer["machine_id"], answer["node_key"]
        store = Store(directory / "profile")
        store.save(Config(api_url=plane.url, org_id=self.org))
        store.save(Tokens(token))

    def _data(self, answer):
        assert answer["success"], answer
        return answer["data"]

    def call(self, topic, action, token=None, **values):
        """An action of the API, by the owner or somebody else."""
        body = {"action": action, "org_id": self.org, **values}
        return self._data(self._plane.post(f"/api/{topic}", body, token or self.token))

    def post(self, path, body):
        """A call that brings its own credential; its data."""
        return self._data(self._plane.post(path, body))

    def insert(self, table, **values):
        """A new row of a table."""
        body = {"org_id": self.org, **values}
        return self._data(self._plane.post(f"/api/db/{table}", body, self.token))

    def table(self, name):
        """All rows of a table."""
        url = f"{self._plane.url}/api/db/{name}?org_id={self.org}"
        return self._data(
            httpx.get(url, headers={"Authorization": f"Bearer {self.token}"}, timeout=20).json()
        )

    def join(self, email, role):
        """The token of a further member."""
        person = {"email": email, "password": "correct horse battery", "full_name": "Grace"}
        token = self._data(self._plane.post("/api/auth/signup", person))["token"]
        invited = self.call("org-management", "invite_member", email=email, role=role, copy_link=True)
        self._data(self._plane.post("/api/accept-invitation", {"token": invited["token"]}, token))
        return token

    def run(self, *arguments, status=0):
        with self.start(*arguments) as running:
            output, self.errors = running.communicate(timeout=60)
        assert running.returncode == status, output + self.errors
        assert "Traceback" not in self.errors
        return output if status == 0 else output + self.errors

    def start(self, *arguments):
        """The command, still running."""
        return subprocess.Popen(
            [sys.executable, "-m", "agent", self._group, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env={"PATH": "/usr/bin:/bin", "QUICKZTNA_CONFIG_DIR": str(self.directory / "profile")},
        )

    def file(self, text):
        path = self.directory / "policy.yaml"
        path.write_text(text)
        return str(path)
