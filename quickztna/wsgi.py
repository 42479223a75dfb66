"""WSGI door for plain HTTP in production."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quickztna.settings")
http = get_wsgi_application()

from apps.machines.routine import RoutineHeartbeats  # noqa: E402  (models must be loaded first)

application = RoutineHeartbeats(http)
