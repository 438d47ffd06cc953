"""A learning job, from zero pods to a style that paints, and back to zero."""

import pytest
from support.cluster import RELEASE, Cluster
from support.video import painting

from framebrush.contracts import LearningState, LearnRequest
from framebrush.errors import BlobNotFound
from framebrush.messaging import MessageSender, connect
from framebrush.styles import LearningJobs, Library

pytestmark = [pytest.mark.core, pytest.mark.timeout(900)]


def learners(cluster: Cluster) -> bool:
    """Whether there is a pod that learns."""
    return bool(cluster.pods(f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component=learner"))


def test_a_picture_is_learned_from_zero_to_zero(cluster: Cluster) -> None:
    jobs = LearningJobs(cluster.blobs, cluster.settings.styles_container)
    name = cluster.run_id("learned")
    cluster.put_picture(f"{name}.png", painting(2))
    content, _ = cluster.put(f"{name}.png", painting(3))  # One small picture, since this is about pods.
    request = LearnRequest(name=name, picture=f"{name}.png", content=(content,), steps=10)
    assert not learners(cluster)
    with connect(cluster.settings) as client, MessageSender(client) as sender:
        sender.send(request)
        sender.send(request)  # The same message twice is one job.
    job = jobs.resolve(request).job
    cluster.wait("a learner", lambda: learners(cluster), 120)

    def ended() -> LearningState | None:
        try:
            status = jobs.status(job)
        except BlobNotFound:
            return None
        return status.state if status.state.ended else None

    assert cluster.wait("the end of learning", ended, 300) is LearningState.SUCCEEDED, jobs.status(job)
    style = Library(cluster.blobs, cluster.settings.styles_container).find(name)
    assert style is not None
    assert style.digest == jobs.status(job).digest
    cluster.wait("no learner", lambda: not learners(cluster), 300)
