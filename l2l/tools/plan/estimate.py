"""What each stage of a run costs, from what its data sets hold and from rates of this machine.

Counts of jobs, files and bytes follow from the configuration and the videos' lengths; hours are
counts times rates.
"""

import statistics
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from torch import nn

from l2l.arrays import ROW_UNITS
from l2l.config import PLAIN, Config, FeatureName, TrainingConfig, Variant
from l2l.datasets import PARTS, DemoDataset
from l2l.evaluation.artifact import TABLES
from l2l.evaluation.videos.methods import computed_methods, trained_networks
from l2l.mels.spectrogram import floor_of, mel_shape
from l2l.moments import FRAME_RATE, SAMPLE_RATE_HZ
from l2l.sampler.artifact import Part, part_of, picture_shape
from l2l.sampler.network import CHANNELS, build_network
from l2l.sampler.rows import chosen_rows, joint_networks, joint_start, single_networks
from l2l.skimmer.artifact import Model, TrainedSkimmer, build
from l2l.student.artifact import build_student
from l2l.student.network import Modality
from l2l.teacher.network import build_teacher, check_size, example_clip
from l2l.tools.plan.contents import Contents
from l2l.tools.plan.rates import Rates, macs

STUDENTS: tuple[tuple[Modality, ...], ...] = (("image",), ("audio",), ("image", "audio"))
FIXED_TABLES = 12_500  # bytes: methods, published points, ablations
CELL_BYTES = 1.5  # of 5, deflated
HALF_FULL_CHUNKS = 800_000  # bytes of a shard's media that are not filled
KINETICS_CLASSES = 400
ROW_BYTES = 16  # of a row's video, moment and start
HDF5_BYTES = 10_000  # of a small file: its arrays, their attributes, the names of dimensions


@dataclass
class Cost:
    """The cost of one stage."""

    stage: str
    jobs: int = 0
    cpu_seconds: float = 0.0
    network_seconds: float = 0.0  # of forward and backward passes: on a GPU where there is one
    files: float = 0.0
    size: float = 0.0  # bytes
    chain_seconds: float = 0.0  # of the longest jobs that wait for one another

    def clock_seconds(self, cores: int, gpus: int) -> float:
        """How long it takes at least with so many cores and GPUs; without GPUs, all on cores."""
        lanes, cards = max(1, min(cores, self.jobs)), max(1, min(gpus, self.jobs))
        if gpus:  # cores read and decode while GPUs compute
            work = max(self.cpu_seconds / lanes, self.network_seconds / cards)
        else:
            work = (self.cpu_seconds + self.network_seconds) / lanes
        return max(work, self.chain_seconds)


def estimate(config: Config, contents: dict[str, Contents], rates: Rates) -> list[Cost]:
    """What each stage costs, in the order of the chain."""
    return _Estimate(config, contents, rates).rows()


def estimate_scsampler(config: Config, contents: dict[str, Contents], rates: Rates) -> list[Cost]:
    """What `snakemake scsampler` costs above the chain."""
    return _Estimate(config, contents, rates).scsampler_rows()


def estimate_with_scsampler(
    config: Config, contents: dict[str, Contents], rates: Rates
) -> tuple[list[Cost], list[Cost]]:
    """`estimate` and `estimate_scsampler`, with the networks of both counted once."""
    both = _Estimate(config, contents, rates)
    return both.rows(), both.scsampler_rows()


def size_of(network: nn.Module) -> float:
    """Bytes of a network on disk: its parameters and their names and shapes."""
    return sum(4 * value.numel() for value in network.state_dict().values()) + 400 * len(
        network.state_dict()
    )


