"""Make docs/report.png from a report: `python docs/crop_report.py results/demo/report.html`.

Needs headless Chromium (`apt-get install chromium` on Debian).
"""

import argparse
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from PIL import Image, ImageChops

OUTPUT = Path(__file__).with_name("report.png")
PLOT = "Whole videos (Table 1)"
WIDTH_PIXELS, MARGIN_PIXELS, COLOURS = 860, 12, 256


def section(page: str, title: str) -> str:
    """The part of a page from the heading that starts with `title` to the next one."""
    return re.search(rf"<h2>{re.escape(title)}.*?(?=<h2>|</body>)", page, re.DOTALL)[0]


def shortened(page: str) -> str:
    """The report's first screen without its contents, and the plot of accuracy against cost."""
    head = page[: page.index("<body>")]
    summary = re.search(r'<header class="summary">.*?(?=<nav>)', page, re.DOTALL)[0]
    plot = section(page, PLOT).partition("<table")[0]
    return f"{head}<body>{summary}</header>{plot}</body></html>"


def cropped(picture: Image.Image) -> Image.Image:
    """The picture without its white border."""
    picture = picture.convert("RGB")
    left, top, right, bottom = ImageChops.difference(
        picture, Image.new("RGB", picture.size, "white")
    ).getbbox()
    margin = MARGIN_PIXELS
    box = (max(0, left - margin), max(0, top - margin), right + margin, bottom + margin)
    return picture.crop(box).quantize(COLOURS, dither=Image.Dither.NONE)


def main() -> None:
    """Write docs/report.png."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("report", type=Path, help="results/<run>/report.html")
    report = parser.parse_args().report
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        parser.error("chromium is not installed")
    with tempfile.TemporaryDirectory() as folder:
        page, picture = Path(folder, "page.html"), Path(folder, "page.png")
        page.write_text(shortened(report.read_text(encoding="utf-8")), encoding="utf-8")
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [f"--window-size={WIDTH_PIXELS},2000", f"--screenshot={picture}", page.as_uri()]
        subprocess.run(command, check=True, capture_output=True, timeout=300)
        cropped(Image.open(picture)).save(OUTPUT, optimize=True)
    print(f"{OUTPUT}: {OUTPUT.stat().st_size} bytes")


if __name__ == "__main__":
    main()
