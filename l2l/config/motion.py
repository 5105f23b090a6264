"""The section `motion`."""

from typing import Annotated, Literal

from pydantic import Field

from l2l.moments import MOMENT_FRAMES
from l2l.sections import Section

CELL_PIXELS = 16  # side of a macroblock of MPEG-4: one vector, one mean residual


class MotionConfig(Section):
    """How pictures move, as MPEG-4 codes them: each video is coded again as a proxy, which is read
    and dropped. Only SCSampler reads it. Paper: Korbar et al., ICCV 2019.
    """

    pixels: Annotated[int, Field(ge=16, le=1024, multiple_of=16)] = Field(
        default=224,
        description="Side of the proxy's pictures, in pixels, a multiple of 16: numbers are kept "
        "per cell of 16 x 16 pixels. They show what `media` shows, scaled. Paper: cells of 16 "
        "pixels; 224 as recalled, not verified.",
    )
    stride: Literal[1, 2, 4, 8, 16] = Field(
        default=1,
        description="Ticks of the 30 fps grid from one picture of the proxy to the next. Paper: "
        "not stated; 1 is nearest to coding the video itself.",
    )
    gop_pictures: Annotated[int, Field(ge=2, le=250)] = Field(
        default=12,
        description="Pictures from one key picture of the proxy to the next. Paper: 12.",
    )
    quality: Annotated[int, Field(ge=2, le=31)] = Field(
        default=4,
        description="Quantiser of the proxy, 2 (finest) to 31. Paper: not stated; CoViAR: 1.",
    )

    @property
    def pictures_per_moment(self) -> int:
        """Pictures of the proxy from the start of one moment to the start of the next."""
        return MOMENT_FRAMES // self.stride

    @property
    def cells(self) -> int:
        """Rows of cells of a picture, and columns."""
        return self.pixels // CELL_PIXELS
