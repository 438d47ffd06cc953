"""The installation in kind, as a test sees it: Kubernetes' API, the local stack's ports on this machine, helm."""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote
from xml.etree import ElementTree

from azure.servicebus import ServiceBusMessage
from kubernetes import client, config

from framebrush.contracts import QUEUES, BlobRef, Options, RunRequest, Status
from framebrush.errors import BlobNotFound
from framebrush.messaging import MessageSender, connect
from framebrush.runs import Runs
from framebrush.service import Settings
from framebrush.storage import AzureBlobs
from framebrush_cli.local import azurite
from support.timeline import Sample

CONTEXT, NAMESPACE, RELEASE = "kind-framebrush", "framebrush", "framebrush"
GPU_NODE = "framebrush-worker"
STAGES = ("splitter", "dispatcher", "scorer", "stitcher")
OPTIONS = Options(model="gouache", batch_frames=8, preset="veryfast")
"""Of the runs that are compared with each other."""
#: Ports of k8s/kind.yaml.
BLOB, AMQP, ADMIN, PROMETHEUS = 31000, 35672, 35300, 39090
SERVICES = f"app.kubernetes.io/instance={RELEASE},app.kubernetes.io/component in ({','.join(STAGES)})"


class Cluster:
    """Waits are on conditions and say what they wait for; limits are generous."""

    def __init__(self) -> None:
        config.load_kube_config(context=CONTEXT)
        self.core, self.apps = client.CoreV1Api(), client.AppsV1Api()
        amqp = f"Endpoint=sb://127.0.0.1:{AMQP};SharedAccessKeyName=local;SharedAccessKey=local"
        self.settings = Settings.model_validate(
            {
                "storage_connection_string": azurite.connection_string(BLOB),
                "servicebus_connection_string": f"{amqp};UseDevelopmentEmulator=true",
            }
        )
        self.blobs = AzureBlobs(self.settings)
        self.runs = Runs(self.blobs, self.settings.work_container)
        self._session = f"{int(time.time()):x}"

    # --- work

    def run_id(self, name: str) -> str:
        """A run's id, another one in every session: a cluster that was kept still knows the runs of the last."""
        return f"{name}-{self._session}"

    def put(self, name: str, data: bytes, **metadata: str) -> tuple[BlobRef, str]:
        """A blob in the input container, and its ETag."""
        ref = BlobRef(container=self.settings.input_container, name=name)
        return ref, self.blobs.write(ref, data, metadata=metadata)

    def put_picture(self, name: str, data: bytes) -> None:
        """A style picture."""
        self.blobs.write(BlobRef(container=self.settings.styles_container, name=name), data)

    def request(self, run_id: str, source: BlobRef, options: Options) -> BlobRef:
        """Publish our own trigger message; returns where the output will be."""
        output = BlobRef(container=self.settings.output_container, name=f"{run_id}.mp4")
        with connect(self.settings) as bus, MessageSender(bus) as sender:
            sender.send(RunRequest(run_id=run_id, input=source, output=output, options=options))
        return output

    def announce(self, source: BlobRef, etag: str) -> None:
        """Publish the event that Event Grid would send for a new blob, in the EventGrid schema."""
        event = {
            "id": f"{source.name}-{etag}",
            "eventType": "Microsoft.Storage.BlobCreated",
            "subject": f"/blobServices/default/containers/{source.container}/blobs/{source.name}",
            "eventTime": "2026-01-01T00:00:00Z",
            "dataVersion": "",
            "data": {
                "api": "PutBlob",
                "eTag": etag,
                "url": f"https://account.blob.core.windows.net/{source.container}/{quote(source.name)}",
            },
        }
        with connect(self.settings) as bus, bus.get_queue_sender("triggers") as sender:
            sender.send_messages(ServiceBusMessage(json.dumps([event])))

    def status(self, run_id: str) -> Status | None:
        """How a run stands; None before it is known."""
        try:
            return self.runs.status(run_id)
        except BlobNotFound:
            return None

    # --- looking

    def counts(self, queue: str) -> dict[str, int]:
        """What the admin API says of a queue: ActiveMessageCount, DeadLetterMessageCount, ScheduledMessageCount, …"""
        with urllib.request.urlopen(f"http://127.0.0.1:{ADMIN}/{queue}?api-version=2021-05", timeout=5) as answer:
            document = ElementTree.fromstring(answer.read())
        details = next(each for each in document.iter() if each.tag.endswith("}CountDetails"))
        return {each.tag.partition("}")[2]: int(each.text or 0) for each in details}

    def deployments(self) -> dict[str, Any]:
        """The services' deployments by name, without the release's."""
        found = self.apps.list_namespaced_deployment(NAMESPACE, label_selector=SERVICES).items
        return {each.metadata.name.removeprefix(f"{RELEASE}-"): each for each in found}

    def pods(self, selector: str = SERVICES) -> list[Any]:
        """Pods, those that are ending included."""
        return list(self.core.list_namespaced_pod(NAMESPACE, label_selector=selector).items)

    def sample(self, seconds: float) -> Sample:
        """Queues, replicas and places now."""
        found, nodes = self.deployments(), dict[str, list[str]]()
        for pod in self.pods():
            if pod.spec.node_name:
                nodes.setdefault(pod.metadata.labels["app.kubernetes.io/component"], []).append(pod.spec.node_name)
        return Sample(
            seconds=round(seconds, 2),
            queues={queue: self.counts(queue)["ActiveMessageCount"] for queue in QUEUES},
            wanted={name: each.spec.replicas or 0 for name, each in found.items()},
            ready={name: each.status.ready_replicas or 0 for name, each in found.items()},
            nodes=nodes,
        )

    # --- waiting

    def wait(self, what: str, condition: Callable[[], object], seconds: float) -> Any:
        """Until a condition holds; says every 10 s how things stand. Backends that a test disturbs may be away."""
        started, said, problem = time.monotonic(), 0.0, ""
        while (elapsed := time.monotonic() - started) < seconds:
            try:
                if (found := condition()) is not None and found is not False:
                    return found
                problem = ""
            except Exception as error:  # noqa: BLE001
                problem = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
            if elapsed - said >= 10:
                said = elapsed
                print(f"  {elapsed:4.0f} s waiting for {what}: {self.summary()} {problem}", flush=True)
            time.sleep(0.5)
        raise AssertionError(f"{what} did not come true within {seconds:.0f} s\n{self.summary()} {problem}")

    def summary(self) -> str:
        """Queues and pods in one line."""
        try:
            now = self.sample(0)
        except Exception as error:  # noqa: BLE001
            return f"(cannot be seen: {type(error).__name__})"
        queues = " ".join(f"{queue} {count}" for queue, count in now.queues.items())
        return f"{queues} | " + " ".join(f"{name} {now.ready[name]}/{now.wanted[name]}" for name in now.wanted)

    def ended(self, run_id: str, seconds: float = 300) -> Status:
        """Until a run has ended, well or not."""

        def status() -> Status | None:
            found = self.status(run_id)
            return found if found is not None and found.state.ended else None

        found: Status = self.wait(f"the end of {run_id}", status, seconds)
        return found

    def at_zero(self) -> bool:
        """No pod of any stage, and nothing in any queue."""
        counts = [self.counts(queue) for queue in QUEUES]
        waiting = sum(count["ActiveMessageCount"] + count["ScheduledMessageCount"] for count in counts)
        return not self.pods() and not waiting

    # --- disturbing

    def delete_pod(self, component: str, *, grace: int | None = None) -> str:
        """Delete one running pod of a component, and return its name.

        Args:
            component: A service, or ``broker`` or ``azurite``.
            grace: Seconds that it gets to end; 0 is as if its node died, None is its own.
        """
        pods = [
            pod
            for pod in self.pods(f"app.kubernetes.io/component={component}")
            if pod.status.phase == "Running" and pod.metadata.deletion_timestamp is None
        ]
        name = str(pods[0].metadata.name)
        self.core.delete_namespaced_pod(name, NAMESPACE, grace_period_seconds=grace)
        return name

    def pause(self, scaled_object: str, replicas: int | None) -> None:
        """Let KEDA hold a deployment at so many replicas; None lets it scale again."""
        annotations = {"autoscaling.keda.sh/paused-replicas": None if replicas is None else str(replicas)}
        client.CustomObjectsApi().patch_namespaced_custom_object(
            "keda.sh", "v1alpha1", NAMESPACE, "scaledobjects", scaled_object, {"metadata": {"annotations": annotations}}
        )

    def command(self, *arguments: str) -> str:
        """Run ``framebrush`` against the installation, from this machine."""
        names = ("storage_connection_string", "servicebus_connection_string")
        secrets = {f"FRAMEBRUSH_{name.upper()}": getattr(self.settings, name).get_secret_value() for name in names}
        done = subprocess.run(
            [str(Path(sys.executable).with_name("framebrush")), *arguments],
            env=os.environ | secrets, capture_output=True, text=True, timeout=600, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def helm(self, *arguments: str) -> str:
        """Run helm against the cluster."""
        command = ["helm", "--kube-context", CONTEXT, "--namespace", NAMESPACE, *arguments]
        done = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout
