"""`python -m meshshift.lab.kube --kubeconfig PATH`: serve until told to stop."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path

import click

from meshshift.lab.kube.server import ApiServer


async def serve(kubeconfig: Path, port: int) -> None:
    """Serve, with a kubeconfig written once the port is known, until SIGTERM or SIGINT."""
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with ApiServer(port=port) as server:
        server.write_kubeconfig(kubeconfig)
        sys.stdout.write(f"serving {server.url}; kubeconfig in {kubeconfig}\n")
        sys.stdout.flush()
        await stopped.wait()


@click.command()
@click.option("--kubeconfig", type=click.Path(dir_okay=False, path_type=Path), required=True, help="File to write.")
@click.option("--port", type=int, default=0, show_default=True, help="TCP port on 127.0.0.1; 0 lets the system choose.")
def main(kubeconfig: Path, port: int) -> None:
    """Serve an in-memory Kubernetes API on 127.0.0.1."""
    asyncio.run(serve(kubeconfig, port))


if __name__ == "__main__":
    main()
