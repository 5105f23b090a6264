# What the rules of apply are written with: the run that answers, and the files of its shards.

from l2l.apply.run import files_of_run

# What answers for videos without labels, and the stores of it that may be kept.
APPLIED_RUN = CONFIG.apply.run or Path("results") / CONFIG.run
KEPT_STORES = {"media": ".h5", "mels": ".h5", "features": ZARR_MARK}


def networks_of_applied_run(wildcards):
    """The networks of the run that answers, or its one file, by absolute paths.

    Stops with one line where the run is not finished; a dry run does, too.
    """
    try:
        return list(map(str, files_of_run(APPLIED_RUN, CONFIG.apply.method)))
    except BadInput as error:
        stop_planning(f"apply.run: {error}")


def answered_shards(wildcards):
    """The predictions of every shard of a data set."""
    names = CONFIG.videos[wildcards.dataset].shard_names("train_val")
    folder = f"results/{wildcards.run}/apply/{wildcards.dataset}/shards"
    return [f"{folder}/{name}.jsonl" for name in names]


def answered_shard_range(wildcards):
    """The same as a command line takes them, however many."""
    names = CONFIG.videos[wildcards.dataset].shard_names("train_val")
    folder = f"results/{wildcards.run}/apply/{wildcards.dataset}/shards"
    first, last = (name.removeprefix("shard-") for name in (names[0], names[-1]))
    return f"{folder}/shard-{{{first}..{last}}}.jsonl"


def kept_stores(wildcards, output):
    """The stores that are kept, as the command line takes them."""
    paths = {name: output[name].removesuffix(ZARR_MARK) for name in CONFIG.apply.keep}
    return shlex.join(word for name, path in paths.items() for word in (f"--{name}", path))


def pages_of_applied(wildcards):
    """The page and the tables of each data set of role `apply`."""
    if not CONFIG.applied:
        stop_planning(
            "videos: no data set of role apply; expected one, such as --config "
            '\'videos={"mine": {"role": "apply", "adapter": "folder", "folder": '
            '"my_videos", "shards": 4}}\''
        )
    folders = [f"results/{CONFIG.run}/apply/{name}" for name in CONFIG.applied]
    files = ("predictions.tsv", "moments.jsonl", "report.html")
    return [f"{folder}/{file}" for folder in folders for file in files]
