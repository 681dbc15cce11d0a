#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Print the attributes that an interface of kind "venet" has, which "ip -d link"
# does not know: one line KEY=VALUE each, as in include/uapi/vbus/venet.h.
#
# usage: linkinfo.py IFNAME

import socket
import struct
import sys

RTM_GETLINK = 18
NLM_F_REQUEST = 1
IFLA_LINKINFO = 18
IFLA_INFO_KIND = 1
IFLA_INFO_DATA = 2


def attributes(data):
    found = {}
    while len(data) >= 4:
        length, kind = struct.unpack('=HH', data[:4])
        found[kind & 0x3fff] = data[4:length]
        data = data[length + 3 & ~3:]
    return found


def text(data):
    return data.rstrip(b'\0').decode()


def number(data):
    return struct.unpack('=I', data)[0]


NAMES = {
    1: ('device', text), 2: ('bus', text), 3: ('slot', number),
    4: ('guest_mac', lambda data: data.hex(':')),
    5: ('pairs', number), 6: ('active_pairs', number),
}

sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
body = struct.pack('=BxHiII', 0, 0, socket.if_nametoindex(sys.argv[1]), 0, 0)
sock.send(struct.pack('=IHHII', 16 + len(body), RTM_GETLINK, NLM_F_REQUEST, 1, 0) + body)
answer = sock.recv(65536)
info = attributes(attributes(answer[32:])[IFLA_LINKINFO])
print(f'kind={text(info[IFLA_INFO_KIND])}')
for kind, value in sorted(attributes(info[IFLA_INFO_DATA]).items()):
    name, show = NAMES[kind]
    print(f'{name}={show(value)}')
