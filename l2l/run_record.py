"""The configuration that made a run, kept in the run's folder and compared at each start.

Snakemake keeps the settings of each job in `.snakemake/metadata`, next to `results`. Where that is
missing, as after results were moved, it cannot see that a setting has changed.
"""

import json
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from l2l.config import Config
from l2l.errors import BadInput
from l2l.jobs.leftovers import METADATA, RECORD, has_results, is_known_to_snakemake
from l2l.stores import verify_checksum, write_text
from l2l.text_files import read_json

# The first rules that read a section, besides the teacher's: the others depend on these.
_FIRST_RULES: dict[str, tuple[str, ...]] = {
    "seed": ("list_videos", "decode_videos"),  # decoding reads its list as `ancient`
    "videos": ("list_videos", "decode_videos"),
    "manifest": ("list_videos", "decode_videos"),
    "media": ("decode_videos",),
    "mels": ("compute_mels",),
    "motion": ("extract_motion",),
    "student": ("distil_student",),
    "features": ("extract_features",),
    "skimmer": ("train_skimmer",),
    "sampler": ("train_sampler",),
    "evaluation": ("evaluate_videos", "evaluate_variants"),
    "report": ("write_report",),
}


def update_record(folder: Path, config: Config, forced: Collection[str] | None = ()) -> str:
    """Compare a configuration with the one that made a run, then record it.

    Args:
        folder: of the run, results/<run>, in the working directory.
        config: of this start.
        forced: the rules of `--forcerun`; None: every rule.

    Returns:
        The line of `compare_record`.

    Raises:
        BadInput: if sections differ and Snakemake cannot see it, or the record is damaged.
    """
    line, is_overlooked = compare_record(folder, config, forced)
    if is_overlooked:
        raise BadInput(line)
    values, before = _values(config), _recorded(folder)
    if before != values:
        write_record(folder, values)
    return line


def compare_record(
    folder: Path, config: Config, forced: Collection[str] | None = ()
) -> tuple[str, bool]:
    """What a start with a configuration makes of the results in a run's folder.

    Args:
        folder: of the run, results/<run>, in the working directory.
        config: of this start.
        forced: the rules of `--forcerun`; None: every rule.

    Returns:
        One line that says which sections differ and what follows, empty if none differs and
        Snakemake knows what made the results; and whether it would keep results of another
        configuration.

    Raises:
        BadInput: if the record is damaged.
    """
    values, before = _values(config), _recorded(folder)
    if before is None:
        return "", False
    # A section that the record lacks is newer than it: nothing was made with another one.
    differ = [name for name, section in before.items() if section != values.get(name)]
    sections = ", ".join(differ)
    if has_results(folder) and not is_known_to_snakemake(Path(), folder.name):
        moved = f"{folder}: results without Snakemake's record of them ({METADATA})"
        if not differ:
            return (
                f"{moved}; they were made with this configuration and are kept as they are",
                False,
            )
        rules = dict.fromkeys(rule for name in differ for rule in first_rules(name, config))
        if forced is not None and not set(rules) <= set(forced):
            return (
                f"{moved}, made with another {sections}; Snakemake would keep them as they are: "
                f"move .snakemake here too, or add --forcerun {' '.join(rules)}",
                True,
            )
        return (
            f"{moved}, made with another {sections}; what reads these is run again, as forced",
            False,
        )
    if differ:
        return (
            f"{folder}: made with another {sections}; the stages that read these are run again, "
            "and what depends on them",
            False,
        )
    return "", False


def first_rules(section: str, config: Config) -> tuple[str, ...]:
    """The rules to force so that all that reads a section is made again; none where no file of
    results depends on it.
    """
    if section in ("teacher", "acceleration"):
        if config.teacher.network == "frames":
            return ("fit_frame_teacher",)
        return ("train_teacher" if config.teacher.weights == "train" else "load_teacher",)
    rules = _FIRST_RULES.get(section, ())
    drawn = any(dataset.adapter == "demo" for dataset in config.videos.values())
    return ("render_demo", *rules) if drawn and section in ("seed", "videos") else rules


def _values(config: Config) -> dict[str, Any]:
    """A configuration as it is recorded."""
    return config.of_chain.model_dump(mode="json", exclude={"apply"})


def _recorded(folder: Path) -> dict[str, Any] | None:
    """What made a run; None without a record."""
    record = folder / RECORD
    if not record.is_file():
        return None
    verify_checksum(record)
    values: dict[str, Any] = json.loads(record.read_text(encoding="utf-8"))
    return values


def write_record(folder: Path, values: Mapping[str, Any]) -> None:
    """Keep the configuration that made a run in the run's folder."""
    folder.mkdir(parents=True, exist_ok=True)
    write_text(folder / RECORD, json.dumps(values, indent=1, sort_keys=True) + "\n")


def read_record(folder: Path) -> dict[str, Any]:
    """The configuration that made a run, of this version of l2l or an older one.

    Args:
        folder: of the run, results/<run>.

    Raises:
        BadInput: if there is none, or it is damaged.
    """
    path = folder / RECORD
    expected = "expected the configuration that `snakemake` records in the folder of a run"
    if not path.is_file():
        raise BadInput(f"{path}: no such file; {expected}")
    verify_checksum(path)
    values = read_json(path, expected)
    if not isinstance(values, dict):
        raise BadInput(f"{path}: found {type(values).__name__}; {expected}")
    return values
