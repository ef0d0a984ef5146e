"""`python -m tithe`."""

from tithe.cli.main import main

main()
