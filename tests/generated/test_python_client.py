"""A client generated from the schema talks to a live exchange, with types on both ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from http import HTTPStatus
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from tests.ai.factories import fund
from tests.clients import Api

GENERATOR = Path(sys.executable).parent / "openapi-python-client"
PACKAGE = "aitbc_client"


@pytest.fixture
def generated(schema: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Import a module of the freshly generated package."""
    command = [GENERATOR, "generate", "--path", schema, "--meta", "none", "--output-path", tmp_path / PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env={"PATH": str(GENERATOR.parent)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stdout.lower(), done.stdout  # an operation was left out
    monkeypatch.syspath_prepend(str(tmp_path))
    yield lambda name: import_module(f"{PACKAGE}.{name}")
    for name in [name for name in sys.modules if name.partition(".")[0] == PACKAGE]:
        del sys.modules[name]


@pytest.fixture
def client(generated: Any, live_server: Any, client_api: Api) -> Iterator[Any]:
    """The generated client with a key, on a live exchange."""
    with generated("client").AuthenticatedClient(base_url=live_server.url, token=client_api.secret) as client:
        yield client


@pytest.mark.transaction
def test_a_job_is_submitted_and_read_back_through_the_generated_client(generated, client, client_api):
    fund(client_api)
    models = generated("models")

    submission = models.JobSubmitRequest.from_dict(
        {"task_type": "embedding", "payload": {"texts": ["a"]}, "payment_amount": "0.5"}
    )
    made = generated("api.ai.ai_jobs_create").sync_detailed(client=client, body=submission)
    assert made.status_code == HTTPStatus.CREATED
    assert (made.parsed.task_type, made.parsed.state, made.parsed.payment_amount) == (
        "embedding",
        "submitted",
        "0.500000",
    )

    read = generated("api.ai.ai_jobs_retrieve").sync(client=client, id=made.parsed.id)
    assert read.payload == {"texts": ["a"]}
    page = generated("api.ai.ai_jobs_list").sync(client=client, state="submitted")
    assert [job.id for job in page.items] == [made.parsed.id]


@pytest.mark.transaction
def test_a_refusal_arrives_as_a_problem(generated, client, client_api):
    submission = generated("models").JobSubmitRequest.from_dict({"task_type": "embedding", "payment_amount": "5"})

    refused = generated("api.ai.ai_jobs_create").sync_detailed(client=client, body=submission)

    assert refused.status_code == HTTPStatus.PAYMENT_REQUIRED
    assert refused.parsed.code == "cannot_pay"
    assert refused.parsed["needed"] == "5.000000"
