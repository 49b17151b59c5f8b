"""Large inputs and results: durable, owned, named by their bytes."""

import hashlib

import orjson
import pytest

from aitbc.core import blobs
from apps.ai.models import Artifact
from apps.ai.services import artifacts
from tests.ai.factories import publish, running, submit, upload


def test_an_upload_comes_back_byte_for_byte(client_api):
    body = bytes(range(256)) * 1000

    stored = upload(client_api, body)

    assert stored["sha256"] == hashlib.sha256(body).hexdigest()
    answer = client_api.get(stored["url"])
    assert b"".join(answer.streaming_content) == body
    assert answer["Content-Disposition"].startswith("attachment")
    assert (answer["Content-Type"], int(answer["Content-Length"])) == ("application/octet-stream", len(body))


@pytest.mark.parametrize("accept", ["image/png", "text/html", "*/*"])
def test_a_download_is_what_it_is_whatever_the_client_accepts(client_api, accept):
    stored = upload(client_api)

    answer = client_api.get(stored["url"], accept=accept)
    assert (answer.status_code, b"".join(answer.streaming_content)) == (200, b"hello")


def test_the_same_bytes_are_the_same_artifact(client_api):
    assert upload(client_api)["created_at"] == upload(client_api)["created_at"]
    assert Artifact.objects.count() == 1


def test_an_artifact_is_its_owners_alone(client_api, other_client_api, operator_api):
    stored = upload(client_api)

    assert other_client_api.get(stored["url"]).status_code == 404
    assert other_client_api.json("GET", "/ai/artifacts")["items"] == []
    assert operator_api.get(stored["url"]).status_code == 403
    upload(other_client_api)
    assert b"".join(other_client_api.get(stored["url"]).streaming_content) == b"hello"


def test_too_large_an_upload_is_refused(client_api, monkeypatch):
    monkeypatch.setattr(artifacts, "UPLOAD_LIMIT", 1000)

    upload(client_api, b"x" * 1001, status=413)

    assert not Artifact.objects.exists()


def test_the_input_of_an_unfinished_job_stays(client_api):
    stored = upload(client_api)
    submit(client_api, input_sha256=stored["sha256"])

    assert client_api.delete(stored["url"]).status_code == 409


def test_an_unused_artifact_can_be_deleted(client_api):
    stored = upload(client_api)

    assert client_api.delete(stored["url"]).status_code == 204
    assert client_api.get(stored["url"]).status_code == 404


def test_a_large_result_is_an_artifact_of_the_jobs_owner(client_api, other_client_api, miner):
    result = {"text": "y" * 100_000}
    body = orjson.dumps(result)
    stored = blobs.put([body], limit=1 << 20)
    job = running(client_api, miner)

    publish(miner.completes(job, None, result_sha256=stored.sha256, result_size=stored.size))

    answer = client_api.json("GET", f"/ai/jobs/{job['id']}/result", status=200)
    assert answer["result"] == result
    assert answer["artifact"]["sha256"] == stored.sha256
    assert b"".join(client_api.get(answer["artifact"]["url"]).streaming_content) == body
    assert other_client_api.get(answer["artifact"]["url"]).status_code == 404


@pytest.mark.parametrize("result", [None, "", 0, [], {"deep": [1, {"x": None}]}, "текст", 1.25])
def test_any_json_comes_back_as_it_was(client_api, miner, result):
    job = running(client_api, miner)

    publish(miner.completes(job, result))

    assert client_api.json("GET", f"/ai/jobs/{job['id']}/result")["result"] == result
