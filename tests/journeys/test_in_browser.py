"""The pages in a real browser: their scripts run, their policy lets them, and they ask nobody but their server."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import uvicorn

from tests.accounts.test_welcome import PASSWORD, token_for
from tests.applications.hiring_scenes import opening
from tests.applications.test_candidate import applied, known
from tests.applications.test_claiming import link
from tests.browser import Tab, browser_here, tab
from tests.cast import Cast
from tests.kernel.spine import until

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(browser_here() is None, reason="no Chromium is installed: the pages are not tried in a browser"),
]


@pytest.fixture
async def address(cast: Cast) -> AsyncIterator[str]:
    """The server of the cast, listening."""
    server = uvicorn.Server(uvicorn.Config(cast.edge, port=0, lifespan="off", log_level="error"))
    task = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await task


@pytest.fixture
async def page(address: str) -> AsyncIterator[Tab]:
    program = browser_here()
    assert program
    async with tab(program) as opened:
        yield opened
        assert opened.complaints == []
        strangers = [each for each in opened.asked if not each.startswith((address, "about:", "data:"))]
        assert strangers == []


async def test_who_arrives_chooses_a_password_and_is_let_in(cast: Cast, address: str, page: Tab) -> None:
    token = await token_for(cast, cast.cleo.id)
    await page.open(f"{address}/welcome")
    assert await page.is_shown("#incomplete")
    await page.open(f"{address}/welcome#{token}")
    assert not await page.is_shown("#incomplete")
    assert not any(token in each for each in page.asked if "#" not in each)
    await page.type("#password", "too short")
    await page.click("button")
    assert await page.value("document.querySelector('#password').validity.tooShort")
    await page.type("#password", PASSWORD)
    await page.click("button")
    await page.until("document.body.innerText.includes('cleo@example.org')")
    assert PASSWORD not in await page.value("document.documentElement.outerHTML")
    signed = await cast.nobody.post("/v1/sessions", {"email": "cleo@example.org", "password": f"too short{PASSWORD}"})
    assert signed.json()["person_id"] == cast.cleo.id
    await page.open(f"{address}/welcome#{token}")
    await page.type("#password", PASSWORD)
    await page.click("button")
    await page.until("document.querySelector('[role=alert]')?.innerText.includes('Ask the people who run this server')")


async def test_a_candidate_registers_takes_over_and_leaves_no_session_behind(
    cast: Cast, address: str, page: Tab
) -> None:
    scene = await opening(cast)
    candidate = await known(scene)
    application = await applied(scene, candidate)
    await page.open(f"{address}/candidate#{await link(scene, candidate)}")
    for name, text in (("email", "ida@example.org"), ("password", "short"), ("name", "Ida")):
        await page.type(f"#{name}", text)
    await page.click("button")
    await page.until("document.querySelector('#told').innerText.startsWith('password: ')")
    assert await page.value("document.querySelector('button').disabled") is False
    await page.value("document.querySelector('#password').value = ''")
    await page.type("#password", PASSWORD)
    await page.click("button")
    await page.until("document.querySelector('#claim').hidden")
    assert (await page.value("document.querySelector('#told').innerText")).endswith(" 1")
    signed = await cast.nobody.made("/v1/sessions", {"email": "ida@example.org", "password": PASSWORD})
    ida = {"authorization": f"Bearer {signed['access_token']}"}
    assert [each["id"] for each in (await cast.nobody.get("/v1/applications", **ida)).json()["data"]] == [
        application["id"]
    ]
    assert [each["id"] for each in (await cast.nobody.get("/v1/sessions", **ida)).json()["data"]] == [signed["id"]]


async def test_the_pages_speak_chinese_to_who_reads_it(cast: Cast, address: str, page: Tab) -> None:
    await page.speak("zh-TW")
    await page.open(f"{address}/welcome#{await token_for(cast, cast.cleo.id)}")
    assert "請為它設定密碼" in await page.shown()
    await page.type("#password", PASSWORD)
    await page.click("button")
    await page.until("document.body.innerText.includes('您的帳號已設定密碼')")
    await page.open(f"{address}/candidate#nothing")
    for name in ("email", "password"):
        await page.type(f"#{name}", "cleo@example.org")
    await page.click("button")
    await page.until("/[\u4e00-\u9fff]/.test(document.querySelector('#told').innerText)")


@pytest.mark.parametrize("path", ["/docs", "/docs/api/jobs", "/docs/errors/denied"])
async def test_the_documentation_needs_nothing_from_elsewhere(cast: Cast, address: str, page: Tab, path: str) -> None:
    await page.open(f"{address}{path}")
    assert await page.value("getComputedStyle(document.body).fontFamily !== '' && document.styleSheets.length > 0")
    assert await page.is_shown("h1")
    assert await page.value("document.documentElement.scrollWidth <= window.innerWidth")
