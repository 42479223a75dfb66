"""`python -m agent` is `ztna`."""

from agent.cli.main import main

main()
