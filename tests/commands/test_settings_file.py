"""Settings as a file: it says what is set and no secret, comes in on another server, and tells a fault at its place."""

import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.commands.moving_settings import FILE, bring_in, differences, environment, export, secrets_of
from guildhouse.commands.settings_file import Settings, line_of, parsed, without_nulls, written
from guildhouse.config import Config, load
from guildhouse.kernel.errors import NotDone
from tests.cast import Cast

pytestmark = pytest.mark.anyio
PLAN = {
    "columns": [{"column": 0, "field": "title", "order": "dmy"}],
    "constants": {"city": "臺北", "region": None, "tags": ["a", None]},
}


@pytest.fixture
async def furnished(lone_cast: Cast) -> Cast:
    """A server with a stage, a mapping and a key; Ada's organization hires."""
    cast = lone_cast
    place = await cast.ada.made("/v1/organizations", {"name": "Analytical Engines"})
    await cast.otto.made(f"/v1/organizations/{place['id']}/approve", {})
    await cast.ada.made(
        "/v1/stages",
        {"organization_id": place["id"], "name": 'Call "with" the team', "outcome": "interviewing", "position": 2},
    )
    await cast.ada.made(
        "/v1/mappings", {"name": "The city", "resource": "jobs", "header": ["Job title", "Town"], "plan": PLAN}
    )
    await cast.ada.made("/v1/api-keys", {"name": "nightly", "permissions": ["*.read"]})
    return cast


def settings_of(cast: Cast, **more: Any) -> tuple[Config, str]:
    config = load(data=cast.server.config.data, s3_key="ada", s3_secret="horse-staple", name="Bay 12", **more)
    return config, cast.server.database.dsn


async def said_by(work: Callable[..., Any], *arguments: Any, **options: Any) -> list[str]:
    lines: list[str] = []
    await work(*arguments, lines.append, **options)
    return lines


async def test_a_file_holds_what_is_set_and_names_what_is_secret(furnished: Cast, tmp_path: Path) -> None:
    said = await said_by(export, *settings_of(furnished), tmp_path, replace=False)
    text = (tmp_path / FILE).read_text()
    content = tomllib.loads(text)
    assert "2 secrets are not in it" in said[0]
    assert "horse-staple" not in text
    assert "# Not in it, to be set again by hand: GUILDHOUSE_S3_SECRET." in text
    assert "# Not in it, to be set again by hand: the API key `nightly` of ada@example.org." in text
    assert (
        content["environment"]["GUILDHOUSE_NAME"] == "Bay 12" and "GUILDHOUSE_S3_SECRET" not in content["environment"]
    )
    assert {"role": "admin", "person": "otto@example.org"} in content["roles"]
    assert content["stages"] == [
        {"organization": "analytical-engines", "name": 'Call "with" the team', "outcome": "interviewing", "position": 2}
    ]
    assert content["mappings"][0]["plan"]["constants"] == {"city": "臺北", "tags": ["a"]}


