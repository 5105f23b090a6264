"""A finished run, loaded once, that answers for any video."""

from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from l2l.apply.artifact import Prediction
from l2l.apply.networks import Networks
from l2l.apply.reading import ReadVideo, Request, read_video
from l2l.apply.run import network_path
from l2l.config import NOT_ACCELERATED, AccelerationConfig, AnswerMethod
from l2l.errors import BadInput
from l2l.features.artifact import VideoFeatures
from l2l.jobs.machine import usable_cores
from l2l.manifest.probe import probe_files
from l2l.media.ffmpeg import check_ffmpeg
from l2l.training import seed_and_pick_device


class Answer(NamedTuple):
    """An answer, and what it was made from."""

    prediction: Prediction
    read: ReadVideo
    features: VideoFeatures


@dataclass(frozen=True)
class Options:
    """How much of each video is read.

    Raises:
        BadInput: if a factor and a budget are given, or a number is out of bounds.
    """

    factor: int = 1
    budget_gmacs: float | None = None
    top: int = 5

    def __post_init__(self) -> None:
        for name, value in (("factor", self.factor), ("top", self.top)):
            if value < 1:
                raise BadInput(f"{name} {value}: expected 1 or more")
        if self.budget_gmacs is not None and not 0 < self.budget_gmacs < float("inf"):
            raise BadInput(f"budget_gmacs {self.budget_gmacs:g}: expected a number above 0")
        if self.budget_gmacs is not None and self.factor != 1:
            raise BadInput("factor and budget_gmacs: give one of them; a budget sets the factor")


class Predictor:
    """The trained networks of a finished run, which answer for files.

    Args:
        run: the run's folder, such as results/demo, or the file that `l2l export` made of it.
        threads: videos decoded at the same time, and threads of PyTorch; default: one per core
            that this process may use.
        steps: after which the skimmer stops; default: those that it was trained with.
        method: which network of the run answers: `ours`, the skimmer, or `one_look`.
        acceleration: how the student computes on a GPU: the section `acceleration`.

    Raises:
        BadInput: if there is no such run, it is not finished or has no one look to answer with, its
            networks do not belong together, or ffmpeg does not work.
    """

    def __init__(
        self,
        run: str | Path,
        threads: int | None = None,
        steps: int | None = None,
        method: AnswerMethod = "ours",
        acceleration: AccelerationConfig = NOT_ACCELERATED,
    ) -> None:
        network_path(Path(run), method)  # or a line, before anything else is looked at
        check_ffmpeg()
        self._run, self._threads = Path(run), threads or usable_cores()
        device = seed_and_pick_device(0, self._threads)
        self.networks = Networks(self._run, device, steps, method, acceleration)

    @property
    def class_names(self) -> tuple[str, ...]:
        """The classes that it can answer with."""
        return self.networks.class_names

    def predict(
        self,
        path: str | Path,
        *,
        factor: int = 1,
        budget_gmacs: float | None = None,
        top: int = 5,
    ) -> Prediction:
        """The answer for one file; see `predict_many`."""
        (prediction,) = self.predict_many([path], factor=factor, budget_gmacs=budget_gmacs, top=top)
        return prediction

    def predict_many(
        self,
        paths: Iterable[str | Path],
        *,
        factor: int = 1,
        budget_gmacs: float | None = None,
        top: int = 5,
    ) -> Iterator[Prediction]:
        """The answers for files, in the order given, as soon as they are known.

        The files are decoded next to each other while the student computes batches across them; the
        answer for a file is the same with any others.

        Args:
            paths: the files.
            factor: one moment in so many is decoded, heard and described; the skimmer interpolates
                the features of the moments between, one look does without.
            budget_gmacs: most multiply-accumulates per video, in 10^9, in place of a factor.
            top: how many classes are named, the most probable first.

        Raises:
            MachineError: if the machine did not give the decoder what it needs.
        """
        files = list(map(Path, paths))
        requests = map(Request.of_file, files, probe_files(files, keep=True))
        for answer in self.answers(requests, Options(factor, budget_gmacs, top)):
            yield answer.prediction

    def answers(
        self, requests: Iterable[Request], options: Options, keep_sound: bool = False
    ) -> Iterator[Answer]:
        """The answers for requests, in the order given, with what they were made from.

        Args:
            requests: the videos.
            options: how much of each is read.
            keep_sound: whether what was decoded keeps its sound, which hours of video take much
                memory for.
        """
        videos = self._read_in_order(requests, options, keep_sound)
        for read, features in self.networks.describe(videos):
            yield Answer(self.networks.answer(read, features, options.top), read, features)

    def __repr__(self) -> str:
        skimmer = self.networks.skimmer
        looks = "one look" if skimmer.model == "one_look" else f"{skimmer.steps} steps"
        return f"Predictor({str(self._run)!r}, {len(self.class_names)} classes, {looks})"

    def _read_in_order(
        self, requests: Iterable[Request], options: Options, keep_sound: bool
    ) -> Iterator[ReadVideo]:
        """Each video decoded and heard.

        At most one more than `threads` are held here; those that wait for a batch come on top, see
        `Networks.describe`.
        """
        networks = self.networks

        def factor_of(moments: int) -> int | None:
            if options.budget_gmacs is None:
                return options.factor
            return networks.cost.factor_within(moments, 1e9 * options.budget_gmacs)

        def read(request: Request) -> ReadVideo:
            return read_video(
                request,
                networks.media,
                networks.mels,
                factor_of,
                networks.hears,
                keep_sound,
                networks.skimmer.moments_read,
            )

        waiting: deque[Future[ReadVideo]] = deque()
        with ThreadPoolExecutor(self._threads) as pool:
            try:
                for request in requests:
                    waiting.append(pool.submit(read, request))
                    if len(waiting) > self._threads:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:  # the caller wants no more
                pool.shutdown(wait=False, cancel_futures=True)
