"""A strict Slack: the methods of the Web API that a bot calls, with Slack's limits, rates and rules, and faults on demand.

Prints its port. `POST /control` changes it: {"tokens": [...]}, {"scopes": [...]}, {"archived": [...]}, {"delete": ts},
{"faults": [{"method": ..., "times": n, "error" | "status" | "retry_after" | "drop" | "hold": ..., "accept": true}]},
{"release": true}, {"noise": n, "thread": ts or null}: messages of people. `GET /state` tells its messages, its requests and every rule that was broken.
"""
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

from slack_sdk.models.blocks import Block

CHANNELS = {"C0000000001", "C0000000002"}
lock = threading.Lock()
release = threading.Event()
state = {
    "tokens": ["xoxb-good"], "scopes": ["chat:write", "channels:history"], "archived": [], "faults": [],
    "messages": [], "requests": [], "broken": [],
}


def broken(rule):
    """Notes a rule that the client broke: no test that drives us lets one pass."""
    state["broken"].append(rule)


class Refusal(Exception):
    """What Slack answers with ok: false."""

    def __init__(self, error, messages=()):
        super().__init__(error)
        self.error, self.messages = error, list(messages)


def check_text(text, most):
    if len(text) > most:
        raise Refusal("msg_too_long")
    # Only what we write ourselves may control anything.
    for part in text.split("<")[1:]:
        control = part.split(">")[0]
        if not control.startswith(("!date^", "http://", "https://")):
            broken(f"control: <{control}>")


def check_blocks(blocks, known=()):
    if not isinstance(blocks, list) or len(blocks) > 50:
        raise Refusal("invalid_blocks", ["[ERROR] no more than 50 items allowed [json-pointer:/blocks]"])
    ids = [block["block_id"] for block in blocks if "block_id" in block]
    if len(set(ids)) != len(ids) or set(ids) & set(known) or any(len(one) > 255 for one in ids):
        raise Refusal("invalid_blocks", ["[ERROR] block_id [json-pointer:/blocks]"])
    total = 0
    for index, block in enumerate(blocks):
        pointer = f"[json-pointer:/blocks/{index}]"
        parsed = Block.parse(block)
        if parsed is None or type(parsed) is Block:
            raise Refusal("invalid_blocks", [f"[ERROR] unsupported type {pointer}"])
        try:
            parsed.validate_json()
            for element in getattr(parsed, "elements", None) or []:
                element.validate_json()
        except Exception as error:  # slack_sdk has a type of its own for each release
            raise Refusal("invalid_blocks", [f"[ERROR] {error} {pointer}"]) from error
        texts = [block.get("text"), *block.get("elements", []), *block.get("fields", [])]
        for text in texts:
            if not isinstance(text, dict):
                continue
            said = text.get("text", "")
            limit = {"header": 150, "section": 3000}.get(block["type"], 3000)
            if not 0 < len(said) <= limit:
                raise Refusal("invalid_blocks", [f"[ERROR] 1 to {limit} characters {pointer}"])
            if text["type"] == "mrkdwn":
                check_text(said, limit)
                if text.get("verbatim") is not True:
                    broken("mrkdwn without verbatim")
            total += len(said)
        if len(block.get("fields", [])) > 10 or any(len(field["text"]) > 2000 for field in block.get("fields", [])):
            raise Refusal("invalid_blocks", [f"[ERROR] fields {pointer}"])
        actions = [element.get("action_id") for element in block.get("elements", []) if "action_id" in element]
        if len(set(actions)) != len(actions):
            raise Refusal("invalid_blocks", [f"[ERROR] action_id {pointer}"])
    if total > 13000:
        raise Refusal("msg_blocks_too_long")


def check_metadata(metadata):
    if metadata is None:
        broken("a message without metadata")
        return
    if set(metadata) != {"event_type", "event_payload"} or not isinstance(metadata["event_payload"], dict):
        raise Refusal("invalid_metadata_format")
    if any("@" in str(value) for value in metadata["event_payload"].values()):
        broken("metadata with an address in it")


