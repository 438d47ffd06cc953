"""Reads what FFmpeg attaches to frames beside their pixels. It needs the extra ``framebrush[video]``."""

from typing import Any, cast

from av.sidedata.sidedata import Type
from av.video.frame import VideoFrame

LATER = {28: "LCEVC", 29: "VIEW_ID", 30: "3D_REFERENCE_DISPLAYS", 31: "EXIF"}
"""The types of FFmpeg's ``AVFrameSideDataType`` that PyAV does not name."""


def side_data(frame: VideoFrame, name: str) -> bytes | None:
    """Return a frame's side data of a type, such as ``DISPLAYMATRIX``; None if there is none."""
    attached: Any = frame.side_data  # PyAV's stubs have it as a mapping of texts; it iterates over the data.
    return next((bytes(data) for data in attached if data.type.name == name), None)


def _unnamed(cls: type[Type], value: object) -> Type | None:
    """Return a member for a type that FFmpeg knows and PyAV does not."""
    if not isinstance(value, int):
        return None
    member: Any = object.__new__(cls)
    member._name_, member._value_ = LATER.get(value, f"TYPE_{value}"), value
    known = cls._value2member_map_.setdefault(value, member)
    return cast(Type, known)


# PyAV names the type of every side data before it gives any of them, and raises ValueError for a type that it cannot
# name. One EXIF block in a time-lapse would thus hide the orientation of the film.
Type._missing_ = classmethod(_unnamed)  # type: ignore[assignment, method-assign]
