"""Django's settings, for every environment; quickztna.config says what can be changed and how."""

from pathlib import Path
from urllib.parse import urlsplit

from quickztna import config

CONFIG = config.load()
BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = "0.1.0"

SECRET_KEY = CONFIG.secret_key
DEBUG = CONFIG.debug
ALLOWED_HOSTS = list(CONFIG.allowed_hosts)
PUBLIC_URL = CONFIG.public_url
HTTPS = urlsplit(PUBLIC_URL).scheme == "https"
TRUSTED_PROXIES = CONFIG.trusted_proxies
METRICS_TOKEN = CONFIG.metrics_token
KEK = CONFIG.kek
EMBEDDED = CONFIG.embedded
RELAY_CA_FILE = CONFIG.relay_ca_file
WEBHOOK_CA_FILE = CONFIG.webhook_ca_file
WEBHOOK_NETWORKS = CONFIG.webhook_networks

INSTALLED_APPS = [
    "unfold",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "channels",
    "quickztna",
    "apps.core",
    "apps.audit",
    "apps.auth",
    "apps.orgs",
    "apps.machines",
    "apps.relays",
    "apps.dns",
    "apps.policy",
    "apps.posture",
    "apps.flows",
    "apps.reports",
    "apps.webhooks",
    "apps.releases",
]
# The apps of later layers join as soon as their package is there.
INSTALLED_APPS = [
    app
    for app in INSTALLED_APPS
    if not app.startswith("apps.") or (BASE_DIR / app.replace(".", "/") / "apps.py").exists()
]

MIDDLEWARE = [
    "apps.core.middleware.RequestContext",
    "apps.core.middleware.SecurityHeaders",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "apps.core.middleware.BrowserOrigin",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

ROOT_URLCONF = "quickztna.urls"
WSGI_APPLICATION = "quickztna.wsgi.application"
ASGI_APPLICATION = "quickztna.asgi.application"
APPEND_SLASH = False
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

if CONFIG.database:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            **CONFIG.database,
            "OPTIONS": {"pool": {"min_size": 1, "max_size": 16}, **CONFIG.database["OPTIONS"]},
        }
    }
else:
    DATABASES = {
        "default": {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": CONFIG.data_dir / "quickztna.sqlite3",
            # A file, as in real life: threads of one test would lock each other out in memory.
            "TEST": {"NAME": CONFIG.data_dir / "test.sqlite3"},
            "OPTIONS": {
                # Writers queue at BEGIN instead of failing when a read turns into a write.
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
            },
        }
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

if CONFIG.redis_url:
    CACHES = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": CONFIG.redis_url}}
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
            "CONFIG": {"hosts": [CONFIG.redis_url], "capacity": 512},
        }
    }
else:
    CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "OPTIONS": {"MAX_ENTRIES": 200_000},
        }
    }
    CHANNEL_LAYERS = {
        "default": {
            "BACKEND": "apps.core.layers.LocalChannelLayer",
            # A fleet hears for all agents of its organisation.
            "CONFIG": {"capacity": 512, "channel_capacity": {"fleet*": 20_000}},
        }
    }

# Without Redis worker and beat run in the web process, and a queue in memory joins them.
CELERY_BROKER_URL = CONFIG.redis_url or "memory://localhost"
CELERY_TASK_IGNORE_RESULT = True
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_TIME_LIMIT = 600

AUTH_USER_MODEL = "ztna_auth.User"
AUTHENTICATION_BACKENDS = ["apps.auth.backends.LockingBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_AGE = 8 * 3600
CSRF_TRUSTED_ORIGINS = [PUBLIC_URL]
DATA_UPLOAD_MAX_MEMORY_SIZE = 10 * 1024 * 1024

USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
STATIC_URL = "/static/"
CONSOLE_DIR = BASE_DIR / "frontend" / "dist"
# Vite puts a hash of the content into each name under /assets.
WHITENOISE_ROOT = CONSOLE_DIR if CONSOLE_DIR.is_dir() else None
# Static files are served from the packages themselves: no collecting step to forget.
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = DEBUG

EMAIL_BACKEND = "django.core.mail.backends.filebased.EmailBackend"
EMAIL_FILE_PATH = CONFIG.data_dir / "mail"
DEFAULT_FROM_EMAIL = f"QuickZTNA <no-reply@{urlsplit(PUBLIC_URL).hostname}>"

REST_FRAMEWORK = {
    "DEFAULT_RENDERER_CLASSES": ["apps.core.api.rendering.EnvelopeRenderer"],
    "DEFAULT_PARSER_CLASSES": [],
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "UNAUTHENTICATED_USER": None,
    "EXCEPTION_HANDLER": "apps.core.api.rendering.handle_exception",
    "DEFAULT_SCHEMA_CLASS": "apps.core.api.schema.OperationSchema",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "QuickZTNA",
    "VERSION": VERSION,
    "DESCRIPTION": "Joins an organisation's machines into one private, post-quantum network.",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "PREPROCESSING_HOOKS": ["apps.core.api.schema.one_of_each"],
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
}

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "apps.core.logs.JsonFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "json"}},
    "root": {"handlers": ["stderr"], "level": "INFO"},
    "loggers": {
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.app.trace": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "django.request": {"level": "ERROR"},
        "httpx": {"level": "WARNING"},
        # The address and query of a request may hold a ticket; our own access line leaves it out.
        "uvicorn.access": {"level": "WARNING"},
    },
}
