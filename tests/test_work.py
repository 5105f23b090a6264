"""What is done once is not done per video: files of the run that are opened, processes started."""

import json
import subprocess
import sys

import pytest
from media_files import make_video
from untrained_run import make_run

COUNT = """
import json, sys
from pathlib import Path
import l2l

run, *videos = map(Path, sys.argv[1:])
counts = {"opened": 0, "started": 0}

def count(event, arguments):
    if event == "open" and str(arguments[0]).startswith(str(run)):
        counts["opened"] += 1
    if event == "subprocess.Popen":
        counts["started"] += 1

sys.addaudithook(count)
loaded = l2l.load(run, threads=1)
found = [dict(counts)]
for paths in (videos[:1], videos[:1], videos, videos):
    counts.update(opened=0, started=0)
    assert all(each.answered for each in loaded.predict_many(paths))
    found.append(dict(counts))
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> list[dict[str, int]]:
    """Counts while a run is loaded, then while it answers for 1, 1, 4 and 4 videos."""
    folder = tmp_path_factory.mktemp("work")
    run = make_run(folder / "run")
    videos = [folder / f"{i}.mp4" for i in range(4)]
    for i, path in enumerate(videos):
        make_video(path, 1.5, sound=f"0.3*sin({700 + i}*t)")
    program = [sys.executable, "-c", COUNT, str(run), *map(str, videos)]
    ran = subprocess.run(program, capture_output=True, text=True, timeout=600)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return json.loads(ran.stdout)


def test_the_networks_are_read_when_a_run_is_loaded_and_never_again(found):
    loaded, *answering = found
    assert 0 < loaded["opened"] <= 10
    assert [each["opened"] for each in answering] == [0, 0, 0, 0]


def test_a_video_starts_one_process_and_a_call_none(found):
    """The ffmpeg program for the sound of each. The processes that examine files and that decode
    pictures start with the first video and wait for the next one.
    """
    _, *answering = found
    assert [each["started"] for each in answering] == [1 + 1 + 1, 1, 4, 4]
