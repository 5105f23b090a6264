"""SCSampler with several seeds of one configuration: its tables and the relations of its poster."""

from pathlib import Path

from l2l.evaluation.artifact import read_evaluation_table
from l2l.report.scsampler.relations import poster_relations
from l2l.stores import write_table
from l2l.tools.summarise_study import spread, summarise


def summarise_scsampler(tables: list[Path], summary: Path, relations: Path) -> None:
    """Write mean and spread of SCSampler's tables over several runs.

    Also in how many of the runs each relation of its poster holds.

    Args:
        tables: scsampler.tsv of each run.
        summary: written: one row per row of the tables.
        relations: written: one row per relation: points between its two rows on the poster, and
            over the runs.

    Example:
        snakemake --cores 8 scsampler_study
    """
    costs = ("gmacs_per_video", "sampler_gmacs_per_video", "recogniser_gmacs_per_video")
    counts = ("clips", "pictures_decoded", "pictures_coded")
    summarise(tables, ("table", "row"), ("top1", "map", "top1_all"), (*costs, *counts), summary)
    runs = [poster_relations(read_evaluation_table(path, "scsampler")) for path in tables]
    rows = []
    for of_runs in zip(*runs, strict=True):
        first, measured = of_runs[0], [each.measured for each in of_runs]
        row = {"above": first.above, "below": first.below, "poster": f"{first.poster:.2f}"}
        row |= spread("measured", measured)
        row |= {
            "runs": str(len(runs)),
            "holds": str(sum(each.holds for each in of_runs)),
            "apart": str(sum(each.apart for each in of_runs)),
        }
        rows.append(row)
    write_table(relations, list(rows[0]), rows)
