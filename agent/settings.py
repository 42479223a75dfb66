"""Where this process finds its files and its control plane; the environment is read here only."""

import hashlib
import os
import platform as host
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from agent.errors import AgentError
from wire.numbers import PSK_RENEWAL_SECONDS

DEFAULT_API_URL = "https://login.quickztna.com"
DEFAULT_INTERFACE = "ztna0"
LOG_LEVELS = ("debug", "info", "warn", "error")
_INTERFACE_MAX = 15


@dataclass(frozen=True, slots=True)
class Settings:
    """Directories and overrides of one profile."""

    directory: Path
    api_url: str | None
    ca_file: str | None
    interface: str
    auth_key: str | None
    log_level: str
    psk_seconds: float = PSK_RENEWAL_SECONDS
    port_mapping: bool = True
    port: str = "auto"
    userspace: bool = False
    proxy: tuple[str, int] | None = None

    @property
    def socket(self) -> Path:
        """The daemon's socket: one for each state directory, in a short path (108 bytes at most)."""
        digest = hashlib.sha256(str(self.directory).encode()).hexdigest()[:12]
        if os.geteuid() == 0:
            return Path("/run/quickztna") / f"{digest}.sock"
        runtime = os.environ.get("XDG_RUNTIME_DIR") or str(self.directory)
        return Path(runtime) / f"quickztna-{digest}.sock"

    @property
    def proxy_socket(self) -> Path:
        """Where the proxy of userspace mode serves our own user."""
        return self.socket.with_suffix(".proxy")

    @property
    def pid_file(self) -> Path:
        """Holds the daemon's process id."""
        return self.directory / "ztna.pid"

    @property
    def log_file(self) -> Path:
        """The daemon's log."""
        return self.directory / "ztna.log"


def load(log_level: str | None = None) -> Settings:
    """Settings from the environment; AgentError names what is wrong."""
    interface = os.environ.get("QUICKZTNA_INTERFACE") or DEFAULT_INTERFACE
    if not 1 <= len(interface) <= _INTERFACE_MAX or not interface.replace("-", "").isalnum():
        raise AgentError(
            "INVALID_INPUT", f"QUICKZTNA_INTERFACE must be 1 to {_INTERFACE_MAX} letters, digits and hyphens"
        )
    level = log_level or os.environ.get("QUICKZTNA_LOG_LEVEL") or "info"
    if level not in LOG_LEVELS:
        raise AgentError("INVALID_INPUT", f"log level must be one of {', '.join(LOG_LEVELS)}")
    directory = os.environ.get("QUICKZTNA_CONFIG_DIR") or str(_default_directory())
    return Settings(
        directory=Path(directory).expanduser().absolute(),
        api_url=os.environ.get("ZTNA_API_URL") or None,
        ca_file=os.environ.get("QUICKZTNA_CA_FILE") or None,
        interface=interface,
        auth_key=os.environ.get("ZTNA_AUTH_KEY") or None,
        log_level=level,
        psk_seconds=_psk_seconds(os.environ.get("QUICKZTNA_PSK_SECONDS")),
        port_mapping=_choice("QUICKZTNA_PORT_MAPPING", "on", "off") == "on",
        port=_choice("QUICKZTNA_PORT", "auto", "owned"),
        userspace=_choice("QUICKZTNA_USERSPACE", "off", "on") == "on",
        proxy=proxy_place(os.environ.get("QUICKZTNA_PROXY")),
    )


def check_api_url(url: str) -> str:
    """The address of a control plane without a trailing slash; plain HTTP on loopback only."""
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username:
        raise AgentError("INVALID_INPUT", f"{url!r} is not the address of a control plane (https://host)")
    if parts.scheme == "http" and parts.hostname not in ("127.0.0.1", "::1", "localhost"):
        raise AgentError("INVALID_INPUT", "the control plane must be reached by https://")
    return f"{parts.scheme}://{parts.netloc}"


def proxy_place(text: str | None) -> tuple[str, int] | None:
    """host:port of loopback, where no other machine can get in."""
    if not text:
        return None
    host, _, port = text.rpartition(":")
    if host not in ("127.0.0.1", "localhost", "[::1]") or not port.isdecimal() or not 1 <= int(port) <= 65535:
        raise AgentError("INVALID_INPUT", f"the proxy's place must be 127.0.0.1:PORT, not {text!r}")
    return host.strip("[]"), int(port)


def platform_name() -> str:
    """linux, macos or windows."""
    return {"darwin": "macos", "win32": "windows"}.get(sys.platform, sys.platform)


def machine_arch() -> str:
    """amd64, arm64, or what the kernel says."""
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(host.machine(), host.machine())


def _choice(name: str, *values: str) -> str:
    """A variable that has one of a few values; the first one when it is not set."""
    value = os.environ.get(name) or values[0]
    if value not in values:
        raise AgentError("INVALID_INPUT", f"{name} must be {' or '.join(values)}")
    return value


def _psk_seconds(text: str | None) -> float:
    """How often pair keys are renewed: never more rarely than by default."""
    try:
        seconds = float(text) if text else PSK_RENEWAL_SECONDS
    except ValueError:
        seconds = 0.0
    if not 1.0 <= seconds <= PSK_RENEWAL_SECONDS:
        raise AgentError("INVALID_INPUT", f"QUICKZTNA_PSK_SECONDS must be 1 to {PSK_RENEWAL_SECONDS}")
    return seconds


def _default_directory() -> Path:
    base = os.environ.get("XDG_CONFIG_HOME")
    return Path(base) / "ztna" if base else Path.home() / ".config" / "ztna"
