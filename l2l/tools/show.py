"""The page of one test video of a finished run."""

from pathlib import Path

from l2l.apply.run import network_path
from l2l.manifest.files import safe_file_name
from l2l.terminal import escape


def show(video: str, /, run: Path, output: Path | None = None) -> None:
    """Write the page of a test video: attention, pictures, spectrograms, sound.

    Args:
        video: id of a test video, as in videos.tsv and the report; its suffix may be left out. Or
            the path of its file.
        run: a finished run's folder, such as results/demo.
        output: the page; default: the video's name with .html, in the working directory.

    Raises:
        BadInput: if the run is not finished, or has no such usable test video.

    Example:
        l2l show test/cross_bouncing/0000.mp4 --run results/demo --output video.html
    """
    network_path(run)
    from l2l.report.video import video_page
    from l2l.stores import write_text

    name, text = video_page(run, video)
    page = output or Path(f"{safe_file_name(name)}.html")
    write_text(page, text)
    print(escape(str(page)))
