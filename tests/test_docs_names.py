"""The functions, keys, messages and rules that pages in docs/ name are those of the code; what the
containers copy exists.
"""

import ast
import functools
import re
from pathlib import Path

import pytest

from l2l.config import Config
from l2l.tools.config import keys

ROOT = Path(__file__).parents[1]
PAGES = {path.name: path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("docs/*.md"))}
METHOD, TROUBLESHOOTING = PAGES["method.md"], PAGES["troubleshooting.md"]
RULES = [ROOT / "Snakefile", *sorted((ROOT / "workflow/rules").glob("*.smk"))]
PLACED = re.compile(r"\[(l2l/[\w/]+\.py)\]\(\.\./\1\)")  # a link that shows the file it leads to
FILE_ENDS = (".tsv", ".py", ".pt", ".yaml", ".h5", ".smk", ".html", ".txt", ".json")
HOLE = "\0"  # what a message fills in
SMALLEST_PART = 12  # letters; a message without such a part says nothing by itself


@functools.cache
def definitions(file):
    """The names of functions, classes and methods (`Class.method`) that a file defines."""
    names = set()
    for node in ast.parse((ROOT / file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            names.add(node.name)
        if isinstance(node, ast.ClassDef):
            names |= {f"{node.name}.{m.name}" for m in node.body if isinstance(m, ast.FunctionDef)}
    return names


def named_functions():
    """(file, name) of each function that method.md names: the code before a link to its file, back
    to the previous link, paragraph or cell.
    """
    placed = []
    for block in re.split(r"\n\n|\| ", METHOD):
        before = 0
        for link in PLACED.finditer(block):
            names = re.findall(r"`([A-Za-z_]\w*(?:\.\w+)?)`", block[before : link.start()])
            placed += [(link[1], name) for name in names if not is_key(name)]
            before = link.end()
    return placed


def is_key(name):
    return name.partition(".")[0] in Config.model_fields and "." in name


def text_of(node):
    """A text of Python with its values as holes; None if it is no text."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return node.value
    if isinstance(node, ast.JoinedStr):
        return "".join(
            part.value if isinstance(part, ast.Constant) else HOLE for part in node.values
        )
    return None


@functools.cache
def python_texts():
    """Every text in the code, one per line, and those that are raised as a message."""
    every, raised = [], []
    for path in sorted((ROOT / "l2l").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if (text := text_of(node)) is not None:
                every.append(text.replace("\n", " "))
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "BadInput":
                raised += filter(None, map(text_of, node.args))
    return "\n".join(dict.fromkeys(every)), raised


@functools.cache
def all_texts():
    """The texts of the code, of the rules, with the parts of one text joined, and the Makefile."""
    rules = "\n".join(path.read_text(encoding="utf-8") for path in RULES)
    rules = re.sub(r"""["']\s*\n\s*f?["']""", "", rules)
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    return "\n".join([python_texts()[0], rules, re.sub(r"`[^`\n]*`", HOLE, makefile)])


def shown_messages():
    """The messages in the first column of the tables, without those of Snakemake and Slurm."""
    ours = TROUBLESHOOTING.partition("## Snakemake and Slurm")[0].partition("## Installation")[2]
    cells = [row.split("|")[1] for row in ours.splitlines() if row.startswith("| `")]
    return [message for cell in cells for message in re.findall(r"`([^`]+)`", cell)]


def pattern(message):
    """What finds a shown message in the code: `...` is anything in it."""
    parts = [re.escape(part.strip(" ")) for part in message.split("...")]
    return re.compile(r"[^\n]*?".join(parts))


def test_every_function_that_the_page_on_the_method_names_is_in_the_file_it_links_to():
    placed = named_functions()
    assert len(placed) >= 50
    assert [f"{file}: {name}" for file, name in placed if name not in definitions(file)] == []


def test_the_page_on_the_method_has_the_equations_1_to_10_in_order():
    assert re.findall(r"^\*\*Eq\. (\d+)\*\*", METHOD, re.MULTILINE) == [
        str(i) for i in range(1, 11)
    ]


@pytest.mark.parametrize("page", PAGES)
def test_every_key_that_a_page_names_is_one_of_the_configuration(page):
    sections = "|".join(Config.model_fields)
    named = set(re.findall(rf"`((?:{sections})\.[a-z_.0-9]+)[:`]", PAGES[page]))
    named = {name for name in named if f".{name.rpartition('.')[2]}" not in FILE_ENDS}
    known = {key.path for key in keys()}
    assert [name for name in named if not any(f"{k}.".startswith(f"{name}.") for k in known)] == []


def test_every_rule_and_every_target_of_make_that_a_page_names_exists():
    text = "\n".join(PAGES.values())
    rules = "\n".join(path.read_text(encoding="utf-8") for path in RULES)
    named = set(re.findall(r"--set-(?:resources|threads) (\w+):", text))
    assert named
    assert named <= set(re.findall(r"rule (\w+):", rules))
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"`make ([a-z]+)", text))
    assert {"demo", "slurm"} <= targets
    assert targets <= set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))


def test_every_message_that_troubleshooting_shows_is_one_of_the_code():
    shown = shown_messages()
    assert len(shown) >= 300
    assert [message for message in shown if not pattern(message).search(all_texts())] == []
    assert not pattern("the moon ... is made of cheese").search(all_texts())


def test_troubleshooting_shows_nearly_every_message_that_is_raised():
    patterns = [pattern(message) for message in shown_messages()]
    raised = [
        message
        for message in python_texts()[1]
        if max(map(len, message.split(HOLE))) >= SMALLEST_PART
    ]
    assert len(raised) >= 250
    absent = [m for m in raised if not any(each.search(m) for each in patterns)]
    listed = "\n".join(m.replace(HOLE, "...") for m in absent)
    assert len(absent) <= len(raised) // 20, f"not in docs/troubleshooting.md:\n{listed}"


def test_both_containers_copy_what_exists_start_from_one_image_and_install_the_pinned_versions():
    dockerfile = (ROOT / "workflow/envs/Dockerfile").read_text(encoding="utf-8")
    apptainer = (ROOT / "workflow/envs/l2l.def").read_text(encoding="utf-8")
    copied = re.findall(r"^COPY (.+) \S+$", dockerfile, re.MULTILINE)
    copied_by_docker = {name for line in copied for name in line.split()}
    copied_by_apptainer = dict(re.findall(r"^    (\S+) /opt/l2l/(\S+)$", apptainer, re.MULTILINE))
    assert all(name == target for name, target in copied_by_apptainer.items())
    assert copied_by_docker == set(copied_by_apptainer)
    assert {"l2l", "workflow", "Snakefile", "constraints.txt"} <= copied_by_docker
    assert [name for name in copied_by_docker if not (ROOT / name).exists()] == []
    image = re.search(r"^FROM (\S+)$", dockerfile, re.MULTILINE)[1]
    assert image == re.search(r"^From: (\S+)$", apptainer, re.MULTILINE)[1]
    assert "/" not in image  # no host
    for text in (dockerfile, apptainer):
        assert "PIP_CONSTRAINT=/opt/l2l/constraints.txt" in text
        assert "ln -s workflow/profiles profiles" in text
    assert (ROOT / "profiles").readlink() == Path("workflow/profiles")
