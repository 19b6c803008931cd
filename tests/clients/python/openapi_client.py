"""Generates a client from the served OpenAPI document with openapi-python-client, and sends with it."""

import base64
import importlib
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx
import openapi_spec_validator

BASE_URL = os.environ["BASE_URL"]
PHOTO = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAABAAAAAQCAIAAACQkWg2AAAAFklEQVR42mPQWO5KEmIY1TCqYfhqAACeyhQQNtFlVAAAAABJRU5ErkJggg=="
)

document = httpx.get(f"{BASE_URL}/openapi.json").json()
openapi_spec_validator.validate(document)
print("ok valid")

folder = Path(tempfile.mkdtemp())
command = [sys.executable, "-m", "openapi_python_client", "generate", "--meta", "none"]
command += ["--url", f"{BASE_URL}/openapi.json", "--output-path", str(folder / "generated")]
made = subprocess.run(command, capture_output=True, text=True)
assert made.returncode == 0, made.stdout + made.stderr
sys.path.insert(0, str(folder))
client = importlib.import_module("generated").AuthenticatedClient(base_url=BASE_URL, token="none-is-needed")
models = importlib.import_module("generated.models")


def operation(name):
    """The module of an operation."""
    return importlib.import_module(f"generated.api.notifications.{name}")


def until_sent(id):
    """Asks what became of it until it has arrived."""
    for _ in range(600):
        view = operation("get_notification").sync(id, client=client)
        if view.status == models.Status.SENT:
            return
        time.sleep(0.1)
    raise AssertionError(f"{id} is {view.status}")


def send(body):
    """Sends, and waits until it has arrived."""
    accepted = operation("create_notification").sync(client=client, body=body)
    assert isinstance(accepted, models.AcceptedNotification), accepted
    until_sent(accepted.id)
    return accepted.id


picture = models.FileInBase64(base64=base64.b64encode(PHOTO).decode())
photo = send(models.PhotoNotification(chat_id=42, photo=picture, caption="Build 512 is green"))
print("ok photo")
send(models.TextNotification(chat_id="42", text="Build <b>512</b>", parse_mode="HTML"))
print("ok text")
items = [models.AlbumItem(type_=models.AlbumItemType.PHOTO, media=picture) for _ in range(2)]
send(models.AlbumNotification(chat_id=42, album=items))
print("ok album")
edited = operation("edit_message").sync(photo, client=client, body=models.EditRequest(caption="It was"))
until_sent(edited.id)
print("ok edit")
refused = operation("create_notification").sync(client=client, body=models.TextNotification(chat_id="nobody", text="x"))
assert refused.code == models.ProblemCode.INVALID_CHAT_ID and refused.field == "chat_id", refused
print("ok problem")
