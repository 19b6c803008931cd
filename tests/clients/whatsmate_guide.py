#!/usr/bin/env python3
"""Sends an image by WhatsMate's Telegram gateway as its guide for Python does: the file as base64 to the single image
path, to a phone number with country code, with a caption if there is one. Only the host is another.

Usage: whatsmate_guide.py HOST INSTANCE CLIENT_ID CLIENT_SECRET NUMBER IMAGE [CAPTION]
"""

import base64
import json
import sys
import urllib.error
import urllib.request


def send_image(host, instance, client_id, client_secret, number, path, caption=None):
    """Posts the image; the status and the answer."""
    with open(path, "rb") as image:
        body = {"number": number, "image": base64.b64encode(image.read()).decode("ascii")}
    if caption:
        body["caption"] = caption
    request = urllib.request.Request(
        f"{host}/v3/telegram/single/image/message/{instance}",
        data=json.dumps(body).encode("utf-8"),
        headers={
            "X-WM-CLIENT-ID": client_id,
            "X-WM-CLIENT-SECRET": client_secret,
            "Content-Type": "application/json",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


if __name__ == "__main__":
    status, answer = send_image(*sys.argv[1:])
    print(json.dumps({"status": status, "answer": answer}))
    sys.exit(0 if status == 200 else 1)
