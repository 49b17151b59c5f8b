"""A process that serves one domain is that service: its own name at /health, its routes with and without the prefix."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.no_db

ROOT = Path(__file__).parents[2]
ASK = """
import json, django
django.setup()
from django.test import Client
ask = Client()
paths = ["/health", "/gpu/health", "/v1/miners", "/gpu/v1/miners", "/ai/jobs", "/trading/health"]
print(json.dumps({path: [ask.get(path).status_code, ask.get(path).json().get("service")] for path in paths}))
"""


def test_gpu_alone():
    environment = {**os.environ, "AITBC_SERVICES": "gpu", "DJANGO_SETTINGS_MODULE": "tests.settings"}
    done = subprocess.run([sys.executable, "-c", ASK], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    assert json.loads(done.stdout) == {
        "/health": [200, "gpu-service"],
        "/gpu/health": [200, "gpu-service"],
        "/v1/miners": [401, None],
        "/gpu/v1/miners": [401, None],
        "/ai/jobs": [404, None],
        "/trading/health": [404, None],
    }
