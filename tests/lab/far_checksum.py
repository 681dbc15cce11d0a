#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Send a frame whose checksum is to go further behind its start than the ABI of venet
# can say (VENET_CSUM_OFFSET_MAX), as a tap of another VM's may, and look whether it
# arrives with that checksum, and nothing else changed.
#
# usage: far_checksum.py SEND-IF RECEIVE-NETNS RECEIVE-IF
#
# Prints "right", or what is wrong.

import socket
import struct
import sys

from packets import SOL_PACKET, TYPE, enter, packet_socket

PACKET_VNET_HDR = 15
NEEDS_CSUM = 1
START = 34			# the kernel wants an IP header's room before it
OFFSET = 300
SECONDS = 60


def checksum(data):
    total = sum(struct.unpack(f'!{len(data) // 2}H', data))
    while total >> 16:
        total = (total & 0xffff) + (total >> 16)
    return ~total & 0xffff or 0xffff


def main():
    interface, netns, receive = sys.argv[1:]
    sender = packet_socket(interface, 0)
    sender.setsockopt(SOL_PACKET, PACKET_VNET_HDR, 1)
    enter(netns)
    receiver = packet_socket(receive, TYPE)
    receiver.settimeout(1)
    payload = bytes(i * 7 % 256 for i in range(OFFSET)) + b'\0\0' + bytes(98)
    frame = b'\xff' * 6 + b'\x02\0\0\0\0\x02' + struct.pack('!H', TYPE) + bytes(START - 14) + payload
    want = bytearray(frame)
    struct.pack_into('!H', want, START + OFFSET, checksum(payload))
    header = struct.pack('=BBHHHH', NEEDS_CSUM, 0, 0, 0, START, OFFSET)
    for _ in range(SECONDS):
        sender.send(header + frame)
        try:
            got = receiver.recv(2000)
        except socket.timeout:
            continue
        wrong = [i for i in range(min(len(got), len(want))) if got[i] != want[i]]
        print('right' if got == want else f'{len(got)} bytes of {len(want)}, wrong: {wrong}')
        return
    print('nothing arrives')


main()
