"""The test suite's settings: the same code against throw-away databases, folders of its own, cheap password hashing.

Each of pytest-xdist's workers (`-n`) has its own databases from pytest-django, and from here its own folder and its
own database of Valkey; a process that a test starts shares those of its worker.
"""

import os
import tempfile
from urllib.parse import urlsplit

os.environ.setdefault("AITBC_TESTING", "1")
os.environ.setdefault("AITBC_LOG_LEVEL", "WARNING")
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
if "AITBC_VAR_DIR" not in os.environ or os.environ.get("AITBC_TEST_WORKER", "") != WORKER:
    os.environ["AITBC_VAR_DIR"] = tempfile.mkdtemp(prefix="aitbc-test-")
    os.environ["AITBC_TEST_WORKER"] = WORKER

from aitbc.settings import *  # noqa: E402, F403
from aitbc.settings import CACHES, CELERY_BROKER_URL, REDIS_URL  # noqa: E402

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

if WORKER:
    number = int(WORKER.removeprefix("gw")) + 1
    if REDIS_URL.startswith("unix://"):
        CELERY_BROKER_URL += f"?virtual_host={number}"
        REDIS_URL += f"?db={number}"
    else:
        REDIS_URL = CELERY_BROKER_URL = urlsplit(REDIS_URL)._replace(path=f"/{number}").geturl()
    CACHES["default"]["LOCATION"] = REDIS_URL
