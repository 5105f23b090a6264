"""Rows of several videos as a labelled data set of xarray, which an extra installs."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from l2l.arrays import ROW_UNITS, Labelled, row_coordinates
from l2l.errors import BadInput

if TYPE_CHECKING:
    import xarray

Variable = tuple[Sequence[str], np.ndarray, str]  # names of the axes, values, unit


def labelled_dataset(
    variables: Mapping[str, Variable],
    videos: Sequence[Labelled],
    offsets: np.ndarray,
    classes: Sequence[str],
    attributes: Mapping[str, str],
) -> "xarray.Dataset":
    """A data set whose rows, moments and videos have coordinates.

    Args:
        variables: by name.
        videos: in the order of their rows.
        offsets: where the rows of each start, (videos + 1,).
        classes: names of the axis `class`.
        attributes: of the data set.

    Raises:
        BadInput: if xarray is not installed.
    """
    try:
        import xarray
    except ImportError:
        raise BadInput(
            "xarray is not installed, which a labelled data set needs: pip install xarray"
        ) from None
    rows = {
        name: ("moment", values, {"units": ROW_UNITS[name]})
        for name, values in row_coordinates(offsets)._asdict().items()
    }
    of_class = [[name in each.labels for name in classes] for each in videos]
    return xarray.Dataset(
        {name: (axes, values, {"units": unit}) for name, (axes, values, unit) in variables.items()},
        {
            **rows,
            "video": [each.video for each in videos],
            "split": ("video", [each.split for each in videos]),
            "label": ("video", [each.labels[0] if each.labels else "" for each in videos]),
            "labelled": (("video", "class"), np.array(of_class, bool).reshape(-1, len(classes))),
            "row_size": ("video", np.diff(offsets), {"sample_dimension": "moment"}),
            "class": list(classes),
        },
        dict(attributes),
    )
