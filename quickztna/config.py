"""The only reader of the environment: every setting, its type and its default.

A bad value or an unknown QZTNA_* name raises ConfigError, which stops the start and says which.
A secret may also come from a file: NAME_FILE holds its path.
"""

import base64
import ipaddress
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, unquote, urlsplit

PREFIX = "QZTNA_"
KNOWN = frozenset(
    PREFIX + name
    for name in [
        "DATA_DIR",
        "SECRET_KEY",
        "SECRET_KEY_FILE",
        "KEK_FILE",
        "DATABASE_URL",
        "REDIS_URL",
        "PUBLIC_URL",
        "ALLOWED_HOSTS",
        "TRUSTED_PROXIES",
        "RELAY_CA_FILE",
        "WEBHOOK_CA_FILE",
        "WEBHOOK_NETWORKS",
        "METRICS_TOKEN",
        "METRICS_TOKEN_FILE",
        "DEBUG",
    ]
)

IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network


class ConfigError(Exception):
    """The environment can't be used; the text names the setting and what is wrong with it."""


@dataclass(frozen=True)
class Config:
    data_dir: Path
    secret_key: str
    kek: bytes  # 32 bytes
    kek_given: bool
    database: Mapping[str, object] | None  # None: SQLite in data_dir
    redis_url: str | None
    public_url: str  # without a trailing slash
    allowed_hosts: tuple[str, ...]
    trusted_proxies: tuple[IPNetwork, ...]
    relay_ca_file: str | None  # of relays whose certificates no public authority signed
    webhook_ca_file: str | None  # authorities of webhooks' targets, besides the system's
    webhook_networks: tuple[IPNetwork, ...]  # where webhooks may go, besides public addresses
    metrics_token: str | None
    debug: bool

    @property
    def embedded(self) -> bool:
        """True if one process serves everything, with no Redis to reach others by."""
        return self.redis_url is None


def load(env: Mapping[str, str] | None = None) -> Config:
    """Read the environment into a Config; raise ConfigError."""
    env = os.environ if env is None else env
    unknown = sorted(name for name in env if name.startswith(PREFIX) and name not in KNOWN)
    if unknown:
        raise ConfigError(f"unknown setting {', '.join(unknown)}; known: {', '.join(sorted(KNOWN))}")
    data_dir = Path(env.get("QZTNA_DATA_DIR") or "var").resolve()
    public_url = _public_url(env.get("QZTNA_PUBLIC_URL") or "http://127.0.0.1:8000")
    kek_file = env.get("QZTNA_KEK_FILE")
    return Config(
        data_dir=data_dir,
        secret_key=_secret(env, "QZTNA_SECRET_KEY") or _kept(data_dir / "secret_key"),
        kek=_kek(Path(kek_file), None) if kek_file else _kek(data_dir / "kek", _kept),
        kek_given=bool(kek_file),
        database=_database(env.get("QZTNA_DATABASE_URL")),
        redis_url=_redis(env.get("QZTNA_REDIS_URL")),
        public_url=public_url,
        allowed_hosts=_hosts(env.get("QZTNA_ALLOWED_HOSTS"), public_url),
        trusted_proxies=_networks(env, "QZTNA_TRUSTED_PROXIES"),
        relay_ca_file=_file(env, "QZTNA_RELAY_CA_FILE"),
        webhook_ca_file=_file(env, "QZTNA_WEBHOOK_CA_FILE"),
        webhook_networks=_networks(env, "QZTNA_WEBHOOK_NETWORKS"),
        metrics_token=_secret(env, "QZTNA_METRICS_TOKEN"),
        debug=_boolean(env.get("QZTNA_DEBUG", "false")),
    )


def _file(env: Mapping[str, str], name: str) -> str | None:
    path = env.get(name)
    if path and not Path(path).is_file():
        raise ConfigError(f"{name}: no file {path}")
    return path or None


def _secret(env: Mapping[str, str], name: str) -> str | None:
    if path := env.get(f"{name}_FILE"):
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise ConfigError(f"{name}_FILE: {error}") from None
    return env.get(name) or None


def _kept(path: Path) -> str:
    """A random secret, made once and kept in a file that only the owner may read."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    value = base64.b64encode(secrets.token_bytes(32)).decode()
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        if not path.exists():
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as file:
                file.write(value)
            # A link never replaces: of two processes that start at once, one wins and both read it.
            try:
                os.link(draft, path)
            except FileExistsError:
                pass
            finally:
                draft.unlink()
        return path.read_text().strip()
    except OSError as error:
        raise ConfigError(f"QZTNA_DATA_DIR: {error}") from None


def _kek(path: Path, make) -> bytes:
    try:
        key = base64.b64decode(make(path) if make else path.read_text().strip(), validate=True)
    except (OSError, ValueError) as error:
        raise ConfigError(f"QZTNA_KEK_FILE: {error}") from None
    if len(key) != 32:
        raise ConfigError("QZTNA_KEK_FILE: must hold 32 bytes in base64")
    return key


def _database(url: str | None) -> dict[str, object] | None:
    if not url:
        return None
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql") or not parts.path.strip("/"):
        raise ConfigError("QZTNA_DATABASE_URL: must be postgresql://user:password@host:port/name")
    options = dict(parse_qsl(parts.query))
    return {
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or options.pop("host", ""),
        "PORT": str(parts.port or ""),
        "OPTIONS": options,
    }


def _redis(url: str | None) -> str | None:
    if url and urlsplit(url).scheme not in ("redis", "rediss", "unix"):
        raise ConfigError("QZTNA_REDIS_URL: must be redis://, rediss:// or unix://")
    return url or None


def _public_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path.strip("/") or parts.query:
        raise ConfigError("QZTNA_PUBLIC_URL: must be http(s)://host[:port] without a path")
    return f"{parts.scheme}://{parts.netloc}"


def _hosts(value: str | None, public_url: str) -> tuple[str, ...]:
    own = urlsplit(public_url).hostname or ""
    given = tuple(host.strip() for host in (value or "").split(",") if host.strip())
    return given or tuple(dict.fromkeys((own, "127.0.0.1", "localhost", "[::1]")))


def _networks(env: Mapping[str, str], name: str) -> tuple[IPNetwork, ...]:
    parts = [part.strip() for part in env.get(name, "").split(",") if part.strip()]
    try:
        return tuple(ipaddress.ip_network(part) for part in parts)
    except ValueError as error:
        raise ConfigError(f"{name}: {error}") from None


def _boolean(value: str) -> bool:
    if value.lower() not in ("true", "false", "1", "0"):
        raise ConfigError("QZTNA_DEBUG: must be true or false")
    return value.lower() in ("true", "1")
