"""The command line against a real control plane."""

import subprocess
import sys

from agent.state import Config, Store, Tokens
from apps.machines.tests.agents import Keys
from tests.e2e.conftest import ROOT


class Shell:
    """A group of commands, signed in as an owner of an organisation with machines alpha and beta."""

    def __init__(self, plane, directory, group):
        self.directory, self._group = directory, group
        person = {"email": f"{group}@example.test", "password": "correct horse battery", "full_name": "Ada"}
        token = self._data(plane.post("/api/auth/signup", person))["token"]
        created = {"action": "create", "name": "Rules"}
        self.org = self._data(plane.post("/api/org-management", created, token))["id"]
        body = {"action": "create_auth_key", "org_id": self.org, "name": "key", "reusable": True}
        key = self._data(plane.post("/api/key-management", body, token))["key"]
        for name in ("alpha", "beta"):
            fields = {"auth_key": key, "name": name, "os": "linux", **Keys().fields()}
            self._data(plane.post("/api/register-machine", fields))
        store = Store(directory / "profile")
        store.save(Config(api_url=plane.url, org_id=self.org))
        store.save(Tokens(token))

    def _data(self, answer):
        assert answer["success"], answer
        return answer["data"]

    def run(self, *arguments, status=0):
        found = subprocess.run(
            [sys.executable, "-m", "agent", self._group, *arguments],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "QUICKZTNA_CONFIG_DIR": str(self.directory / "profile")},
        )
        assert found.returncode == status, found.stdout + found.stderr
        assert "Traceback" not in found.stderr
        self.errors = found.stderr
        return found.stdout if status == 0 else found.stdout + found.stderr

    def file(self, text):
        path = self.directory / "policy.yaml"
        path.write_text(text)
        return str(path)
