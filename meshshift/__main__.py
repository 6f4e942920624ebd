"""`python -m meshshift` is the command line."""

from meshshift.cli.main import main

main()
