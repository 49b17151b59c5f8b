"""Inference through a model server of the tests' own, in both dialects, and with answers that are none."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from apps.gpu.miner import engines


def serve(respond):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self._reply(*respond("GET", self.path, None))

        def do_POST(self):
            self._reply(*respond("POST", self.path, json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

        def _reply(self, status, lines):
            self.send_response(status)
            self.end_headers()
            self.wfile.write("".join(f"{line}\n" for line in lines).encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


@pytest.fixture
def model_server(monkeypatch):
    """Start a model server; inference uses it and nothing else."""
    servers = []

    def _start(respond):
        servers.append(serve(respond))
        monkeypatch.setenv("AITBC_INFERENCE_URL", f"http://127.0.0.1:{servers[-1].server_address[1]}/v1")
        monkeypatch.setenv("AITBC_GGUF", "/nowhere")

    yield _start
    for server in servers:
        server.shutdown()
        server.server_close()


def openai(method, path, body):
    if path == "/v1/models":
        return 200, [json.dumps({"data": [{"id": "tiny"}]})]
    if body["messages"][0]["content"] == "too long":
        return 400, [json.dumps({"error": {"message": "context exceeded"}})]
    words = [{"choices": [{"delta": {"content": word}}]} for word in ("four", "ty", " two")]
    end = {"choices": [{"delta": {}, "finish_reason": "stop"}]}
    usage = {"choices": [], "usage": {"completion_tokens": 3, "prompt_tokens": len(body["messages"])}}
    return 200, [f"data: {json.dumps(chunk)}\n" for chunk in [*words, end, usage]] + ["data: [DONE]"]


def ollama(method, path, body):
    if path == "/api/tags":
        return 200, [json.dumps({"models": [{"name": "llama3:latest"}]})]
    if path != "/api/chat":
        return 404, ["no such page"]
    pieces = [{"message": {"content": word}} for word in ("six", "ty")]
    end = {
        "message": {"content": ""},
        "done": True,
        "done_reason": "stop",
        "eval_count": body["options"]["num_predict"],
        "prompt_eval_count": 5,
    }
    return 200, [json.dumps(piece) for piece in [*pieces, end]]


def test_inference_through_an_openai_compatible_server(compute, model_server):
    model_server(openai)
    assert engines.load("inference").models() == ["tiny"]
    result = compute("inference", {"messages": [{"role": "user", "content": "six times seven?"}]}).result
    assert (result["output"], result["tokens_processed"], result["finish_reason"]) == ("fourty two", 3, "stop")
    assert compute("inference", {"prompt": "too long"}).code == "BAD_INPUT"


def strange(method, path, body):
    """A server that sends half characters, counts that are none, and names that are none."""
    if path == "/v1/models":
        strange_names = ["half \ud83d", None, 5, {"a": 1}, "x" * 300, " ", "tiny"]
        return 200, [json.dumps({"data": [*({"id": name} for name in strange_names), "no object"]})]
    pieces = [{"choices": [{"delta": {"content": piece}}]} for piece in ("\ud83d", "\ude00", "\ud83d", "\x00")]
    end = {"choices": [{"delta": None, "finish_reason": 5}], "usage": [1]}
    usage = {"choices": None, "usage": {"completion_tokens": 10**30, "prompt_tokens": "many"}}
    return 200, [f"data: {json.dumps(chunk)}\n" for chunk in [*pieces, end, usage]] + ["data: [DONE]"]


def test_text_of_a_model_server_is_made_valid_where_it_enters(compute, model_server):
    model_server(strange)
    assert engines.load("inference").models() == ["half \ufffd", "tiny"]
    result = compute("inference", {"prompt": "hi", "model": "tiny"}).result
    assert result["output"] == "\U0001f600\ufffd\ufffd"
    assert (result["tokens_processed"], result["prompt_tokens"], result["finish_reason"]) == (4, 0, "")


WHOLE = {"object": "chat.completion", "choices": [{"message": {"content": "forty two"}, "finish_reason": "stop"}]}
TEXT = 'data: {"choices": [{"delta": {"content": "forty"}}]}'
STOP = 'data: {"choices": [{"delta": {}, "finish_reason": "stop"}]}'


def answering(*lines, api="openai"):
    """A model server that answers with these lines, whatever it is requested."""

    def respond(method, path, body):
        if method == "GET":
            return 200, [json.dumps({"data": [{"id": "tiny"}]})]
        return (404, ["no such page"]) if api == "ollama" and path != "/api/chat" else (200, lines)

    return respond


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        (["<html>no"], "has no text: <html>no"),
        ([], "has no text: it is empty"),
        (["", ""], "has no text: it is empty"),
        (['{"choices":[]}'], 'has no text: {"choices":[]}'),
        (['{"choices":{}}'], "has no text"),
        (['{"choices":[null]}'], "has no text: {"),
        (['{"choices":[{"message":"hello"}]}'], "has no text"),
        (['{"choices":[{"message":{"content":null},"finish_reason":"stop"}]}'], "has no text"),
        (["[[[["], "has no text: [[[["),
        (["[" * 100_000], "has no text: [[[["),
        (["5"], "has no text: 5"),
        (['{"error": {"message": "CUDA died"}}'], "CUDA died"),
        (["data: [DONE]"], "has no text: it is empty"),
        ([": a comment"], "has no text: it is empty"),
        (['data: {"choices":[]}', "data: [DONE]"], "has no text"),
        (['data: {"choices":[null]}', "data: [DONE]"], "has no text"),
        (['data: {"choices":{}}', "data: [DONE]"], "has no text"),
        (['data: {"choices":[{"delta":{"role":"assistant"}}]}', "data: [DONE]"], "has no text"),
        (["data: <html>"], "no chunk of an answer: <html>"),
        (["data: [[[[", "data: [DONE]"], "no chunk of an answer: [[[["),
        ([TEXT], 'is cut off: {"choices": [{"delta": {"content": "forty"}}]}'),
        ([TEXT, 'data: {"error": {"message": "CUDA died"}}', "data: [DONE]"], "CUDA died"),
        (['{"x": "' + "y" * 2**20 + '"}'] * 5, "does not end its answer"),
    ],
)
def test_an_answer_of_a_model_server_that_is_none_is_an_engine_error_that_says_what_came(
    compute, model_server, lines, words
):
    model_server(answering(*lines))
    outcome = compute("inference", {"prompt": "six times seven?"})
    assert outcome.code == "ENGINE_ERROR" and words in outcome.message


@pytest.mark.parametrize(
    ("lines", "text", "reason"),
    [
        ([json.dumps(WHOLE)], "forty two", "stop"),
        ([json.dumps(WHOLE, indent=1)], "forty two", "stop"),
        ([f"data: {json.dumps(WHOLE)}"], "forty two", "stop"),
        (['{"choices": [{"message": {"content": ""}, "finish_reason": "stop"}]}'], "", "stop"),
        ([TEXT, STOP], "forty", "stop"),
        ([TEXT, "data: [DONE]"], "forty", ""),
        ([": a comment", "event: message", TEXT, "", STOP, "data: [DONE]"], "forty", "stop"),
        ([STOP, "data: [DONE]"], "", "stop"),
    ],
)
def test_an_answer_that_a_model_server_ended_is_the_result(compute, model_server, lines, text, reason):
    model_server(answering(*lines))
    result = compute("inference", {"prompt": "six times seven?"}).result
    assert (result["output"], result["finish_reason"]) == (text, reason)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([], "has no text: it is empty"),
        (["<html>no"], "no chunk of an answer: <html>no"),
        (['{"done": true}'], "has no text"),
        (['{"message": {"content": "six"}}'], "is cut off"),
        (['{"message": "six", "done": true}'], "has no text"),
    ],
)
def test_an_answer_of_ollama_that_is_none_is_an_engine_error(compute, model_server, lines, words):
    model_server(answering(*lines, api="ollama"))
    outcome = compute("inference", {"prompt": "hi"})
    assert outcome.code == "ENGINE_ERROR" and words in outcome.message


def test_an_answer_of_ollama_may_be_empty(compute, model_server):
    model_server(answering('{"message": {"content": ""}, "done": true}', api="ollama"))
    assert compute("inference", {"prompt": "hi"}).result["output"] == ""


def test_a_model_server_whose_list_never_ends_is_left_out(model_server):
    model_server(lambda method, path, body: (200, ("[" * 2**20 for _ in range(5))))
    assert engines.load("inference").models() == []


def test_inference_through_ollama(compute, model_server):
    model_server(ollama)
    result = compute("inference", {"prompt": "hi", "model": "llama3", "options": {"num_predict": 9}}).result
    assert (result["output"], result["model"], result["tokens_processed"], result["prompt_tokens"]) == (
        "sixty",
        "llama3:latest",
        9,
        5,
    )


def test_a_model_server_that_fails_is_an_engine_error_and_one_that_is_away_is_no_engine(
    compute, model_server, monkeypatch
):
    model_server(
        lambda method, path, body: (200, [json.dumps({"data": [{"id": "m"}]})]) if method == "GET" else (500, ["boom"])
    )
    outcome = compute("inference", {"prompt": "hi"})
    assert outcome.code == "ENGINE_ERROR" and "500" in outcome.message
    monkeypatch.setenv("AITBC_INFERENCE_URL", "http://127.0.0.1:9")
    assert not engines.load("inference").available()
