"""Kubernetes' pod security standard *restricted*, with all of *baseline*, as a function.

Written from https://kubernetes.io/docs/concepts/security/pod-security-standards/, control by control in its order.
"""

from collections.abc import Iterator
from typing import Any

Spec = dict[str, Any]
VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
}  # fmt: skip
SELINUX_TYPES = {None, "", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"}


def violations(pod: Spec) -> list[str]:
    """What of a pod (``metadata`` and ``spec``) the standard forbids, each in a few words; none if it is restricted."""
    return [*_pod(pod["spec"]), *_annotations(pod.get("metadata", {})), *_containers(pod["spec"])]


def _pod(spec: Spec) -> Iterator[str]:
    context = spec.get("securityContext", {})
    yield from (name for name in ("hostNetwork", "hostPID", "hostIPC") if spec.get(name))
    yield from _either(context)
    for volume in spec.get("volumes", []):
        yield from (f"volume {volume['name']}: {kind}" for kind in volume.keys() - {"name"} - VOLUMES)
    yield from (f"sysctl {each['name']}" for each in context.get("sysctls", []) if each["name"] not in SYSCTLS)


def _annotations(metadata: Spec) -> Iterator[str]:
    for name, value in (metadata.get("annotations") or {}).items():
        if name.startswith("container.apparmor.security.beta.kubernetes.io/") and value == "unconfined":
            yield "AppArmor unconfined"


def _either(context: Spec) -> Iterator[str]:
    """Fields that pods and containers have alike."""
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield "hostProcess"
    if (context.get("appArmorProfile") or {}).get("type") == "Unconfined":
        yield "AppArmor unconfined"
    options = context.get("seLinuxOptions") or {}
    if options.get("type") not in SELINUX_TYPES or options.get("user") or options.get("role"):
        yield "seLinuxOptions"
    if context.get("runAsNonRoot") is False:
        yield "runAsNonRoot: false"
    if context.get("runAsUser") == 0:
        yield "runAsUser: 0"
    if (context.get("seccompProfile") or {}).get("type") == "Unconfined":
        yield "seccomp unconfined"


def _containers(spec: Spec) -> Iterator[str]:
    whole = spec.get("securityContext", {})
    for container in (*spec["containers"], *spec.get("initContainers", []), *spec.get("ephemeralContainers", [])):
        context = container.get("securityContext", {})
        capabilities = context.get("capabilities", {})
        found = list(_either(context))
        if context.get("privileged"):
            found.append("privileged")
        if any(port.get("hostPort") for port in container.get("ports", [])):
            found.append("hostPort")
        if any(handler.get("host") for handler in _handlers(container)):
            found.append("host of a probe or lifecycle handler")
        if context.get("procMount", "Default") != "Default":
            found.append("procMount")
        if context.get("allowPrivilegeEscalation") is not False:
            found.append("allowPrivilegeEscalation")
        if not context.get("runAsNonRoot", whole.get("runAsNonRoot")):
            found.append("runAsNonRoot")
        seccomp = context.get("seccompProfile") or whole.get("seccompProfile") or {}
        if seccomp.get("type") not in ("RuntimeDefault", "Localhost"):
            found.append("seccompProfile")
        if "ALL" not in capabilities.get("drop", []):
            found.append("capabilities.drop")
        if set(capabilities.get("add", [])) - {"NET_BIND_SERVICE"}:
            found.append("capabilities.add")
        yield from (f"container {container['name']}: {each}" for each in found)


def _handlers(container: Spec) -> Iterator[Spec]:
    hooks = (container.get("lifecycle") or {}).values()
    for handler in (*(container.get(name, {}) for name in ("startupProbe", "livenessProbe", "readinessProbe")), *hooks):
        yield from (handler[kind] for kind in ("httpGet", "tcpSocket") if kind in handler)
