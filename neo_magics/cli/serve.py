"""`neo-magics serve`: the local service over HTTP, for the aws cli, SDKs and other languages."""

from __future__ import annotations

import argparse
import json
import logging
import os
import shlex
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from neo_magics.http.credentials import KeyPair
    from neo_magics.http.server import Listener
    from neo_magics.settings import Settings


def main(words: list[str]) -> int:
    """Serve until SIGTERM or Ctrl-C; running jobs go on."""
    from neo_magics import __version__
    from neo_magics.http.compose import compose
    from neo_magics.http.credentials import load_or_create
    from neo_magics.http.guard import hosts_for, is_loopback
    from neo_magics.http.limits import Limits
    from neo_magics.http.server import listen, run
    from neo_magics.settings import Settings

    args = _parser().parse_args(words)
    settings = Settings.from_environment()
    keys = load_or_create(settings.home)
    if args.environment:
        print("\n".join(_exports(keys, settings, f"http://{args.host}:{args.port}")))
        return 0
    _log_to_stderr(quiet=args.quiet)
    listener = listen(args.host, args.port)
    if not is_loopback(args.host):
        print(_warning(args.host), file=sys.stderr)
    hosts = hosts_for(args.host, tuple(args.allow_host))
    service = compose(
        settings, keys, hosts, Limits(rate=args.rate, burst=max(1, int(2 * args.rate))), __version__
    )
    show = _show_json if args.json else _show
    try:
        run(service.endpoint, listener, lambda: show(listener, settings, keys), tend=service.tend)
    finally:
        service.close()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="neo-magics serve", description="Offer the local service over HTTP (AWS JSON 1.1, SigV4)."
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default: this machine only)"
    )
    parser.add_argument("--port", type=int, default=8765, help="port (default 8765; 0: any free one)")
    parser.add_argument(
        "--allow-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a further name in Host headers; repeat",
    )
    parser.add_argument(
        "--rate", type=_rate, default=100.0, help="requests a second of one key (default 100)"
    )
    parser.add_argument("--quiet", action="store_true", help="no log line per request")
    parser.add_argument("--json", action="store_true", help="print one JSON object when ready")
    parser.add_argument(
        "--environment",
        action="store_true",
        help='print export lines for `eval "$(…)"` and exit; holds the secret',
    )
    return parser


def _rate(text: str) -> float:
    value = float(text)
    if not 0 < value < 1e6:
        raise argparse.ArgumentTypeError("must be over 0 and under a million")
    return value


def _log_to_stderr(*, quiet: bool) -> None:
    logging.basicConfig(stream=sys.stderr, level=logging.WARNING, format="%(asctime)s %(message)s")
    logging.getLogger("neo_magics.http.access").setLevel(logging.WARNING if quiet else logging.INFO)


def _show(listener: Listener, settings: Settings, keys: KeyPair) -> None:
    ours = "" if settings.home == _default_home() else f"NEO_MAGICS_HOME={shlex.quote(str(settings.home))} "
    lines = [
        f"Serving compilation jobs at {listener.url}  (home {settings.home}, region {settings.region})",
        "",
        "  aws cli    "
        + f'eval "$({ours}neo-magics serve --host {listener.host} --port {listener.port} --environment)"',
        "             aws sagemaker list-compilation-jobs",
        f'  boto3      boto3.client("sagemaker", endpoint_url="{listener.url}")   after the same eval, or',
        f'             neo_magics.boto3_client("sagemaker", backend="{listener.url}")   which finds the key',
        f"  magics     %compile --backend {listener.url} …   (or NEO_MAGICS_BACKEND)",
        f"  access key {keys.access_key_id}; its secret is in {settings.home / 'credentials.json'}",
        "",
        "Ctrl-C stops the server; running jobs go on.",
    ]
    print("\n".join(lines), flush=True)


def _show_json(listener: Listener, settings: Settings, keys: KeyPair) -> None:
    ready = {
        "endpoint": listener.url,
        "region": settings.region,
        "access_key_id": keys.access_key_id,
        "credentials": str(settings.home / "credentials.json"),
        "home": str(settings.home),
        "pid": os.getpid(),
    }
    print(json.dumps(ready), flush=True)


def _exports(keys: KeyPair, settings: Settings, url: str) -> list[str]:
    values = {
        "AWS_ACCESS_KEY_ID": keys.access_key_id,
        "AWS_SECRET_ACCESS_KEY": keys.secret_access_key,
        "AWS_DEFAULT_REGION": settings.region,
        "AWS_ENDPOINT_URL_SAGEMAKER": url,
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": url,
    }
    return [f"export {name}={shlex.quote(value)}" for name, value in values.items()]


def _default_home() -> object:
    from neo_magics.settings import default_home

    return default_home()


def _warning(host: str) -> str:
    return (
        f"Warning: {host} can be reached from other machines. Requests are signed but not encrypted: "
        "put a TLS proxy in front, or use an SSH tunnel."
    )
