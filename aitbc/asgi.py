"""The project as the web server sees it: the dispatcher of aitbc.serve around Django's WSGI application."""

from __future__ import annotations

import os

from aitbc.serve.signal_handlers import exit_while_loading

exit_while_loading()
os.environ.setdefault("AITBC_ROLE", "web")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aitbc.settings")

from django.core.wsgi import get_wsgi_application  # noqa: E402  (after the signals: this is the slow part)

django = get_wsgi_application()

from django.conf import settings  # noqa: E402
from granian.utils.proxies import wrap_asgi_with_proxy_headers  # noqa: E402

from aitbc.core import pubsub  # noqa: E402
from aitbc.serve.asgi import Dispatcher  # noqa: E402
from apps.gpu.services.exchange_downtime import start_recorder  # noqa: E402

app = Dispatcher(django, listen=lambda: pubsub.Listener("web"))
if settings.TRUSTED_PROXIES:
    # The client is then the rightmost hop of X-Forwarded-For that is not one of these proxies.
    app = wrap_asgi_with_proxy_headers(app, settings.TRUSTED_PROXIES)
start_recorder()
