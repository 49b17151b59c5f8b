"""Fixtures of the ai domain's tests."""

import pytest

from tests.ai.factories import Reporter


@pytest.fixture
def miner() -> Reporter:
    return Reporter()


@pytest.fixture(autouse=True)
def blob_folder(tmp_path, settings):
    """Blobs of a test live and die with it."""
    local = {"BACKEND": "aitbc.core.blobs.LocalBlobStorage", "OPTIONS": {"location": str(tmp_path / "blobs")}}
    settings.STORAGES = {**settings.STORAGES, "blobs": local}
    return tmp_path / "blobs"