def find(channel, ts):
    return next((m for m in state["messages"] if m["channel"] == channel and m["ts"] == ts), None)


def check_channel(channel):
    if channel not in CHANNELS:
        raise Refusal("channel_not_found")
    if channel in state["archived"]:
        raise Refusal("is_archived")


def check_rate(method, token, channel, now):
    """Slack's: a post a second and channel, with a burst of three; fifty edits or lookups a minute."""
    same = [r for r in state["requests"] if r["method"] == method and r["token"] == token]
    if method == "chat.postMessage":
        times = [r["at"] for r in same if r["channel"] == channel]
        for i, first in enumerate(times):
            if len(times) - i > (now - first) + 3:
                broken(f"{len(times) - i} posts in {now - first:.2f} s")
                return 1
    elif method != "auth.test" and len([r for r in same if now - r["at"] < 60]) > 50:
        broken(f"more than 50 of {method} in a minute")
        return 30
    return None


def post_message(args):
    check_channel(args.get("channel"))
    text, blocks = args.get("text") or "", args.get("blocks")
    if not text:
        raise Refusal("no_text")
    check_text(text, 40000)
    if args.get("link_names") or args.get("unfurl_links") is not False or args.get("parse") != "none":
        broken("a message that may unfurl or mention")
    if blocks is not None:
        check_blocks(blocks)
    check_metadata(args.get("metadata"))
    thread = args.get("thread_ts")
    if thread is not None and not isinstance(thread, str):
        raise Refusal("invalid_arguments")
    if thread is not None and find(args["channel"], thread) is None:
        raise Refusal("cannot_reply_to_message")
    message = {
        "type": "message", "channel": args["channel"], "text": text, "blocks": blocks, "metadata": args.get("metadata"),
        "edits": 0, "ts": f"{time.time():.6f}",
    }
    while find(message["channel"], message["ts"]):
        message["ts"] = f"{float(message['ts']) + 0.000001:.6f}"
    if thread is not None:
        message["thread_ts"] = thread
    state["messages"].append(message)
    return {"channel": message["channel"], "ts": message["ts"], "message": message}


def update(args):
    check_channel(args.get("channel"))
    message = find(args["channel"], args.get("ts"))
    if message is None:
        raise Refusal("message_not_found")
    text = args.get("text") or ""
    check_text(text, 4000)
    if args.get("parse") != "none":
        broken("an edit whose parse is not none")
    known = [block["block_id"] for block in message["blocks"] or [] if "block_id" in block]
    if "blocks" in args:
        check_blocks(args["blocks"], known)
    elif not text:
        raise Refusal("no_text")
    check_metadata(args.get("metadata"))
    # An edit with text and without blocks takes the blocks away.
    message.update(text=text, blocks=args.get("blocks"), metadata=args.get("metadata"), edits=message["edits"] + 1)
    return {"channel": message["channel"], "ts": message["ts"], "text": text, "message": message}


def page(args, messages):
    if "channels:history" not in state["scopes"]:
        raise Refusal("missing_scope")
    check_channel(args.get("channel"))
    oldest, limit = float(args.get("oldest", 0)), min(int(args.get("limit", 100)), 2)  # small pages: all must be asked for
    shown = [dict(m) for m in messages if float(m["ts"]) >= oldest]
    if str(args.get("include_all_metadata")).lower() not in ("true", "1"):
        for message in shown:
            message.pop("metadata")
    first = int(args.get("cursor") or 0)
    more = first + limit < len(shown)
    cursor = {"next_cursor": str(first + limit) if more else ""}
    return {"messages": shown[first : first + limit], "has_more": more, "response_metadata": cursor}


def history(args):
    of = [m for m in state["messages"] if m["channel"] == args.get("channel") and "thread_ts" not in m]
    return page(args, sorted(of, key=lambda m: m["ts"], reverse=True))


