"""Files of one profile: written whole or not at all, readable by their owner only."""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from agent.errors import AgentError

_T = TypeVar("_T", "Config", "MachineState", "Tokens")


@dataclass(frozen=True, slots=True)
class Config:
    """Preferences: which control plane and organisation, under which name, and what this host does.

    exit_node: name, address or id of a peer, or "auto". bypass: networks that avoid an exit node.
    """

    api_url: str | None = None
    org_id: str | None = None
    org_slug: str | None = None
    email: str | None = None
    hostname: str | None = None
    shields_up: bool = False
    accept_routes: bool = False
    advertise_routes: tuple[str, ...] = ()
    advertise_exit_node: bool = False
    exit_node: str | None = None
    exit_node_allow_lan_access: bool = False
    accept_dns: bool = True
    dns_domain: str | None = None
    gateway: bool = False
    bypass: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MachineState:
    """The enrolment. Private keys, base64, and the node key never leave this file but to be used."""

    machine_id: str
    org_id: str
    name: str
    magicdns_name: str
    tailnet_ip: str
    node_key: str
    identity_private_key: str
    wireguard_private_key: str
    disco_private_key: str
    mlkem_private_key: str
    wireguard_public_key: str
    tailnet_ipv6: str | None = None
    tags: tuple[str, ...] = ()
    status: str = "online"


@dataclass(frozen=True, slots=True)
class Tokens:
    """A signed-in person, or the machine's own short-lived token."""

    access_token: str
    refresh_token: str | None = None


_FILES = {Config: "config.json", MachineState: "state.json", Tokens: "tokens.json"}


IDENTITY = "identity.json"
_WHO = ("machine_id", "identity_private_key")


class Store:
    """The state directory of one profile."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def config(self) -> Config:
        """Preferences, or the defaults."""
        return self._load(Config) or Config()

    def machine(self) -> MachineState | None:
        """The enrolment, if there is one."""
        return self._load(MachineState)

    def tokens(self) -> Tokens | None:
        """Who is signed in, if anybody."""
        return self._load(Tokens)

    def save(self, value: Config | MachineState | Tokens) -> None:
        """Replace the file of this kind; AgentError leaves the old one as it was."""
        self.save_json(_FILES[type(value)], asdict(value))

    def forget(self) -> None:
        """Remove the enrolment and all that came of it; preferences stay, and who this machine is.

        With its identity and an auth key it comes back as the same one; alone that opens nothing.
        """
        if machine := self.machine():
            self.save_json(IDENTITY, {name: getattr(machine, name) for name in _WHO})
        for name in ("tokens.json", "state.json", "netmap.json", "peers.json", "posture.json"):
            for path in (self.directory / name, self.directory / f"{name}.enc"):
                path.unlink(missing_ok=True)
        shutil.rmtree(self.directory / "psk", ignore_errors=True)

    def load_json(self, name: str) -> dict[str, Any] | None:
        """An object from a file; None without one, AgentError when it cannot be read as one."""
        path = self.directory / name
        try:
            document = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except PermissionError:
            raise AgentError("PERMISSION_DENIED", f"{path} belongs to another user; try with sudo") from None
        except (OSError, ValueError) as error:
            raise AgentError("BAD_STATE", f"{path} cannot be read: {error}") from None
        if not isinstance(document, dict):
            raise AgentError("BAD_STATE", f"{path} is damaged: not a JSON object")
        return document

    def save_json(self, name: str, document: Mapping[str, Any]) -> None:
        """Write a file of the directory in one step."""
        write_private(self.directory / name, json.dumps(document, indent=1).encode() + b"\n")

    def remove(self, name: str) -> None:
        """Remove a file of the directory, if it is there."""
        (self.directory / name).unlink(missing_ok=True)

    def _load(self, kind: type[_T]) -> _T | None:
        document = self.load_json(_FILES[kind])
        if document is None:
            return None
        known = {field.name for field in fields(kind)}
        values: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in document.items()
        }
        try:
            return kind(**{key: value for key, value in values.items() if key in known})
        except TypeError:
            raise AgentError(
                "BAD_STATE", f"{self.directory / _FILES[kind]} is damaged: a field is missing"
            ) from None


def write_private(path: Path, content: bytes) -> None:
    """Write 0600, sync, rename; AgentError, and the old file intact, when it cannot be done."""
    temporary: str | None = None
    try:
        private_directory(path.parent)
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
        raise AgentError("WRITE_FAILED", f"cannot write {path}: {error.strerror or error}") from None


def private_directory(path: Path) -> None:
    """Make a directory that only its owner may enter."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    if path.stat().st_mode & 0o077 and path.stat().st_uid == os.geteuid():
        path.chmod(0o700)
