"""A whole configuration: all sections, and what must agree between them."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator

from l2l.config.acceleration import NOT_ACCELERATED, AccelerationConfig
from l2l.config.apply import ApplyConfig
from l2l.config.evaluation import EvaluationConfig
from l2l.config.features import FeaturesConfig
from l2l.config.manifest import ManifestConfig
from l2l.config.media import MediaConfig
from l2l.config.mels import MelsConfig
from l2l.config.motion import MotionConfig
from l2l.config.report import ReportConfig
from l2l.config.sampler import SamplerConfig
from l2l.config.skimmer import SkimmerConfig
from l2l.config.student import StudentConfig
from l2l.config.study import StudyConfig
from l2l.config.teacher import TeacherConfig
from l2l.config.types import Name
from l2l.datasets import AnyDataset
from l2l.sections import Section

# Sections that the chain does not read: what `snakemake scsampler` makes.
SCSAMPLER_SECTIONS = ("motion", "sampler")


class Config(Section):
    """A whole configuration: what `config.yaml` holds."""

    run: Name = Field(description="Name of the run: its results are in results/<run>/.")
    seed: Annotated[int, Field(ge=0)] = Field(
        default=0,
        description="Seed of splits that l2l draws, initial weights, shuffling and random choices; "
        "of the demo's videos too.",
    )
    videos: dict[Name, AnyDataset] = Field(
        description="The data sets by name: one with role `source` and one with role `target`, or "
        "one with role `both`; and any number with role `apply`."
    )
    manifest: ManifestConfig = Field(default=ManifestConfig(), description="Listing the videos.")
    media: MediaConfig = Field(
        default=MediaConfig(), description="Pictures and sound that are kept."
    )
    mels: MelsConfig = Field(default=MelsConfig(), description="Log-mel spectrograms.")
    motion: MotionConfig = Field(
        default=MotionConfig(),
        description="Displacement and residual per cell; for `snakemake scsampler` only.",
    )
    teacher: TeacherConfig = Field(default=TeacherConfig(), description="The video classifier.")
    student: StudentConfig = Field(description="The image-audio network.")
    features: FeaturesConfig = Field(default=FeaturesConfig(), description="The stored features.")
    skimmer: SkimmerConfig = Field(description="The attention LSTM.")
    sampler: SamplerConfig = Field(
        default=SamplerConfig(), description="SCSampler, a separate branch."
    )
    evaluation: EvaluationConfig = Field(default=EvaluationConfig(), description="The tables.")
    report: ReportConfig = Field(default=ReportConfig(), description="The page.")
    study: StudyConfig = Field(default=StudyConfig(), description="Several seeds.")
    apply: ApplyConfig = Field(
        default=ApplyConfig(), description="A finished run on videos without labels."
    )
    acceleration: AccelerationConfig = Field(
        default=NOT_ACCELERATED, description="How networks compute on a GPU."
    )
    custom_rules: tuple[Path, ...] = Field(
        default=(),
        description="Files with rules of your own (.smk), relative to the working directory; they "
        "are included after all rules of l2l and may use what these use.",
    )

    @model_validator(mode="after")
    def _one_of_each_role(self) -> "Config":
        for role in ("source", "target"):
            names = self._with_role(role)
            if len(names) != 1:
                raise ValueError(
                    f"videos: role {role} (or both): found {' and '.join(names) or 'none'}, "
                    "expected one data set"
                )
        return self

    @model_validator(mode="after")
    def _one_part_per_graph(self) -> "Config":
        trainings = {
            "teacher.training": self.teacher.training,
            "teacher.finetune": self.teacher.finetune,
            "student.distil": self.student.distil,
            "student.finetune": self.student.finetune,
        }
        for name, training in trainings.items():
            parts = training.gradient_accumulation if training else 1
            if parts > 1 and self.acceleration.compile == "reduce-overhead":
                raise ValueError(
                    f"acceleration.compile: reduce-overhead: found with {name}."
                    f"gradient_accumulation {parts}, expected 1: a CUDA graph writes the gradients "
                    "of one part over those of another; take default"
                )
        return self

    @model_validator(mode="after")
    def _clips_of_a_trained_teacher(self) -> "Config":
        if self.teacher.is_trained and not self.stores_clips(self.source):
            raise ValueError(
                f"media.clips: found {self.media.clips}, expected stored: the teacher is trained "
                f"on the clips of {self.source}"
            )
        return self

    @model_validator(mode="after")
    def _known_variants(self) -> "Config":
        available = (*self.student.modalities, "fused", "teacher")
        for name in self.compared:
            if name not in self.skimmer.all_variants:
                raise ValueError(
                    f"evaluation.variants: no {name}; expected some of "
                    f"{', '.join(self.skimmer.all_variants)}"
                )
            for feature in self.skimmer.all_variants[name].features:
                if feature not in available:
                    raise ValueError(
                        f"evaluation.variants: {name} reads {feature} features, which the student "
                        "has not"
                    )
        return self

    @model_validator(mode="after")
    def _spectrogram_of_the_student(self) -> "Config":
        kind, network = self.mels.spectrogram, self.student.audio_network
        if network == "efficientat_mn04" and kind != "efficientat":
            raise ValueError(
                f"mels.spectrogram: found {kind}, expected efficientat for student.audio_network: "
                f"{network}"
            )
        if self.teacher.hears and kind != "efficientat":
            raise ValueError(
                f"mels.spectrogram: found {kind}, expected efficientat for teacher.network: frames"
            )
        return self

    @property
    def compared(self) -> tuple[str, ...]:
        """The variants of the skimmer that are trained and compared with it."""
        if self.evaluation.variants is not None:
            return self.evaluation.variants
        return ("visual_indexing", "single_query") if len(self.student.modalities) == 2 else ()

    def _with_role(self, role: str) -> list[str]:
        return [name for name, dataset in self.videos.items() if dataset.role in (role, "both")]

    @property
    def source(self) -> str:
        """The data set that the student is distilled from."""
        return self._with_role("source")[0]

    @property
    def target(self) -> str:
        """The data set that is skimmed and evaluated."""
        return self._with_role("target")[0]

    def stores_clips(self, name: str) -> bool:
        """Whether the clips of a data set are stored, and not only the first frame of each."""
        if name == self.target and self.teacher.finetune is not None:
            return True
        return name == self.source and self.media.clips == "stored"

    @property
    def applied(self) -> tuple[str, ...]:
        """The data sets that a finished run answers for."""
        return tuple(name for name, dataset in self.videos.items() if dataset.role == "apply")

    @property
    def of_chain(self) -> "Config":
        """The configuration without what only `apply` reads: what a run was made with."""
        videos = {name: each for name, each in self.videos.items() if name not in self.applied}
        return self.model_copy(update={"videos": videos, "apply": ApplyConfig()})
