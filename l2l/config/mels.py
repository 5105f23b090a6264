"""The section `mels`."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from l2l.moments import WINDOW_SAMPLES
from l2l.sections import Count, Section


class MelsConfig(Section):
    """The log-mel spectrogram of the second of sound that starts with a moment."""

    window_samples: Count = Field(
        default=400,
        description="Length of the Hann window, in samples at 16 kHz. Paper: 400 (25 ms).",
    )
    hop_samples: Count = Field(
        default=160,
        description="Distance between windows, in samples at 16 kHz. Paper: 160 (10 ms).",
    )
    fft_samples: Count = Field(
        default=400,
        description="Length of the Fourier transform, in samples: even, at least window_samples. "
        "Paper: not stated.",
    )
    bands: Count = Field(default=40, description="Number of mel bands. Paper: 40.")
    floor: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=1e-6,
        description="Added to the power before the logarithm: log(power + floor). Paper: not "
        "stated.",
    )
    spectrogram: Literal["paper", "efficientat"] = Field(
        default="paper",
        description="Which one: `paper`, by the keys above; or `efficientat`, what "
        "`student.audio_network: efficientat_mn04` needs: 100 windows of 25 ms and 128 bands up to "
        "15 kHz, of the sound resampled to 32 kHz. Paper: the first.",
    )

    @model_validator(mode="after")
    def _keys_of_the_paper(self) -> "MelsConfig":
        keys = [key for key in self.model_fields_set - {"spectrogram"} if self._differs(key)]
        if self.spectrogram != "paper" and keys:
            raise ValueError(
                f"{', '.join(sorted(keys))}: belong to spectrogram: paper, and only to that; found "
                f"{self.spectrogram}"
            )
        return self

    def _differs(self, key: str) -> bool:
        return getattr(self, key) != type(self).model_fields[key].default

    @model_validator(mode="after")
    def _window_inside_transform(self) -> "MelsConfig":
        if self.fft_samples % 2 or not self.window_samples <= self.fft_samples < 2 * WINDOW_SAMPLES:
            least, most = self.window_samples, 2 * WINDOW_SAMPLES
            raise ValueError(
                f"fft_samples {self.fft_samples} must be even, at least window_samples {least}, "
                f"and below {most}"
            )
        return self
