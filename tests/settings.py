"""The test suite's settings: the same code against throw-away databases, folders of its own, cheap password hashing."""

import os
import tempfile

os.environ.setdefault("AITBC_TESTING", "1")
os.environ.setdefault("AITBC_VAR_DIR", tempfile.mkdtemp(prefix="aitbc-test-"))
os.environ.setdefault("AITBC_LOG_LEVEL", "WARNING")

from aitbc.settings import *  # noqa: F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
