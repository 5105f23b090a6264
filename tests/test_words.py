"""One word for one thing: docs/glossary.md has the terms; the old ones do not come back."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SEARCHED = ("l2l", "workflow", "tests", "benchmarks", "docs", ".ci", "Snakefile", "Makefile")
SEARCHED += ("config.yaml", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "results/README.md")
SEARCHED += ("pyproject.toml", "environment.yml")
NOT_SEARCHED = {"docs/glossary.md", "tests/test_words.py"}  # they name the forbidden words

UNITS = (
    "video method run shard stage epoch clip moment class factor file split year second row job "
    "step batch line variant seed draw picture frame modality student feature test rule column"
).replace(" ", "|")
COUNTED = (
    "rows? jobs? GMACs MACs points? keys? lines? files? bytes moments? minutes seconds hours times "
    "videos pictures frames numbers seeds clips steps table name"
).replace(" ", "|")

# A regular expression, whole words, in any case; and what to write instead.
FORBIDDEN = {
    r"tells?|told|untold": "state, report, name, show; given; default",
    r"anew": "again, from the start",
    r"beside": "next to, compared with, in the same folder as",
    r"at hand": "available",
    r"whatever": "any",
    r"nought": "zero",
    r"set aside|written aside|writes? aside|lets? go|let alone": "reserve, write to a temporary",
    r"gives? leave|given leave": "check write permission",
    r"makes? room|no room": "free disk space",
    r"cannot be had|can be had": "could not be downloaded, is not available",
    r"stands? there|stand there twice|stands? twice": "is duplicated, is in the file",
    r"(?:stands?|standing|stood) (?:in|at|on|above|below|for itself|alone|next)": "is",
    r"fitted|refitt?ed|refits?|unfitted": "trained (fit only for a linear head)",
    r"fits? (?:a|the|its|another) (?:network|student|teacher|skimmer)": "train",
    r"what came of|came of": "the result of",
    r"for ever|evermore": "permanently",
    r"amid|amidst|betwixt": "among",
    r"dear(?:er|est)?": "expensive",
    r"harmless": "safe",
    r"mends?|mended": "fix, repair",
    r"of its own|of their own": "its own, separate",
    r"mere|merely": "only",
    r"but for": "except",
    r"nowise|thereof|wherein|whereof|thereby|hereby|thus": "plain English",
    r"nobody|none but": "no caller, no one",
    rf"(?:{COUNTED}|one|once|twice|more|fewer) an? (?:{UNITS})": "per",
}

# Ordinary English or code that has such letters; removed from a line before it is searched.
ALLOWED = (
    r"\.tell\(\)|def tell\(",  # of a file
    r"once a (?:file|job|rule|line|run|class|video|shard|row) (?:is|was|has|exists|ends|fails)",
    r"one a-z",
)


def tracked_files(*paths):
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--", *paths], cwd=ROOT, capture_output=True, text=True
    )
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    names = [name for name in listed.stdout.split("\0") if name and name not in NOT_SEARCHED]
    return [name for name in names if (ROOT / name).is_file() and not (ROOT / name).is_symlink()]


def forbidden_words(text):
    """The lines with a forbidden word: (number, the word as it is there, what to write)."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        plain = re.sub("|".join(ALLOWED), "", line)
        for pattern, instead in FORBIDDEN.items():
            for match in re.finditer(rf"(?<![\w'])(?:{pattern})(?![\w'])", plain, re.IGNORECASE):
                found.append((number, match[0], instead))
    return found


def test_no_file_has_a_forbidden_word():
    lines = []
    for name in tracked_files(*SEARCHED):
        try:
            text = (ROOT / name).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        lines += [
            f"{name}:{number}: {word!r}, write: {instead}"
            for number, word, instead in forbidden_words(text)
        ]
    assert not lines, "\n".join(["", *lines])


def test_no_function_has_a_forbidden_word_in_its_name():
    names = [
        f"{name}: {function}"
        for name in tracked_files("*.py", "*.smk")
        for function in re.findall(r"\bdef (\w+)", (ROOT / name).read_text(encoding="utf-8"))
        if function != "tell" and forbidden_words(function.strip("_").replace("_", " "))
    ]
    assert not names, "\n".join(["", *names])


def test_python_and_rules_have_at_most_100_columns():
    """Also where formatters leave a long line as it is: in comments and texts."""
    lines = [
        f"{name}:{number}: {len(line)} columns"
        for name in tracked_files("*.py", "*.smk", "Snakefile")
        for number, line in enumerate((ROOT / name).read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > 100
    ]
    assert not lines, "\n".join(["", *lines])


def test_each_forbidden_word_is_found_in_a_sentence():
    assert forbidden_words("the row is not told here")[0][1] == "told"
    assert forbidden_words("one row a method")[0][1] == "row a method"
    assert not forbidden_words("one row per method, trained, next to the others")


def test_a_variable_is_called_by_what_it_holds():
    vague = {}
    for name in tracked_files("l2l/*.py"):
        tree = ast.parse((ROOT / name).read_text(encoding="utf-8"))
        names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        names |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
        vague[name] = names & {"found", "said", "told", "mine"}
    assert len(vague) > 100
    assert {name: names for name, names in vague.items() if names} == {}
