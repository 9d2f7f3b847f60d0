"""An answer: status, headers and bytes, as the ASGI server takes them."""

from dataclasses import dataclass, field

from starlette.types import Send

from guildhouse.kernel import problems
from guildhouse.kernel.errors import Problem


@dataclass(slots=True)
class Answer:
    """What a door answers with."""

    status: int
    body: bytes = b""
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    async def send(self, send: Send, *, without_body: bool = False) -> None:
        """Send it; `without_body` for HEAD."""
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers.items()]
        if self.body:
            headers.append((b"content-type", self.media_type.encode()))
        if self.status not in (204, 304):
            headers.append((b"content-length", str(len(self.body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if without_body else self.body})


def problem_answer(problem: Problem, language: str, request_id: str, instance: str | None = None) -> Answer:
    """A refusal as an answer."""
    body = problems.encoded(problem, language, request_id, instance)
    headers = {"Content-Language": language, "Cache-Control": "no-store", **problem.headers}
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Answer(problem.status, body, problems.MEDIA_TYPE, headers)
