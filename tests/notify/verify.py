"""Verifies one signed webhook with the official libraries: what hotlead sends, and what they must refuse.

Standard input: {"secrets": [...], "headers": {...}, "body": "..."}; every secret has to verify.
"""
import datetime
import json
import sys

import standardwebhooks
import svix

case = json.load(sys.stdin)
headers, body = case["headers"], case["body"]


def refused(library, webhook, **changed):
    """Whether the library refuses the message with these changes."""
    try:
        webhook.verify(changed.get("body", body), {**headers, **changed.get("headers", {})})
    except (library.WebhookVerificationError,):
        return True
    return False


now = int(headers["webhook-timestamp"])
for library in (standardwebhooks.webhooks, svix.webhooks):
    for secret in case["secrets"]:
        webhook = library.Webhook(secret)
        parsed = webhook.verify(body, headers)
        assert json.loads(body) == parsed or parsed is None, parsed
        assert refused(library, webhook, body=body + " "), "a changed body"
        assert refused(library, webhook, headers={"webhook-id": "0" * 32}), "another id"
        for moved in (-600, 600):
            assert refused(library, webhook, headers={"webhook-timestamp": str(now + moved)}), moved
    other = library.Webhook("whsec_" + "QUJDREVGR0hJSktMTU5PUFFSU1RVVldY")
    assert refused(library, other), "another secret"

data = json.loads(body)
if "data" in data:  # otherwise it is the alert itself, as a CloudEvent has it
    assert data["type"] == "hotlead.alert.opened", data["type"]
    data["time"] = data["timestamp"]
datetime.datetime.fromisoformat(data["time"])
print("verified", len(case["secrets"]))
