"""Checks Slack messages (a JSON list on standard input) block by block and element by element with slack_sdk."""
import json
import sys

from slack_sdk.models.blocks import Block

messages = json.load(sys.stdin)
for message in messages:
    assert 0 < len(message["text"]) <= 4000, len(message["text"])
    for block in Block.parse_all(message["blocks"]):
        assert type(block) is not Block, block.to_dict()
        block.validate_json()
        for element in getattr(block, "elements", None) or []:
            element.validate_json()
        if getattr(block, "text", None) is not None:
            block.text.validate_json()
print("valid", len(messages))
