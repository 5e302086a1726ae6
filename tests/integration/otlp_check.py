"""Reads bodies of OTLP/HTTP, a JSON document a line, into the messages of opentelemetry-proto. Fails at what is not in
its schema. Run by test_trace_spans.py in an environment that has the package (otlp.txt)."""
import base64
import json
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

LENGTHS = {"traceId": (16,), "spanId": (8,), "parentSpanId": (8, 0)}


def as_protobuf_json(value):
    """OTLP writes ids in hexadecimal digits, where protobuf's JSON has base64. Nothing else differs."""
    if isinstance(value, list):
        return [as_protobuf_json(item) for item in value]
    if not isinstance(value, dict):
        return value
    out = {name: as_protobuf_json(item) for name, item in value.items()}
    for name in LENGTHS.keys() & value.keys():
        data = bytes.fromhex(value[name])
        assert len(data) in LENGTHS[name], f"{name} of {len(data)} bytes"
        assert not data or any(data), f"{name} is all zero"
        out[name] = base64.b64encode(data).decode()
    return out


spans = 0
for line in sys.stdin:
    request = json_format.ParseDict(as_protobuf_json(json.loads(line)), ExportTraceServiceRequest())
    for resource in request.resource_spans:
        names = {attribute.key: attribute.value.string_value for attribute in resource.resource.attributes}
        assert names["service.name"].startswith("imc-") and names["service.instance.id"], names
        for scope in resource.scope_spans:
            for span in scope.spans:
                assert span.name and 0 < span.start_time_unix_nano <= span.end_time_unix_nano, span
                spans += 1
print(spans)
