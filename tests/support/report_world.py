"""A finished run with few small videos: untrained networks, random pictures and sound."""

import json
from pathlib import Path

import evaluation_world
import feature_world
import numpy as np

from l2l.config import MelsConfig, ReportConfig
from l2l.evaluation.artifact import write_evaluation_table
