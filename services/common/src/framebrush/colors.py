"""Which matrix turns a video's YUV into RGB and back. Needs the extra ``framebrush[video]``."""

from av.video.reformatter import ColorRange, Colorspace, Interpolation

from framebrush.manifest import VideoProperties

CONVERSION = Interpolation.BILINEAR | Interpolation.ACCURATE_RND | Interpolation.FULL_CHR_H_INT
"""How swscale converts. Its default is fast and 1.6 levels too dark per round trip; this is 0.03 levels off."""

_MATRICES = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
}
"""By the code points of ITU-T H.273, table 4."""


def matrix(video: VideoProperties) -> int:
    """The matrix that the tags name; without a tag what players assume, BT.709 from 720 lines up and BT.601 below."""
    untagged = Colorspace.ITU709 if video.height >= 720 else Colorspace.ITU601
    return _MATRICES.get(video.color_space, untagged)


def full_range(video: VideoProperties) -> int:
    """The range of the samples: full if tagged so or in a format that means it, limited otherwise."""
    full = video.color_range == ColorRange.JPEG or video.pixel_format.startswith("yuvj")
    return ColorRange.JPEG if full else ColorRange.MPEG
