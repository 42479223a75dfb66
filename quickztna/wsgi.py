"""WSGI door for plain HTTP in production."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "quickztna.settings")
application = get_wsgi_application()
