"""The page of a data set's answers: counts, film strips of some videos, what could not be used."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from l2l.apply.artifact import BOTH, Prediction
from l2l.apply.networks import media_of_run
from l2l.config import ApplyConfig, MediaConfig
from l2l.manifest.artifact import Video
from l2l.media.decode import decode
from l2l.moments import start_seconds
from l2l.report.figures import picture_address
from l2l.report.page import page_template
from l2l.stores import MADE_BY

STRIPS = {
    "image": "pictures weighed most",
    "audio": "sound weighed most",
    BOTH: "moments weighed most",
}
_MOST_REMARKS = 200


def render_predictions(
    predictions: Sequence[Prediction],
    videos: Mapping[str, Video],
    run: Path,
    dataset: str,
    config: ApplyConfig,
) -> str:
    """The page as text.

    Args:
        predictions: of all videos of the data set.
        videos: the rows of the manifest by id.
        run: the finished run that answered: its folder, or the file it was exported to.
        dataset: its name.
        config: how many film strips and pictures are shown.
    """
    answered = [each for each in predictions if each.answered]
    labels = Counter(each.label for each in answered)
    remarks = [each for each in predictions if each.reason or not each.answered]
    media = media_of_run(run, config.method)
    return page_template("l2l.apply").render(
        title=f"{dataset}: answers of {run.name}",
        made_by=MADE_BY,
        run=str(run),
        dataset=dataset,
        videos=len(predictions),
        answered=len(answered),
        hours=sum(each.duration_seconds for each in answered) / 3600,
        gmacs=sum(each.gmacs for each in answered),
        pictures=sum(each.decoded_pictures for each in answered),
        labels=sorted(labels.items(), key=lambda item: (-item[1], str(item[0]))),
        statuses=sorted(Counter(each.status for each in predictions).items()),
        films=[
            _film(each, videos[each.video], media, config.pictures)
            for each in _spread(answered, config.film_strips)
        ],
        remarks=remarks[:_MOST_REMARKS],
        more_remarks=max(0, len(remarks) - _MOST_REMARKS),
    )


def _spread(predictions: Sequence[Prediction], count: int) -> list[Prediction]:
    """At most `count` of them, evenly over the list."""
    count = min(count, len(predictions))
    return [predictions[i * len(predictions) // count] for i in range(count)]


def _film(
    prediction: Prediction, video: Video, media: MediaConfig, pictures: int
) -> dict[str, object]:
    """A video's strips: the first moments that each modality selects, and uniform moments."""
    count = prediction.moments
    strips = {
        STRIPS[modality]: [s.moment for s in prediction.selected if s.modality == modality]
        for modality in prediction.modalities
    }
    strips = {name: moments[:pictures] for name, moments in strips.items()}
    strips["uniform"] = sorted({(2 * i + 1) * count // (2 * pictures) for i in range(pictures)})
    shown = sorted({moment for moments in strips.values() for moment in moments})
    decoded = decode(video.source, media, "moments", moments=shown, sound=False)
    frames = dict(zip(shown, decoded.frames(), strict=False))  # none, if it cannot be used by now
    return {
        "video": prediction.video,
        "classes": prediction.classes,
        "strips": [
            {
                "name": name,
                "pictures": [
                    {
                        "address": picture_address(frames[moment]),
                        "seconds": f"{float(start_seconds(moment)):.1f}",
                    }
                    for moment in moments
                    if moment in frames
                ],
            }
            for name, moments in strips.items()
        ],
    }
