"""The page of a candidate's link: a form whose script does what the API does, in that order."""

import re

import pytest

from tests.cast import Cast

pytestmark = pytest.mark.anyio


async def test_the_page_has_a_form_and_a_script_of_its_own(cast: Cast) -> None:
    page = await cast.nobody.get("/candidate")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "A hiring team knows you" in page.text and '<script src="/candidate.js" defer></script>' in page.text
    assert set(re.findall(r'<input id="(\w+)"', page.text)) == {"email", "password", "name"}
    policy = page.headers["content-security-policy"]
    assert "script-src 'self'" in policy and "connect-src 'self'" in policy


async def test_its_script_asks_doors_that_there_are(cast: Cast) -> None:
    script = await cast.nobody.get("/candidate.js")
    assert script.headers["content-type"].startswith("text/javascript")
    asked = re.findall(r'ask\("(\w+)", ["`](/v1/[\w:-]+)', script.text)
    assert asked == [("POST", "/v1/people"), ("POST", "/v1/sessions"), ("POST", "/v1/candidates:claim"),
                     ("DELETE", "/v1/sessions")]  # fmt: skip
    paths = (await cast.nobody.get("/openapi.json")).json()["paths"]
    for method, path in asked:
        assert method.lower() in paths[path if method == "POST" else f"{path}/{{id}}"]


async def test_it_speaks_the_readers_language(cast: Cast) -> None:
    page = await cast.nobody.client.get("/candidate", headers={"accept-language": "zh-TW"})
    assert '<html lang="zh-TW">' in page.text and "這些應徵是我的" in page.text
    assert 'data-done="完成' in page.text
