"""What the Python clients share: where everything is, and a runner of named checks.

A check is an async function. Each prints `ok <name>` or `FAIL <name>: <why>`; the exit code is 0 only if none failed.
"""

import asyncio
import json
import os
import sys
import traceback
import urllib.request
from pathlib import Path

BASE_URL = os.environ["BASE_URL"]
"""The Bot API to talk to, without a slash at its end."""
SANDBOX = os.environ["SANDBOX"]
"""The sandbox behind it."""
TOKEN = os.environ["TOKEN"]
OTHER_TOKEN = os.environ["OTHER_TOKEN"]
"""The token of another bot."""
BEHIND_SERVICE = BASE_URL != SANDBOX
MEDIA = Path(os.environ["MEDIA"])
CHAT = 4711
NOBODY = 9000000400
"""A chat that the sandbox does not know."""
BLOCKER = 9000000403
"""A user who has blocked the bot."""

ONLY = os.environ.get("ONLY")
"""The one check to make, if not all."""

PATIENCE = 60.0
_checks = []


def check(function, name=None):
    """Adds a check; a decorator."""
    _checks.append((name or function.__name__, function))
    return function


async def run():
    """Runs all checks one after another; returns the exit code."""
    failures = 0
    for name, function in _checks:
        if ONLY not in (None, name):
            continue
        try:
            await asyncio.wait_for(function(), PATIENCE)
            print(f"ok {name}", flush=True)
        except Exception as error:
            failures += 1
            where = traceback.extract_tb(error.__traceback__)
            line = next((frame.lineno for frame in reversed(where) if frame.filename == sys.argv[0]), "?")
            print(f"FAIL {name}: line {line}: {type(error).__name__}: {error}", flush=True)
    return 1 if failures else 0


def media(name):
    """The bytes of a file to send."""
    return (MEDIA / name).read_bytes()


def ask_sandbox(path, body=None):
    """GET, or POST of a JSON body."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{SANDBOX}/sandbox/{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def user_does(**what):
    """Lets a user do something that the bot hears of as an update."""
    return ask_sandbox("incoming", {"bot": int(TOKEN.split(":")[0]), **what})


def delivered(chat_id):
    """The messages that the sandbox has of a chat."""
    return ask_sandbox(f"messages?chat_id={chat_id}")["messages"]


def fault(method, times, **fault):
    """The next requests of a method meet a misfortune behind the service."""
    ask_sandbox("faults", {"match": {"method": method, "times": times}, "fault": fault})


def equal(actual, expected):
    assert actual == expected, f"{actual!r} is not {expected!r}"
