#!/usr/bin/env python3
"""A second verifier of Curfew's recordings and audit log, written from docs/formats.md alone.

It shares no code with Curfew, so that one mistake cannot hide in both. Needs Python 3.11, cryptography, zstandard.

    verify.py recording FILE_OR_DIR --key PUBLIC.pem [--checkpoint FILE] [--live]
    verify.py audit FILE.jsonl --key PUBLIC.pem [--checkpoint FILE]
"""

import argparse
import base64
import binascii
import hashlib
import io
import json
import re
import sys
from pathlib import Path

import zstandard
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

ZEROS = "0" * 64
MAX_LINE = 16 * 1024
MAX_BODY = 2 << 30
UNPROVEN = "completeness not proven"

HEADER = {
    "v": int, "session": str, "n": int, "prev": "digest", "events": int,
    "from": "signed", "to": "signed", "zstd": int, "sha256": "digest",
}
SEAL = {
    "v": int, "session": str, "chunks": int, "events": int, "lost": int,
    "head": "digest", "reason": str, "at": str,
}
CHECKPOINT = {"v": int, "at": str, "node": str, "count": int, "head": "digest", "recordings": list}
RECORDING = {"session": str, "chunks": int, "head": "digest", "sealed": bool}


class Refused(Exception):
    """A signed line, or a file, that is not to be believed."""


def digest(data):
    return hashlib.sha256(data).hexdigest()


def is_a(value, kind):
    if kind == "digest":
        return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None
    if kind == "signed":
        return type(value) is int and -(2**63) <= value < 2**63
    if kind is int:
        return type(value) is int and 0 <= value < 2**64
    return type(value) is kind


