"""``python -m spatialnb``: the commands."""

from spatialnb.commands.cli import main

main(prog_name="spatialnb")
