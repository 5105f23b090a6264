"""What the README and the pages in docs/ show exists and runs; their links lead somewhere."""

import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import l2l
from l2l.__main__ import VERBS, main
from l2l.config import check_config
from l2l.evaluation.artifact import TABLES

ROOT = Path(__file__).parents[1]
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [
        *(ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        ROOT / "results/README.md",
        *sorted((ROOT / "docs").glob("*.md")),
    ]
}
ALL = "\n".join(PAGES.values())
README = PAGES["README.md"]
VERB = r"(?<![\w./-])l2l ([a-z][a-z_]*)"
WORDS_OF_MESSAGES = {"did", "needs", "wrote"}  # that follow l2l in docs/troubleshooting.md
CODE = re.compile(r"```\w*\n(.*?)```|`([^`\n]+)`", re.DOTALL)


def code(text):
    """The blocks and the inline code of a page, backslashes at line ends undone."""
    parts = [block or inline for block, inline in CODE.findall(text)]
    return "\n".join(parts).replace("\\\n", " ")


def anchors(text):
    """The names by which GitHub links to the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_has_at_most_150_lines_of_at_most_100_columns():
    lines = README.splitlines()
    assert len(lines) <= 150
    assert [line for line in lines if len(line) > 100] == []


def test_the_two_commands_a_picture_and_the_paper_are_on_the_first_screen():
    first_screen = "\n".join(README.splitlines()[:30])
    for expected in ("make demo", "make test", "docs/method.svg", "1912.04487"):
        assert expected in first_screen


@pytest.mark.parametrize("page", PAGES)
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", PAGES[page]):
        if target.startswith("https://"):
            assert target.startswith("https://arxiv.org/"), "links lead into the repository"
            continue
        name, _, anchor = target.partition("#")
        path = (ROOT / page).parent / name if name else ROOT / page
        assert path.is_file(), target
        assert not anchor or anchor in anchors(path.read_text(encoding="utf-8")), target


def test_every_page_of_docs_is_reached_from_the_readme():
    reached, waiting = set(), ["README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached or page not in PAGES:
            continue
        reached.add(page)
        for target in re.findall(r"\]\(([^)\s#]+)", PAGES[page]):
            path = os.path.normpath(Path(page).parent / target)
            waiting.append(Path(path).as_posix())
    assert {page for page in PAGES if page.startswith("docs/")} <= reached


@pytest.mark.parametrize("page", PAGES)
def test_every_file_and_folder_a_page_names_is_there(page):
    if page == "docs/extending.md":
        pytest.skip("names files that the reader makes; its own test follows it")
    start = r"(?:workflow|l2l|slurm|profiles|tests|benchmarks|docs)/"
    named = set(re.findall(rf"(?<![\w./<-])({start}[\w./-]*|\.ci/run)", code(PAGES[page])))
    named -= {name for name in named if name.startswith("benchmarks/results")}
    assert [name for name in sorted(named) if not (ROOT / name).exists()] == []


def test_every_verb_a_page_names_is_one():
    named = {verb for text in PAGES.values() for verb in re.findall(VERB, code(text))}
    assert {"predict", "inspect", "doctor", "plan", "check", "config", "score"} <= named
    assert named - WORDS_OF_MESSAGES <= set(VERBS)


@pytest.mark.parametrize("verb", sorted(set(re.findall(VERB, code(ALL))) & set(VERBS)))
def test_the_options_that_pages_show_are_those_of_the_verb(verb, capsys):
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    printed = capsys.readouterr().out
    shown = {
        option
        for line in code(ALL).splitlines()
        if re.search(rf"(?<![\w./-])l2l {verb}\b", line)
        for option in re.findall(r"(?<![\w-])--[a-z-]+", line.partition("#")[0])
    }
    assert shown <= set(re.findall(r"--[a-z-]+", printed))


def test_commands_are_shown_as_the_console_script():
    assert "python -m l2l" not in ALL


@pytest.mark.parametrize("page", ["README.md", "docs/datasets.md"])
def test_the_videos_section_that_is_shown_is_valid(page):
    shown = re.search(r"```yaml\n(videos:.*?)```", PAGES[page], re.DOTALL)[1]
    tiny = yaml.safe_load((ROOT / "workflow/configs/tiny.yaml").read_text(encoding="utf-8"))
    assert check_config(tiny | yaml.safe_load(shown), page).target == "mine"


def test_the_line_of_predict_in_the_readme_has_the_form_that_predict_prints():
    block = re.search(r"```console\n(.*?)```", README, re.DOTALL)[1]
    command, _, line = block.partition("$ l2l predict ")[2].partition("\n")
    seconds = r"(?:\d+\.\d(?:, )?)+ s"
    selected = rf"pictures weighed most at {seconds}; sound weighed most at {seconds}"
    form = rf"(\S+): \w+ \(0\.\d\d\); {selected}; [\d.]+ GMACs, \d+ pictures decoded"
    assert re.fullmatch(form, " ".join(line.split()))[1] == command.split()[0]


def test_the_rows_of_table_1_in_the_readme_are_those_of_the_page_on_the_demo():
    def rows(text):
        table = re.search(r"\| whole videos \|.*?\n\n", text, re.DOTALL)[0]
        return table.strip().splitlines()

    shown, all_rows = rows(README), rows(PAGES["docs/demo.md"])
    assert len(shown) == 2 + 6
    assert set(shown) <= set(all_rows)
    config = yaml.safe_load((ROOT / "config.yaml").read_text(encoding="utf-8"))
    assert f"{config['videos']['untrimmed']['test']} test" in " ".join(README.split())
    assert config["study"]["seeds"] == [21, 22, 23]


def test_the_drawing_of_the_method_is_as_its_script_makes_it(tmp_path):
    script = runpy.run_path(str(ROOT / "docs/draw_method.py"))
    script["main"](tmp_path / "method.svg")
    assert (tmp_path / "method.svg").read_bytes() == (ROOT / "docs/method.svg").read_bytes()


def test_what_the_crop_of_the_report_looks_for_is_in_the_report():
    script = runpy.run_path(str(ROOT / "docs/crop_report.py"))
    assert script["PLOT"] in {table.title for table in TABLES}
    page = (ROOT / "l2l/report/page.html").read_text(encoding="utf-8")
    summary = (ROOT / "l2l/report/summary.html").read_text(encoding="utf-8")
    cut = script["shortened"](f"<body>{summary}<h2>{script['PLOT']}</h2>plot<table></body>")
    assert summary[summary.index("<header") : summary.index("<nav>")] in cut
    assert "plot" in cut
    assert "<table" not in cut
    assert '{% include "summary.html" %}' in page


def test_the_pictures_are_small():
    for name, most in (("docs/method.svg", 60_000), ("docs/report.png", 150_000)):
        assert 0 < (ROOT / name).stat().st_size < most


def test_no_number_is_left_open():
    assert not re.findall(r"\b[A-Z]+_(?:MINUTES|TABLES|SECTION)\b|TODO|TBD", ALL)


def test_the_version_in_the_citation_and_the_changelog_is_that_of_the_package():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == l2l.__version__
    assert f"## {l2l.__version__}" in PAGES["CHANGELOG.md"]


@pytest.mark.workflow
def test_one_key_is_overridden_on_the_command_line_as_the_readme_says():
    override = re.search(r"""--config '(skimmer=\{"steps": 3\})'""", README)[1]
    command = [sys.executable, "-m", "snakemake", "-n", "-p", "--cores", "1", "--nolock"]
    command += ["--configfile", "workflow/configs/tiny.yaml", "--forcerun", "train_skimmer"]
    ran = subprocess.run(
        [*command, "--config", override], cwd=ROOT, capture_output=True, text=True, timeout=600
    )
    assert ran.returncode == 0, ran.stderr
    sections = re.findall(r"""l2l train_skimmer.*?--config '?(\{.*?\})'? """, ran.stdout, re.DOTALL)
    assert sections
    assert all('"steps": 3' in section and '"lstm_width": 16' in section for section in sections)
