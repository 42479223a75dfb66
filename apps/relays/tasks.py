"""Jobs: relays are visited before somebody misses them."""

from django.conf import settings

from apps.core.jobs import job
from apps.relays.health import judged, probe_all, show
from apps.relays.models import DerpRegion
from apps.relays.regions import regions_of

EVERY_SECONDS = 30


@job("relay-probe", every_seconds=EVERY_SECONDS)
def visit_relays() -> dict[str, int]:
    """Visit built-in regions, and those of organisations that have their own.

    In embedded mode nobody waits for that: health is looked at when it is asked for.
    """
    if settings.EMBEDDED:
        return {}
    builtin = probe_all(regions_of(None), private=True, anew=True)
    show(builtin)
    found = [builtin]
    owners = DerpRegion.all_orgs.filter(enabled=True).values_list("org_id", flat=True).distinct()
    found += [probe_all(regions_of(org_id), private=False, anew=True) for org_id in owners]
    return {
        "visited": sum(map(len, found)),
        "unhealthy": sum(len(judged(regions)["degraded"]) for regions in found),
    }
