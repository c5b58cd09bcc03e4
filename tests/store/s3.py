"""An S3 server for tests: moto's, over HTTP, behind a door at which puts of parts fail as they are told to."""

from __future__ import annotations

import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

BUCKET = "bucket"
WAYS = ("refused", "answer lost", "late", "cut off")
NO_LIMIT = 1_000_000
LATE_S = 1.5
"""Longer than a client in these tests waits for an answer"""
_ERROR = b"<Error><Code>InternalError</Code><Message>We encountered an internal error</Message></Error>"
Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Door:
    """What stands before moto's application: of the puts of parts a `share` fails while any are `left` to fail.

    Parts are read `gets_left` times more, then no more.
    """

    def __init__(self, within: Application) -> None:
        self.within, self.left, self.share = within, 0, 0.8
        self.met: Counter[str] = Counter()
        self.gets_left = NO_LIMIT
        self._rng, self._lock = np.random.default_rng(1), threading.Lock()

    def __call__(self, asked: dict[str, Any], answer: Callable[..., Any]) -> Iterable[bytes]:
        """A request, as WSGI has it."""
        if asked["REQUEST_METHOD"] == "GET" and asked["PATH_INFO"].endswith(".parquet"):
            self.gets_left -= 1
            if self.gets_left < 0:
                return _failed(answer)
        way = self._way(asked)
        if way == "refused":
            asked["wsgi.input"].read(int(asked.get("CONTENT_LENGTH") or 0))
            return _failed(answer)
        if way in ("answer lost", "late"):
            list(self.within(asked, lambda *told: None))
            time.sleep(LATE_S if way == "late" else 0)
            return _failed(answer)
        if way == "cut off":
            raise ConnectionResetError("the line is cut")
        return self.within(asked, answer)

    def _way(self, asked: dict[str, Any]) -> str:
        if asked["REQUEST_METHOD"] != "PUT" or not asked["PATH_INFO"].endswith(".parquet"):
            return ""
        with self._lock:
            if not self.left or self._rng.random() >= self.share:
                return ""
            self.left -= 1
            way = str(self._rng.choice(WAYS))
            self.met[way] += 1
            return way


def _failed(answer: Callable[..., Any]) -> Iterable[bytes]:
    answer("500 Internal Server Error", [("Content-Type", "application/xml"), ("Content-Length", str(len(_ERROR)))])
    return [_ERROR]


@contextmanager
def s3_server() -> Iterator[tuple[str, Door]]:
    """A server of our own on a free port: its URL and its door."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    try:
        inner = server._server
        assert inner is not None
        door = Door(inner.app)
        inner.app = door
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}", door
    finally:
        server.stop()


def credentials(url: str) -> dict[str, str]:
    """The environment in which a client finds the server, and may use it."""
    return {
        "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "mine", "AWS_SECRET_ACCESS_KEY": "s3cret-key",
        "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true", "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1", "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    }


def keys(url: str, bucket: str = BUCKET) -> list[str]:
    """Names of all objects of a bucket, as S3 lists them."""
    told = _client(url).get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return [entry["Key"] for page in told for entry in page.get("Contents", ())]


def make_bucket(url: str, bucket: str = BUCKET) -> None:
    """An empty bucket; what it held before is gone."""
    client = _client(url)
    if bucket in [each["Name"] for each in client.list_buckets()["Buckets"]]:
        for key in keys(url, bucket):
            client.delete_object(Bucket=bucket, Key=key)
        return
    client.create_bucket(Bucket=bucket)


def _client(url: str) -> Any:
    import boto3

    return boto3.client(
        "s3", endpoint_url=url, region_name="us-east-1", aws_access_key_id="mine", aws_secret_access_key="s3cret-key"
    )
