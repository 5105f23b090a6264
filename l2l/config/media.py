"""The section `media`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from l2l.moments import ClipGrid
from l2l.sections import Count, Section


class MediaConfig(Section):
    """What is kept of each video: pictures on the 30 fps grid and mono 16 kHz sound."""

    resize_pixels: tuple[Count, Count] | Count = Field(
        default=(128, 171),
        description="Size before the central crop, in pixels: [height, width], or one number for "
        "the shorter side. Paper: not stated; [128, 171] is what torchvision's weights were "
        "trained with.",
    )
    frame_pixels: Count = Field(
        default=112, description="Side of the central square crop, in pixels. Paper: 112."
    )
    clip_frames: Count = Field(default=16, description="Frames per clip. Paper: 16.")
    clip_stride: Count = Field(
        default=2,
        description="Ticks of the 30 fps grid from one frame of a clip to the next; must divide "
        "16. Paper: 2 (every other frame).",
    )
    clips: Literal["stored", "decoded"] = Field(
        default="stored",
        description="What is done with the clips of a source: `stored` on disk, for a teacher that "
        "is trained on them; `decoded` for the teacher and then dropped, for a fixed one. Those of "
        "a target are stored only with `teacher.finetune`. Paper: not stated.",
    )
    jpeg_quality: Annotated[int, Field(ge=1, le=100)] | Literal["lossless"] = Field(
        default=95,
        description="JPEG quality (1 to 100) of stored pictures, or `lossless`. Paper: not stated.",
    )
    decoder: Literal["exact_skip", "ffmpeg"] = Field(
        default="exact_skip",
        description="What decodes pictures: `exact_skip` only those that are asked for and those "
        "that they refer to, in MP4 and Matroska, and everything else by ffmpeg; `ffmpeg` all "
        "pictures of every file. Both give the same bytes. Paper: not stated.",
    )
    time_limit_seconds: Annotated[float, Field(gt=0)] = Field(
        default=3600,
        description="Longest time that decoding one video may take, in seconds; above it the video "
        "is `refused`. Paper: not stated.",
    )

    @model_validator(mode="after")
    def _crop_inside(self) -> "MediaConfig":
        ClipGrid(self.clip_frames, self.clip_stride)
        shorter_side = (
            self.resize_pixels if isinstance(self.resize_pixels, int) else min(self.resize_pixels)
        )
        if self.frame_pixels > shorter_side:
            raise ValueError(
                f"frame_pixels {self.frame_pixels} is larger than resize_pixels "
                f"{self.resize_pixels}"
            )
        return self

    @property
    def grid(self) -> ClipGrid:
        """How clips are taken from the 30 fps grid."""
        return ClipGrid(self.clip_frames, self.clip_stride)
