"""How much an owner may keep as files."""

import hashlib
import shutil

import orjson
import pytest

from aitbc.core import blobs, params
from apps.ai.models import AIJob
from apps.ai.services import artifacts
from tests.ai.factories import large_result, run_together, submit, upload


@pytest.fixture
def one_mebibyte(monkeypatch):
    monkeypatch.setitem(params.overrides(), "jobs.artifact_quota_mb", 1)


def test_an_upload_beyond_the_quota_is_refused_until_there_is_room(client_api, other_client_api, one_mebibyte):
    first, second = b"a" * 600_000, b"b" * 600_000
    stored = upload(client_api, first)

    problem = upload(client_api, second, status=413)

    assert (problem["code"], problem["used_bytes"], problem["quota_bytes"]) == (
        "artifact_quota_exceeded", 600_000, 1 << 20,
    )  # fmt: skip
    assert "DELETE /ai/artifacts/" in problem["detail"]
    assert not blobs.exists(hashlib.sha256(second).hexdigest())
    listed = client_api.json("GET", "/ai/artifacts", status=200)
    assert (listed["used_bytes"], listed["quota_bytes"]) == (600_000, 1 << 20)
    upload(other_client_api, second)  # each owner has a quota of its own
    client_api.delete(stored["url"])
    upload(client_api, second)


def test_bytes_that_the_owner_has_need_no_room(client_api, one_mebibyte):
    stored = upload(client_api, b"a" * 600_000)

    again = upload(client_api, b"a" * 600_000)

    assert again["sha256"] == stored["sha256"]
    assert client_api.json("GET", "/ai/artifacts", status=200)["used_bytes"] == 600_000


def test_what_is_refused_is_not_stored(client_api, one_mebibyte, blob_folder):
    upload(client_api, b"a" * 600_000)
    upload(client_api, b"b" * 600_000, status=413)

    assert len([file for file in blob_folder.rglob("*") if file.is_file()]) == 1


def test_a_payload_stored_as_a_file_beyond_the_quota_is_refused(client_api, one_mebibyte):
    first, second = ({"text": letter * 600_000} for letter in "ab")
    submit(client_api, payload=first)
    submit(client_api, payload=first)  # the same bytes take no more space

    answer = client_api.post("/ai/jobs", {"task_type": "echo", "payload": second})

    assert (answer.status_code, answer.json()["code"]) == (413, "artifact_quota_exceeded")
    assert AIJob.objects.count() == 2
    assert not blobs.exists(hashlib.sha256(orjson.dumps(second)).hexdigest())
    submit(client_api, payload={"text": "small"})


def test_results_of_miners_count_and_are_never_refused(client_api, miner, one_mebibyte):
    upload(client_api, b"a" * 1_000_000)

    job, _ = large_result(client_api, miner)

    assert client_api.get(f"/ai/jobs/{job['id']}/result").status_code == 200
    assert client_api.json("GET", "/ai/artifacts", status=200)["used_bytes"] > 1 << 20
    upload(client_api, b"b", status=413)


@pytest.mark.transaction
def test_uploads_at_once_do_not_exceed_the_quota(client_api, one_mebibyte):
    stored = [blobs.put([b"%d" % number * 400_000], limit=1 << 20) for number in range(6)]

    errors = run_together(*[
        lambda one=one: artifacts.claim(owner_id=client_api.owner_id, stored=one, media_type="") for one in stored
    ])  # fmt: skip

    assert sorted(type(error).__name__ for error in errors) == ["ArtifactQuotaExceeded"] * 4 + ["NoneType"] * 2
    assert client_api.json("GET", "/ai/artifacts", status=200)["used_bytes"] == 800_000


def test_a_store_that_takes_no_bytes_is_503_and_nothing_is_recorded(client_api, blob_folder):
    """A full disk was 500."""
    shutil.rmtree(blob_folder, ignore_errors=True)
    blob_folder.write_text("no folder")

    upload = client_api.post("/ai/artifacts", b"x" * 100, content_type="application/octet-stream")
    large = client_api.post("/ai/jobs", {"task_type": "echo", "payload": {"text": "x" * 100_000}})

    for answer in (upload, large):
        assert (answer.status_code, int(answer["Retry-After"]) > 0) == (503, True), answer.content
    assert not AIJob.objects.exists()
    assert client_api.json("GET", "/ai/artifacts", status=200)["items"] == []
