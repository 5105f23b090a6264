"""The configuration that made a run, kept in the run's folder and compared at each start.

Snakemake keeps the settings of each job in `.snakemake/metadata`, next to `results`. Where that is
missing, as after results were moved, it cannot see that a setting has changed.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from l2l.config import Config
from l2l.errors import BadInput
from l2l.jobs.leftovers import METADATA, RECORD, has_results, is_known_to_snakemake
from l2l.stores import verify_checksum, write_text
from l2l.text_files import read_json


def update_record(folder: Path, config: Config) -> str:
    """Compare a configuration with the one that made a run, then record it.

    Args:
        folder: of the run, results/<run>, in the working directory.
        config: of this start.

    Returns:
        One line that says which sections differ and what follows; empty if none differs and
        Snakemake knows what made the results.

    Raises:
        BadInput: if sections differ and Snakemake cannot see it, or the record is damaged.
    """
    record = folder / RECORD
    values = config.of_chain.model_dump(mode="json", exclude={"apply"})
    before = values
    if record.is_file():
        verify_checksum(record)
        before = json.loads(record.read_text(encoding="utf-8"))
    # A section that the record lacks is newer than it: nothing was made with another one.
    differ = [name for name, section in before.items() if section != values.get(name)]
    line = ""
    if record.is_file() and has_results(folder) and not is_known_to_snakemake(Path()):
        moved = f"{folder}: results without Snakemake's record of them ({METADATA})"
        if differ:
            raise BadInput(
                f"{moved}, made with another {', '.join(differ)}; Snakemake would keep them as "
                "they are: move .snakemake here too, or delete what these sections make"
            )
        line = f"{moved}; they were made with this configuration and are kept as they are"
    elif differ:
        line = (
            f"{folder}: made with another {', '.join(differ)}; the stages that read these are run "
            "again, and what depends on them"
        )
    if before != values or not record.is_file():
        write_record(folder, values)
    return line


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
