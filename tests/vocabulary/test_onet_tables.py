"""The tool that makes the shipped facts out of O*NET's tables: the same tables, the same bytes."""

import lzma
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

import guildhouse
from guildhouse.vocabulary import shipped
from tools import onet

TABLES = {
    "occupation_data": "O*NET-SOC Code\tTitle\tDescription\n"
    "15-1254.00\tWeb Developers\tDevelop web applications, chef of none.\n"
    "15-1252.00\tSoftware Developers\tResearch and design.\n",
    "technology_skills": "O*NET-SOC Code\tExample\tCommodity Code\tCommodity Title\tHot Technology\tIn Demand\n"
    "15-1254.00\tChef\t1\tConfiguration\tY\tN\n"
    "15-1254.00\tGeographic information system GIS software\t2\tMaps\tN\tN\n"
    "15-1254.00\tMicrosoft PowerPoint\t3\tPresentation\tY\tY\n"
    "15-1252.00\tMicrosoft PowerPoint\t3\tPresentation\tY\tN\n"
    "15-1252.00\tMEDITECH software (old)\t4\tMedical\tN\tN\n"
    "15-1252.00\tInventory software\t4\tMedical\tN\tN\n"
    "15-1252.00\tWeb Research\t4\tMedical\tN\tN\n",
    "alternate_titles": "O*NET-SOC Code\tAlternate Title\tShort Title\tSource(s)\n"
    "15-1254.00\tWebmaster\tn/a\t08\n15-1254.00\tUser Interface Developer (UI Developer)\tUI Developer\t08\n",
    "related_occupations": "O*NET-SOC Code\tRelated O*NET-SOC Code\tRelatedness Tier\tIndex\n"
    "15-1254.00\t15-1252.00\tPrimary-Short\t1\n",
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, text in TABLES.items():
        (tmp_path / f"{name}.txt").write_text(text, encoding="utf-8")
    return tmp_path


def test_the_same_tables_make_the_same_bytes(directory: Path) -> None:
    script = "import sys; from pathlib import Path; from tools import onet; "
    script += "sys.stdout.buffer.write(onet.packed('1', Path(sys.argv[1])))"
    for seed in ("1", "2"):
        made = subprocess.run(
            [sys.executable, "-c", script, str(directory)], capture_output=True, check=True,
            cwd=Path(guildhouse.__file__).parent.parent, env={"PYTHONHASHSEED": seed},
        )  # fmt: skip
        assert made.stdout == onet.packed("1", directory)


def test_what_is_kept_of_the_tables(directory: Path) -> None:
    found = orjson.loads(lzma.decompress(onet.packed("29.2", directory)))
    assert found["release"] == "29.2"
    assert found["occupations"] == [
        ["15-1252.00", "Software Developers", [], []],
        [
            "15-1254.00",
            "Web Developers",
            [["User Interface Developer (UI Developer)", "UI Developer"], "Webmaster"],
            [0],
        ],
    ]
    assert [tool[:3] + tool[4:] for tool in found["tools"]] == [
        ["Chef", ["?Chef"], 1, [1]],
        ["Geographic information system GIS software", ["Geographic information system", "?GIS"], 0, [1]],
        ["Inventory software", ["Inventory software"], 0, [0]],
        ["MEDITECH software (old)", ["=MEDITECH"], 0, [0]],
        ["Microsoft PowerPoint", ["Microsoft PowerPoint", "PowerPoint"], 3, [0, 1]],
        ["Web Research", ["?Web Research"], 0, [0]],
    ]


def test_the_tool_writes_the_file_that_is_shipped(
    directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    target = Path(guildhouse.__file__).parent / "vocabulary" / "onet.json.xz"
    assert target == onet.TARGET and target.stat().st_size < 500_000
    monkeypatch.setattr(onet, "TARGET", tmp_path / "made.xz")
    monkeypatch.setattr(sys, "argv", ["onet.py", "1", str(directory)])
    onet.main()
    assert "made.xz: " in capsys.readouterr().out and (tmp_path / "made.xz").read_bytes() == onet.packed("1", directory)


def test_what_is_shipped_is_what_the_issue_of_the_release_says() -> None:
    facts = shipped.tables()
    assert facts["release"] == "29.2" and len(facts["tools"]) == 8768
    assert sum(len(others) for _, _, others, _ in facts["occupations"]) == 56560
    assert sum(len(users) for *_, users in facts["tools"]) == 32627


def test_nothing_is_read_before_somebody_asks() -> None:
    script = "import guildhouse.app, sys; from guildhouse.vocabulary import extraction, occupations, phrases, skills; "
    script += (
        "print([each for each in (extraction.automata, occupations.register, skills.spellings) if each.is_loaded])"
    )
    made = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True, text=True)
    assert made.stdout.strip() == "[]"


def test_the_notice_names_the_source_and_what_was_changed() -> None:
    notice = (Path(guildhouse.__file__).parent.parent / "NOTICE").read_text(encoding="utf-8")
    for words in ("O*NET 29.2 Database", "CC BY 4.0", "USDOL/ETA", "modified", "onet.json.xz"):
        assert words in notice
