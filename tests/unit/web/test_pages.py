"""The page's files and the reference of the API."""

from __future__ import annotations

import re

import pytest
from starlette.testclient import TestClient

from stream.web.pages import PLOTLY, STATIC
from tests.unit.web.support import World


@pytest.fixture(scope="module")
def client() -> TestClient:
    return World().client()


def test_the_page_names_the_version_of_plotly_that_is_installed(client: TestClient) -> None:
    tag = client.get(PLOTLY).headers["etag"].strip('"')
    page = client.get("/").text
    assert PLOTLY not in page.replace(f"{PLOTLY}?v={tag}", "")


def test_the_version_that_is_named_is_kept_for_good_and_any_other_is_asked_for_again(client: TestClient) -> None:
    plain = client.get(PLOTLY)
    tag = plain.headers["etag"].strip('"')
    assert plain.headers["cache-control"] == "no-cache"
    assert "immutable" in client.get(f"{PLOTLY}?v={tag}").headers["cache-control"]
    assert client.get(f"{PLOTLY}?v=older").headers["cache-control"] == "no-cache"


def test_what_is_still_the_same_is_not_sent_again(client: TestClient) -> None:
    tag = client.get("/").headers["etag"]
    again = client.get("/", headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert client.get("/", headers={"If-None-Match": '"another"'}).status_code == 200


def test_files_are_compressed_for_those_who_accept_it(client: TestClient) -> None:
    packed = client.get(PLOTLY, headers={"Accept-Encoding": "gzip"})
    plain = client.get(PLOTLY, headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.content == plain.content
    assert int(packed.headers["content-length"]) < int(plain.headers["content-length"]) / 2


def test_every_file_of_the_page_is_served(client: TestClient) -> None:
    files = [path for path in STATIC.rglob("*") if path.is_file()]
    assert files
    for path in files:
        answer = client.get(f"/static/{path.relative_to(STATIC).as_posix()}")
        assert (answer.status_code, answer.content) == (200, path.read_bytes()), path


@pytest.mark.parametrize(
    "path", ["/static", "/static/", "/static/../pages.py", "/static/%2e%2e/pages.py", "//etc/passwd"]
)
def test_no_other_path_leads_to_a_file(client: TestClient, path: str) -> None:
    assert client.get(path).status_code == 404


def test_the_reference_has_every_address_and_loads_nothing(client: TestClient) -> None:
    page = client.get("/docs").text
    for path in client.get("/openapi.json").json()["paths"]:
        assert f"{path}</code></h2>" in page
    assert "<script" not in page
    assert not re.search(r"""(?:src|href)=["']?(?:https?:)?//""", page)


def test_the_page_loads_nothing_from_elsewhere() -> None:
    for path in STATIC.rglob("*"):
        if path.suffix in (".html", ".css", ".js"):
            loaded = re.findall(
                r"""(?:src=|href=|import |from |url\()\s*["']?(?:https?:)?//[^\s"')]+""", path.read_text()
            )
            assert loaded == [], path
