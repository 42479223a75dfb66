"""`ztna login`."""

import socket
import sys
from dataclasses import replace
from typing import Any

import click

from agent import signin
from agent.cli import launch
from agent.cli.commands.up import PENDING_TEXT, auth_key, enrol, refuse_second
from agent.cli.context import Context
from agent.cli.durations import DURATION
from agent.cli.output import json_option, note, print_json
from agent.errors import EXIT_PENDING, AgentError
from agent.io.control import ControlClient
from agent.platform import current
from agent.session import Session
from agent.state import Config, Tokens


@click.command()
@click.option("--auth-key", "key", help="Enrol without a person. Prefer ZTNA_AUTH_KEY.")
@click.option("--interactive", is_flag=True, help="Ask for e-mail and password here.")
@click.option("--password", "prompt", is_flag=True, hidden=True, help="The same as --interactive.")
@click.option("--device", is_flag=True, help="Show a code to approve on another device.")
@click.option("--timeout", type=DURATION, default="5m", show_default=True, help="How long to wait for you.")
@click.option("--api-url", help="Address of the control plane.")
@click.option("--ca-file", type=click.Path(exists=True, dir_okay=False), help="Trust this CA alone.")
@json_option
@click.pass_obj
def command(
    context: Context,
    key: str | None,
    interactive: bool,
    prompt: bool,
    device: bool,
    timeout: float,
    api_url: str | None,
    ca_file: str | None,
    as_json: bool,
) -> int:
    """Sign in to the control plane, in the browser unless told otherwise."""
    interactive = interactive or prompt
    if interactive + device + (key is not None) > 1:
        raise click.UsageError("choose one of --auth-key, --interactive and --device")
    if ca_file:
        context.settings = replace(context.settings, ca_file=ca_file)
    if key is not None or context.settings.auth_key is not None:
        return _machine(context, key, api_url, as_json)

    async def sign_in(client: ControlClient) -> tuple[signin.SignedIn, Config, dict[str, Any]]:
        if interactive:
            email = click.prompt("Email", default="", show_default=False, err=True)
            # What is piped in is not echoed anyway, and hiding it would warn of that.
            hidden = sys.stdin.isatty()
            password = click.prompt("Password", default="", show_default=False, hide_input=hidden, err=True)
            signed = await signin.by_password(client, email=email, password=password, ask_code=_ask_code)
        elif device:
            name = socket.gethostname()
            signed = await signin.by_device(client, hostname=name, timeout_seconds=timeout, show=_show_device)
        else:
            signed = await signin.by_browser(client, timeout_seconds=timeout, visit=_visit)
        context.store.save(Tokens(signed.access_token, signed.refresh_token))
        config = replace(context.store.config(), api_url=client.url)
        if signed.org_id:
            config = replace(config, org_id=signed.org_id, org_slug=None)
        config, person = await _person(Session(context.store, client), config)
        context.store.save(config)
        return signed, config, person

    signed, config, person = context.online(sign_in, api_url=api_url)
    organisation = {"id": config.org_id, "slug": config.org_slug, "domain": _domain(config)}
    if as_json:
        print_json(
            {
                "authenticated": True,
                "email": person.get("email"),
                "user_id": person.get("id"),
                "org": organisation if config.org_id else None,
                "machine": None,
                "expires_in": signed.expires_in,
            }
        )
        return 0
    click.echo(f"Login successful! {person.get('email') or ''}".rstrip())
    if config.org_id:
        click.echo(
            f"Organization: {config.org_slug or config.org_id}   {organisation['domain'] or ''}".rstrip()
        )
    click.echo(f"Tokens are in {context.store.directory / 'tokens.json'}. Next: 'ztna up'")
    return 0


async def _person(session: Session, config: Config) -> tuple[Config, dict[str, Any]]:
    """Who signed in, and the organisation if there is no doubt about it."""
    answer = await session.call("GET", "/api/auth/me")
    person: dict[str, Any] = answer.get("user", answer)
    rows = await session.call("GET", "/api/user-orgs")
    organisations = rows["organizations"] if isinstance(rows, dict) else rows
    mine = [entry for entry in organisations if str(entry["id"]) == config.org_id]
    if not mine and len(organisations) == 1:
        mine = organisations
    email = person.get("email")
    if mine:
        entry = mine[0]
        return replace(config, org_id=str(entry["id"]), org_slug=str(entry["slug"]), email=email), person
    return replace(config, org_id=None, org_slug=None, email=email), person


def _machine(context: Context, key: str | None, api_url: str | None, as_json: bool) -> int:
    """Enrol this machine with a key and leave its daemon running."""
    refuse_second(context)
    current().check_privileges()
    machine = context.store.machine()
    if machine is None:
        machine = enrol(context, key=key, hostname=None, tags=[], org=None, api_url=api_url)
    else:
        auth_key(context, key)
    pending = machine.status == "pending"
    pid = None if pending else launch.background(context)
    tags = list(machine.tags)
    if as_json:
        domain = machine.magicdns_name.partition(".")[2]
        described = {"id": machine.machine_id, "name": machine.name, "tailnet_ip": machine.tailnet_ip}
        print_json(
            {
                "authenticated": True,
                "email": None,
                "user_id": None,
                "org": {
                    "id": machine.org_id,
                    "slug": None,
                    "domain": domain,
                },
                "machine": {**described, "tags": tags},
                "expires_in": None,
            }
        )
    else:
        click.echo(f"Registered: {machine.name} ({machine.tailnet_ip})")
        click.echo(f"Machine ID: {machine.machine_id}")
        if tags:
            click.echo("Tags: " + " ".join(f"tag:{tag}" for tag in tags))
        if pid is not None:
            click.echo(f"Daemon: PID {pid}, log {context.settings.log_file}")
    if pending:
        note(f"Registered, but {PENDING_TEXT}.")
        return EXIT_PENDING
    return 0


def _visit(url: str) -> None:
    note(f"To authenticate, visit:\n\n  {url}\n\nWaiting …")
    if signin.has_display():
        import webbrowser

        webbrowser.open(url)


def _show_device(url: str, code: str) -> None:
    note(f"To authenticate, visit {url} on any device and enter the code:\n\n  {code}\n\nWaiting …")


def _ask_code() -> str:
    code: str = click.prompt("Code from your authenticator", default="", show_default=False, err=True)
    if not code.strip():
        raise AgentError("MFA_REQUIRED", "login failed: a code from your authenticator is required")
    return code.strip()


def _domain(config: Config) -> str | None:
    return f"{config.org_slug}.zt.net" if config.org_slug else None
