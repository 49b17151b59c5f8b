"""Earnings of a GPU over HTTP."""

from __future__ import annotations

from tests.clients import Api
from tests.gpu.factories import make_gpu


def test_earnings_name_their_inputs_and_answer_the_question(miner_api: Api) -> None:
    gpu = make_gpu(miner_api, price_per_hour=400_000)
    path = f"/gpu/v1/gpu/{gpu.pk}/earnings-advice"

    response = miner_api.json("GET", f"{path}?power_price=0.30&utilisation=0.5", status=200)

    # 350 W at work, 28 W idle: 189 W on average, 0.0567 AIT; 0.4 · 0.5 less 3 % is 0.194
    assert response["energy_per_hour"] == "0.056700" and response["net_per_hour"] == "0.137300"
    assert response["break_even_price"] == "0.116908" and response["recommended_price"] == "0.146135"
    loss = miner_api.json("GET", f"{path}?power_price=0.30&utilisation=0", status=200)
    assert loss["net_per_hour"].startswith("-") and loss["break_even_price"] is None
    for bad in ("utilisation=1.5", "power_price=-1", "price=NaN", "colour=red", "load_w=abc"):
        assert miner_api.get(f"{path}?{bad}").status_code == 400
    assert miner_api.get("/gpu/v1/gpu/nothing/earnings-advice").status_code == 404
