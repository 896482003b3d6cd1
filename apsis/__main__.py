"""`python -m apsis`: the command."""

from apsis.cli.main import main

main()
