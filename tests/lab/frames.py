#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Send frames out of one interface and count which of them arrive at another.
#
# usage: frames.py SEND-IF NETNS RECEIVE-IF COUNT DEST...
#
# SEND-IF is in the caller's network namespace, RECEIVE-IF in NETNS.  COUNT frames
# go to each address DEST, then broadcasts until one arrives: what has not arrived
# by then never does, if there is one queue.  DEST may be ADDRESS@TCI: the frame
# has an 802.1Q tag with that tag control information, in hexadecimal digits.
#
# Prints how many arrived for each DEST, separated by spaces; a frame that
# arrived is as it was sent, payload and tag, or the program fails.

import socket
import struct
import sys

from packets import ETH_P_ALL, PACKET_AUXDATA, SOL_PACKET, TYPE, enter, packet_socket, vlan_tag

END = 0xffff
SECONDS = 60


def payload(which, number):
    """46 bytes at least, and not the same in two frames."""
    head = struct.pack('!HI', which, number)
    return head + bytes((which * 31 + number * 7 + i) % 256 for i in range(40 + number % 900))


def frame(source, dest, which, number):
    address, _, tci = dest.partition('@')
    tag = struct.pack('!HH', 0x8100, int(tci, 16)) if tci else b''
    return (bytes.fromhex(address.replace(':', '')) + source + tag +
            struct.pack('!H', TYPE) + payload(which, number))


def tci_of(ancillary):
    tag = vlan_tag(ancillary)
    return tag[1] if tag else None


def receive(sock):
    """(which, number, tag) of the next frame of ours, which is checked."""
    data = b''
    while data[12:14] != struct.pack('!H', TYPE):
        data, ancillary, _, _ = sock.recvmsg(65536, 256)
    which, number = struct.unpack('!HI', data[14:20])
    if data[14:] != payload(which, number):
        sys.exit(f'frame {number} to destination {which} is not as it was sent')
    return which, number, tci_of(ancillary)


def main():
    send_if, netns, receive_if, count = sys.argv[1:5]
    dests = sys.argv[5:]
    out = packet_socket(send_if, 0)
    source = out.getsockname()[4]
    enter(netns)
    # before macvlan or a bridge take the frame away
    into = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    into.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 22)
    into.setsockopt(SOL_PACKET, PACKET_AUXDATA, 1)
    into.bind((receive_if, ETH_P_ALL))

    for which, dest in enumerate(dests):
        for number in range(int(count)):
            out.send(frame(source, dest, which, number))
    arrived = [0] * len(dests)
    into.settimeout(0.2)
    for _ in range(SECONDS * 5):
        out.send(frame(source, 'ff:ff:ff:ff:ff:ff', END, 0))
        try:
            while True:
                which, number, tci = receive(into)
                if which == END:
                    print(*arrived)
                    return
                wanted = dests[which].partition('@')[2]
                if tci != (int(wanted, 16) if wanted else None):
                    sys.exit(f'frame {number} to {dests[which]} has the tag {tci}')
                if number != arrived[which]:
                    sys.exit(f'frame {number} to {dests[which]} is out of its place')
                arrived[which] += 1
        except TimeoutError:
            pass
    sys.exit('no broadcast arrives')


main()
