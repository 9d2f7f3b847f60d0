"""Extraction: skills are found where they are meant, and nowhere else."""

import random
import time

import ahocorasick
import pytest

from guildhouse.vocabulary.extraction import skills_in, walk
from guildhouse.vocabulary.skills import spellings

FOUND = {
    # One letter, and everyday words, in company.
    "C, C++ and R": ["C", "C++", "R"],
    "We are looking for a Senior R developer.": ["R"],
    "Three years of experience in R.": ["R"],
    "熟悉 C/C++": ["C", "C++"],
    "熟悉C語言": ["C"],
    "Go programming": ["Go"],
    "Services written in Go.": ["Go"],
    "Rust, Go, and Swift": ["Rust", "Go", "Swift"],
    "Languages:\n- Go\n- Rust\n- C": ["Go", "Rust", "C"],
    "Golang": ["Go"],
    "Microsoft Office (Word, Excel, Outlook)": [
        "Microsoft Office", "Microsoft Word", "Microsoft Excel", "Microsoft Outlook",
    ],
    "Advanced Excel skills": ["Microsoft Excel"],
    "knowledge of Excel": ["Microsoft Excel"],
    "使用Excel": ["Microsoft Excel"],
    "MS Teams and Outlook": ["Microsoft Teams", "Microsoft Outlook"],
    "Word and Access": ["Microsoft Word", "Microsoft Access"],
    "MS Access": ["Microsoft Access"],
    "Swift developer": ["Swift"],
    "Ruby developers wanted": ["Ruby"],
    "Ruby on Rails": ["Ruby on Rails"],
    "Chef, Puppet and Ansible": ["Chef", "Puppet", "Ansible"],
    "Spark, Hadoop": ["Apache Spark", "Apache Hadoop"],
    "Apache Spark": ["Apache Spark"],
    "CAD software, SolidWorks": ["Computer-aided design", "SolidWorks"],
    "Jenkins, Docker": ["Jenkins", "Docker"],
    "Experience with Windows and Linux": ["Microsoft Windows", "Linux"],
    "VS Code, IntelliJ, SPSS and Objective-C": [
        "Visual Studio Code", "JetBrains IntelliJ IDEA", "IBM SPSS Statistics", "Objective C",
    ],
    # Signs inside of names.
    "C# and .NET": ["C#", ".NET"],
    "ASP.NET": ["ASP.NET"],
    "Node.js": ["Node.js"],
    "NodeJS or node.js": ["Node.js"],
    "Vue.js/React.js": ["Vue.js", "React"],
    "PL/SQL": ["PL/SQL"],
    "Python+SQL": ["Python", "SQL"],
    "C++17": ["C++"],
    # The longest one.
    "Microsoft SQL Server Integration Services": ["Microsoft SQL Server Integration Services"],
    "PostgreSQL": ["PostgreSQL"],
    "Google Cloud Platform": ["Google Cloud"],
    "JavaScript": ["JavaScript"],
    # Other spellings.
    "JS, K8s, AWS": ["JavaScript", "Kubernetes", "Amazon Web Services"],
    "Postgres": ["PostgreSQL"],
    "PYTHON, python, Python": ["Python"],
    "ＰＹＴＨＯＮ、Ｃ＋＋": ["Python", "C++"],
    "REST APIs": ["REST"],
    "spreadsheets": ["Spreadsheets"],
    "back-end development": ["Backend development"],
    "machine\nlearning": ["Machine learning"],
    "SQL; sql; Structured query language": ["SQL"],
    # Chinese, which has no blanks.
    "我們需要熟悉機器學習的同仁": ["Machine learning"],
    "精通Python和SQL,會機器學習": ["Python", "SQL", "Machine learning"],
    "负责数据分析与项目管理": ["Data analysis", "Project management"],
    # In the order of their first mention.
    "SQL, Python, SQL": ["SQL", "Python"],
    "customer service and project management": ["Customer service", "Project management"],
}  # fmt: skip

