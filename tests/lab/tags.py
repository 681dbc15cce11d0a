#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Send frames out of one interface and tell the tags with which they arrive at
# another.
#
# usage: tags.py SEND-NETNS SEND-IF RECEIVE-NETNS RECEIVE-IF
#
# A NETNS of "-" is the caller's.  Frames are sent until one arrives; it is compared,
# and its outermost tag printed as TPID:TCI in hexadecimal digits, "none" if it has
# no tag, and what follows the tag ("+8100" for another one).

import os
import socket
import struct
import sys

from packets import (ETH_P_ALL, PACKET_AUXDATA, SOL_PACKET, TYPE, enter, packet_socket,
                     vlan_tag)

SECONDS = 60
PAYLOAD = bytes(i * 7 % 256 for i in range(200))


def packet_socket_in(netns, interface, protocol):
    if netns != '-':
        enter(netns)
    return packet_socket(interface, protocol)


def tag_of(ancillary):
    tag = vlan_tag(ancillary)
    return '%04x:%04x' % tag if tag else 'none'


def main():
    send_netns, send_if, receive_netns, receive_if = sys.argv[1:5]
    here = os.open('/proc/self/ns/net', os.O_RDONLY)
    out = packet_socket_in(send_netns, send_if, 0)
    os.setns(here, os.CLONE_NEWNET)
    into = packet_socket_in(receive_netns, receive_if, ETH_P_ALL)
    into.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    into.settimeout(0.2)
    source = out.getsockname()[4]
    frame = b'\xff' * 6 + source + struct.pack('!H', TYPE) + PAYLOAD
    for _ in range(SECONDS * 5):
        out.send(frame)
        try:
            while True:
                data, ancillary, _, address = into.recvmsg(65536, 256)
                if address[2] == socket.PACKET_OUTGOING or PAYLOAD not in data:
                    continue
                if not data.endswith(frame[12:]) or data[:12] != frame[:12]:
                    sys.exit('the frame is not as it was sent')
                more = data[12:14].hex()
                print(tag_of(ancillary) + ('' if len(data) == len(frame) else f'+{more}'))
                return
        except TimeoutError:
            pass
    sys.exit('no frame arrives')


main()
