"""A tiny Django site whose state is files, served by real granian workers: the mechanism without the exchange."""

from __future__ import annotations

from aitbc.serve.signal_handlers import exit_while_loading

exit_while_loading()

import contextlib  # noqa: E402
import hashlib  # noqa: E402
import os  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402
from uuid import uuid4  # noqa: E402

import django  # noqa: E402
from django.conf import settings  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.backends.signals import connection_created  # noqa: E402
from django.http import HttpRequest, HttpResponse, JsonResponse, StreamingHttpResponse  # noqa: E402
from django.http.response import HttpResponseBase  # noqa: E402
from django.urls import path  # noqa: E402

ROOT = Path(os.environ["AITBC_TEST_SITE"])

if not settings.configured:
    settings.configure(
        SECRET_KEY="only-for-this-test-site",
        ROOT_URLCONF=__name__,
        ALLOWED_HOSTS=["*"],
        MIDDLEWARE=["aitbc.core.middleware.ApiMiddleware", "django.middleware.common.CommonMiddleware"],
        RUN_DIR=ROOT / "run",
        METRICS_DIR=ROOT / "metrics",
        DATA_UPLOAD_MAX_MEMORY_SIZE=64 << 20,
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(ROOT / "db")}},
    )
    django.setup()

from aitbc.core import long_polling, pubsub  # noqa: E402
from aitbc.serve.asgi import Dispatcher  # noqa: E402

if (ROOT / "boot").exists():  # a site that takes a minute to load
    (ROOT / f"booting-{os.getpid()}").touch()
    time.sleep(60)


def note(name: str, line: str) -> None:
    """Append a line to a file that the tests read."""
    with (ROOT / name).open("a") as file:
        file.write(line + "\n")


def wait_for(latch: str) -> None:
    """Block this request until the test opens the latch."""
    deadline = time.monotonic() + 20
    while not (ROOT / latch).exists() and time.monotonic() < deadline:
        time.sleep(0.01)


def push(request: HttpRequest) -> HttpResponse:
    """Queue a job; `silent` loses the wake-up."""
    topic = request.GET["topic"]
    (ROOT / "waiting" / f"{topic}~{uuid4()}").touch()
    if "silent" not in request.GET:
        pubsub.send(topic)
    return JsonResponse({})


def poll(request: HttpRequest) -> HttpResponseBase:
    """Claim a job of one of the topics, exactly once, or wait for one."""
    topics = request.GET.getlist("topic")
    note("runs", f"{request.GET.get('name', '')} {long_polling.is_replay(request)}")
    if (ROOT / "revoked").exists() and request.headers.get("Authorization") == "Bearer revoked":
        return HttpResponse(status=401)
    job = next((name for name in sorted(os.listdir(ROOT / "waiting")) if name.split("~")[0] in topics), None)
    if job is not None:
        with contextlib.suppress(FileNotFoundError):
            os.rename(ROOT / "waiting" / job, ROOT / "taken" / job)
            if latch := request.GET.get("latch"):
                note("claimed", job)
                wait_for(latch)
            return long_polling.undo_with(JsonResponse({"job": job}), f"/release?job={job}")
    empty = JsonResponse(None, safe=False) if request.method == "GET" else None
    return long_polling.hold(topics=topics, seconds=float(request.GET["wait"]), empty=empty)


def release(request: HttpRequest) -> HttpResponse:
    """Put a job back; only the dispatcher may ask for it."""
    if not long_polling.is_internal(request) or request.method != "POST":
        return HttpResponse(status=404)
    job = request.GET["job"]
    note("released", f"{job} {request.headers.get('Authorization')}")
    os.rename(ROOT / "taken" / job, ROOT / "waiting" / job)
    pubsub.send(job.split("~")[0])
    return HttpResponse(status=204)


def emit(request: HttpRequest) -> HttpResponse:
    note("events", request.body.decode())
    pubsub.send("job:1")
    return JsonResponse({})


def events(request: HttpRequest) -> HttpResponseBase:
    """All lines after the cursor; the line "end" is the last."""
    if (ROOT / "broken").exists():
        return HttpResponse(status=503)
    lines = (ROOT / "events").read_text().splitlines()
    cursor = int(request.headers.get("Last-Event-ID") or 0)
    chunk = "".join(f"id: {n}\ndata: {line}\n\n" for n, line in enumerate(lines[cursor:], cursor + 1))
    return long_polling.stream_page(chunk.encode(), ["job:1"], str(len(lines)), done="end" in lines)


def echo(request: HttpRequest) -> HttpResponse:
    """What arrived."""
    body = request.body
    flags = [long_polling.is_internal(request), long_polling.is_replay(request)]
    inside = [name for name in request.META if name.startswith("HTTP_X_AITBC")]
    names = {"path": request.path, "query": request.META["QUERY_STRING"], "accept": request.headers.get("X-Two")}
    return JsonResponse(
        {"size": len(body), "sha256": hashlib.sha256(body).hexdigest(), "inside": inside, "flags": flags, **names}
    )


def big(request: HttpRequest) -> StreamingHttpResponse:
    """Many megabytes; notes how many parts were made and that the answer was closed."""

    def parts() -> Iterator[bytes]:
        try:
            for _ in range(int(request.GET["parts"])):
                note("parts", "one")
                yield b"x" * 65536
        finally:
            note("closed", "yes")

    return StreamingHttpResponse(parts())


CONNECTIONS: list[Any] = []


def remember(connection: Any, **kwargs: Any) -> None:
    if connection not in CONNECTIONS:
        CONNECTIONS.append(connection)


connection_created.connect(remember)


def open_connections(request: HttpRequest) -> JsonResponse:
    """How many database connections the threads of this process hold; this view opens none."""
    return JsonResponse({"open": sum(one.connection is not None for one in CONNECTIONS)})


def query_database() -> None:
    with connection.cursor() as sql:
        sql.execute("SELECT 1")


def measured(request: HttpRequest) -> HttpResponseBase:
    """A response of any kind that has queried the database; who ran it and who closed it is noted, by thread."""
    thread, kind, size = threading.get_ident(), request.GET["kind"], int(request.GET["size"])
    note("ran", str(thread))
    query_database()
    response: HttpResponseBase
    if kind == "streaming":
        response = StreamingHttpResponse(querying_parts(size))
    elif kind == "page":
        done = (ROOT / "done").exists()
        response = long_polling.stream_page(b": " + b"x" * size + b"\n\n", ["job:1"], "1", done=done)
    elif kind == "hold":
        response = long_polling.hold(topics=["job:1"], seconds=0.6, empty=HttpResponse(b"x" * size))
    else:
        response = HttpResponse(b"x" * size)
    close = response.close

    def noted_close() -> None:
        close()
        note("closed", str(threading.get_ident()))

    response.close = noted_close  # type: ignore[method-assign]
    return response


def querying_parts(size: int) -> Iterator[bytes]:
    for _ in range(0, size, 65536):
        query_database()
        yield b"x" * 65536


def latched(request: HttpRequest) -> HttpResponse:
    note("claimed", "latched")
    wait_for("latch")
    return HttpResponse("finished")


urlpatterns = [
    path("push", push),
    path("poll", poll),
    path("release", release),
    path("emit", emit),
    path("events", events),
    path("echo", echo),
    path("big", big),
    path("latched", latched),
    path("measured", measured),
    path("open-connections", open_connections),
]

app = Dispatcher(get_wsgi_application(), listen=lambda: pubsub.Listener("web"), limit_of=lambda method, path: 20 << 20)
