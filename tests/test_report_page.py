"""The whole page: self-contained, small, legible in the light and in the dark, on a phone."""

import re
from pathlib import Path

import browser
import pytest
import report_world

from l2l.__main__ import main
from l2l.errors import BadInput
from l2l.evaluation.artifact import TABLES, read_evaluation_table
from l2l.tools.costs import costs

STYLE = Path(__file__).parents[1] / "l2l/report/style.css"
TEXTS = ("--ink", "--soft", "--ours", "--good", "--bad", "--link")
LEAST_CONTRAST = 4.5
A4_PIXELS = 718  # 21 cm less two margins of 1 cm, at 96 pixels per inch
MOST_PAGES = 40


@pytest.fixture(scope="module")
def run(tmp_path_factory) -> Path:
    return report_world.make_run(tmp_path_factory.mktemp("reported"))


@pytest.fixture(scope="module")
def report(run, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("page") / "report.html"
    report_world.write_page(run, path)
    return path


@pytest.fixture(scope="module")
def page(report) -> str:
    return report.read_text(encoding="utf-8")


def test_the_page_loads_nothing_runs_nothing_and_is_small(page):
    loaded = re.findall(r"""(?:src|href)=["']([^"']*)|url\(([^)]*)""", page)
    addresses = {address or within for address, within in loaded}
    assert {address[:5] for address in addresses if not address.startswith("#")} == {"data:"}
    assert not re.search(r"<script|@import|<iframe|<object|<embed|\son\w+=", page)
    assert len(page) < 3_000_000


def test_the_same_inputs_give_the_same_bytes(run, page, tmp_path):
    assert report_world.write_page(run, tmp_path / "report.html") == page
    drawn = {table.name for table in TABLES if table.plotted}
    assert {path.stem for path in (tmp_path / "figures").glob("*.svg")} == drawn


def test_every_link_of_the_contents_leads_to_a_part_of_the_page(page):
    links = set(re.findall(r'href="#([\w-]+)"', page))
    assert {"table1", "relations", "moments", "files"} <= links
    assert links <= set(re.findall(r'id="([\w-]+)"', page))


def test_a_timeline_has_the_picks_of_every_step_and_modality(run, page):
    films = page.partition('<section id="moments">')[2].split('<div class="film">')[1:]
    rows = read_evaluation_table(run / "evaluation/selections.tsv")
    assert len(films) == 3
    for film in films:
        (video,) = {row["video"] for row in rows if f"<h3>{row['video']} " in film}
        picks = [row for row in rows if row["video"] == video]
        assert film.count('class="pick"') == len(picks)
        for row in picks:  # computed again, the attention is that of the evaluation
            assert f"step {row['step']}, " in film
            assert f"weight {float(row['weight']):.2f}, the largest" in film
        assert film.count('class="hover"') == 2 * int(picks[0]["moments"])
        assert "labelled" in film
        assert film.count("<audio ") == 1
        assert film.count('class="mel"') >= 9
    assert "looked at" not in page
    assert "pictures weighed most" in page
    assert "sound weighed most" in page


def test_a_film_has_a_strip_of_the_moments_that_one_look_weighs_most(run, page):
    films = page.partition('<section id="moments">')[2].split('<div class="film">')[1:]
    rows = read_evaluation_table(run / "evaluation/picks.tsv")
    assert {row["method"] for row in rows} == {"one_look_sparse"}
    for film in films:
        (video,) = {row["video"] for row in rows if f"<h3>{row['video']} " in film}
        picked = [row for row in rows if row["video"] == video]
        most = sorted(picked, key=lambda row: -float(row["weight"]))[:3]
        strip = film.partition("<span>One look (sparse)</span>")[2].partition("</div>")[0]
        captions = re.findall(r"<figcaption>([\d.]+) s<br>weight ([\d.]+)</figcaption>", strip)
        assert captions == [
            (f"{int(row['moment']) * 16 / 30:.1f}", f"{float(row['weight']):.2f}")
            for row in sorted(most, key=lambda row: int(row["moment"]))
        ]


def test_what_was_left_out_and_what_has_a_remark_are_two_tables(page):
    files = page.partition('<section id="files">')[2]
    left_out, remarked = files.partition("<h3>Used, with a remark</h3>")[::2]
    assert "<h3>Left out</h3>" in left_out
    assert ">broken</td>" in left_out
    assert "a remark &lt;b&gt;" in remarked
    assert "broken" not in remarked.partition("</table>")[0]


def test_clips_where_sound_helps_most_and_least_are_seen_and_heard(run, page):
    part = page.partition('<section id="audio_helps">')[2].partition("</section>")[0]
    most, least = part.partition("<h3>Sound helps least</h3>")[::2]
    rows = read_evaluation_table(run / "evaluation/audio_helps.tsv")
    heard = [row for row in rows if row["has_sound"] == "yes"]
    assert len(heard) == len(rows) - 1
    for group, expected in ((most, heard[:3]), (least.partition("<table>")[0], heard[-3:])):
        assert group.count("<audio ") == group.count("<img ") == 3
        for row in expected:
            assert f"{row['video']}, {float(row['start_seconds']):.1f} s" in group
            assert f"L1 {float(row['image']):.3f} by the picture" in group


# ---- colours -------------------------------------------------------------------------------------


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast_is_that_of_the_guidelines():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_text_can_be_read_on_every_ground(scheme):
    light, dark = STYLE.read_text(encoding="utf-8").partition("(prefers-color-scheme: dark)")[::2]
    colours = dict(re.findall(r"(--\w+): (#[0-9a-f]{6})", light))
    changed = dict(re.findall(r"(--\w+): (#[0-9a-f]{6})", dark))
    assert set(changed) == set(colours), "the dark has a value for every colour"
    colours |= changed if scheme == "dark" else {}
    for ground in ("--paper", "--block"):
        for text in TEXTS:
            assert contrast(colours[text], colours[ground]) >= LEAST_CONTRAST, (text, ground)


# ---- in a browser --------------------------------------------------------------------------------


@pytest.mark.browser
@pytest.mark.skipif(browser.PROGRAM is None, reason=browser.WHY_NOT)
def test_a_browser_shows_all_of_it_on_a_screen_and_on_a_phone_in_light_and_dark(report, tmp_path):
    papers = set()
    with browser.started(tmp_path) as chromium:
        for width in (1280, 390):
            for dark in (False, True):
                shown = chromium.open(report, width, dark)
                where = (width, dark, shown)
                assert shown["errors"] == [], where
                assert shown["width"] <= width, where
                assert (shown["broken"], shown["silent"]) == ([], 0), where
                assert min(shown["pictures"], shown["sounds"]) >= 3, where
                assert shown["faint"] == [], where
                papers.add(shown["paper"])
    assert len(papers) == 2


@pytest.mark.browser
@pytest.mark.skipif(browser.PROGRAM is None, reason=browser.WHY_NOT)
def test_it_prints_whole_on_white_paper_even_where_screens_are_dark(report, tmp_path):
    with browser.started(tmp_path) as chromium:
        shown = chromium.open(report, A4_PIXELS, dark=True, media="print")
        hidden = chromium.value(
            "[...document.querySelectorAll('h1, h2, h3, p, tr, pre, svg, img')]"
            ".filter((each) => !each.checkVisibility({contentVisibilityAuto: true}))"
            ".map((each) => each.textContent.slice(0, 40))"
        )
        players = chromium.value("[...document.querySelectorAll('audio, nav')].length")
        printed_players = chromium.value(
            "[...document.querySelectorAll('audio, nav')].filter((x) => x.checkVisibility()).length"
        )
        pdf = chromium.print_a4()
    assert shown["errors"] == []
    assert shown["width"] <= A4_PIXELS  # nothing is cut off at the right
    assert shown["paper"] == "rgb(255, 255, 255)"
    assert shown["faint"] == []
    assert hidden == []  # folded tables are open
    assert (players > 0, printed_players) == (True, 0)
    assert pdf.startswith(b"%PDF-")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", pdf)) <= MOST_PAGES


# ---- l2l show ------------------------------------------------------------------------------------


def test_any_test_video_has_a_page(run, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["show", "test-003", "--run", str(run)]) == 0
    assert capsys.readouterr().out == "test-003.html\n"
    page = Path("test-003.html").read_text(encoding="utf-8")
    assert page.count('<div class="film">') == 1
    assert "Non-Recurrent" in page
    assert main(["inspect", "test-003.html", "--check"]) == 0


@pytest.mark.parametrize(
    ("video", "line"),
    [
        ("test-03", "no such video; did you mean 'test-003'?"),
        ("test", "no such video; did you mean 'test-000'?"),
        ("train-000", "a video of split train, status ok"),
        ("broken", "a video of split test, status corrupt"),
    ],
)
def test_another_video_is_refused_in_a_line(run, video, line, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert main(["show", video, "--run", str(run)]) == 1
    assert line in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_test_video_is_found_by_its_file_and_for_another_file_predict_is_named(
    run, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    Path("other film.mp4").touch()
    assert main(["show", "other film.mp4", "--run", str(run)]) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"l2l show: other film.mp4: a file, but of no video of {run}, and pages")
    assert line.endswith(f": l2l predict 'other film.mp4' --run {run} --json")
    assert [path.name for path in tmp_path.iterdir()] == ["other film.mp4"]
    Path("test-003.mp4").touch()  # as videos.tsv has it
    assert main(["show", str(tmp_path / "test-003.mp4"), "--run", str(run)]) == 0
    assert capsys.readouterr().out == "test-003.html\n"


def test_the_page_of_what_a_run_took_has_its_trainings_and_stages(run, tmp_path):
    costs(run, tmp_path / "costs.html")
    page = (tmp_path / "costs.html").read_text(encoding="utf-8")
    assert "train_teacher: 9.50 s in all" in page
    assert "<polyline" in page
    with pytest.raises(BadInput, match=r"found no training in .*logs/elsewhere"):
        costs(tmp_path / "results/elsewhere")
