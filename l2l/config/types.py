"""The types and the defaults that several sections share."""

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from l2l.sections import Count

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Modality = Literal["image", "audio"]
# A student's two streams, Psi of both, and the teacher's descriptor.
FeatureName = Literal["image", "audio", "fused", "teacher"]
Four = tuple[Count, Count, Count, Count]
RESNET_18: Four = (64, 128, 256, 512)  # channels of its four stages, as of R(2+1)D-18
TWO_EACH: Four = (2, 2, 2, 2)  # residual blocks of its four stages


def named_file(weights: str) -> tuple[Path, ...]:
    """The file that `weights` names; none for torchvision's names (capital letters, digits and
    underscores), `train` and `none`.
    """
    return () if re.fullmatch(r"[A-Z0-9_]+|train|none", weights) else (Path(weights),)
