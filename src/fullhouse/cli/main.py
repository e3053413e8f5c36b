"""The program ``fullhouse``: its commands, and how it says that something is wrong.

Everything an operator must put right is one line on standard error and exit code 2. A traceback is a fault of ours.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import NoReturn

import click

from fullhouse.core.errors import DomainError
from fullhouse.infra.errors import OperatorError

USAGE_ERROR = 2
INTERRUPTED = 130

# Modules are loaded when their command runs, so that ``--help`` is quick and a worker loads no web server.
COMMANDS = {
    "up": "fullhouse.cli.up:up",
    "migrate": "fullhouse.cli.database:migrate",
    "api": "fullhouse.cli.serve:api",
    "worker": "fullhouse.cli.serve:worker",
    "seat-map": "fullhouse.cli.seat_map:seat_map",
    "demo": "fullhouse.cli.demo:demo",
    "verify": "fullhouse.cli.verify:verify",
    "bench": "fullhouse.cli.bench:bench",
    "privacy": "fullhouse.cli.privacy:privacy",
    "refunds": "fullhouse.cli.refunds:refunds",
    "money-cases": "fullhouse.cli.money_cases:money_cases",
    "dead-letters": "fullhouse.cli.dead_letters:dead_letters",
    "create-admin": "fullhouse.cli.database:create_admin",
    "signing-keys": "fullhouse.cli.signing_keys:signing_keys",
    "settings": "fullhouse.cli.configuration:settings",
    "doctor": "fullhouse.cli.configuration:doctor",
}


class Commands(click.Group):
    """Loads a command when it is asked for, and lists them in the order of ``COMMANDS``."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Name the commands in the order in which somebody meets them."""
        del ctx
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Load the module of a command."""
        del ctx
        place = COMMANDS.get(cmd_name)
        if place is None:
            return None
        module, _, name = place.partition(":")
        command: click.Command = getattr(import_module(module), name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="fullhouse", message="%(prog)s %(version)s")
def program() -> None:
    """Sell tickets: every seat once, fast, fairly, and with nothing lost.

    'fullhouse up' runs everything on this machine. Each setting is an environment variable; 'fullhouse settings' lists
    them.
    """


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the program and exit."""
    try:
        code = program.main(args=arguments, prog_name="fullhouse", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else str(error))
        code = USAGE_ERROR
    except click.ClickException as error:
        code = complain(_usage_line(error))
    except (OperatorError, DomainError) as error:
        code = complain(str(error))
    except (click.Abort, KeyboardInterrupt):
        code = INTERRUPTED
    except BrokenPipeError:
        # Who read our output has left; that is no error of anybody.
        sys.stderr.close()
        code = 0
    sys.exit(code)


def complain(text: str) -> int:
    """Say what is wrong in one line and return the exit code for it."""
    click.echo(f"fullhouse: {' '.join(text.split())}", err=True)
    return USAGE_ERROR


def _usage_line(error: click.ClickException) -> str:
    context = error.ctx if isinstance(error, click.UsageError) else None
    hint = f" (see '{context.command_path} --help')" if context else ""
    return error.format_message() + hint


if __name__ == "__main__":
    main()
