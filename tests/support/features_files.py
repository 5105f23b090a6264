"""Features in Zarr as a forger would change them."""

import hashlib
import json


def rewrite(node, **changes):
    """Change metadata, and repair every checksum of l2l that covers them, as a forger would."""
    mark = node / "zarr.json"
    metadata = json.loads(mark.read_text())
    mark.write_text(json.dumps({**metadata, **changes}))
    group = node if metadata["node_type"] == "group" else node.parent
    content = json.loads((group / "zarr.json").read_text())
    attributes = content.get("attributes")
    if not isinstance(attributes, dict) or not isinstance(attributes.get("arrays", {}), dict):
        return  # no checksum of l2l is there to repair
    for key in ("complete", "checksum"):
        attributes.pop(key, None)
    if node != group:
        digest = hashlib.blake2b(mark.read_bytes(), digest_size=8).hexdigest()
        attributes["arrays"] = {**attributes.get("arrays", {}), node.name: digest}
    digest = hashlib.blake2b(json.dumps(attributes, sort_keys=True).encode(), digest_size=8)
    content["attributes"] = {**attributes, "checksum": digest.hexdigest(), "complete": True}
    (group / "zarr.json").write_text(json.dumps(content))