def no_twins(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a member stands twice")
    return members


def no_constant(word):
    raise ValueError(f"{word} is not JSON")


def parse(data):
    """The JSON object in some bytes, or None."""
    try:
        value = json.loads(data.decode("utf-8"), object_pairs_hook=no_twins, parse_constant=no_constant)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def has_shape(value, shape):
    return value is not None and value.keys() == shape.keys() and all(
        is_a(value[name], kind) for name, kind in shape.items()
    )


class Keys:
    def __init__(self, path):
        blocks = re.findall(
            b"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", Path(path).read_bytes(), re.DOTALL
        )
        self.keys = {}
        for block in blocks:
            key = load_pem_public_key(block)
            if not isinstance(key, Ed25519PublicKey):
                raise Refused("a key is not an Ed25519 key")
            self.keys[digest(key.public_bytes(Encoding.Raw, PublicFormat.Raw))[:16]] = key
        if not self.keys:
            raise Refused("there is no public key in the key file")

    def open(self, domain, line, shape):
        """The payload of a signed line."""
        envelope = parse(line)
        if not has_shape(envelope, {"payload": str, "key": str, "signature": str}):
            raise Refused("it is not a signed line")
        written = {name: envelope[name] for name in ("payload", "key", "signature")}
        if json.dumps(written, ensure_ascii=False, separators=(",", ":")).encode() != line:
            raise Refused("it is not written as a signed line is")
        try:
            signature = base64.b64decode(envelope["signature"], validate=True)
        except binascii.Error:
            raise Refused("its signature is not base64") from None
        if base64.b64encode(signature).decode() != envelope["signature"]:
            raise Refused("its signature is not canonical base64")
        key = self.keys.get(envelope["key"])
        if key is None:
            raise Refused(f"it names the key {envelope['key']}, which was not given")
        try:
            key.verify(signature, f"{domain}\n".encode() + envelope["payload"].encode())
        except InvalidSignature:
            raise Refused("its signature is wrong") from None
        payload = parse(envelope["payload"].encode())
        if not has_shape(payload, shape) or payload["v"] != 1:
            raise Refused("its payload is of another shape")
        return payload

    def checkpoint(self, line):
        checkpoint = self.open("curfew checkpoint v1", line, CHECKPOINT)
        for recording in checkpoint["recordings"]:
            if not isinstance(recording, dict) or not has_shape(recording, RECORDING):
                raise Refused("its payload is of another shape")
        return checkpoint


class Findings:
    def __init__(self):
        self.all = []

    def add(self, kind, detail):
        self.all.append((kind, detail))

    def has(self, kind):
        return any(found == kind for found, _ in self.all)

    def tell(self):
        for kind, detail in self.all:
            print(f"{kind}: {detail}")
        if not self.all:
            print("ok")
        return 0 if all(kind == UNPROVEN for kind, _ in self.all) else 1


def order(what, first, links, findings):
    """Checks links, as (claim, digest) with claim = (number, prev) or None; gives the greatest number and digests."""
    claims, digests = {}, {}
    for claim, hashed in links:
        if claim is not None and claim[0] not in claims:
            claims[claim[0]], digests[claim[0]] = claim[1], hashed

    supposed, before = set(), None
    for claim, _ in links:
        if claim is None:
            place = first if before is None else before + 1
            findings.add("altered", f"{what} {place} cannot be read")
            if place not in claims:
                supposed.add(place)
                before = place
            continue
        number = claim[0]
        if before is not None and number <= before:
            findings.add("reordered", f"{what} {number} stands after {what} {before}")
        before = number

    due = first
    for number in sorted(claims.keys() | supposed):
        if number > due:
            findings.add("missing", f"{what} {due} to {number - 1}")
        due = max(due, number + 1)

    for number, prev in sorted(claims.items()):
        if number < first or (number == first and prev != ZEROS):
            findings.add("altered", f"{what} {number} does not begin a chain")
        elif number > first and digests.get(number - 1, prev) != prev:
            findings.add("altered", f"{what} {number - 1} is not the one that {what} {number} follows")
    return max(claims.keys() | supposed, default=None), digests


def lines_of(path):
    data = Path(path).read_bytes()
    lines = data.split(b"\n")
    if lines[-1] == b"":
        lines.pop()
    return lines


def frame(line):
    value = parse(line)
    shape = {"v": int, "node": str, "seq": int, "prev": "digest"}
    if value is None or not all(name in value and is_a(value[name], kind) for name, kind in shape.items()):
        return None
    return value if value["v"] == 1 else None


def audit(arguments, keys):
    findings = Findings()
    nodes, early, current = {}, [], None
    lines = lines_of(arguments.path)
    for line in lines:
        read = frame(line)
        if read is None:
            (early if current is None else nodes[current]).append((None, digest(line)))
            continue
        current = read["node"]
        links = nodes.setdefault(current, [])
        links += early
        early = []
        links.append(((read["seq"], read["prev"]), digest(line)))
    if early:
        order("line", 1, early, findings)
    chains = {node: order("line", 1, links, findings) for node, links in sorted(nodes.items())}

    accepted = {}
    if arguments.checkpoint:
        unlike = set()
        for at, line in enumerate(lines_of(arguments.checkpoint), 1):
            try:
                checkpoint = keys.checkpoint(line)
            except Refused as why:
                findings.add("altered", f"checkpoint {at}: {why}")
                continue
            node, count = checkpoint["node"], checkpoint["count"]
            known = ZEROS if count == 0 else chains.get(node, (None, {}))[1].get(count)
            if known is not None and known != checkpoint["head"] and node not in unlike:
                unlike.add(node)
                findings.add("altered", f"node {node}: line {count} is not the one that a checkpoint signed")
            accepted[node] = max(count, accepted.get(node, 0))
        for node, count in sorted(accepted.items()):
            greatest = chains.get(node, (None, {}))[0]
            if count and node not in chains:
                findings.add("missing", f"node {node}: no line is there, and a checkpoint counts {count}")
            elif count and greatest < count:
                findings.add("shortened", f"node {node}: it ends at line {greatest} of {count}")
    for node in sorted(chains.keys() - accepted.keys()):
        findings.add(UNPROVEN, f"node {node}: no checkpoint says how many lines there are")
    if not lines and not accepted:
        findings.add(UNPROVEN, "there is no line, and no checkpoint says that there should be one")
    return findings


def body_is_whole(header, body):
    if digest(body) != header["sha256"]:
        return False
    try:
        reader = zstandard.ZstdDecompressor().stream_reader(io.BytesIO(body), read_across_frames=True)
        unpacked = reader.read()
    except zstandard.ZstdError:
        return False
    lines = unpacked.split(b"\n")
    if lines.pop() != b"" or len(lines) != header["events"]:
        return False
    try:
        for line in lines:
            json.loads(line.decode("utf-8"), parse_constant=no_constant)
    except ValueError:
        return False
    return True


def parts_of(data):
    """Gives ('chunk', header, digest, body), ('seal', line), and at last, if it cannot go on, ('broken', finding)."""
    at = 0
    while at < len(data):
        end = data.find(b"\n", at)
        if end < 0 and len(data) - at <= MAX_LINE:
            yield ("broken", "shortened")
            return
        if end < 0 or end - at > MAX_LINE:
            yield ("broken", "altered")
            return
        line = data[at:end]
        header = parse(line)
        if has_shape(header, HEADER) and header["v"] == 1 and header["zstd"] <= MAX_BODY:
            stop = end + 1 + header["zstd"]
            if stop > len(data):
                yield ("broken", "shortened")
                return
            yield ("chunk", header, digest(data[at:stop]), data[end + 1:stop])
            at = stop
        elif line.startswith(b'{"payload":'):
            yield ("seal", line)
            at = end + 1
        else:
            yield ("broken", "altered")
            return


def recording(arguments, keys):
    findings = Findings()
    path = Path(arguments.path)
    session = None
    if path.is_dir():
        session = path.resolve().name
        names = sorted(p.name for p in path.iterdir() if p.name == "seal" or p.name.endswith(".chunk"))
        data = b"".join((path / name).read_bytes() for name in names)
    else:
        data = path.read_bytes()

    links, events, seal, sealed, broken = [], 0, None, False, False
    for part in parts_of(data):
        if part[0] == "broken":
            broken = True
            findings.add(part[1], f"it cannot be read beyond its first {len(links)} chunks")
        elif part[0] == "seal":
            if sealed:
                findings.add("reordered", "there is a second seal")
                continue
            sealed = True
            try:
                seal = keys.open("curfew seal v1", part[1], SEAL)
            except Refused as why:
                findings.add("altered", f"the seal: {why}")
        else:
            _, header, hashed, body = part
            if sealed:
                findings.add("reordered", f"chunk {header['n']} stands after the seal")
            if not body_is_whole(header, body):
                findings.add("altered", f"chunk {header['n']} does not hold what it says")
            session = header["session"] if session is None else session
            if header["session"] != session:
                findings.add("altered", f"chunk {header['n']} is of another session")
            events += header["events"]
            links.append(((header["n"], header["prev"]), hashed))

    greatest, digests = order("chunk", 0, links, findings)
    count = 0 if greatest is None else greatest + 1

    def is_head(chunks, head):
        return (ZEROS if chunks == 0 else digests.get(chunks - 1, head)) == head

    if seal is not None:
        if session is not None and seal["session"] != session:
            findings.add("altered", "the seal is of another session")
        if count < seal["chunks"]:
            findings.add("shortened", f"there are {count} chunks, and the seal counts {seal['chunks']}")
        elif count > seal["chunks"] or not is_head(seal["chunks"], seal["head"]):
            findings.add("altered", "the last chunk is not the one that was sealed")
        elif not findings.all and events != seal["events"]:
            findings.add("altered", "the chunks do not hold as many events as were sealed")
    elif not broken and not sealed:
        if not links:
            findings.add("missing", "there is neither a chunk nor a seal")
        elif arguments.live:
            findings.add(UNPROVEN, f"the session still runs; {count} chunks so far")
        else:
            findings.add("shortened", f"it ends after {count} chunks, without a seal")

    if session is None and seal is not None:
        session = seal["session"]
    known = last_known(arguments, keys, session, findings)
    if known is not None and not broken:
        if count < known["chunks"] or (known["sealed"] and not sealed):
            if not findings.has("shortened"):
                findings.add("shortened", f"a checkpoint knew {known['chunks']} chunks of it")
        elif not is_head(known["chunks"], known["head"]):
            findings.add("altered", "it is not the recording that a checkpoint knew")
    return findings


def last_known(arguments, keys, session, findings):
    """What the last checkpoint that names the session says of its recording."""
    known = None
    for at, line in enumerate(lines_of(arguments.checkpoint) if arguments.checkpoint else [], 1):
        try:
            checkpoint = keys.checkpoint(line)
        except Refused as why:
            findings.add("altered", f"checkpoint {at}: {why}")
            continue
        for head in checkpoint["recordings"]:
            if head["session"] == session:
                known = head
    return known


def main():
    parser = argparse.ArgumentParser(description="Verifies what Curfew wrote down.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, verify in (("recording", recording), ("audit", audit)):
        command = commands.add_parser(name)
        command.add_argument("path")
        command.add_argument("--key", required=True, help="public keys, PEM")
        command.add_argument("--checkpoint", help="checkpoints, one signed line each")
        command.set_defaults(verify=verify)
        if name == "recording":
            command.add_argument("--live", action="store_true", help="the session still runs")
    arguments = parser.parse_args()
    try:
        return arguments.verify(arguments, Keys(arguments.key)).tell()
    except (OSError, Refused, ValueError) as error:
        print(f"it could not be verified: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
