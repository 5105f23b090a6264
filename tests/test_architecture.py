"""One spine, seen from every side.

The same stages in the same order, which meet only where they mean to.
"""

import ast
import re
import tomllib
from pathlib import Path

import yaml

from l2l.config import Config
from l2l.evaluation.artifact import TABLES
from l2l.verbs import STAGES, VERBS, parser_of

ROOT = Path(__file__).resolve().parent.parent
SPINE = [
    "videos",
    "manifest",
    "media",
    "mels",
    "motion",
    "teacher",
    "student",
    "features",
    "skimmer",
    "sampler",
    "evaluation",
    "report",
]
# After the spine: what runs it for several seeds, and what applies a finished run to other videos.
RULES = [*SPINE, "study", "apply"]
# The videos that l2l draws itself; all others come from outside.
PACKAGES = ["demo", *SPINE[1:], "apply"]
ON_TOP = {"tools", "reference"}  # packages on top, for people
GROUND = {"config", "jobs", "pretrained"}  # packages on which all stages stand
# What a later stage may import of an earlier one, besides its artifact: a network that it runs
# again,
DOORS = {"artifact", "network"}
# and what is done in two places but written once.
SHARED = {
    "manifest.joined",  # where a second video begins in a file of several
    "manifest.limit",  # too many bad videos: after listing, after decoding
    "manifest.probe",  # whether a file is still the one that was listed
    "media.decode",  # clips that are not kept are decoded for the teacher
    "media.by_ffmpeg",  # a proxy shows what the media show
    "media.ffmpeg",
    "media.examples",  # the labelled moments of a split
    "student.inference",  # a student that only describes, as answers and features need it
    "teacher.inference",  # the same of the teacher
    "skimmer.early_exit",  # trained networks: their cost, and how they answer
    "skimmer.one_look",
    "skimmer.padding",  # videos of several lengths in one batch
    "skimmer.sparse",
    "mels.spectrogram",
    "teacher.head",  # the teacher as a recogniser of the target's classes
    "sampler.choice",  # which clips: plain numbers
    "sampler.examples",
    "sampler.rows",  # the list that scsampler.tsv, the rules and the report read
    "manifest.source",  # what the listing says of a file, which decoding takes
    "manifest.labels",  # warnings about labels: in the log of the listing and in the report
    "media.decoded",
    "media.pictures",
    "features.extract",
    "evaluation.cost",  # MACs of an answer
    "evaluation.measures.probabilities",
    "report.charts",  # timelines
    "report.figures",  # pictures of film strips
    "report.page",  # style and film strips
    "evaluation.videos.methods",  # the list that Table 1, the plan and the report read
}


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def imports():
    """Each (importing, imported) pair of modules below l2l, those hidden in functions and under
    TYPE_CHECKING too.
    """
    modules = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): path
        for path in (ROOT / "l2l").rglob("*.py")
    }
    for module, path in modules.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            assert not (isinstance(node, ast.ImportFrom) and node.level), (
                f"{module}: imports are absolute"
            )
            names = [node.module] if isinstance(node, ast.ImportFrom) else []
            if isinstance(node, ast.ImportFrom):
                names = [
                    f"{node.module}.{a.name}"
                    if f"{node.module}.{a.name}" in modules
                    else node.module
                    for a in node.names
                ]
            elif isinstance(node, ast.Import):
                names = [a.name for a in node.names]
            yield from ((module, name) for name in names if name and name.startswith("l2l."))


def test_the_snakefile_includes_the_stages_in_the_order_they_run():
    included = re.findall(
        r'^include: "workflow/rules/(\w+)\.smk"$', text("Snakefile"), re.MULTILINE
    )
    functions = {"common", "cluster", "sampler_common", "apply_common"}
    assert [name for name in included if name not in functions] == RULES
    assert included.index("sampler_common") < included.index("sampler")
    assert included.index("apply_common") < included.index("apply")
    assert {path.stem for path in (ROOT / "workflow/rules").glob("*.smk")} == set(included)


def test_the_configuration_has_a_section_a_stage_in_that_order():
    assert list(Config.model_fields) == ["run", "seed", *RULES, "acceleration", "custom_rules"]
    for path in [ROOT / "config.yaml", *(ROOT / "workflow/configs").glob("*.yaml")]:
        sections = list(yaml.safe_load(path.read_text(encoding="utf-8")))
        assert sections == [name for name in Config.model_fields if name in sections], path.name


def test_a_stage_is_a_package_and_its_verbs_come_in_that_order():
    assert {path.parent.name for path in (ROOT / "l2l").glob("*/__init__.py")} == {
        *PACKAGES,
        *ON_TOP,
        *GROUND,
    }
    owners = [module.split(".")[1] for module in STAGES.values()]
    assert owners == sorted(owners, key=PACKAGES.index)


def test_the_import_contract_has_the_stages_as_its_layers_in_that_order():
    contracts = tomllib.loads(text("pyproject.toml"))["tool"]["importlinter"]["contracts"]
    layers = reversed(contracts[0]["layers"])
    assert [layer for layer in layers if layer in PACKAGES] == PACKAGES


def test_a_stage_reads_another_through_its_artifact():
    through = set()
    for module, name in imports():
        (_, stage, *_), (_, other, *inner) = module.split("."), name.split(".")
        if stage in PACKAGES and other in PACKAGES and stage != other and not DOORS & set(inner):
            through.add((module, ".".join([other, *inner])))
    assert {pair for pair in through if pair[1] not in SHARED} == set()


def test_what_a_rule_runs_is_a_verb():
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        assert set(re.findall(r"-m l2l (\w+)", path.read_text(encoding="utf-8"))) <= set(VERBS), (
            path.name
        )


def test_what_a_rule_gives_a_verb_are_options_of_it():
    given = 0
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        commands = path.read_text(encoding="utf-8").split("-m l2l ")[1:]
        for command in commands:
            verb = command.split()[0]
            options = set(re.findall(r"(?<!\S)--[\w-]+", command.partition('"""')[0]))
            unknown = options - set(parser_of(verb)._option_string_actions)
            assert not unknown, f"{path.name}: l2l {verb} has no {sorted(unknown)}"
            given += len(options)
    assert given > 100


def test_only_tables_the_page_and_its_plots_are_in_snakemakes_own_report():
    """It would show ids, titles and paths of a configuration without escaping them."""
    flagged = {
        path.name: re.findall(
            r"\breport\(|\bcaption\b|^report:", path.read_text("utf-8"), re.MULTILINE
        )
        for path in [ROOT / "Snakefile", *(ROOT / "workflow/rules").glob("*.smk")]
    }
    assert {name for name, found in flagged.items() if found} == {"common.smk"}
    body = text("workflow/rules/common.smk").partition("def in_snakemakes_report")[2]
    assert len(re.findall(r"\breport\(", body)) == 1
    assert text("workflow/rules/report.smk").count("in_snakemakes_report(") == 2
    outputs = re.findall(r'=(evaluation_table)\("(\w+)"\)', text("workflow/rules/evaluation.smk"))
    assert {name for _, name in outputs} == {table.name for table in TABLES}


def test_nothing_but_the_planning_of_jobs_knows_of_snakemake():
    found = [
        path
        for path in (ROOT / "l2l").rglob("*.py")
        if re.search(r"^\s*(import|from) snakemake", path.read_text("utf-8"), re.MULTILINE)
    ]
    assert found == [ROOT / "l2l/jobs/planning.py"], "a stage runs without Snakemake"
