"""The configuration: one frozen class per section of config.yaml, with the type, bounds, unit and
meaning of each key and the paper's value.

`l2l config` prints them. A key that is misspelt, missing or out of bounds stops the run before
anything starts, with one line that names it.
"""

from l2l.config.acceleration import NOT_ACCELERATED, AccelerationConfig
from l2l.config.apply import AnswerMethod, ApplyConfig
from l2l.config.early_exit import EarlyExitConfig
from l2l.config.evaluation import EvaluationConfig
from l2l.config.features import FeaturesConfig
from l2l.config.manifest import ManifestConfig
from l2l.config.media import MediaConfig
from l2l.config.mels import MelsConfig
from l2l.config.motion import CELL_PIXELS, MotionConfig
from l2l.config.one_look import OneLookConfig
from l2l.config.ranked import RankedConfig
from l2l.config.reading import as_json, check_config, merge_configs, read_config
from l2l.config.report import ReportConfig
from l2l.config.sampler import SHUFFLENET_STEM, SamplerConfig
from l2l.config.skimmer import (
    PAPER_TRAINING,
    PLAIN,
    VARIANTS,
    PublicCodeConfig,
    SkimmerConfig,
    Variant,
)
from l2l.config.stop import StopConfig
from l2l.config.student import (
    AudioNetworkName,
    FinetuningConfig,
    ImageNetworkName,
    StudentConfig,
)
from l2l.config.teacher import TeacherConfig, TeacherNetwork
from l2l.config.training import TrainingConfig
from l2l.config.types import FeatureName, Modality
from l2l.config.whole import SCSAMPLER_SECTIONS, Config

__all__ = [
    "CELL_PIXELS",
    "NOT_ACCELERATED",
    "PAPER_TRAINING",
    "PLAIN",
    "SCSAMPLER_SECTIONS",
    "SHUFFLENET_STEM",
    "VARIANTS",
    "AccelerationConfig",
    "AnswerMethod",
    "ApplyConfig",
    "AudioNetworkName",
    "Config",
    "EarlyExitConfig",
    "EvaluationConfig",
    "FeatureName",
    "FeaturesConfig",
    "FinetuningConfig",
    "ImageNetworkName",
    "ManifestConfig",
    "MediaConfig",
    "MelsConfig",
    "Modality",
    "MotionConfig",
    "OneLookConfig",
    "PublicCodeConfig",
    "RankedConfig",
    "ReportConfig",
    "SamplerConfig",
    "SkimmerConfig",
    "StopConfig",
    "StudentConfig",
    "TeacherConfig",
    "TeacherNetwork",
    "TrainingConfig",
    "Variant",
    "as_json",
    "check_config",
    "merge_configs",
    "read_config",
]
