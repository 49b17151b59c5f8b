"""`manage.py job`: the whole life of a job from the shell, through a real socket."""

import io
import json

import pytest
from django.core.management import CommandError, call_command

from aitbc.core.cli import commands
from tests.ai.factories import fund, publish, running
from tests.shell import command_runner


@pytest.fixture
def job(live_server, client_api):
    return command_runner("job", live_server, client_api)


def as_json(text):
    return json.loads(text)


@pytest.mark.transaction
def test_a_jobs_life_from_the_shell(job, client_api, miner, drain):
    fund(client_api)
    made = as_json(job("submit", "echo", '{"n": 1}', "--pay", "1", "--model", "m", "--max-price", "2", "--json"))
    assert (made["state"], made["payment_amount"], made["model"]) == ("submitted", "1.000000", "m")
    drain()

    assert "online" in job("explain", made["id"])
    assert made["id"] in job("list", "--state", "queued")
    with pytest.raises(CommandError, match="(?s)no result yet.*HTTP 425"):
        job("result", made["id"])
    publish(miner.grants(made), miner.progresses(made, 0.5, note="half"), miner.completes(made, {"answer": 42}))

    assert as_json(job("result", made["id"], "--wait", "--json"))["result"] == {"answer": 42}
    assert "settled" in job("status", made["id"])
    assert "answer" in job("result", made["id"])
    assert as_json(job("receipt", made["id"], "--json"))["job_id"] == made["id"]
    lines = [json.loads(line) for line in job("watch", made["id"], "--json").splitlines()]
    assert [one["state"] for one in lines if one["event"] == "state"] == [
        "submitted", "queued", "running", "succeeded", "settled",
    ]  # fmt: skip
    assert "the receipt is issued" in job("watch", made["id"])


@pytest.mark.transaction
def test_problems_are_shown_in_plain_words(job):
    with pytest.raises(CommandError, match="(?s)1.000000 AIT are needed.*HTTP 402"):
        job("submit", "echo", "--pay", "1")
    with pytest.raises(CommandError, match="(?s)region.*HTTP 400"):
        job("submit", "echo", "--region", "x" * 300)
    with pytest.raises(CommandError, match="HTTP 404"):
        job("watch", "01000000-0000-7000-8000-000000000000")
    with pytest.raises(CommandError, match="HTTP 401"):
        job("list", key="wrong")
    with pytest.raises(CommandError, match="payload cannot be read"):
        job("submit", "echo", "{not json")
    with pytest.raises(CommandError, match="JSON object"):
        job("submit", "echo", "[1]")


@pytest.mark.transaction
def test_cancel_from_the_shell_gives_the_reason(job, client_api):
    made = as_json(job("submit", "echo", "--json", "--request-key", "once"))
    assert as_json(job("submit", "echo", "--json", "--request-key", "once"))["id"] == made["id"]

    assert "cancelled" in job("cancel", made["id"], "--reason", "wrong input")

    events = client_api.json("GET", f"/ai/jobs/{made['id']}/events")["items"]
    assert events[-1]["reason"] == "wrong input"


@pytest.mark.transaction
def test_quiet_prints_one_id_a_line(job, client_api, miner):
    done = running(client_api, miner)
    publish(miner.completes(done, 1))
    waiting = job("submit", "echo", "--quiet").strip()

    assert job("list", "--quiet").split() == [waiting, done["id"]]
    receipt = client_api.json("GET", f"/ai/jobs/{done['id']}/receipt")["receipt_id"]
    assert job("receipt", done["id"], "--wait", "--quiet").strip() == receipt


@pytest.mark.no_db
def test_an_exchange_that_is_not_there_is_named():
    with pytest.raises(CommandError, match=r"No answer from http://127\.0\.0\.1:1"):
        call_command("job", "list", "--url", "http://127.0.0.1:1", "--key", "k", stdout=io.StringIO())


@pytest.mark.no_db
def test_keys_come_from_the_environment_or_dev_env(tmp_path, settings, monkeypatch):
    for name in ("AITBC_CLIENT_KEY", "AITBC_OPERATOR_KEY", "AITBC_API_KEY", "API_KEY"):
        monkeypatch.delenv(name, raising=False)
    settings.VAR_DIR = tmp_path
    with pytest.raises(CommandError, match="No key"):
        call_command("job", "list", stdout=io.StringIO())

    (tmp_path / "dev.env").write_text("# made by make up\nexport AITBC_CLIENT_KEY='from-file'\n")
    assert commands.known("AITBC_CLIENT_KEY", *commands.KEY_NAMES) == "from-file"
    monkeypatch.setenv("API_KEY", "legacy-style")
    assert commands.known("AITBC_OPERATOR_KEY", *commands.KEY_NAMES) == "legacy-style"


@pytest.mark.no_db
def test_help_shows_examples(capsys):
    with pytest.raises(SystemExit):
        call_command("job", "--help")

    assert "manage.py job submit embedding" in capsys.readouterr().out
