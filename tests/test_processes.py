"""Several processes that train one network, and which of them takes which GPU."""

import os
import re
import signal
import stat
import subprocess
import sys

import pytest
import torch
from training_world import TRAININGS, moments_of_death, run, same, state, training
from workflow_runs import environment, snakemake

from l2l.config import TrainingConfig, as_json
from l2l.jobs import processes
from l2l.jobs.processes import Team, claim_gpu, device, own_threads


@pytest.mark.parametrize("name", TRAININGS)
def test_two_processes_train_as_one_that_takes_its_batches_in_two_parts(inputs, tmp_path, name):
    """Weights are equal to the bit; batch norm updates its statistics once per step or twice."""
    both = run(training(name, inputs, flip=True), tmp_path / "both.pt", processes=2)
    assert both.status == (0, 0), both.said
    assert both.said.count("epoch 1/3") == 1  # only the main process logs
    one = run(training(name, inputs, flip=True, gradient_accumulation=2), tmp_path / "one.pt")
    assert one.status == (0,), one.said
    of_two, of_one = state(tmp_path / "both.pt"), state(tmp_path / "one.pt")
    assert of_two.keys() == of_one.keys()
    for key, value in of_two.items():
        if "running" not in key and "num_batches" not in key:
            assert torch.equal(value, of_one[key]), key


def test_processes_add_up_their_gradients_and_average_their_batch_statistics(monkeypatch):
    networks = [
        torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.BatchNorm1d(4)) for _ in range(2)
    ]
    for network in networks:
        network(torch.randn(5, 3)).square().sum().backward()
    networks[1][0].bias.grad = None  # as where a process has no part of a small batch
    gradients = [
        [p.grad.clone() if p.grad is not None else 0 for p in network.parameters()]
        for network in networks
    ]
    means = [network[1].running_mean.clone() for network in networks]
    sent = []
    monkeypatch.setattr(processes.dist, "all_reduce", lambda flat: sent.append(flat.clone()))
    Team(1, 2).all_reduce(networks[1], (3.0, 1.0))
    monkeypatch.setattr(processes.dist, "all_reduce", lambda flat: flat.add_(sent[0]))
    assert Team(0, 2).all_reduce(networks[0], (2.0, 0.0)) == [5.0, 1.0]
    for parameter, one, two in zip(networks[0].parameters(), *gradients, strict=True):
        assert torch.equal(parameter.grad, one + two)
    torch.testing.assert_close(networks[0][1].running_mean, (means[0] + means[1]) / 2)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_processes_of_which_one_is_killed_resume_together_and_write_the_same_file(
    inputs, tmp_path, number
):
    train = training("skimmer", inputs)
    whole = run(train, tmp_path / "whole.pt", processes=2)
    assert whole.status == (0, 0), whole.said
    (at,) = moments_of_death(f"team {number}", whole.events, 1)
    ended = run(train, tmp_path / "killed.pt", at, number, processes=2, every_seconds=0)
    assert ended.status[1] == -number
    assert ended.status[0] != 0
    assert not (tmp_path / "killed.pt").exists()
    again = run(train, tmp_path / "killed.pt", processes=2)
    assert again.status == (0, 0), again.said
    assert "resumed from" in again.said
    assert same(tmp_path / "killed.pt", tmp_path / "whole.pt")


def test_torchrun_starts_the_verb_as_it_is(inputs, tmp_path):
    train = training("skimmer", inputs, epochs=1, milestones=())
    assert run(train, tmp_path / "here.pt", processes=2).status == (0, 0)
    options = {
        **train.options,
        "config": as_json(train.options["config"]),
        "skimmer": tmp_path / "there.pt",
        "threads": 2,
    }
    arguments = [f"--{name.replace('_', '-')}={value}" for name, value in options.items()]
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    ended = subprocess.run(
        [*torchrun, "-m", "l2l", "train_skimmer", *arguments],
        capture_output=True,
        text=True,
        env=environment(),
    )
    assert ended.returncode == 0, ended.stderr
    assert same(tmp_path / "there.pt", tmp_path / "here.pt")


