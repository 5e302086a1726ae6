"""Without api.keys: programs on this machine are let in, what a web page or a proxy sends is not."""
import json

import pytest

PUSH, TOKEN, COUNT = ("POST", "/1/push/all"), ("POST", "/1/admin/token/new?uid=1&token=evil"), ("GET", "/1/count?type=room")
FOREIGN = [
    {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    {"Origin": "https://evil.example"}, {"Origin": "null"}, {"Origin": "http://localhost:3000", "Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site"}, {"Host": "rebind.evil.example"}, {"Host": "10.0.0.1:7172"},
    {"X-Forwarded-For": "203.0.113.7"}, {"Forwarded": "for=203.0.113.7"}, {"Via": "1.1 proxy"}, {"X-Real-IP": "127.0.0.1"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
def test_what_is_not_local_is_refused(shared, headers):
    for method, path in (PUSH, TOKEN, COUNT):
        status, text, got = shared.api.request(method, path, b"buy now" if method == "POST" else None, headers)
        assert (status, json.loads(text)["ret"]) == (401, 65533), (path, text)
        assert "api.keys" in json.loads(text)["error"] and got["WWW-Authenticate"] == "Bearer"


@pytest.mark.parametrize("headers", [{}, {"Host": "localhost"}, {"Host": "[::1]:1"}, {"Sec-Fetch-Site": "none"}], ids=str)
def test_what_is_local_is_let_in(shared, headers):
    assert shared.api.request(*COUNT, headers=headers)[0] == 200


def test_keys_are_enough_for_any_of_them(strict):
    for headers in FOREIGN:
        assert strict.api.request(*COUNT, headers=headers)[0] == 200, headers


def test_a_users_token_needs_no_key(shared, uid):
    token = shared.api.token(uid)
    assert shared.api.request("GET", f"/1/msg/get?uid={uid}&token={token}", headers=FOREIGN[0])[0] == 200
