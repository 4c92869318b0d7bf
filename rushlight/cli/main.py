"""The `rushlight` command: reads the command line and hands over to a subcommand.

A subcommand is a module beside this one with `add_arguments(parser)` and `execute(options) -> int`, the exit code; its
first docstring line is its help. To add one, write the module and name it in COMMANDS.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from types import ModuleType

from . import doctor, explain, run, version

COMMANDS: dict[str, ModuleType] = {"run": run, "doctor": doctor, "explain": explain, "version": version}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line `argv` (without the program's name; `sys.argv` if None). Returns the exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.command is None:
        parser.print_help()
        return 0
    return COMMANDS[options.command].execute(options)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rushlight", description="Runs PyTorch programs on Rushlight.")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, command in COMMANDS.items():
        summary = (command.__doc__ or "").partition("\n")[0]
        command.add_arguments(subparsers.add_parser(name, help=summary, description=summary))
    return parser
