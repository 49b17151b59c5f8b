"""Fixtures of the ai domain's tests."""

import pytest

from tests.ai.factories import MinerFacts


@pytest.fixture
def miner() -> MinerFacts:
    return MinerFacts()


@pytest.fixture(autouse=True)
def blob_folder(tmp_path, settings):
    """A blob store of its own for each test."""
    local = {"BACKEND": "aitbc.core.blobs.LocalBlobStorage", "OPTIONS": {"location": str(tmp_path / "blobs")}}
    settings.STORAGES = {**settings.STORAGES, "blobs": local}
    return tmp_path / "blobs"
