"""A real control plane for tests: etcd and kube-apiserver out of `KUBEBUILDER_ASSETS`, as envtest starts them.

The lab's API server is our reading of Kubernetes; a test that only ever meets that reading proves that we agree with
ourselves.  The binaries are not ours to carry: whoever wants the second witness names a directory that holds both.
The flags follow controller-runtime's envtest (pkg/internal/testing/controlplane): RBAC, no ServiceAccount admission,
because the controller that would make the accounts is not there.  Nothing else is there either: no garbage collector,
no namespace controller, no kubelet.

Both programs listen on loopback only and end with the process that started them (`children`).
"""

from __future__ import annotations

import os
import ssl
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import yaml

from meshshift.lab.children import die_with_parent, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLE = "KUBEBUILDER_ASSETS"
PROGRAMS = ("etcd", "kube-apiserver")
HOW_TO_GET = (
    "name a directory with the programs etcd and kube-apiserver, such as the one that envtest's own tool prints: "
    'export KUBEBUILDER_ASSETS="$(setup-envtest use -p path)"'
)
_START_TIMEOUT = 90.0
_STOP_TIMEOUT = 10.0
_TOKEN = "envtest"  # noqa: S105 -- opens a server on loopback that lives as long as one test run


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """A running API server: its address, the file that says whom to trust, and the administrator's token."""

    url: str
    authority: Path
    token: str = _TOKEN

    @property
    def trust(self) -> ssl.SSLContext:
        """What a client verifies the server with."""
        return ssl.create_default_context(cafile=self.authority)

    @property
    def headers(self) -> dict[str, str]:
        """What a client shows that it may do everything."""
        return {"Authorization": f"Bearer {self.token}"}

    def write_kubeconfig(self, path: Path) -> None:
        """Write a kubeconfig for the administrator."""
        cluster = {"server": self.url, "certificate-authority": str(self.authority)}
        context = {"cluster": "envtest", "user": "admin", "namespace": "default"}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "envtest",
            "clusters": [{"name": "envtest", "cluster": cluster}],
            "users": [{"name": "admin", "user": {"token": self.token}}],
            "contexts": [{"name": "envtest", "context": context}],
        }
        path.write_text(yaml.safe_dump(document, sort_keys=False))


def missing_assets() -> str:
    """What is wrong with KUBEBUILDER_ASSETS and how to mend it; empty when both programs are where it says."""
    folder = os.environ.get(VARIABLE, "")
    if not folder:
        return f"{VARIABLE} is not set: {HOW_TO_GET}"
    absent = [name for name in PROGRAMS if not os.access(Path(folder) / name, os.X_OK)]
    if absent:
        return f"{VARIABLE}={folder} holds no program {' and no '.join(absent)}: {HOW_TO_GET}"
    return ""


@contextmanager
def running_control_plane() -> Iterator[ControlPlane]:
    """Run etcd and kube-apiserver until the end of the block, with their data in a temporary directory.

    Raises RuntimeError if the programs are not there, or, with the end of its log, if one does not get ready.
    """
    if missing := missing_assets():
        raise RuntimeError(missing)
    assets = Path(os.environ[VARIABLE])
    with tempfile.TemporaryDirectory(prefix="meshshift-envtest-") as name, ExitStack() as stack:
        folder = Path(name)
        etcd_url = f"http://127.0.0.1:{free_port()}"
        stack.enter_context(_program(assets / "etcd", _etcd_flags(folder, etcd_url), folder, f"{etcd_url}/health"))
        port, certificates = free_port(), folder / "certificates"
        (folder / "tokens.csv").write_text(f'{_TOKEN},admin,admin,"system:masters"\n')
        plane = ControlPlane(f"https://127.0.0.1:{port}", certificates / "apiserver.crt")
        flags = _api_server_flags(folder, certificates, etcd_url, port)
        stack.enter_context(_program(assets / "kube-apiserver", flags, folder, f"{plane.url}/readyz", plane))
        yield plane


def _etcd_flags(folder: Path, url: str) -> list[str]:
    return [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        "--listen-peer-urls=http://127.0.0.1:0",
    ]


def _api_server_flags(folder: Path, certificates: Path, etcd_url: str, port: int) -> list[str]:
    """The server signs a certificate for itself; that certificate's key also signs service accounts' tokens."""
    key = certificates / "apiserver.key"
    return [
        f"--etcd-servers={etcd_url}",
        f"--cert-dir={certificates}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        "--endpoint-reconciler-type=none",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--allow-privileged=true",
        "--authorization-mode=RBAC",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--disable-admission-plugins=ServiceAccount",
        f"--service-account-issuer=https://127.0.0.1:{port}/",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
    ]


@contextmanager
def _program(
    path: Path, flags: list[str], folder: Path, health: str, plane: ControlPlane | None = None
) -> Iterator[None]:
    log = folder / f"{path.name}.log"
    with log.open("wb") as sink:
        process = subprocess.Popen(
            [path, *flags],
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            preexec_fn=die_with_parent(),
            start_new_session=True,
        )
    try:
        _await_healthy(process, log, health, plane)
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_healthy(process: subprocess.Popen[bytes], log: Path, health: str, plane: ControlPlane | None) -> None:
    deadline = time.monotonic() + _START_TIMEOUT
    while not _is_healthy(health, plane):
        status = process.poll()
        if status is not None or time.monotonic() > deadline:
            what = f"is not ready after {_START_TIMEOUT:g} s" if status is None else f"ended with status {status}"
            words = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
            raise RuntimeError(f"{log.stem} {what}\n{words}")
        time.sleep(0.1)


def _is_healthy(health: str, plane: ControlPlane | None) -> bool:
    try:
        if plane is None:
            return httpx.get(health, timeout=2.0, trust_env=False).is_success
        return httpx.get(health, timeout=2.0, trust_env=False, verify=plane.trust, headers=plane.headers).is_success
    except (httpx.TransportError, OSError):
        return False


if __name__ == "__main__":
    sys.exit(missing_assets() or None)