class _Estimate:
    """What the costs of several stages depend on, and one method per stage."""

    def __init__(self, config: Config, contents: dict[str, Contents], rates: Rates) -> None:
        self.config, self.contents, self.rates = config, contents, rates
        self.names = list(dict.fromkeys([config.source, config.target]))  # the chain's
        self.source, self.target = contents[config.source], contents[config.target]
        self.moments = {name: contents[name].moments(config) for name in self.names}
        side, mel = config.media.frame_pixels, mel_shape(config.mels)
        self.teacher_classes = (
            self.source.classes if config.teacher.is_trained else KINETICS_CLASSES
        )
        check_size(config.teacher.network, config.media)
        with torch.device("meta"):
            self.teacher = build_teacher(
                config.teacher.network,
                self.teacher_classes,
                config.teacher.widths,
                config.teacher.blocks,
            ).eval()
            clip = example_clip(self.teacher, config.media.clip_frames, side)
            self.teacher_macs = macs(self.teacher, *clip)
            z = self.teacher.descriptor_width
            frame, sound = torch.zeros(1, side, side, 3, dtype=torch.uint8), torch.zeros(1, *mel)
            has_sound = torch.ones(1, dtype=torch.bool)
            self.students = {
                m: build_student(config.student, m, self.target.classes, z, mel[1]).eval()
                for m in STUDENTS
            }
            self.main = self.students[tuple(config.student.modalities)]
            inputs = {
                m: (*student.inputs(frame, sound, floor_of(config.mels)), has_sound)
                for m, student in self.students.items()
            }
            features = self.main.features(*inputs[self.main.modalities])
            self.widths: dict[FeatureName, int] = {m: x.shape[1] for m, x in features.items()}
            self.student_macs = {
                m: macs(student, *inputs[m]) for m, student in self.students.items()
            }

    def rows(self) -> list[Cost]:
        stages = {
            "videos": self._videos,
            "manifest": self._manifest,
            "media": self._media,
            "mels": self._mels,
            "teacher": self._teacher,
            "student": self._student,
            "features": self._features,
            "skimmer": self._skimmer,
            "evaluation": self._evaluation,
            "report": self._report,
        }
        if self.config.applied:
            stages["apply"] = self._apply
        return [add_costs(Cost(stage)) for stage, add_costs in stages.items()]

    def scsampler_rows(self) -> list[Cost]:
        return [self._motion(Cost("motion")), self._sampler(Cost("sampler"))]

    def _motion(self, cost: Cost) -> Cost:
        name, section = self.config.target, self.config.motion
        shards, each = self._shards(name), self.contents[name]
        pictures = each.total * each.mean_seconds * FRAME_RATE / section.stride
        cost.jobs = cost.files = shards
        cost.cpu_seconds = (
            shards * self.rates.start
            + each.total * self._decoding(name)
            + pictures * section.pixels**2 * self.rates.code_pixel
        )
        cost.size = pictures * (section.cells**2 * CELL_BYTES + 1)
        return cost

    def _sampler(self, cost: Cost) -> Cost:
        """What the teacher says of all moments, each network's training, and scoring the test
        videos.
        """
        config, rates, section = self.config, self.rates, self.config.sampler
        name, videos = config.target, self.target.videos
        moments = max(1.0, self.moments[name])
        described = self.contents[name].total * moments
        shards = self._shards(name)
        cost.jobs = cost.files = shards
        cost.network_seconds = described * self.teacher_macs * rates.teacher_forward
        cost.cpu_seconds = shards * rates.start + self.contents[name].total * self._decoding(name)
        cost.size = described * 2 * (self.teacher.descriptor_width + self.teacher_classes + 2)
        rows = chosen_rows(section.rows)
        networks: dict[Part, tuple[nn.Module, float]] = {}  # trained alone, and again together
        trainings = [([part], section.training) for part in single_networks(rows)]
        trainings += [(list(joint_start()), section.joint) for _ in joint_networks(rows)]
        for names, training in trainings:
            cost.jobs += 1
            cost.files += 1
            cost.cpu_seconds += rates.start
            for part in map(part_of, names):
                if part not in networks:
                    networks[part] = self._sampler_network(part)
                network, work = networks[part]
                per_clip = 1
                if part.kind in ("displacement", "residual"):
                    per_clip = config.motion.pictures_per_moment
                drawn = min(section.clips_of_a_video, moments)
                drawn *= min(per_clip, section.pictures_of_a_clip)
                fit = training.epochs * videos["train"] * drawn * rates.student_train
                forward = videos["test"] * moments * per_clip * rates.student_forward
                cost.network_seconds += (fit + forward) * work
                cost.size += size_of(network)
        cost.jobs += self._shards(name, "test") + 2  # score_clips, the tables, their page
        cost.files += self._shards(name, "test") + 5
        cost.cpu_seconds += (self._shards(name, "test") + 2) * rates.start
        return cost

    def _sampler_network(self, part: Part) -> tuple[nn.Module, float]:
        """A network of a sampler, and its multiply-accumulates (10^9) for one picture."""
        config, classes = self.config, self.target.classes
        sections = {
            name: getattr(config, name).model_dump(mode="json")
            for name in ("media", "mels", "motion")
        }
        with torch.device("meta"):
            network = build_network(
                part.kind, part.network, part.outputs(classes), config.sampler
            ).eval()
            picture = torch.zeros(1, CHANNELS[part.kind], *picture_shape(part.kind, sections))
            return network, macs(lambda: network.head(network.trunk(picture).mean((2, 3))))

    def _shards(self, name: str, *parts: str) -> int:
        return sum(
            len(self.config.videos[name].shard_names(part))
            for part in PARTS
            if part in (parts or PARTS)
        )

    def _picture_bytes(self) -> float:
        pixels, quality = self.config.media.frame_pixels**2, self.config.media.jpeg_quality
        if quality == "lossless":
            return 3.0 * pixels
        return 620 + pixels * (0.55 if int(quality) >= 95 else 0.3)

    def _pictures(self, name: str) -> float:
        """Stored pictures per video."""
        grid, moments = self.config.media.grid, self.moments[name]
        return (
            (moments - 1) * grid.pictures_per_moment + grid.frames
            if self.config.stores_clips(name)
            else moments
        )

    def _videos(self, cost: Cost) -> Cost:
        for name in self.names:
            dataset, each = self.config.videos[name], self.contents[name]
            if isinstance(dataset, DemoDataset):
                seconds = each.total * each.mean_seconds
                cost.jobs += 1
                cost.cpu_seconds += self.rates.light_start + seconds * self.rates.draw
                cost.files += each.total + 2  # a table and its checksum
                cost.size += seconds * (6000 + 1.1 * dataset.side_pixels**2)  # sound, pictures
        return cost

    def _manifest(self, cost: Cost) -> Cost:
        for name in self.names:
            each = self.contents[name]
            cost.jobs += 1 + 2 * self._shards(name)
            cost.cpu_seconds += self.rates.light_start + each.total * self.rates.listing
            # A shard's table twice, each with its checksum.
            cost.files += 2 + 4 * self._shards(name)
            cost.size += 3 * each.total * 235
        cost.jobs += 1  # check_leaks
        cost.files += 1
        return cost

    def _decoding(self, name: str) -> float:
        """CPU seconds per video."""
        each, rates = self.contents[name], self.rates
        return rates.decode_start + each.mean_seconds * (
            rates.decode + each.pixels * rates.decode_pixel
        )

    def _media(self, cost: Cost) -> Cost:
        for name in self.names:
            each = self.contents[name]
            cost.jobs += self._shards(name) + 2
            cost.files += self._shards(name) + 4
            pictures = self._pictures(name)
            cost.cpu_seconds += each.total * (self._decoding(name) + pictures * self.rates.encode)
            cost.cpu_seconds += (self._shards(name) + 1) * self.rates.light_start
            cost.size += each.total * (
                pictures * (self._picture_bytes() + 8)
                + 2 * SAMPLE_RATE_HZ * each.mean_seconds
                + 2 * 235
            )
            cost.size += self._shards(name) * HALF_FULL_CHUNKS
        return cost

    def _mels(self, cost: Cost) -> Cost:
        windows, bands = mel_shape(self.config.mels)
        for name in self.names:
            shards, videos = self._shards(name), self.contents[name].total
            cost.jobs += shards
            cost.files += shards
            cost.cpu_seconds += (
                shards * self.rates.start + videos * self.moments[name] * self.rates.mel
            )
            cost.size += videos * self.moments[name] * windows * bands * 2
        return cost

    def _teacher(self, cost: Cost) -> Cost:
        config, rates = self.config, self.rates
        clip_read = config.media.clip_frames * rates.read
        trainings = (
            (config.teacher.training, self.source),
            (config.teacher.finetune, self.target),
        )
        cost.jobs = cost.files = 1 + (config.teacher.finetune is not None)
        cost.size = cost.files * size_of(self.teacher)
        for training, dataset in trainings:
            if training is None:
                continue
            clips = {split: n * dataset.labelled(config) for split, n in dataset.videos.items()}
            read = training.epochs * (clips["train"] + clips["val"]) * clip_read
            work = self._training_seconds(
                training, clips["train"], self.teacher_macs * rates.teacher_train
            )
            work += training.epochs * self.teacher_macs * clips["val"] * rates.teacher_forward
            cost.cpu_seconds += read
            cost.network_seconds += work
            cost.chain_seconds += read + work  # the second starts from the first
        read_by_a_skimmer = any(
            "teacher" in config.skimmer.all_variants[name].features for name in config.compared
        )
        for name in self.names:
            shards, videos = self._shards(name), self.contents[name].total
            every = name == config.source or read_by_a_skimmer
            clips_per_video = self.moments[name] if every else self.contents[name].labelled(config)
            cost.jobs += shards
            cost.files += shards
            decoding = 0.0 if self.config.stores_clips(name) else self._decoding(name)
            cost.cpu_seconds += videos * (decoding or clips_per_video * clip_read)
            cost.network_seconds += (
                videos * clips_per_video * self.teacher_macs * rates.teacher_forward
            )
            row = 2 * (self.teacher.descriptor_width + self.teacher_classes) + ROW_BYTES
            cost.size += shards * HDF5_BYTES + videos * clips_per_video * row
        cost.cpu_seconds += cost.jobs * rates.start
        return cost

    def _student(self, cost: Cost) -> Cost:
        rates, config = self.rates, self.config.student
        for modalities in STUDENTS:
            work = self.student_macs[modalities]
            trainings = ((config.distil, self.source, self.moments[self.config.source]),) + 2 * (
                (config.finetune, self.target, self.target.labelled(self.config)),
            )
            chain = []
            for training, dataset, moments in trainings:
                train = training.epochs * dataset.videos["train"] * moments
                val = training.epochs * dataset.videos["val"] * moments
                cost.jobs += 1
                cost.files += 1
                cost.size += size_of(self.students[modalities])
                cpu_seconds = rates.start + (train + val) * (rates.read + rates.read_mel)
                network_seconds = work * val * rates.student_forward + self._training_seconds(
                    training, dataset.videos["train"] * moments, work * rates.student_train
                )
                cost.cpu_seconds += cpu_seconds
                cost.network_seconds += network_seconds
                chain.append(cpu_seconds + network_seconds)
            cost.chain_seconds = max(cost.chain_seconds, sum(chain[:2]))  # fine-tuned after
        return cost

    def _training_seconds(self, training: TrainingConfig, entries: float, seconds: float) -> float:
        """Forward and backward passes of a training.

        Args:
            training: its schedule.
            entries: per epoch.
            seconds: per entry.
        """
        steps = training.epochs * entries / training.batch_size
        return max(training.epochs * entries * seconds, steps * self.rates.step)

    def _features(self, cost: Cost) -> Cost:
        config, rates = self.config, self.rates
        moments = self.target.total * self.moments[config.target]
        shards = self._shards(config.target)
        widths = sum(self.widths.values()) + self.teacher.descriptor_width + self.target.classes
        arrays = len(self.widths) + 3 + len(ROW_UNITS)
        cost.jobs = shards + 1
        cost.cpu_seconds = cost.jobs * rates.start + moments * rates.read
        cost.network_seconds = (
            moments * self.student_macs[tuple(config.student.modalities)] * rates.student_forward
        )
        chunks = -(-moments // (shards * config.features.chunk_moments))
        cost.files = 1 + shards * (3 + arrays * (1 + chunks))
        rows = shards * chunks * config.features.chunk_moments  # a chunk is written whole
        cost.size = rows * (widths * np.dtype(config.features.dtype).itemsize + 1 + ROW_BYTES)
        return cost

    def _skimmer(self, cost: Cost) -> Cost:
        config, rates, fusion = self.config, self.rates, self.main.fusion
        moments = max(1, round(self.moments[config.target]))
        widths = self.widths | {
            "fused": fusion.fc2.out_features,
            "teacher": self.teacher.descriptor_width,
        }
        factor = statistics.mean(1 / factor for factor in config.skimmer.read_factors)
        variants = config.skimmer.all_variants
        networks = dict.fromkeys([*trained_networks(config.evaluation.methods), *config.compared])
        trainings: list[tuple[Model, Variant]] = [
            ("skimmer", variants[name]) if name in variants else (cast(Model, name), PLAIN)
            for name in networks
        ]
        for model, variant in trainings:
            recognition = {name: widths[name] for name in variant.recognition or self.widths}
            indexing = {name: widths[name] for name in variant.indexing}
            psi = (0, sum(recognition.values()))
            if recognition == self.widths:
                psi = (fusion.fc1.out_features, fusion.fc2.out_features)
            network = build(
                model, recognition, self.target.classes, *psi, config.skimmer, indexing
            ).eval()
            cost.jobs += 1
            cost.files += 1
            cost.size += size_of(network)
            read = {
                name: torch.zeros(1, moments, width)
                for name, width in (recognition | indexing).items()
            }
            trained = TrainedSkimmer(network, model, (), config.skimmer.steps, variant)
            work = macs(trained.scores, read, torch.ones(1, moments, dtype=torch.bool))
            network_seconds = self._training_seconds(
                config.skimmer.training,
                self.target.videos["train"],
                factor * work * rates.skimmer_train,
            )
            cost.network_seconds += network_seconds
            cost.cpu_seconds += rates.start
            cost.chain_seconds = max(cost.chain_seconds, rates.start + network_seconds)
        return cost

    def _evaluation(self, cost: Cost) -> Cost:
        config, rates = self.config, self.rates
        tested = self.target.videos["test"]
        clips = tested * self.target.labelled(config)
        tables = [table for table in TABLES if table.written_by != "evaluate_scsampler"]
        cost.jobs = len({table.written_by for table in tables})
        cost.files = 2 * len(tables) + 1  # each with its checksum; the scores
        cost.cpu_seconds = (
            cost.jobs * rates.start
            + tested * rates.evaluate
            + 6 * clips * (rates.read + rates.read_mel)
        )
        cost.network_seconds = 2 * clips * sum(self.student_macs.values()) * rates.student_forward
        if config.teacher.finetune is not None:
            cost.cpu_seconds += clips * config.media.clip_frames * rates.read
            cost.network_seconds += clips * self.teacher_macs * rates.teacher_forward
        cost.size = tested * (
            len(computed_methods(config.evaluation.methods)) * 77
            + config.skimmer.steps * len(config.student.modalities) * 55
        )
        cost.size += tested * self._scores_bytes()
        cost.size += FIXED_TABLES + 20 * config.skimmer.steps * 40 + self.target.classes * 90
        cost.size += self.source.videos["test"] * self.moments[config.source] * 110
        return cost

    def _scores_bytes(self) -> float:
        """Of a video in scores.h5: 8 per class and prediction, 4 per weight of the attention."""
        config = self.config
        methods = [method.name for method in computed_methods(config.evaluation.methods)]
        predictions = len(methods) + ("random" in methods) * (config.evaluation.random_draws - 1)
        weights = config.skimmer.steps * len(config.student.modalities)
        attention = self.moments[config.target] * (4 * weights + ROW_BYTES)
        return 8 * predictions * self.target.classes + attention

    def _report(self, cost: Cost) -> Cost:
        config = self.config
        films = min(config.report.film_strips, self.target.videos["test"])
        picked = min(config.report.pictures, config.skimmer.steps - 1)  # per modality
        pictures = films * (len(config.student.modalities) * picked + config.report.pictures)
        plots = sum(table.plotted for table in TABLES)
        cost.jobs, cost.files, cost.cpu_seconds = 1, 2 + 2 * plots, self.rates.start
        # tables and plots; a frame and a spectrogram each; per film a timeline and four seconds
        cost.size = 400_000 + pictures * (self._picture_bytes() + 5_800) + films * 40_000
        return cost

    def _apply(self, cost: Cost) -> Cost:
        """As `snakemake apply` does it, from the listing on; the networks taken to be of the sizes
        of this configuration.
        """
        config, rates = self.config, self.rates
        work = self.student_macs[tuple(config.student.modalities)]
        for name in config.applied:
            each, shards = self.contents[name], self._shards(name)
            moments = each.moments(config) / config.apply.factor  # read
            cost.jobs += 3 + 3 * shards
            cost.cpu_seconds += 3 * rates.light_start + shards * rates.start
            cost.cpu_seconds += each.total * (
                rates.listing
                + self._decoding(name)
                + moments * (rates.encode + rates.read + rates.mel)
            )
            cost.network_seconds += each.total * moments * work * rates.student_forward
            # per shard its table twice, a fingerprint and the answers; of the data set the table,
            # the two files of answers and the page; each with its checksum
            cost.files += 7 * shards + 8
            looks = config.skimmer.steps * len(config.student.modalities)
            cost.size += each.total * (3 * 235 + 2 * 200 * looks + 400)
        return cost
