"""``python -m spatialnb``: the commands."""

from spatialnb.cli import main

main(prog_name="spatialnb")
