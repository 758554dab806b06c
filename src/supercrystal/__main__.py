"""``python -m supercrystal`` is the command line."""

from supercrystal.cli import main

main()