@pytest.mark.workflow
def test_a_rule_starts_its_training_by_torchrun_where_it_is_given_several_processes(tmp_path):
    several = ["train_teacher:processes=4", "train_skimmer:processes=2", "train_skimmer:nodes=3"]
    commands = snakemake(
        tmp_path, "--dry-run", "--printshellcmds", "--set-resources", *several
    ).stdout
    assert (
        "python -P -m torch.distributed.run --nproc-per-node=4 --standalone -m l2l train_teacher"
        in commands
    )
    assert (
        "srun --nodes=3 --ntasks=3 --ntasks-per-node=1 python -P -m torch.distributed.run "
        "--nproc-per-node=2 --nnodes=3" in commands
    )
    assert set(re.findall(r"SLURM_\w+", commands)) == {"SLURM_JOB_ID"}, (
        "the executor takes all others out of the environment"
    )
    assert "        python -P -m l2l distil_student" in commands


def test_a_batch_that_is_too_small_to_be_shared_is_refused(inputs, tmp_path):
    refused = run(
        training("skimmer", inputs, batch_size=6, gradient_accumulation=2),
        tmp_path / "s.pt",
        processes=2,
    )
    assert re.search(r"batch_size 6\b.*\b4 parts", refused.said)
    with pytest.raises(
        ValueError, match="batch_size 6 is less than two entries in each of 4 parts"
    ):
        TrainingConfig(epochs=1, batch_size=6, learning_rate=1, gradient_accumulation=4)


# ---- GPUs ----------------------------------------------------------------------------------------


def test_jobs_on_one_machine_take_a_gpu_each_and_a_dead_one_gives_its_own_back(tmp_path):
    child = os.fork()
    if child == 0:
        os._exit(claim_gpu(["0", "GPU-a/b", "2"], tmp_path))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert [claim_gpu(["0", "GPU-a/b", "2"], tmp_path) for _ in range(3)] == [0, 1, 2]
    # another choice of GPUs, as in CUDA_VISIBLE_DEVICES
    assert claim_gpu(["5", "2"], tmp_path) == 0
    assert claim_gpu(["0", "2"], tmp_path) == os.getpid() % 2


def test_a_lock_never_follows_a_link_and_never_lies_in_a_folder_of_somebody_else(
    tmp_path, monkeypatch, capsys
):
    folder, other = tmp_path / "locks", tmp_path / "precious"
    folder.mkdir(mode=0o700)
    (folder / "0").symlink_to(other)
    assert claim_gpu(["0", "1"], folder) == 1
    assert not other.exists()
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "file").touch()
    open_to_all = tmp_path / "open"
    open_to_all.mkdir()
    open_to_all.chmod(0o777)
    for refused in (tmp_path / "link", tmp_path / "file", open_to_all):
        assert claim_gpu(["0", "1"], refused) == os.getpid() % 2
        assert str(refused) in capsys.readouterr().err
    assert list(open_to_all.iterdir()) == []
    monkeypatch.setattr(processes.os, "getuid", lambda: 12345)
    assert claim_gpu(["2"], folder) == 0
    assert not (folder / "2").exists()


def test_the_locks_can_be_read_by_their_user_alone(tmp_path):
    assert claim_gpu(["0"], tmp_path / "locks") == 0
    assert stat.S_IMODE((tmp_path / "locks").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "locks" / "0").stat().st_mode) == 0o600


@pytest.fixture
def gpus(monkeypatch, tmp_path):
    """Three GPUs that do not exist."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    monkeypatch.setattr(torch.cuda, "set_device", lambda place: None)
    monkeypatch.setattr(processes.tempfile, "gettempdir", lambda: str(tmp_path))
    device.cache_clear()
    yield monkeypatch
    device.cache_clear()


def test_a_process_of_torchruns_takes_the_gpu_of_its_number_and_other_jobs_keep_off_it(gpus):
    gpus.setenv("CUDA_VISIBLE_DEVICES", "4,5,7")
    gpus.setenv("LOCAL_RANK", "0")
    assert device() == torch.device("cuda", 0)
    gpus.delenv("LOCAL_RANK")
    device.cache_clear()
    assert device() == torch.device("cuda", 1)
    assert device() == torch.device("cuda", 1)
    device.cache_clear()
    gpus.setenv("CUDA_VISIBLE_DEVICES", "5,4,6")
    assert device() == torch.device("cuda", 2)


def test_a_gpu_is_taken_though_no_folder_for_temporary_files_can_be_written_to(gpus, capsys):
    def none_usable():
        raise FileNotFoundError(2, "No usable temporary directory found")

    gpus.setattr(processes.tempfile, "gettempdir", none_usable)
    gpus.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert device() == torch.device("cuda", os.getpid() % 3)
    assert "GPUs are not locked" in capsys.readouterr().err


def test_the_processes_of_a_job_share_its_threads(monkeypatch):
    assert own_threads(8) == 8
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "4")
    assert (own_threads(8), own_threads(2)) == (2, 1)
