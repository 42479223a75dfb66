"""Stand-ins for agents: real keys, real signatures, and calls over HTTP."""

import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tests.cast import ApiClient, Person
from wire import identity
from wire.binary import encode_key as b64


@dataclass
class Keys:
    """A machine's key material; only the identity needs its private half here."""

    identity: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    wireguard: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    disco: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    mlkem: bytes = field(default_factory=lambda: secrets.token_bytes(1184))

    @property
    def identity_public(self) -> bytes:
        return self.identity.public_key().public_bytes_raw()

    @property
    def bundle(self) -> bytes:
        return identity.signed_bundle(
            identity=self.identity_public, wireguard=self.wireguard, disco=self.disco, mlkem=self.mlkem
        )

    def fields(self) -> dict[str, str]:
        """What register-machine takes."""
        return {
            "wireguard_public_key": b64(self.wireguard),
            "disco_public_key": b64(self.disco),
            "mlkem_public_key": b64(self.mlkem),
            "identity_public_key": b64(self.identity_public),
            "identity_signature": b64(self.identity.sign(self.bundle)),
        }


@dataclass
class Agent:
    """An enrolled machine."""

    id: str
    name: str
    node_key: str
    keys: Keys
    answer: dict[str, Any]

    @property
    def client(self) -> ApiClient:
        return ApiClient(self.node_key)

    def heartbeat(self, **body: Any) -> Any:
        return self.client.call("/api/machine-heartbeat", {"status": "online", **body})


def auth_key(person: Person, org: Any, **values: Any) -> dict[str, Any]:
    """A new auth key, as the API answers it."""
    body = {"action": "create_auth_key", "org_id": str(org.pk), "name": "key", **values}
    response = person.client.call("/api/key-management", body)
    assert response.status_code == 201, response.content
    return response.json()["data"]


def register(key: str, name: str = "alpha", *, keys: Keys | None = None, **values: Any) -> Any:
    """The raw response to a registration."""
    keys = keys or Keys()
    body = {"auth_key": key, "name": name, "os": "linux", **keys.fields(), **values}
    return ApiClient().call("/api/register-machine", body)


def enrol(key: str, name: str = "alpha", **values: Any) -> Agent:
    """A machine that registered without trouble."""
    keys = values.pop("keys", None) or Keys()
    response = register(key, name, keys=keys, **values)
    assert response.status_code == 200, response.content
    data = response.json()["data"]
    return Agent(data["machine_id"], data["name"], data["node_key"], keys, data)


def code(response: Any) -> tuple[int, str]:
    """(status, error code)."""
    return response.status_code, response.json()["error"]["code"]


def admin(person: Person, action: str, agent: Agent | str, **values: Any) -> Any:
    """A machine-admin call."""
    machine_id = agent if isinstance(agent, str) else agent.id
    return person.client.call("/api/machine-admin", {"action": action, "machine_id": machine_id, **values})
