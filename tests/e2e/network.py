"""An organisation for the browser to look at: people, machines that speak to the API, signing in."""

import base64
import re
import secrets
import time

PUSH = """
from uuid import UUID

from apps.auth.models import User
from apps.core.actors import Actor
from apps.orgs.idpgroups import Told, sync_groups

ids = dict(User.objects.values_list("email", "pk"))
groups = [Told(name, user_ids=[ids[email] for email in emails]) for name, emails in {groups!r}.items()]
sync_groups(org=UUID({org!r}), actor=Actor.job("scim"), source="scim", groups=groups)
"""
ADMIN, PASSWORD = "ada@example.test", "a sentence nobody would guess"
MAIL_SECONDS = 60


class Network:
    """An organisation of ADMIN's. machines: name -> what its registration answered."""

    def __init__(self, control_plane, *machines):
        self.plane = control_plane
        self._tokens = {ADMIN: self._sign_up(ADMIN)}
        self.org = None
        self.org = self.act("org-management", "create", name="Acme")["id"]
        self._key = self.act("key-management", "create_auth_key", name="key", reusable=True)["key"]
        self.machines = {name: self._register(name) for name in machines}

    def invite(self, email, role):
        """Have somebody join."""
        self._tokens[email] = self._sign_up(email)
        self.act("org-management", "invite_member", email=email, role=role)
        self.call("/api/accept-invitation", {"token": self._invitation(email)}, self._tokens[email])

    def act(self, topic, action, by=ADMIN, **values):
        """An action of ADMIN's, or of somebody else's; its data."""
        body = {"action": action, **({"org_id": self.org} if self.org else {}), **values}
        return self.call(f"/api/{topic}", body, self._tokens[by])

    def add(self, table, **values):
        """A new row; ADMIN's."""
        return self.call(f"/api/db/{table}", {"org_id": self.org, **values}, self._tokens[ADMIN])

    def change(self, table, row_id, **values):
        return self.call(f"/api/db/{table}", {**values, "_filters": {"id": row_id}}, self._tokens[ADMIN])

    def push_groups(self, groups):
        """Groups of people as a provider pushes them: name -> e-mail addresses. No browser hears of it."""
        self.plane.run(PUSH.format(groups=groups, org=self.org))

    def id_of(self, name):
        return self.machines[name]["machine_id"]

    def call(self, path, body, token=None):
        """The data of an answer, which must be a success."""
        answer = self.plane.post(path, body, token)
        assert answer["success"], answer
        return answer["data"]

    def _sign_up(self, email):
        return self.call("/api/auth/signup", {"email": email, "password": PASSWORD})["token"]

    def _register(self, name):
        public = base64.b64encode(secrets.token_bytes(32)).decode()
        body = {"auth_key": self._key, "name": name, "os": "linux", "wireguard_public_key": public}
        return self.call("/api/register-machine", body)

    def _invitation(self, email):
        """The token of the mail, which a job sends a little later."""
        deadline = time.monotonic() + MAIL_SECONDS
        while time.monotonic() < deadline:
            for mail in (self.plane.directory / "mail").glob("*"):
                # A log file holds every mail of one connection.
                for text in mail.read_text().replace("=\n", "").split("-" * 79):
                    if f"To: {email}" in text and (found := re.search(r"/invite/([0-9a-f]{64})", text)):
                        return found[1]
            time.sleep(0.2)
        raise AssertionError("no invitation was mailed")


def sign_in(page, network, email=ADMIN):
    """The console as somebody sees it."""
    page.goto(f"{network.plane.url}/auth")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url("**/dashboard")
    return page
