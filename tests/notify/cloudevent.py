"""Reads a CloudEvent over HTTP in binary mode with the official library.

Standard input: {"headers": {...}, "body": "..."}; prints its attributes and what of the alert the test compares.
"""
import json
import sys

from cloudevents.core.bindings.http import HTTPMessage, from_binary
from cloudevents.core.formats.json import JSONFormat

case = json.load(sys.stdin)
event = from_binary(HTTPMessage(headers=case["headers"], body=case["body"].encode()), JSONFormat())
print(json.dumps({
    "id": event.get_id(),
    "source": event.get_source(),
    "type": event.get_type(),
    "subject": event.get_subject(),
    "time": event.get_time().isoformat(),
    "datacontenttype": event.get_datacontenttype(),
    "key": event.get_data()["lead"]["key"],
    "data_id": event.get_data()["id"],
}, ensure_ascii=False))
