"""System checks that stop a deployment with an unsafe mix of settings."""

from django.conf import settings
from django.core.checks import Error, Warning, register


@register(deploy=True)
def production_needs(app_configs: object, **kwargs: object) -> list[Error | Warning]:
    """What several processes, or the open internet, must not run with."""
    config = settings.CONFIG
    found: list[Error | Warning] = []
    if settings.DEBUG:
        found.append(Error("QZTNA_DEBUG must be off", id="quickztna.E001"))
    if not settings.HTTPS:
        found.append(Error("QZTNA_PUBLIC_URL must be https", id="quickztna.E002"))
    if config.redis_url and not config.database:
        found.append(
            Error("QZTNA_REDIS_URL joins processes that can't share one SQLite file", id="quickztna.E003")
        )
    if config.database and not config.redis_url:
        found.append(
            Warning(
                "without QZTNA_REDIS_URL only one process may run: events don't reach others",
                id="quickztna.W001",
            )
        )
    if not config.kek_given:
        found.append(Warning("QZTNA_KEK_FILE is unset: the key lies beside the data", id="quickztna.W002"))
    return found
