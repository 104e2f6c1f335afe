"""Entry point of ``python -m spatialnb``: the command line."""

from spatialnb.commands.cli import main

main(prog_name="spatialnb")
