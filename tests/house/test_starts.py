"""Starts: a command waits only for what it uses. Held by what is loaded, not by time, which other programs take, too."""

import subprocess
import sys

# Each takes from 10 to 600 ms of CPU to load.
HEAVY = {
    "alembic", "asyncpg", "croniter", "fastapi", "jinja2", "joserfc", "pgqueuer", "pydantic", "pydantic_settings",
    "sqlalchemy", "starlette", "structlog", "tantivy", "uvicorn", "xlsxwriter",
}  # fmt: skip


def loaded_by(module: str) -> set[str]:
    """All modules that are there after a fresh Python has loaded one."""
    code = f"import sys, {module}; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ended.stdout.split())


def test_the_command_line_is_read_without_the_house() -> None:
    loaded = loaded_by("guildhouse.__main__")
    assert {each for each in loaded if each.startswith("guildhouse.")} == {
        "guildhouse.__main__",
        "guildhouse.commands",
        "guildhouse.commands.choices",
        "guildhouse.commands.groups",
        "guildhouse.commands.opening",
    }
    assert loaded & HEAVY == set()


def test_the_house_is_built_without_what_only_some_requests_need() -> None:
    loaded = loaded_by("guildhouse.app")
    assert (
        loaded
        & {"cryptography", "jinja2", "joserfc", "opencc", "python_calamine", "rjieba", "typst", "uvicorn", "xlsxwriter"}
        == set()
    )
