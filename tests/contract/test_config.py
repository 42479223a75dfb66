"""Settings: a bad value or an unknown name stops the start and says which."""

import base64
import stat

import pytest

from quickztna.config import ConfigError, load


@pytest.fixture
def env(tmp_path):
    return {"QZTNA_DATA_DIR": str(tmp_path)}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("QZTNA_TYPO", "x"),
        ("QZTNA_PUBLIC_URL", "example.com"),
        ("QZTNA_PUBLIC_URL", "https://example.com/path"),
        ("QZTNA_DATABASE_URL", "mysql://x/y"),
        ("QZTNA_DATABASE_URL", "postgresql://host"),
        ("QZTNA_REDIS_URL", "http://host"),
        ("QZTNA_TRUSTED_PROXIES", "10.0.0.0/8,nonsense"),
        ("QZTNA_WEBHOOK_NETWORKS", "10.0.0.1/8"),
        ("QZTNA_WEBHOOK_CA_FILE", "/does/not/exist"),
        ("QZTNA_DEBUG", "perhaps"),
        ("QZTNA_SECRET_KEY_FILE", "/does/not/exist"),
        ("QZTNA_KEK_FILE", "/does/not/exist"),
    ],
)
def test_what_is_wrong_is_named(env, name, value):
    with pytest.raises(ConfigError, match=name):
        load({**env, name: value})


def test_secrets_are_made_once_and_kept_private(env, tmp_path):
    first, second = load(env), load(env)
    assert (first.secret_key, first.kek) == (second.secret_key, second.kek)
    for name in ("secret_key", "kek"):
        assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600


def test_secrets_come_from_files(env, tmp_path):
    (tmp_path / "given").write_text("from a file\n")
    (tmp_path / "master").write_bytes(base64.b64encode(bytes(32)))
    config = load(
        {**env, "QZTNA_SECRET_KEY_FILE": str(tmp_path / "given"), "QZTNA_KEK_FILE": str(tmp_path / "master")}
    )
    assert (config.secret_key, config.kek, config.kek_given) == ("from a file", bytes(32), True)
    (tmp_path / "master").write_bytes(b"c2hvcnQ=")
    with pytest.raises(ConfigError, match="32 bytes"):
        load({**env, "QZTNA_KEK_FILE": str(tmp_path / "master")})


def test_each_service_switches_on_by_its_address(env):
    config = load(
        {
            **env,
            "QZTNA_DATABASE_URL": "postgresql://us%40er:p%2Fw@db:5433/name?sslmode=require",
            "QZTNA_REDIS_URL": "rediss://cache",
            "QZTNA_PUBLIC_URL": "https://ztna.example.com/",
        }
    )
    assert config.database == {
        "NAME": "name",
        "USER": "us@er",
        "PASSWORD": "p/w",
        "HOST": "db",
        "PORT": "5433",
        "OPTIONS": {"sslmode": "require"},
    }
    assert not config.embedded
    assert "ztna.example.com" in config.allowed_hosts
    assert load(env).embedded
