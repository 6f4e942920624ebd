"""The cases under tests/data/plan: manifests in, patches, diffs and messages out.

Run `python -m tests.cli.plan_goldens` to write what the command says now, then read the diff.
"""

from pathlib import Path

from click.testing import CliRunner, Result

from meshshift.cli.main import main

CASES = sorted(path for path in (Path(__file__).parents[1] / "data" / "plan").iterdir() if path.is_dir())


def invoke(*arguments: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(main, ["plan", *arguments], input=stdin)


def outputs(case: Path) -> dict[str, str]:
    """The files that belong beside the case's input, and their content; none for what is empty."""
    manifests = str(case / "input.yaml")
    diff, patches = invoke("-f", manifests), invoke("-f", manifests, "-o", "json")
    texts = {"expected.diff": diff.stdout, "expected.json": patches.stdout, "expected.err": patches.stderr}
    return {name: text for name, text in texts.items() if text}


if __name__ == "__main__":
    for each in CASES:
        for file, content in outputs(each).items():
            (each / file).write_text(content)
