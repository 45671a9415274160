"""Docstrings, comments and pages cite documents that exist, and headings that these have."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    *("erpbridge", "directory", "admin_wbs", "erp_integrations", "templates"),
    *("tests", "bench", "bin", ".ci", "docs", "examples"),
)
KINDS = {"", ".css", ".html", ".js", ".md", ".mjs", ".py", ".sh", ".toml", ".txt", ".yaml", ".yml"}
DOCUMENT = re.compile(r"[\w./-]*\w\.md\b")
# A document and, in quotes, one or several of its headings.
CITATION = re.compile(r'([\w./-]*\w\.md)`*, ((?:(?:, | and )?"[^"]+")+)')
DESIGN = "docs/design/"
# Web addresses, and the text of a link: only its target matters.
UNREAD = re.compile(r"https?://\S+|\[[^\]]*\](?=\()")
# How documents outside of the repository were cited.
OUTSIDE = re.compile(
    r"\(references?:? [a-z0-9]|\bReference: |\breference [\w-]*\.?\d+\.\d"
    r"|\b(?:design|product|architecture|engineering|style|layout)(?:\.md)?,? section \d"
    r"|\bsection \d+, fact|\bseed pages?\b|\bseed's page|\bspecification: \*"
    r"|(?<!docs/)\bdesign/\w|\bshared/(?:design|reference|seeds)\b|\bseeds/"
)


def sources() -> list[Path]:
    """Every text file that was written by hand."""
    inside = (path for name in FOLDERS for path in (ROOT / name).rglob("*"))
    files = [path for path in [*ROOT.glob("*"), *inside] if path.is_file()]
    skipped = {"__pycache__", "node_modules"}
    return sorted(
        path
        for path in files
        if path.suffix in KINDS and skipped.isdisjoint(path.relative_to(ROOT).parts)
    )


def explanations(source: str) -> Iterator[str]:
    """The docstrings of a module, and its comments; those on lines in a row are one."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield ast.get_docstring(node) or ""
    block, last = "", 0
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if token.start[0] != last + 1:
                yield block
                block = ""
            block, last = f"{block} {token.string.lstrip('#')}", token.start[0]
    yield block


def texts_of(path: Path) -> list[str]:
    """The texts of a file for its readers, each on one line."""
    try:
        content = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return []
    if ".md" not in content and not OUTSIDE.search(" ".join(content.split())):
        return []
    texts = explanations(content) if path.suffix == ".py" else [content]
    return [" ".join(UNREAD.sub("", text).split()) for text in texts]


@cache
def headings(page: Path) -> set[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.M | re.S)
    return set(re.findall(r"^#+ (.+?)\s*$", text, re.M))


def document(name: str, place: Path) -> Path | None:
    """The document by its path from the top; on a page also from the page."""
    tops = [ROOT, place.parent] if place.suffix == ".md" else [ROOT]
    return next((top / name for top in tops if (top / name).is_file()), None)


def problems_in(text: str, place: Path) -> Iterator[str]:
    """The problems of the citations in a text."""
    for old in OUTSIDE.finditer(text):
        yield f"leads outside: {text[old.start() : old.end() + 30]}"
    for name in DOCUMENT.findall(text):
        if document(name, place) is None:
            yield f"no such document: {name}"
    cited = CITATION.findall(text)
    for name, quoted in cited:
        page = document(name, place)
        for heading in re.findall(r'"([^"]+)"', quoted):
            if page and heading not in headings(page):
                yield f"no such heading: {name}, {heading}"
    if place.suffix == ".py":
        named = [name for name in DOCUMENT.findall(text) if name.startswith(DESIGN)]
        for name in {*named} - {name for name, _quoted in cited}:
            yield f"without a heading: {name}"


def test_every_citation_leads_to_a_document_and_a_heading_of_the_repository():
    wrong = [
        f"{path.relative_to(ROOT)}: {problem}"
        for path in sources()
        for text in texts_of(path)
        for problem in problems_in(text, path)
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('See docs/design/permissions.md, "Levels".', None),
        ('(docs/design/permissions.md, "Levels" and "Who does what")', None),
        ("docs/locks.md", None),
        ("docs/design/nowhere.md", "no such document"),
        ('docs/design/permissions.md, "Level"', "no such heading"),
        ('docs/design/permissions.md, "Levels" and "Nothing"', "no such heading"),
        ("docs/design/permissions.md", "without a heading"),
        ("rest-api.md 2.3", "no such document"),
        ("(reference 2.3)", "leads outside"),
        ("Reference: engineering 3.6.", "leads outside"),
        ("as design/product says", "leads outside"),
        ("architecture section 4", "leads outside"),
        ("what the seed page says", "leads outside"),
    ],
)
def test_a_citation_that_leads_nowhere_is_noticed(text, wrong):
    noticed = list(problems_in(text, ROOT / "erpbridge" / "text.py"))
    assert [problem.split(":")[0] for problem in noticed][:1] == ([wrong] if wrong else [])


def test_docstrings_and_comments_of_several_lines_are_read_whole():
    source = '"""Top\n\nline.\n"""\ndef f():\n    """Inner."""\n    # a\n    # b\n    x = 1\n# c\n'
    texts = [" ".join(text.split()) for text in explanations(source)]
    assert texts == ["Top line.", "Inner.", "", "a b", "c"]


def test_links_to_a_heading_of_a_page_find_it():
    wrong = []
    for page in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for name, anchor in re.findall(r"\]\(([^)#\s:]*)#([\w-]+)\)", page.read_text("utf-8")):
            target = page.parent / name if name else page
            anchors = {
                re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-")
                for heading in headings(target)
            }
            if anchor not in anchors:
                wrong.append(f"{page.relative_to(ROOT)}: {name}#{anchor}")
    assert wrong == []


def test_the_list_of_design_notes_is_complete():
    folder = ROOT / "docs" / "design"
    index = (folder / "README.md").read_text("utf-8")
    names = {page.name for page in folder.glob("*.md")} - {"README.md"}
    assert set(re.findall(r"\(([\w-]+\.md)\)", index)) == names
