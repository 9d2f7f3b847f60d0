"""Web pages: a form each for somebody who has no session yet, in the language that their browser asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from fastapi.responses import HTMLResponse

from guildhouse.kernel.errors import Problem
from guildhouse.kernel.i18n import choose_language, translated
from guildhouse.kernel.problems import fault_body
from guildhouse.kernel.server import Server

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True)
class WebPage:
    """A page: its domain's package, its name, and its words in English.

    By its name go its template, `pages/first_admin.html` of the package, and its section of the other languages' catalogues.
    """

    package: str
    name: str
    words: Mapping[str, str]

    def answered(self, request: Request, status: int = 200, **values: object) -> HTMLResponse:
        """The page, with what its template is to know."""
        language = language_of(request)
        server: Server = request.app.state.server

        def say(key: str) -> str:
            return translated(self.name, key, language) or self.words[key]

        template = templates(self.package).get_template(f"{self.name.replace('-', '_')}.html")
        known = {"server": server.config.name, "address": server.config.address, "language": language, "say": say}
        return HTMLResponse(template.render(**known, **values), status)

    def refused(self, request: Request, problem: Problem) -> HTMLResponse:
        """The page that says why there is no form."""
        detail = problem.detail(translated("problems", problem.code(), language_of(request)))
        return self.answered(request, problem.status, refusal=detail)

    def corrected(self, request: Request, problem: Problem, **typed: str) -> HTMLResponse:
        """The form once more, with what was typed and what is wrong with it."""
        language = language_of(request)
        faults = [fault_body(fault, language) for fault in problem.faults]
        told = [f"{fault['pointer'].strip('/')}: {fault['detail']}" for fault in faults]
        return self.answered(request, 422, faults=told, **typed)

    def router(self) -> APIRouter:
        """The page at `/welcome`, and its script at `/welcome.js`: the policy of all pages allows none within them.

        The token of such a page stands behind the # of its link. Its script takes it from there, and the server hears of
        it only when the form is sent.
        """
        made = APIRouter(include_in_schema=False)

        @made.get(f"/{self.name}")
        async def show_form(request: Request) -> HTMLResponse:
            return self.answered(request)

        @made.get(f"/{self.name}.js")
        async def script() -> Response:
            text = files(self.package).joinpath("pages", f"{self.name}.js").read_text(encoding="utf-8")
            return Response(text, media_type="text/javascript")

        return made


def language_of(request: Request) -> str:
    """The language that the browser asks for."""
    return choose_language(request.headers.get("accept-language"))


@cache
def templates(package: str) -> "Environment":
    """The templates of a package's pages, made when somebody first opens one."""
    from jinja2 import ChoiceLoader, Environment, PackageLoader  # noqa: PLC0415 - only who opens a page pays for it

    loaders = (PackageLoader(package, "pages"), PackageLoader("guildhouse.kernel.document"))
    return Environment(loader=ChoiceLoader(loaders), autoescape=True)
