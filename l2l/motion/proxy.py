"""The proxy: a video coded again as MPEG-4 Simple, on the media stage's clock and with its crop.

Every codec that decodes has vectors then, of one meaning: from the picture before, in half pixels,
one per 16 x 16 pixels. Key pictures are exactly `gop_pictures` apart, also at a cut. Nothing of the
proxy is kept: it goes to whoever takes its bytes.
"""

from collections.abc import Callable

import ffmpeg

from l2l.config import MediaConfig, MotionConfig
from l2l.errors import BadInput
from l2l.manifest.source import Source
from l2l.media.by_ffmpeg import MAX_BYTES, SCALING, compile_outputs, open_input, picture_filters
from l2l.media.ffmpeg import Finished, ask_ffmpeg, ffmpeg_program, run_ffmpeg

ENCODER, MUXER = "mpeg4", "m4v"
NO_SCENE_CUTS = 1_000_000_000  # else a cut starts a new group
# Coding and reading take up to three times as long as decoding, for which the limit is meant.
TIME_FACTOR = 4


def check_encoder() -> str:
    """The version of ffmpeg, which has the encoder and the muxer of the proxy.

    Raises:
        BadInput: one line that names the program, if it lacks one of them or does not work.
        MachineError: if the machine cannot start a process.
    """
    for kind, name in (("encoder", ENCODER), ("muxer", MUXER)):
        answer = ask_ffmpeg("-hide_banner", "-h", f"{kind}={name}")
        if not answer.startswith(f"{kind.title()} {name} "):
            raise BadInput(
                f"{ffmpeg_program()}: this ffmpeg has no {kind} {name}, which motion needs; put "
                "one with it first on PATH, or `pip install imageio-ffmpeg`"
            )
    return ask_ffmpeg("-version").split()[2]


def scaled(media: MediaConfig, pixels: int) -> MediaConfig:
    """The section that shows the same part of a picture with another side of its crop."""
    size, side = media.resize_pixels, media.frame_pixels
    # not less than the crop, which has to fit
    resized = (
        max(pixels, round(size * pixels / side))
        if isinstance(size, int)
        else (
            max(pixels, round(size[0] * pixels / side)),
            max(pixels, round(size[1] * pixels / side)),
        )
    )
    return media.model_copy(update={"resize_pixels": resized, "frame_pixels": pixels})


def compile_proxy_argv(
    source: Source, media: MediaConfig, config: MotionConfig, end_byte: int = 0
) -> list[str]:
    """The arguments of ffmpeg that write the proxy to `pipe:proxy`.

    Its pictures are those of the media stage, in red, green and blue; they are then coded in the
    colours of BT.601, limited range, which gives the residual's colours their meaning.
    """
    filters = [
        *picture_filters(scaled(media, config.pixels), config.stride),
        "format=rgb24",
        f"scale=out_color_matrix=bt601:out_range=tv:{SCALING}",
        "format=yuv420p",
    ]
    file = open_input(end_byte)
    outputs = [
        ffmpeg.output(
            file[str(source.video_stream)],
            "pipe:proxy",
            vf=",".join(filters),
            vcodec=ENCODER,
            format=MUXER,
            g=config.gop_pictures,
            bf=0,
            sc_threshold=NO_SCENE_CUTS,
            threads=1,
            flags="+bitexact",
            **{"q:v": config.quality},
        )
    ]
    if source.audio_stream >= 0:
        # Where time wraps or restarts, ffmpeg's clock depends on all streams that are read: the
        # sound is read as for the media, but not decoded.
        sound = file[str(source.audio_stream)]
        outputs.append(ffmpeg.output(sound, "pipe:", acodec="copy", format="null"))
    merged = ffmpeg.merge_outputs(*outputs) if len(outputs) > 1 else outputs[0]
    return compile_outputs(merged, source.path, end_byte)


def code_proxy(
    source: Source,
    media: MediaConfig,
    config: MotionConfig,
    take: Callable[[memoryview], object],
    end_byte: int = 0,
) -> Finished:
    """Code a whole video and hand its bytes on.

    Raises:
        FfmpegStopped: if a limit ended it.
        MachineError: if the machine did not give ffmpeg what it needs, or something ended it.
    """
    argv = compile_proxy_argv(source, media, config, end_byte)
    limit_seconds = TIME_FACTOR * media.time_limit_seconds
    return run_ffmpeg(argv, {"proxy": take}, MAX_BYTES, limit_seconds)
