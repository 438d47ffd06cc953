"""Looks at style pictures, by the prediction network of Ghiasi et al. 2017.

The paper is "Exploring the structure of a real-time, arbitrary neural artistic stylization network".
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from framebrush.pictures.networks import NoPictureNetwork, network_file
from framebrush.pictures.picture import PictureSquare

COUNT = 100
"""The length of a style vector."""


def predict(squares: Sequence[PictureSquare], networks: Path | None = None) -> list[tuple[float, ...]]:
    """Return the style vector of each picture, :data:`COUNT` numbers.

    Processors differ in how they compute the network, which is quantised, so that another one may give slightly other
    numbers for the same picture. They are computed once per run.

    Args:
        squares: The middle squares of the pictures, each RGB, uint8 (256, 256, 3).
        networks: The folder of the networks; see :func:`framebrush.pictures.network_file`.

    Raises:
        NoPictureNetwork: The network is missing, damaged, or another one.
    """
    import onnxruntime  # type: ignore[import-untyped]  # It takes 0.2 s to import, and most processes never look at a picture.

    path = network_file("predict", networks)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # Pools for a few milliseconds of work cost more.
    options.log_severity_level = 3
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        (entry,) = session.get_inputs()
        found = [session.run(None, {entry.name: (square.astype(np.float32) / 255)[None]})[0] for square in squares]
        vectors = [np.asarray(vector, np.float32).reshape(COUNT) for vector in found]
    except Exception as error:  # onnxruntime's errors have no base class of their own
        raise NoPictureNetwork(f"{path} is no network that looks at pictures: {error}") from error
    if not np.isfinite(vectors).all():
        raise NoPictureNetwork(f"{path} gives numbers that are not finite")
    return [tuple(vector.tolist()) for vector in vectors]


def blend(vectors: Sequence[Sequence[float]], weights: Sequence[float]) -> tuple[float, ...]:
    """Return the weighted mean of style vectors, which is a style between theirs.

    Args:
        vectors: At least one style vector, all of the same length.
        weights: A positive weight for each; only their ratios count.

    """
    shares = np.array(weights, np.float64) / np.sum(weights)
    return tuple((shares @ np.array(vectors, np.float64)).astype(np.float32).tolist())
