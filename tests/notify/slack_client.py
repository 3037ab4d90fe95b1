"""Drives the fake Slack with the official client: it answers as Slack does, and refuses what Slack refuses."""
import sys
import time

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError

client = WebClient(token="xoxb-good", base_url=f"http://127.0.0.1:{sys.argv[1]}/api/")
CHANNEL = "C0000000002"
META = {"event_type": "hotlead_alert", "event_payload": {"alert_id": "a1", "episode": "e1"}}
SAFE = {"unfurl_links": False, "parse": "none", "metadata": META}


def refused(error, call, **arguments):
    try:
        call(**arguments)
    except SlackApiError as fault:
        assert fault.response["error"] == error, (error, fault.response["error"])
        return
    raise AssertionError(f"{error}: it was taken")


def post(**more):
    time.sleep(1)  # Slack's pace
    return client.chat_postMessage(**{"channel": CHANNEL, "text": "hi", **SAFE, **more})


assert client.auth_test()["ok"]
section = {"type": "section", "block_id": "one", "text": {"type": "plain_text", "text": "x"}}
card = post(blocks=[section])
assert card["channel"] == CHANNEL and isinstance(card["ts"], str)
reply = post(thread_ts=card["ts"], metadata={**META, "event_payload": {"alert_id": "a2"}})
for number in range(3):
    post(text=f"more {number}")
refused("cannot_reply_to_message", post, thread_ts="1.000001")
refused("channel_not_found", post, channel="C9999999999")
refused("no_text", post, text="")
refused("invalid_blocks", post, blocks=[{**section, "text": {"type": "plain_text", "text": "x" * 3001}}])
refused("invalid_blocks", post, blocks=[section, section])
edit = {"channel": CHANNEL, "ts": card["ts"], "text": "new", "parse": "none", "metadata": META}
refused("invalid_blocks", client.chat_update, **edit, blocks=[section])
refused("message_not_found", client.chat_update, **{**edit, "ts": "1.000001"})
refused("msg_too_long", client.chat_update, **{**edit, "text": "x" * 4001})
client.chat_update(**edit, blocks=[{**section, "block_id": "two"}])
found, cursor, pages = [], None, 0
while True:
    answer = client.conversations_history(channel=CHANNEL, include_all_metadata=True, oldest="0", cursor=cursor)
    found += answer["messages"]
    pages += 1
    cursor = answer["response_metadata"]["next_cursor"]
    if not cursor:
        break
assert [m["text"] for m in found] == ["more 2", "more 1", "more 0", "new"], found
assert pages == 2 and found[-1]["metadata"] == META
thread = client.conversations_replies(channel=CHANNEL, ts=card["ts"], include_all_metadata=True)["messages"]
assert [m["metadata"]["event_payload"]["alert_id"] for m in thread] == ["a1", "a2"]
without = client.conversations_history(channel=CHANNEL)["messages"]
assert all("metadata" not in message for message in without)
other = WebClient(token="xoxb-bad", base_url=client.base_url)
refused("invalid_auth", other.auth_test)
print("Slack-shaped")
