"""Settings of a relay, from QZRELAY_* in the environment; a bad or unknown one stops the start."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from relay.mesh import MeshConfig
from wire.numbers import RELAY_PORT, STUN_PORT

PREFIX = "QZRELAY_"
MAX_WORKERS = 64
_MESH_SETTINGS = ("mesh", "mesh_number", "mesh_ca", "mesh_certificate", "mesh_private_key")
ANY_INTERFACE = "0.0.0.0"  # noqa: S104 a relay serves every interface


class ConfigError(Exception):
    """A setting is missing, unknown or out of bounds; the message says which."""


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """jwks is the URL or the file of the control plane's signing keys (RFC 7517).

    The relay listens for TLS on listen:port (and the STUN server on listen:stun_port; 0 is off).
    stun_workers is its number of processes, by default one a core.
    workers is the number of processes, which share the port and are joined by links. Metrics and
    health are answered on 127.0.0.1:admin_port (0 is off), by further workers on the ports after it.
    client_mbit and organisation_mbit are rates in Mbit/s at which clients are read (0 is any).
    mesh joins it to the other relays of its region.
    ca_file adds a private authority for fetching jwks by https. require_hybrid refuses handshakes
    without the hybrid key exchange, and the start where the installation cannot check that.
    report_token_file holds the key with which who is connected is reported to the control plane; without
    it nothing is.
    """

    region: str
    certificate: Path
    private_key: Path
    jwks: str
    listen: str = ANY_INTERFACE
    port: int = RELAY_PORT
    stun_port: int = STUN_PORT
    stun_workers: int = 1
    admin_port: int = 0
    workers: int = 1
    client_mbit: int = 0
    organisation_mbit: int = 0
    mesh: MeshConfig | None = None
    ca_file: Path | None = None
    require_hybrid: bool = False
    report_token_file: Path | None = None


def from_environment(environment: Mapping[str, str]) -> RelayConfig:
    """Read the settings; ConfigError names the first one that is wrong."""
    given = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.startswith(PREFIX)
    }
    known = {*RelayConfig.__dataclass_fields__, *_MESH_SETTINGS}
    for name in sorted(set(given) - known):
        raise ConfigError(f"{PREFIX}{name.upper()} is not a setting")
    for name in ("region", "certificate", "private_key", "jwks"):
        if not given.get(name):
            raise ConfigError(f"{PREFIX}{name.upper()} is required")
    ca_file, report = given.get("ca_file"), given.get("report_token_file")
    if report and not _confidential(given["jwks"]):
        raise ConfigError(f"{PREFIX}REPORT_TOKEN_FILE needs a {PREFIX}JWKS that is an https URL")
    return RelayConfig(
        region=given["region"],
        certificate=_file("certificate", given["certificate"]),
        private_key=_file("private_key", given["private_key"]),
        jwks=given["jwks"],
        listen=given.get("listen", ANY_INTERFACE),
        port=_port("port", given.get("port"), RELAY_PORT),
        stun_port=_port("stun_port", given.get("stun_port"), STUN_PORT),
        admin_port=_port("admin_port", given.get("admin_port"), 0),
        stun_workers=_count("stun_workers", given.get("stun_workers"), os.cpu_count() or 1),
        workers=_count("workers", given.get("workers"), 1),
        client_mbit=_rate("client_mbit", given.get("client_mbit")),
        organisation_mbit=_rate("organisation_mbit", given.get("organisation_mbit")),
        mesh=_mesh(given),
        ca_file=_file("ca_file", ca_file) if ca_file else None,
        require_hybrid=_switch("require_hybrid", given.get("require_hybrid")),
        report_token_file=_file("report_token_file", report) if report else None,
    )


def _confidential(url: str) -> bool:
    """Whether a secret may be sent there."""
    parts = urlsplit(url)
    return parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1"))


def _port(name: str, value: str | None, default: int) -> int:
    if value is None:
        return default
    if not value.isdecimal() or int(value) > 65535:
        raise ConfigError(f"{PREFIX}{name.upper()} must be a port number, not {value!r}")
    return int(value)


def _rate(name: str, value: str | None) -> int:
    if value is not None and not value.isdecimal():
        raise ConfigError(f"{PREFIX}{name.upper()} must be a number of Mbit/s, not {value!r}")
    return int(value or 0)


def _mesh(given: Mapping[str, str]) -> MeshConfig | None:
    """All of its settings, or none."""
    missing = [PREFIX + name.upper() for name in _MESH_SETTINGS if not given.get(name)]
    if len(missing) == len(_MESH_SETTINGS):
        return None
    if missing:
        raise ConfigError(f"a mesh of relays needs {', '.join(missing)} too")
    places = []
    for entry in given["mesh"].split():
        host, _, port = entry.rpartition(":")
        if not host or not _port("mesh", port, 0):
            raise ConfigError(f"{PREFIX}MESH must be a list of host:port, not {entry!r}")
        places.append((host.strip("[]"), int(port)))
    number = given["mesh_number"]
    if not number.isdecimal() or not 1 <= int(number) <= len(places):
        raise ConfigError(f"{PREFIX}MESH_NUMBER must be a number from 1 to {len(places)}, not {number!r}")
    files = (_file(name, given[name]) for name in _MESH_SETTINGS[2:])
    return MeshConfig(tuple(places), int(number), *files)


def _count(name: str, value: str | None, default: int) -> int:
    if value is None:
        return min(default, MAX_WORKERS)
    if not value.isdecimal() or not 1 <= int(value) <= MAX_WORKERS:
        raise ConfigError(f"{PREFIX}{name.upper()} must be a number from 1 to {MAX_WORKERS}, not {value!r}")
    return int(value)


def _switch(name: str, value: str | None) -> bool:
    if value not in (None, "", "yes", "no"):
        raise ConfigError(f"{PREFIX}{name.upper()} must be yes or no, not {value!r}")
    return value == "yes"


def _file(name: str, value: str) -> Path:
    path = Path(value)
    if not path.is_file():
        raise ConfigError(f"{PREFIX}{name.upper()}: no file at {value}")
    return path
