"""Only a browser that was given the token gets an answer, and every answer has its headers."""

import hmac

import pytest
from starlette.responses import PlainTextResponse

from scangen_bundle.viewer import guard
from scangen_bundle.viewer.guard import HEADERS, Guard

from .http import PORT, TOKEN, get


@pytest.fixture
def app():
    return Guard(PlainTextResponse("inside"), TOKEN, PORT)


def test_the_address_with_the_token_gives_a_cookie_and_a_short_address(app):
    answer = get(app, f"/?token={TOKEN}", cookie=None)
    assert answer.status == 303
    assert answer.headers["location"] == "/"
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"scangen_view_{PORT}={TOKEN};")
    assert "HttpOnly" in cookie
    assert "samesite=lax" in cookie.lower()
    assert get(app, "/", cookie=cookie.partition(";")[0]).body == b"inside"


NAME = f"scangen_view_{PORT}"


@pytest.mark.parametrize(
    "cookie", [None, f"{NAME}=", f"{NAME}=wrong", f"scangen_view_9999={TOKEN}", TOKEN, "\xe9=\xe9; ;;=", "a" * 9000]
)
def test_without_the_right_cookie_nothing_is_told(app, cookie):
    answer = get(app, "/api/run", cookie=cookie)
    assert answer.status == 403
    assert b"inside" not in answer.body


def test_foreign_cookies_beside_the_right_one_do_no_harm(app):
    assert get(app, "/", cookie=f'x="a;b"; [bad]; scangen_view_{PORT}={TOKEN}; y=1').body == b"inside"


@pytest.mark.parametrize("given", ["wrong", TOKEN[:-1], TOKEN + "x", "%C3%A9", "%00"])
def test_a_wrong_token_is_refused_even_with_the_cookie(app, given):
    assert get(app, f"/?token={given}").status == 403


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1", "127.0.0.1:1", f"evil.example:{PORT}", "", f"0.0.0.0:{PORT}"]
)
def test_another_name_of_the_host_is_refused(app, host):
    assert get(app, "/", host=host).status == 400
    assert get(app, f"/?token={TOKEN}", host=host).status == 400


def test_localhost_is_this_machine(app):
    assert get(app, "/", host=f"localhost:{PORT}").body == b"inside"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS", "TRACE"])
def test_nothing_can_be_sent(app, method):
    assert get(app, "/", method=method).status == 405


@pytest.mark.parametrize("options", [{}, {"cookie": None}, {"host": "evil.example"}, {"method": "POST"}])
def test_every_answer_has_the_security_headers(app, options):
    answer = get(app, "/", **options)
    for name, value in HEADERS.items():
        assert answer.headers[name.lower()] == value
    assert "'unsafe" not in HEADERS["Content-Security-Policy"]
    assert "http" not in HEADERS["Content-Security-Policy"]


def test_the_token_is_compared_in_constant_time(app, monkeypatch):
    compared = []

    def compare(first, second):
        compared.append((first, second))
        return hmac.compare_digest(first, second)

    monkeypatch.setattr(guard.secrets, "compare_digest", compare)
    get(app, "/")
    get(app, "/?token=wrong")
    assert compared == [(TOKEN.encode(), TOKEN.encode()), (b"wrong", TOKEN.encode())]
