"""`import l2l`: what docs/python.md and the notebook show runs as written."""

import doctest
import json
import re
import runpy
import shutil
import warnings
from pathlib import Path

import matplotlib as mpl
import nbformat
import pytest
import report_world
from media_files import make_video

import l2l
from l2l.hdf5 import open_hdf5

ROOT = Path(__file__).parents[1]
PAGE, NOTEBOOK = ROOT / "docs/python.md", ROOT / "docs/explore.ipynb"


@pytest.fixture(scope="module")
def small_run(tmp_path_factory) -> Path:
    """A working directory with a small run in the place of the demo's, and a video."""
    folder = tmp_path_factory.mktemp("public")
    run = report_world.make_run(folder)
    run.rename(run.with_name("demo"))
    run = run.with_name("demo")
    for stage in ("media", "mels", "features"):
        (run / stage / "mine").rename(run / stage / "untrimmed")
    (run / "student/finetuned").mkdir(parents=True)
    student = run / "student/finetuned/image-audio-distilled.pt"
    shutil.copy(folder / "world/student.pt", student)
    make_video(folder / "clip.mp4", 3.0, sound="0.3*sin(700*t)")
    return folder


def test_the_examples_of_the_page_give_what_it_shows(small_run, monkeypatch):
    monkeypatch.chdir(small_run)
    failed, tried = doctest.testfile(
        str(PAGE), module_relative=False, optionflags=doctest.ELLIPSIS, encoding="utf-8"
    )
    assert tried > 20
    assert not failed


def test_every_public_name_is_on_the_page_and_has_a_docstring():
    page = PAGE.read_text(encoding="utf-8")
    for name in l2l.__all__:
        assert f"`l2l.{name}" in page
        assert hasattr(l2l, name)
        assert name == "__version__" or getattr(l2l, name).__doc__


def test_every_array_of_a_run_is_on_the_page_of_stores(small_run):
    page = (ROOT / "docs/stores.md").read_text(encoding="utf-8")
    run = small_run / "results/demo"
    for path in (*run.glob("media/*/*.h5"), *run.glob("mels/*/*.h5"), *run.glob("*/scores.h5")):
        with open_hdf5(path) as store:
            for array in store.arrays():
                assert re.search(rf"[`/]{array.name.rpartition('/')[2]}`", page), array.name
    for _, array in l2l.open_features(run / "features/untrimmed").arrays():
        assert f"`{array.basename}`" in page


@pytest.mark.parametrize("open_run", [l2l.load, l2l.open_scores])
def test_a_run_that_is_not_there_is_answered_with_the_current_folder(
    tmp_path, monkeypatch, open_run
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(l2l.BadInput, match="results/demo: no such run folder; the current folder"):
        open_run("results/demo")


def test_the_notebook_is_that_of_the_page():
    script = runpy.run_path(str(ROOT / "docs/make_notebook.py"))
    page = (ROOT / "docs/explore.md").read_text(encoding="utf-8")
    assert NOTEBOOK.read_text(encoding="utf-8") == script["notebook_of"](page)
    nbformat.validate(json.loads(NOTEBOOK.read_text(encoding="utf-8")))


def test_the_notebook_runs_and_draws_the_attention(small_run, monkeypatch, capsys):
    (small_run / "docs").mkdir()
    monkeypatch.chdir(small_run / "docs")  # as Jupyter does
    mpl.use("Agg")
    import matplotlib.pyplot as plt

    names: dict[str, object] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for cell in json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code":
                exec("".join(cell["source"]), names)
    assert "top-1 of ours: " in capsys.readouterr().out
    heat, image_axes = plt.figure(1), plt.figure(2).axes
    drawn = [axes.images[0].get_array() for axes in heat.axes[:2]]
    attention = names["attention"]
    assert [each.tolist() for each in drawn] == [attention.weights[:, i].tolist() for i in range(2)]
    assert image_axes[0].images[0].get_array().shape == (32, 32, 3)
    plt.close("all")
