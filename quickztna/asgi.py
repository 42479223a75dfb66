"""ASGI door: sockets in production, everything in embedded mode."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quickztna.settings")
http = get_asgi_application()

from quickztna.sockets import application_for  # noqa: E402  (models must be loaded first)

application = application_for(http)
