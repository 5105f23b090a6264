"""The workflow where every package is installed but l2l itself is not, as in environment.yml."""

import subprocess
import sys

from workflow_runs import environment, planned, snakemake_argv

# Read by each Python that starts: it hides the distribution, and the checkout that it is installed
# from unless PYTHONPATH names it.
SITE = """
import importlib.metadata as metadata, os, sys
every = metadata.Distribution.discover.__func__
def discover(cls, **options):
    return (d for d in every(cls, **options) if (d.metadata["Name"] or "").lower() != "l2l")
metadata.Distribution.discover = classmethod(discover)
given = os.environ.get("PYTHONPATH", "").split(":")
sys.path[:] = [p for p in sys.path if p in given or not os.path.exists(p + "/l2l/__init__.py")]
"""


def without_l2l(tmp_path, *argv, **options):
    blind = tmp_path / "blind"
    blind.mkdir(exist_ok=True)
    (blind / "usercustomize.py").write_text(SITE)
    (blind / "sitecustomize.py").write_text(SITE)
    surroundings = {**environment(), "PYTHONPATH": str(blind)}
    return subprocess.run(
        argv, env=surroundings, cwd=tmp_path, capture_output=True, text=True, timeout=600, **options
    )


def test_the_workflow_parses_and_jobs_run_without_the_distribution(tmp_path):
    probe = "import importlib.metadata as m; print([d for d in m.distributions(name='l2l')])"
    assert without_l2l(tmp_path, sys.executable, "-c", probe).stdout == "[]\n"
    found = without_l2l(tmp_path, sys.executable, "-P", "-c", "import l2l")
    assert "No module named 'l2l'" in found.stderr
    dry = without_l2l(tmp_path, *snakemake_argv(tmp_path, "--dry-run"))
    assert {"render_demo", "write_report"} <= planned(dry)
    job = without_l2l(tmp_path, *snakemake_argv(tmp_path, "results/tiny/videos/clips"))
    assert job.returncode == 0, job.stderr[-3000:]
    assert len(list((tmp_path / "results/tiny/videos/clips").rglob("*.mp4"))) > 0
