from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from meshshift.cli.main import main


def invoke(*arguments: str, **environment: str):  # type: ignore[no-untyped-def]
    return CliRunner().invoke(main, arguments, env=environment)


def test_every_flag_has_an_environment_variable() -> None:
    text = invoke("operator", "--help").output
    flags = [line for line in text.splitlines() if line.startswith("  --") and "--help" not in line]
    assert len(flags) > 15
    assert "".join(text.split()).count("envvar:") == len(flags)


def test_the_prometheus_url_is_required() -> None:
    result = invoke("operator")
    assert result.exit_code == 2
    assert "--prometheus-url" in result.output


def test_a_bad_duration_names_the_flag_and_the_value() -> None:
    result = invoke("operator", "--prometheus-url", "http://p", "--settle", "5 minutes")
    assert result.exit_code == 2
    assert "--settle" in result.output
    assert "'5 minutes'" in result.output


def test_a_missing_cluster_says_what_to_do(tmp_path: Path) -> None:
    result = invoke("operator", "--prometheus-url", "http://p", KUBECONFIG=str(tmp_path / "none"), HOME=str(tmp_path))
    assert result.exit_code == 1
    assert "give --kubeconfig" in result.output


@pytest.mark.parametrize("url", ["prometheus:9090", "ftp://x"])
def test_a_prometheus_url_without_scheme_is_refused_at_once(url: str, tmp_path: Path) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("apiVersion: v1\nkind: Config\n")
    result = invoke("operator", "--prometheus-url", url, "--kubeconfig", str(kubeconfig))
    assert result.exit_code == 1
    assert "use http:// or https://" in result.output