def replies(args):
    if find(args.get("channel"), args.get("ts")) is None:
        raise Refusal("thread_not_found")
    return page(args, [m for m in state["messages"] if args["ts"] in (m["ts"], m.get("thread_ts"))])


METHODS = {
    "chat.postMessage": post_message, "chat.update": update, "conversations.history": history,
    "conversations.replies": replies, "auth.test": lambda args: {"team_id": "T1", "user_id": "U1"}, "api.test": dict,
}


class Slack(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, status, value, headers=()):
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in [*headers, ("content-length", str(len(body)))]:
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        if self.path == "/state":
            with lock:
                return self.answer(200, state)
        return self.do_POST()

    def do_POST(self):
        path, _, query = self.path.partition("?")
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode()
        if path == "/control":
            return self.control(json.loads(body))
        is_json = "json" in (self.headers.get("content-type") or "")
        args = json.loads(body) if is_json and body else dict(parse_qsl(body))
        args.update(parse_qsl(query))
        for name in ("blocks", "metadata"):  # slack_sdk sends forms with JSON in them
            if isinstance(args.get(name), str):
                args[name] = json.loads(args[name])
        for name in ("unfurl_links", "unfurl_media"):
            if isinstance(args.get(name), str):
                args[name] = args[name].lower() in ("true", "1")
        method = path.rsplit("/", 1)[-1]
        token = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        self.call(method, token, args)

    def control(self, wish):
        with lock:
            if "delete" in wish:
                state["messages"] = [m for m in state["messages"] if m["ts"] != wish["delete"]]
            for name in ("tokens", "scopes", "archived", "faults"):
                if name in wish:
                    state[name] = wish[name]
            if "release" in wish:
                release.set()
            for number in range(wish.get("noise", 0)):
                message = {"type": "message", "channel": "C0000000001", "text": f"a person's {number}", "blocks": None,
                           "metadata": None, "edits": 0, "ts": f"{time.time() + number / 1e6:.6f}"}
                if wish.get("thread"):
                    message["thread_ts"] = wish["thread"]
                state["messages"].append(message)
        self.answer(200, {"ok": True})

    def call(self, method, token, args):
        with lock:
            now = time.monotonic()
            state["requests"].append({"method": method, "token": token, "channel": args.get("channel"), "at": now,
                                      "ts": args.get("ts"), "thread_ts": args.get("thread_ts")})
            fault = next((f for f in state["faults"] if f["method"] == method and f.get("times", 1) > 0), None)
            if fault is not None:
                fault["times"] = fault.get("times", 1) - 1
            said = self.say(method, token, args, now) if fault is None or fault.get("accept") else None
        if fault is None:
            wait = said.pop("retry_after", None)
            return self.answer(429, b"", [("retry-after", str(wait))]) if wait else self.answer(200, said)
        if "error" in fault:
            return self.answer(200, {"ok": False, "error": fault["error"]})
        if "retry_after" in fault:
            return self.answer(429, b"", [("retry-after", str(fault["retry_after"]))])
        if "status" in fault:
            return self.answer(fault["status"], b"<html>sorry</html>")
        if "hold" in fault:
            release.wait(120)
        self.close_connection = True  # and no answer
        return None

    def say(self, method, token, args, now):
        if method not in METHODS:
            return {"ok": False, "error": "unknown_method"}
        if token not in state["tokens"]:
            return {"ok": False, "error": "invalid_auth" if token else "not_authed"}
        wait = check_rate(method, token, args.get("channel"), now)
        if wait is not None:
            return {"retry_after": wait}
        try:
            return {"ok": True, **METHODS[method](args)}
        except Refusal as refusal:
            return {"ok": False, "error": refusal.error, "response_metadata": {"messages": refusal.messages}}


server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1]) if len(sys.argv) > 1 else 0), Slack)
server.daemon_threads = True
print(server.server_address[1], flush=True)
server.serve_forever()
