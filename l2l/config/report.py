"""The section `report`."""

from typing import Annotated

from pydantic import Field

from l2l.sections import Count, Section


class ReportConfig(Section):
    """The report, one HTML page."""

    title: str = Field(default="Listen to Look", description="Title of the page. Paper: none.")
    film_strips: Annotated[int, Field(ge=0)] = Field(
        default=8, description="Test videos that are shown as film strips. Paper: none."
    )
    pictures: Count = Field(default=5, description="Pictures per film strip. Paper: none.")
