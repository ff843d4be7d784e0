"""The WSGI application, which `picket` serves under Twisted."""

import os

from django.core.wsgi import get_wsgi_application

from webapp.correlated import Correlated

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "webapp.settings")
application = Correlated(get_wsgi_application())
