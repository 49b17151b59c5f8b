"""Miners as their owners see them."""

from __future__ import annotations

from tests.clients import Api
from tests.gpu.api.test_miner_protocol import M


def test_earnings_and_jobs_answer_both_verbs(miner_api: Api, held: str) -> None:
    miner_api.json("POST", f"{M}/{held}/result", {"result": "x"}, status=200)

    for verb in ("GET", "POST"):
        earned = miner_api.json(verb, f"{M}/rig/earnings", status=200)
        assert earned["currency"] == "AITBC" and earned["earnings_history"][0]["job_id"] == held
        jobs = miner_api.json(verb, f"{M}/rig/jobs?limit=5&job_status=completed", status=200)
        assert [job["job_id"] for job in jobs["jobs"]] == [held] and jobs["total"] == 1
    assert miner_api.json("GET", f"{M}/rig/jobs?job_status=failed", status=200)["jobs"] == []
    assert miner_api.get(f"{M}/rig/jobs?limit=1000").status_code == 400
    assert [miner["miner_id"] for miner in miner_api.json("GET", M, status=200)["items"]] == ["rig"]
