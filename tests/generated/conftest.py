"""The schema as a file, as `make clients` reads it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.contract import document


@pytest.fixture
def schema(tmp_path: Path) -> Path:
    path = tmp_path / "schema.json"
    path.write_text(json.dumps(document(), default=str))
    return path
