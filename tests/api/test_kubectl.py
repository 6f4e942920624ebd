"""The committed CRD against a served API and kubectl: what a user meets."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import pytest_asyncio
import yaml

from meshshift.api.crd import NAME
from meshshift.api.generate import ROOT
from meshshift.api.status import StatusModel, StepStatus, WeightsStatus
from meshshift.core.run import Phase
from meshshift.lab.kube import ApiServer
from tests.api.samples import INVALID, VALID, load, minimal, sample_files

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(
        not (os.environ.get("KUBECTL") or shutil.which("kubectl")),
        reason="needs kubectl on PATH, or its path in the KUBECTL environment variable",
    ),
]

CRD = ROOT / "manifests" / "crds" / "meshshift.io_trafficshifts.yaml"
SHIFTS = "/apis/meshshift.io/v1alpha1/namespaces/default/trafficshifts"


class Cluster:
    """A served API with the CRD in it, and kubectl that talks to it."""

    def __init__(self, url: str, kubeconfig: Path) -> None:
        self.http = httpx.AsyncClient(base_url=url)
        self._kubeconfig = kubeconfig

    async def kubectl(self, *arguments: str, stdin: str = "") -> tuple[int, str]:
        """Exit code and all that was printed."""
        program = os.environ.get("KUBECTL", "kubectl")
        process = await asyncio.create_subprocess_exec(
            *(program, f"--kubeconfig={self._kubeconfig}", *arguments),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "KUBECACHEDIR": str(self._kubeconfig.parent / "cache")},
        )
        out, _ = await process.communicate(stdin.encode())
        return process.returncode or 0, out.decode()

    async def dry_run(self, spec: dict[str, Any]) -> httpx.Response:
        return await self.http.post(SHIFTS, params={"dryRun": "All"}, json=shift("sample", spec))


def shift(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default"}
    return {"apiVersion": "meshshift.io/v1alpha1", "kind": "TrafficShift", "metadata": metadata, "spec": spec}


@pytest_asyncio.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    async with ApiServer() as server:
        kubeconfig = tmp_path / "kubeconfig"
        kubeconfig.write_text(yaml.safe_dump(server.kubeconfig()), encoding="utf-8")
        served = Cluster(server.url, kubeconfig)
        code, text = await served.kubectl("apply", "-f", str(CRD))
        assert code == 0, text
        code, text = await served.kubectl("wait", "--for=condition=Established", f"crd/{NAME}", "--timeout=20s")
        assert code == 0, text
        yield served
        await served.http.aclose()


async def test_a_minimal_shift_gets_the_defaults_that_no_policy_may_give(cluster: Cluster) -> None:
    code, text = await cluster.kubectl("apply", "-f", "-", stdin=yaml.safe_dump(shift("reviews", minimal())))
    assert code == 0, text
    stored = (await cluster.http.get(f"{SHIFTS}/reviews")).json()
    assert "analysis" not in stored["spec"]
    assert stored["spec"]["onDelete"] == "Restore"
    assert stored["spec"]["strategy"] == {"canary": {"minStepDuration": "1m"}}


async def test_kubectl_get_says_why(cluster: Cluster) -> None:
    await cluster.http.post(SHIFTS, json=shift("reviews", minimal()))
    message = "5% → 25% in 40 s: success-rate not yet proven (312 of ~700 requests)"
    status = StatusModel(
        phase=Phase.PROGRESSING,
        message=message,
        strategy="canary",
        step=StepStatus.at(2, 5, "setWeight 25%", 1_700_000_000),
        weights=WeightsStatus(desired=5),
    )
    headers = {"Content-Type": "application/merge-patch+json"}
    content = json.dumps({"status": status.to_wire()})
    patched = await cluster.http.patch(f"{SHIFTS}/reviews/status", content=content, headers=headers)
    assert patched.status_code == 200, patched.text
    _, text = await cluster.kubectl("get", "ts")
    heading, row = text.splitlines()
    assert heading.split() == ["NAME", "SERVICE", "PHASE", "STEP", "WEIGHT", "MESSAGE", "AGE"]
    assert message in row
    assert len(row) <= 140
    _, wide = await cluster.kubectl("get", "tshift", "-o", "wide")
    assert "STRATEGY" in wide


async def test_kubectl_explains_the_fields(cluster: Cluster) -> None:
    # `explain` does not look again for a short name that is younger than its discovery cache.
    await cluster.kubectl("api-resources", "--cached=false")
    code, text = await cluster.kubectl("explain", "ts.spec.analysis.harmBudget")
    assert code == 0, text
    assert "percentage points" in text


async def test_a_misspelt_field_is_refused_by_strict_validation(cluster: Cluster) -> None:
    document = yaml.safe_dump(shift("reviews", minimal(analyses={})))
    code, text = await cluster.kubectl("apply", "-f", "-", stdin=document)
    assert code != 0
    assert 'unknown field "spec.analyses"' in text


async def test_every_valid_sample_is_accepted(cluster: Cluster) -> None:
    for path in sample_files(VALID):
        answer = await cluster.dry_run(load(path))
        assert answer.status_code == 201, (path.stem, answer.text)


async def test_every_invalid_sample_is_refused_where_it_is_said_to_be(cluster: Cluster) -> None:
    for path in sample_files(INVALID):
        sample = load(path)
        answer = await cluster.dry_run(sample["spec"])
        assert answer.status_code == (422 if sample["server"] else 201), (path.stem, answer.text)
