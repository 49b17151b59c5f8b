"""The project as the web server sees it: the dispatcher of aitbc.serve around Django's WSGI application."""

from __future__ import annotations

import os

from aitbc.serve.signal_handlers import exit_while_loading

exit_while_loading()
os.environ.setdefault("AITBC_ROLE", "web")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aitbc.settings")

from django.core.wsgi import get_wsgi_application  # noqa: E402  (after the signals: this is the slow part)

django = get_wsgi_application()

from aitbc.core import pubsub  # noqa: E402
from aitbc.core.parsers import limit_of_route  # noqa: E402
from aitbc.serve.asgi import Dispatcher  # noqa: E402
from aitbc.serve.proxies import trust_proxies  # noqa: E402
from apps.gpu.services.exchange_downtime import start_recorder  # noqa: E402

app = Dispatcher(trust_proxies(django), listen=lambda: pubsub.Listener("web"), limit_of=limit_of_route)
start_recorder()
