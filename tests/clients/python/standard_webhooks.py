"""Verifies callbacks with the public library of Standard Webhooks: from standard input, one JSON object a line with the `secret`,
the `headers` and the `body`; and that it would refuse another body and another secret."""

import json
import sys

from standardwebhooks import Webhook, WebhookVerificationError

OTHER_SECRET = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwd"


def refused(secret, body, headers):
    try:
        Webhook(secret).verify(body, headers)
    except WebhookVerificationError:
        return True
    return False


count = 0
for line in sys.stdin:
    told = json.loads(line)
    payload = Webhook(told["secret"]).verify(told["body"], told["headers"])
    assert payload["type"].startswith("notification."), payload
    assert refused(told["secret"], told["body"].replace("notification", "notificatiom", 1), told["headers"])
    assert refused(OTHER_SECRET, told["body"], told["headers"])
    count += 1
print(f"ok {count}")
