"""`mailguard account`: passwords of submission logins."""

from __future__ import annotations

from typing import Annotated

import typer

commands = typer.Typer(name="account", help="Passwords of submission logins.", no_args_is_help=True)


@commands.callback()
def _group() -> None:
    """Passwords of submission logins."""


@commands.command("hash")
def hash_password(
    login: Annotated[str, typer.Argument(help="The login, as in directory/accounts.csv.")],
    password: Annotated[
        str,
        typer.Option(
            prompt=True, hide_input=True, confirmation_prompt=True, help="Asked for if not given."
        ),
    ],
) -> None:
    """Print a line for auth.password_file: the login and an argon2id hash."""
    from mailguard.adapters import passwords

    typer.echo(f"{login.lower()}:{passwords.hash_password(password.encode())}")