NOT_FOUND = [
    "Tform in our platform",
    "go to market",
    "Go to market strategy",
    "You excel at what you do. Excel at selling!",
    "Excel in a team",
    "word of mouth",
    "Word of mouth brings our guests",
    "Access control, and access to a car",
    "knowledge of Access control",
    "The outlook is good. Outlook for 2030: better",
    "You work with teams of five. Teams across the world",
    "a swift answer, Swift action",
    "rust proof",
    "a ruby ring for Ruby",
    "chef de partie",
    "a puppet show",
    "spark joy, Spark joy",
    "R&D engineer",
    "C-level and C.E.O.",
    "experience in R & D, experience with C suite executives",
    "windows and doors, Windows and doors",
    "CAD 80,000 a year at Acme PLC, for an LLM in law",
    "Airflow in the building, selenium in the soil",
    "ask Mr Jenkins",
    "Site Manager, and value analysis",
    "c@example.org",
    "vitamin C",
    "Jim R. Smith",
    "net income",
    "example.net",
    "the scheme of a route, to dig and to analyze",
    "MySQLite3000",
    "reactive, cplusplus",
    "Follow us on Facebook",
    "Julia and Ada are your colleagues",
    "Swift candidates write soon.",
    "",
    " \n\t ",
    "++ -- ## ... .",
    "\u0000\ufffd\U0001f600",
    "İ ß ﬁ",
]


@pytest.mark.parametrize(("text", "skills"), FOUND.items())
def test_a_skill_is_found_where_it_is_meant(text: str, skills: list[str]) -> None:
    assert list(skills_in(text)) == skills


@pytest.mark.parametrize("text", NOT_FOUND)
def test_a_word_that_means_something_else_is_no_skill(text: str) -> None:
    assert skills_in(text) == ()


def test_a_new_sentence_is_no_item_of_the_list_before() -> None:
    assert skills_in("We use Python. Swift candidates write soon.") == ("Python",)
    assert skills_in("We use Python, Swift and more.") == ("Python", "Swift")


def test_sql_is_not_found_inside_of_other_names() -> None:
    for name in ("PostgreSQL", "MySQL", "NoSQL", "PL/SQL", "Transact-SQL"):
        assert "SQL" not in skills_in(name)


def test_a_skill_is_named_once_however_often_it_is_spelled() -> None:
    assert skills_in("Kubernetes (K8s), then K8s again") == ("Kubernetes",)


@pytest.mark.parametrize(
    "piece",
    ["C, ", "Excel ", "node.js/", "機器學習", "\n", " ", "Ruby on ", '"', "+", "a+", "Go and ", "(", "🙂", ".NET"],
)
def test_no_text_is_slow_in_the_square_of_its_length(piece: str) -> None:
    short, long = (piece * (length // len(piece)) for length in (5_000, 50_000))
    skills_in(short)
    assert least(long) < 40 * least(short) + 0.01


def least(text: str) -> float:
    """The CPU seconds that a text takes; others on the machine have theirs."""
    spent = []
    for _ in range(3):
        start = time.thread_time()
        skills_in(text)
        spent.append(time.thread_time() - start)
    return min(spent)


def test_a_mixed_text_is_walked_as_if_all_spellings_were_looked_for_at_once() -> None:
    at_once = ahocorasick.Automaton()
    for key in spellings():
        at_once.add_word(key, key)
    at_once.make_automaton()
    chance, plain = random.Random(5), [key for key in spellings() if key.isascii()]
    others = [key for key in spellings() if not key.isascii()]
    for _ in range(300):
        text = f" {''.join(chance.choices(plain, k=3) + chance.choices(others, k=3))} "
        walked = [(end, same) for end, (_, _, _, same) in walk(text)]
        assert walked == [(end, spellings()[key]) for end, key in at_once.iter(text)], text
