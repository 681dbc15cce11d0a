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

TYPE = 0x88b5			# "local experimental"
ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_AUXDATA = 8
TP_STATUS_VLAN_VALID = 1 << 4
SECONDS = 60
PAYLOAD = bytes(i * 7 % 256 for i in range(200))


def packet_socket(netns, interface, protocol):
    if netns != '-':
        with open(f'/run/netns/{netns}') as ns:
            os.setns(ns.fileno(), os.CLONE_NEWNET)
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.bind((interface, protocol))
    return sock


def tag_of(ancillary):
    for level, kind, data in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = struct.unpack('=IIIHHHH', data[:20])
            if status & TP_STATUS_VLAN_VALID:
                return f'{tpid:04x}:{tci:04x}'
    return 'none'


def main():
    send_netns, send_if, receive_netns, receive_if = sys.argv[1:5]
    here = os.open('/proc/self/ns/net', os.O_RDONLY)
    out = packet_socket(send_netns, send_if, 0)
    os.setns(here, os.CLONE_NEWNET)
    into = packet_socket(receive_netns, receive_if, ETH_P_ALL)
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
