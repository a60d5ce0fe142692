"""A stranger in the local network, at one of his addresses.

mdns.py hear ADDRESS SECONDS    prints who says something by multicast DNS: an address a line
mdns.py flood ADDRESS SECONDS   announces calotype peers that do not exist, each another, as fast as it goes
"""

import os
import socket
import struct
import sys
import time


def name(text):
    return b"".join(bytes([len(part)]) + part.encode() for part in text.split(".")) + b"\0"


def record(owner, kind, data, cls=1):
    return name(owner) + struct.pack(">HHIH", kind, cls, 4500, len(data)) + data


def packet():
    """One response with a service of its own: PTR, SRV, TXT, A."""
    service, some = "_calotype._tcp.local", os.urandom(16).hex()
    instance, host = f"{some}.{service}", f"calotype-{some}.local"
    text = b"".join(bytes([len(value)]) + value for value in (b"v=1", b"s=" + b"A" * 22, b"d=" + b"B" * 22))
    answers = [
        record(service, 12, name(instance)),
        record(instance, 33, struct.pack(">HHH", 0, 0, 7) + name(host)),
        record(instance, 16, text),
        record(host, 1, bytes([10, 77, 0, 9])),
    ]
    return struct.pack(">HHHHHH", 0, 0x8400, 0, len(answers), 0, 0) + b"".join(answers)


def hear(out, own, seconds):
    group = socket.inet_aton("224.0.0.251") + socket.inet_aton(own)
    out.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, group)
    until, heard = time.monotonic() + seconds, set()
    while (left := until - time.monotonic()) > 0:
        out.settimeout(left)
        try:
            heard.add(out.recvfrom(9000)[1][0])
        except TimeoutError:
            pass
    print("\n".join(sorted(heard)))


def flood(out, own, seconds):
    out.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(own))
    until, sent = time.monotonic() + seconds, 0
    while time.monotonic() < until:
        out.sendto(packet(), ("224.0.0.251", 5353))
        sent += 1
    print(f"{sent} announcements in {seconds:.0f} s")


what, own, seconds = sys.argv[1], sys.argv[2], float(sys.argv[3])
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
out.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
out.bind(("", 5353))
{"hear": hear, "flood": flood}[what](out, own, seconds)
