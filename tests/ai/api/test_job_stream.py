"""The event stream: everything once, from any cursor on."""

import json

from tests.ai.factories import publish, queued, running


def read(api, job, cursor=""):
    headers = {"last_event_id": cursor} if cursor else {}
    answer = api.get(f"/ai/jobs/{job['id']}/stream", accept="text/event-stream", **headers)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/event-stream")
    page = json.loads(answer["X-Aitbc-Page"]) if "X-Aitbc-Page" in answer else {}
    events = []
    for block in filter(None, answer.content.decode().split("\n\n")):
        lines = [line for line in block.split("\n") if not line.startswith(("retry", ":"))]
        if lines:
            fields = dict(line.split(": ", 1) for line in lines)
            events.append((fields["event"], fields["id"], json.loads(fields["data"])))
    return events, page


def test_the_whole_story_from_the_start(client_api, miner):
    job = running(client_api, miner)
    publish(miner.progresses(job, 0.5, note="half"))

    events, page = read(client_api, job)

    assert [(name, data.get("state")) for name, _, data in events] == [
        ("state", "queued"), ("state", "running"), ("progress", None),
    ]  # fmt: skip
    assert (events[2][2]["progress"], events[2][2]["note"]) == (0.5, "half")
    assert (page["topics"], page["done"], page["cursor"]) == ([f"job:{job['id']}"], False, events[2][1])


def test_a_reconnect_continues_after_the_last_event(client_api, miner):
    job = running(client_api, miner)
    publish(miner.progresses(job, 0.5))
    first, _ = read(client_api, job)

    assert read(client_api, job, first[-1][1])[0] == []
    publish(miner.progresses(job, 0.7))
    publish(miner.completes(job, 1))

    later, page = read(client_api, job, first[-1][1])
    assert [data.get("state", data.get("progress")) for _, _, data in later] == ["succeeded", "settled", 1.0]
    assert page["done"] is True
    assert read(client_api, job, later[0][1])[0][0][2]["state"] == "settled"


def test_a_wrong_cursor_is_an_error(client_api):
    job = queued(client_api)

    for cursor in ("abc", "1", "1.x", "-2.0", "9" * 30 + ".1"):
        assert client_api.get(f"/ai/jobs/{job['id']}/stream?cursor={cursor}").status_code == 400