async def test_a_file_is_written_over_only_on_demand(furnished: Cast, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    await said_by(export, *settings_of(furnished), file, replace=False)
    with pytest.raises(NotDone, match="exists already"):
        await said_by(export, *settings_of(furnished), file, replace=False)
    await said_by(export, *settings_of(furnished), file, replace=True)
    assert not (tmp_path / ".mine.toml.new").exists()


async def test_what_was_exported_changes_nothing_where_it_came_from(furnished: Cast, tmp_path: Path) -> None:
    await said_by(export, *settings_of(furnished), tmp_path, replace=False)
    before = await furnished.server.database.pool.fetchval("SELECT count(*) FROM changes")
    said = await said_by(bring_in, *settings_of(furnished), tmp_path / FILE, apply=True)
    assert said == ["Written: 0 added, 0 changed."]
    assert await furnished.server.database.pool.fetchval("SELECT count(*) FROM changes") == before


async def test_a_dry_run_tells_and_an_import_writes_what_is_missing_or_differs(furnished: Cast, tmp_path: Path) -> None:
    await said_by(export, *settings_of(furnished), tmp_path, replace=False)
    file = tmp_path / FILE
    stage = (await furnished.ada.get("/v1/stages")).json()["data"][0]
    mapping = (await furnished.ada.get("/v1/mappings")).json()["data"][0]
    await furnished.ada.patch(f"/v1/stages/{stage['id']}", {"position": 7})
    await furnished.ada.delete(f"/v1/mappings/{mapping['id']}")
    file.write_text(
        file.read_text() + '\n[[stages]]\norganization = "nowhere"\nname = "x"\noutcome = "hired"\n'
        '[[roles]]\nperson = "ben@example.org"\nrole = "coach"\n'
    )
    said = await said_by(bring_in, *settings_of(furnished, slow_ms=900), file, apply=False)
    assert said == [
        "+ roles ben@example.org: role coach",
        '~ stages analytical-engines / Call "with" the team: position 7 -> 2',
        "! stages nowhere / x: left out, there is no organization nowhere here",
        "+ mappings ada@example.org / jobs / The city: header (2 entries), plan (3 entries)",
        "Nothing was written. With --apply: 2 added, 1 changed.",
    ]
    assert (await furnished.ada.get(f"/v1/stages/{stage['id']}")).json()["position"] == 7
    said = await said_by(bring_in, *settings_of(furnished), file, apply=True)
    assert said[-1] == "Written: 2 added, 1 changed."
    assert (await furnished.ada.get(f"/v1/stages/{stage['id']}")).json()["position"] == 2
    again = (await furnished.ada.get("/v1/mappings")).json()["data"][0]
    assert again["fingerprint"] == mapping["fingerprint"]
    assert without_nulls(again["plan"]) == without_nulls(mapping["plan"])
    assert (await furnished.otto.get(f"/v1/people/{furnished.ben.id}")).json()["role"] == "coach"
    written_by = await furnished.server.database.pool.fetch(
        "SELECT resource, verb, actor, reason FROM changes ORDER BY seq DESC LIMIT 3"
    )
    assert {(each["resource"], each["verb"]) for each in written_by} == {
        ("people", "role_assigned"), ("stages", "changed"), ("mappings", "created"),
    }  # fmt: skip
    assert {each["reason"] for each in written_by} == {"settings import"}


async def test_a_stage_that_is_gone_and_a_mapping_that_differs_are_as_the_file_says(
    furnished: Cast, tmp_path: Path
) -> None:
    await said_by(export, *settings_of(furnished), tmp_path, replace=False)
    stage = (await furnished.ada.get("/v1/stages")).json()["data"][0]
    mapping = (await furnished.ada.get("/v1/mappings")).json()["data"][0]
    await furnished.ada.delete(f"/v1/stages/{stage['id']}")
    await furnished.ada.patch(f"/v1/mappings/{mapping['id']}", {"plan": {"columns": [], "timezone": "Asia/Taipei"}})
    said = await said_by(bring_in, *settings_of(furnished), tmp_path / FILE, apply=True)
    assert said == [
        '+ stages analytical-engines / Call "with" the team: outcome interviewing, position 2',
        "~ mappings ada@example.org / jobs / The city: plan (3 entries) -> (3 entries)",
        "Written: 1 added, 1 changed.",
    ]
    again = (await furnished.ada.get("/v1/stages")).json()["data"]
    assert [(each["name"], each["outcome"], each["position"]) for each in again] == [(stage["name"], "interviewing", 2)]
    again = (await furnished.ada.get(f"/v1/mappings/{mapping['id']}")).json()["plan"]
    assert without_nulls(again) == without_nulls(mapping["plan"])  # TOML knows no null


def test_the_password_of_the_database_is_named_and_not_written() -> None:
    config = load(database_url="postgresql://ada:hush@db/guildhouse")
    assert list(secrets_of(config)) == ["the password in DATABASE_URL"]
    assert environment(config)["DATABASE_URL"] == "postgresql://ada@db/guildhouse"


async def test_a_rule_that_refuses_leaves_everything_as_it_was(furnished: Cast, tmp_path: Path) -> None:
    file = tmp_path / "f.toml"
    file.write_text(
        'format = 1\n[[roles]]\nperson = "ben@example.org"\nrole = "coach"\n'
        '[[roles]]\nperson = "otto@example.org"\nrole = "member"\n'
    )
    with pytest.raises(NotDone, match=r"roles otto@example\.org: This is the only admin.*Nothing was changed"):
        await said_by(bring_in, *settings_of(furnished), file, apply=True)
    assert (await furnished.otto.get(f"/v1/people/{furnished.ben.id}")).json()["role"] == "member"


async def test_what_a_stage_leads_to_is_not_changed_by_a_file(furnished: Cast, tmp_path: Path) -> None:
    await said_by(export, *settings_of(furnished), tmp_path, replace=False)
    file = tmp_path / FILE
    file.write_text(file.read_text().replace('"interviewing"', '"hired"'))
    said = await said_by(bring_in, *settings_of(furnished), file, apply=True)
    assert "left out, what a stage leads to stays" in said[0]


def test_the_environment_is_compared_and_never_set() -> None:
    config = load(name="Here")
    wanted = parsed(
        'format = 1\n[environment]\nGUILDHOUSE_NAME = "There"\nGUILDHOUSE_POOL = 10\nGUILDHOUSE_TRUST_PROXY = false\n',
        "f",
    )
    assert list(differences(config, wanted)) == [
        "! environment GUILDHOUSE_NAME: `Here` here, `There` in the file; set it where the server is started"
    ]
    wanted = parsed('format = 1\n[environment]\nDATABASE_URL = "postgresql://ada:hush@db/x"\n', "f")
    (line,) = differences(config, wanted)
    assert "postgresql://ada@db/x" in line and "hush" not in line
    assert environment(config)["GUILDHOUSE_NAME"] == "Here" and "GUILDHOUSE_POOL" not in environment(config)


TEXT = """format = 1

[environment]
GUILDHOUSE_NAME = "x"

[[roles]]
person = "otto@example.org"
role = "admin"

[[roles]]
person = "not an address"
role = "queen"
colour = "red"

[[mappings]]
person = "ada@example.org"
name = "n"
resource = "jobs"
header = ["a"]
[mappings.plan]
columns = [{column = 900, field = "x"}]
"""


def test_every_fault_is_told_with_its_line_and_its_key() -> None:
    with pytest.raises(NotDone) as refused:
        parsed(TEXT, "settings.toml")
    said = str(refused.value).splitlines()
    assert said[0] == "These settings are wrong, and nothing was changed:"
    assert sorted(int(line.split(":")[1]) for line in said[1:]) == [11, 12, 13, 15]
    assert any("roles.2.colour: there is no such setting" in line for line in said)
    assert any("roles.2.role: Input should be 'guest', 'member'" in line for line in said)


@pytest.mark.parametrize(
    ("place", "line"),
    [(("format",), 1), (("environment", "GUILDHOUSE_NAME"), 4), (("roles", 0, "role"), 8), (("roles", 1), 10),
     (("roles", 1, "missing"), 10), (("nothing",), 1)],
)  # fmt: skip
def test_a_key_is_found_in_the_text(place: tuple[int | str, ...], line: int) -> None:
    assert line_of(TEXT, place) == line


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("format = 1\nformat = 2\n", "is not TOML"),
        ("format = 2\n", "f.toml:1: format: Input should be 1"),
        ("", "f.toml:1: format: it is missing"),
        ("format = 1\n[wishes]\na = 1\n", "f.toml:2: wishes: there is no such setting"),
        (
            "format = 1\n" + '[[roles]]\nperson = "a@b.c"\nrole = "coach"\n' * 2,
            "says twice, and perhaps differently: roles a@b.c",
        ),
    ],
)
def test_a_file_that_is_wrong_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(NotDone) as refused:
        parsed(text, "f.toml")
    assert words in str(refused.value)


