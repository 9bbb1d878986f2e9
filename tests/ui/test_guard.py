"""Who is answered."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient
from ui_factory import PORT

from vidstyle.ui.server import create_app
from vidstyle.ui.session import Session

BASE = f"http://127.0.0.1:{PORT}"


@pytest.fixture
def stranger(session: Session) -> TestClient:
    """Knows the address, not the token."""
    return TestClient(create_app(session, PORT), base_url=BASE, follow_redirects=False)


@pytest.mark.parametrize("path", ["/", "/api/state", "/static/app.js", "/media?path=waves.mp4"])
def test_nobody_is_answered_without_the_token(stranger: TestClient, path: str) -> None:
    assert stranger.get(path).status_code == 401
    assert stranger.get(path, headers={"Authorization": "Bearer guess"}).status_code == 401
    assert stranger.get("/?token=guess").status_code == 401


def test_the_address_is_exchanged_for_a_cookie_no_script_can_read(stranger: TestClient, session: Session) -> None:
    entered = stranger.get(f"/?token={session.token}")
    assert (entered.status_code, entered.headers["location"]) == (303, "/")
    assert {"httponly", "samesite=strict"} <= {
        part.strip().lower() for part in entered.headers["set-cookie"].split(";")
    }
    assert stranger.get("/api/state").status_code == 200  # the client kept the cookie


@pytest.mark.parametrize("host", ["evil.example", f"evil.example:{PORT}", "127.0.0.1:1", "127.0.0.1", ""])
def test_a_name_that_was_bent_to_this_machine_is_of_no_use(page: TestClient, host: str) -> None:
    assert page.get("/api/state", headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("origin", ["http://evil.example", "null", f"https://127.0.0.1:{PORT}", "http://127.0.0.1:1"])
def test_other_origins_are_refused_even_with_the_token(page: TestClient, origin: str) -> None:
    assert page.get("/api/state", headers={"Origin": origin}).status_code == 403
    assert page.post("/api/render/1/cancel", headers={"Origin": origin}).status_code == 403


def test_what_changes_something_must_name_its_origin(stranger: TestClient, session: Session) -> None:
    asked = stranger.post("/api/render/1/cancel", headers={"Authorization": f"Bearer {session.token}"})
    assert asked.status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_pictures_cannot_be_embedded_elsewhere(page: TestClient, site: str) -> None:
    asked = page.get("/media?path=waves.mp4", headers={"Sec-Fetch-Site": site, "Sec-Fetch-Mode": "no-cors"})
    assert asked.status_code == 403


def test_a_link_may_lead_to_the_page_but_only_by_its_front_door(page: TestClient) -> None:
    coming = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    del page.headers["Origin"]
    assert page.get("/", headers=coming).status_code == 200
    assert page.get("/api/state", headers=coming).status_code == 403


def test_the_page_loads_nothing_from_elsewhere(page: TestClient) -> None:
    answer = page.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    for name in ("/", "/static/app.js", "/static/style.css", "/static/api.js"):
        assert "//" not in page.get(name).text.replace("http://www.w3.org/2000/svg", "").replace("// ", "")
