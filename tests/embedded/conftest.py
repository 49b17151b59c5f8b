"""Folders for servers: reachable for the server's own user, and gone afterwards."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from aitbc.embedded import paths


@pytest.fixture
def var(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder like `var/`, with no server named in the environment."""
    for name in ("DATABASE_URL", "REDIS_URL", "AITBC_RUN_DIR"):
        monkeypatch.delenv(name, raising=False)
    folder = Path(tempfile.mkdtemp(prefix="aitbc-embedded-", dir="/var/tmp"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def closed(var: Path) -> Iterator[Path]:
    """A folder that only its owner may enter, as a home folder is."""
    var.chmod(0o700)
    folder = var / "home" / "aitbc"
    folder.mkdir(parents=True)
    yield folder
    if paths.is_root():
        shutil.rmtree(paths.home_of(folder), ignore_errors=True)
