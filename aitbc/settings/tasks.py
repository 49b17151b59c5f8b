"""Celery and the cache: Valkey wakes people up and counts requests; nothing lives in it alone."""

from typing import Any

from aitbc.settings.base import VAR_DIR
from aitbc.settings.env import env

# The embedded Valkey's URL is written here by the supervisor.
_EMBEDDED_URL_FILE = VAR_DIR / "embedded" / "redis.url"
_embedded = _EMBEDDED_URL_FILE.read_text().strip() if _EMBEDDED_URL_FILE.exists() else "redis://127.0.0.1:6379/0"
REDIS_URL = env.str("REDIS_URL", _embedded)
CACHES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL.replace("redis+socket://", "unix://"),
        "KEY_PREFIX": "aitbc",
        "OPTIONS": {"socket_connect_timeout": 0.2, "socket_timeout": 0.2},
    },
}
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://")
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
# A task that hangs gets SoftTimeLimitExceeded raised in it, then its process is killed. Longer tasks set their own.
CELERY_TASK_SOFT_TIME_LIMIT = 90
CELERY_TASK_TIME_LIMIT = 120
CELERY_TASK_DEFAULT_QUEUE = "relay"
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TIMEZONE = "UTC"
# Valkey redelivers what was not acknowledged within this, so it is longer than any task may take; tasks are idempotent.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 1_200, "socket_connect_timeout": 2}
