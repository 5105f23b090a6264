"""Write docs/explore.ipynb from docs/explore.md: prose becomes cells of text, code cells of code.

python docs/make_notebook.py
"""

import json
import re
from pathlib import Path

FOLDER = Path(__file__).parent
ONLY_ON_THE_PAGE = "The same as a notebook: [explore.ipynb](explore.ipynb).\n\n"


def notebook_of(page: str) -> str:
    """The notebook of a page, as the text of its file."""
    cells = []
    page = page.replace(ONLY_ON_THE_PAGE, "")
    for prose, code in re.findall(r"(.*?)(?:```python\n(.*?)```|\Z)", page, re.DOTALL):
        if prose.strip():
            cells.append({"cell_type": "markdown", "metadata": {}, "source": _lines(prose.strip())})
        if code:
            cells.append(
                {
                    "cell_type": "code",
                    "execution_count": None,
                    "metadata": {},
                    "outputs": [],
                    "source": _lines(code.strip()),
                }
            )
    for number, cell in enumerate(cells):
        cell["id"] = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook = {
        "cells": cells,
        "metadata": {"kernelspec": kernel, "language_info": {"name": "python"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def main(output: Path = FOLDER / "explore.ipynb") -> None:
    """Write the notebook."""
    page = (FOLDER / "explore.md").read_text(encoding="utf-8")
    output.write_text(notebook_of(page), encoding="utf-8")


if __name__ == "__main__":
    main()