async def test_an_unknown_setting_of_the_environment_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "f.toml"
    file.write_text('format = 1\n[environment]\nGUILDHOUSE_COLOUR = "red"\n')
    with pytest.raises(NotDone, match=r"f\.toml:3: environment\.GUILDHOUSE_COLOUR: there is no such setting"):
        await said_by(bring_in, load(), "", file, apply=True)
    file.write_text('format = 1\n[environment]\nGUILDHOUSE_S3_SECRET = "horse"\n')
    with pytest.raises(NotDone, match=r"f\.toml:3: .*a secret does not belong") as error:
        await said_by(bring_in, load(), "", file, apply=True)
    assert "horse" not in str(error.value)
    with pytest.raises(NotDone, match="cannot be read"):
        await said_by(bring_in, load(), "", tmp_path / "none.toml", apply=True)


def test_what_is_written_can_be_read_again() -> None:
    settings = parsed('format = 1\n[environment]\nGUILDHOUSE_NAME = "a\\u007f\\"\\\\\\n"\n' + TEXT_OF_ROWS, "f")
    assert parsed(written(settings, ["heading"]), "f") == settings
    assert settings.environment == {"GUILDHOUSE_NAME": 'a\x7f"\\\n'}


TEXT_OF_ROWS = """
[[roles]]
person = "otto@example.org"
role = "admin"

[[mappings]]
person = "ada@example.org"
name = "n"
resource = "jobs"
header = ["a"]
[mappings.plan]
columns = [{column = 0, field = "x", values = {"[roles]" = "y"}}]
"""


# Whatever people type, but for what no name of theirs may hold.
WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs",)), min_size=1, max_size=20)
LINES = WORDS.map(lambda text: " ".join(text.split()) or "x").filter(lambda text: text.isprintable())


@given(
    st.dictionaries(st.sampled_from(["GUILDHOUSE_NAME", "GUILDHOUSE_BASE_URL"]), WORDS),
    st.lists(st.tuples(LINES, st.integers(0, 10_000)), max_size=3, unique_by=lambda each: each[0]),
    st.dictionaries(WORDS, st.recursive(WORDS | st.integers() | st.booleans(), st.lists, max_leaves=5), max_size=4),
)
def test_any_settings_come_back_from_their_file(
    values: dict[str, str], names: list[tuple[str, int]], constants: dict[str, Any]
) -> None:
    settings = Settings.model_validate(
        {
            "format": 1,
            "environment": values,
            "roles": [{"person": "otto@example.org", "role": "admin"}],
            "stages": [
                {"organization": "guild", "name": name, "outcome": "hired", "position": number}
                for name, number in names
            ],
            "mappings": [
                {
                    "person": "ada@example.org",
                    "resource": "jobs",
                    "name": "n",
                    "header": [name for name, _ in names],
                    "plan": {"columns": [{"column": 0, "field": "title"}], "constants": constants},
                }
            ],
        }
    )
    text = written(settings, ["of a server"])
    assert parsed(text, "f") == settings
    assert text.startswith("# of a server\nformat = 1\n")
