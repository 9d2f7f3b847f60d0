"""Skills: one name for each, however it is spelled."""

import pytest

from guildhouse.vocabulary import shipped, skills
from guildhouse.vocabulary.folding import FOLDS, folded, tidied
from guildhouse.vocabulary.skills import key_of, other_spellings, skill_named


@pytest.mark.parametrize(
    ("word", "name"),
    {
        "go": "Go", "GO": "Go", "r": "R", "c": "C", "excel": "Microsoft Excel", "js": "JavaScript", "K8S": "Kubernetes",
        "postgres": "PostgreSQL", "機器學習": "Machine learning", "机器学习": "Machine learning", " Node.js ": "Node.js",
        "AWS": "Amazon Web Services", ".net": ".NET", "c++": "C++", "ｓｑｌ": "SQL",
        "project management": "Project management",
    }.items(),
)  # fmt: skip
def test_what_stands_alone_in_a_list_of_skills_needs_no_company(word: str, name: str) -> None:
    assert skill_named(word) == name


@pytest.mark.parametrize("word", ["", " ", "+++x", "...", "underwater basket weaving", "機", "\u0000"])
def test_what_nobody_knows_has_no_name(word: str) -> None:
    assert skill_named(word) is None


def test_the_other_spellings_of_a_skill_go_both_ways() -> None:
    assert other_spellings("js")[0] == "javascript"
    assert "js" in other_spellings("javascript")
    assert "機器學習" in other_spellings("machine learning") and "machine learning" in other_spellings("机器学习")
    assert "go" not in other_spellings("go") and "golang" in other_spellings("go")
    assert other_spellings("underwater basket weaving") == ()


def test_all_tools_of_the_tables_can_be_found_but_those_that_never_are() -> None:
    found = {spelling.skill for same in skills.spellings().values() for spelling in same}
    renamed, never = shipped.supplement()["renamed"], set(shipped.supplement()["never"]["names"])
    names = [
        skills.own_name(name, texts, renamed) for name, texts, *_ in shipped.tables()["tools"] if name not in never
    ]
    assert len(shipped.tables()["tools"]) == 8768
    # A name of the tables may be a spelling of another one of the supplement's.
    assert [name for name in names if name not in found and skill_named(name) is None] == []


def test_folding_keeps_every_sign_at_its_place() -> None:
    text = tidied("İstanbul, C++/C#; 機器學習 ﬁ ß 🙂 \u0345\t.")
    assert len(folded(text)) == len(text)
    assert folded("C++, C#.") == "c++  c# "
    assert all(len(sign) == 1 for sign in FOLDS.values())


def test_tidying_makes_plain_what_is_typed_in_many_ways() -> None:
    assert tidied("Ｃ＋＋，　ＳＱＬ") == "C++, SQL"
    assert tidied("熟悉Python和SQL") == "熟悉 Python 和 SQL"
    assert tidied("machine\nlearning\n- SQL") == "machine learning\n- SQL"
    assert tidied("a  \t b") == "a b"
    assert tidied("Python+SQL, C++ + C") == "Python SQL, C++ + C"


def test_a_key_holds_the_ends_of_words_but_not_of_chinese() -> None:
    assert (key_of("Node.js"), key_of("機器學習"), key_of("C語言"), key_of("...")) == (
        " node js ",
        "機器學習",
        " c 語言",
        "",
    )


def test_the_supplement_is_in_order() -> None:
    said = shipped.supplement()
    tools = {name for name, *_ in shipped.tables()["tools"]}
    assert [name for name in said["renamed"] if name not in tools] == []
    assert [name for name in said["never"]["names"] if name not in tools] == []
    spelled = {spelling.text for spelling in (*skills.supplemented(), *skills.of_tables())}
    assert [name for name in said["unless"] if name not in spelled and name not in said["never"]["names"]] == []
    assert set(said["tools"]) & set(said["abilities"]) == set()
    everything = [*said["tools"].items(), *said["abilities"].items()]
    assert [name for name, texts in everything if len(set(texts)) < len(texts) or "" in texts] == []


def test_no_spelling_of_the_supplement_stands_for_two_skills() -> None:
    owners: dict[str, set[str]] = {}
    for spelling in skills.supplemented():
        owners.setdefault(spelling.text, set()).add(spelling.skill)
    assert {text: names for text, names in owners.items() if len(names) > 1} == {}
