"""How the command line tells what went wrong: one line on standard error."""

from __future__ import annotations

import click


def complain(error: object, code: int) -> int:
    """Say it, and return the exit code."""
    click.echo(f"nlkit: {' '.join(str(error).split())}", err=True)
    return code
