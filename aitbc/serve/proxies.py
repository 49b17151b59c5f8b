"""Behind reverse proxies: a caller's address is the rightmost hop of X-Forwarded-For that is not a trusted proxy.

Throttles, the limit of bad keys and the login lockout count by that address. Without AITBC_TRUSTED_PROXIES the header
is ignored, since anybody can send it.
"""

from __future__ import annotations

from typing import Any

from django.conf import settings
from granian.utils.proxies import wrap_asgi_with_proxy_headers, wrap_wsgi_with_proxy_headers


def trust_proxies_asgi(app: Any) -> Any:
    """Return the ASGI application, believing the proxies that the settings name."""
    return wrap_asgi_with_proxy_headers(app, settings.TRUSTED_PROXIES) if settings.TRUSTED_PROXIES else app


def trust_proxies_wsgi(app: Any) -> Any:
    """Return the WSGI application, believing the proxies that the settings name."""
    return wrap_wsgi_with_proxy_headers(app, settings.TRUSTED_PROXIES) if settings.TRUSTED_PROXIES else app
