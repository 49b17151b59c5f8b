"""The project under any WSGI server: every route works, but long polls and streams respond at once."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from django.core.wsgi import get_wsgi_application

from aitbc.core.long_polling import public
from aitbc.serve.proxies import trust_proxies

os.environ.setdefault("AITBC_ROLE", "web")
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "aitbc.settings")
_application = trust_proxies(get_wsgi_application())

from apps.gpu.services.exchange_downtime import start_recorder  # noqa: E402

start_recorder()


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Run Django and keep the dispatcher's internal headers inside, since no dispatcher is there to take them."""

    def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        return start_response(status, public(headers), *rest)

    inner = {name: value for name, value in environ.items() if not name.startswith("HTTP_X_AITBC_")}
    response: Iterable[bytes] = _application(inner, start)
    return response
