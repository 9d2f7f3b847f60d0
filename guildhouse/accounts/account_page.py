"""The pages of accounts: a form each for somebody who has no session yet, in the language that their browser asks for."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from fastapi import Request
from fastapi.responses import HTMLResponse

from guildhouse.kernel.errors import Problem
from guildhouse.kernel.i18n import choose_language, translated
from guildhouse.kernel.problems import fault_body
from guildhouse.kernel.server import Server

if TYPE_CHECKING:
    from jinja2 import Environment


@dataclass(frozen=True)
class AccountPage:
    """A page: its name, of which its template and its section of the catalogues are called, and its words in English."""

    name: str
    words: Mapping[str, str]

    def answered(self, request: Request, status: int = 200, **values: object) -> HTMLResponse:
        """The page, with what its template is to know."""
        language = language_of(request)
        server: Server = request.app.state.server

        def say(key: str) -> str:
            return translated(self.name, key, language) or self.words[key]

        template = templates().get_template(f"{self.name.replace('-', '_')}.html")
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


def language_of(request: Request) -> str:
    """The language that the browser asks for."""
    return choose_language(request.headers.get("accept-language"))


@cache
def templates() -> "Environment":
    """The templates of the pages, made when somebody first opens one."""
    from jinja2 import Environment, PackageLoader  # noqa: PLC0415 - only who opens a page pays for it

    return Environment(loader=PackageLoader("guildhouse.accounts", "pages"), autoescape=True)
