#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only
#
# Send datagrams by MSG_ZEROCOPY, one at a time, from a network namespace to an
# address of this one, and wait for the notification that the kernel is done with the
# memory of each.  Nothing else moves meanwhile: nobody answers.
#
# usage: notified.py NETNS ADDRESS COUNT SIZE
#
# Prints how many arrived as they were sent, how many were notified of within LIMIT_S,
# how many of those the kernel had copied instead; and the longest wait, in ms.

import select
import socket
import struct
import sys
import time

from packets import enter

SO_ZEROCOPY = 60
MSG_ZEROCOPY = 0x4000000
SO_EE_CODE_ZEROCOPY_COPIED = 1
LIMIT_S = 2


def notification(sock):
    """The code of the next one, None if there is none in time."""
    poll = select.poll()
    poll.register(sock, 0)              # errors are always told of
    if not poll.poll(LIMIT_S * 1000):
        return None
    ancillary = sock.recvmsg(1, 512, socket.MSG_ERRQUEUE)[1]
    return struct.unpack('=IBBBB', ancillary[0][2][:8])[3]


def main():
    netns, address, count, size = (sys.argv[1], sys.argv[2], int(sys.argv[3]),
                                   int(sys.argv[4]))
    receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    receiver.bind((address, 0))
    receiver.settimeout(20)
    enter(netns)
    sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sender.setsockopt(socket.SOL_SOCKET, SO_ZEROCOPY, 1)
    sender.connect(receiver.getsockname())
    arrived = notified = copied = 0
    longest = 0
    for n in range(count):
        data = bytes((n + i) * 7 % 256 for i in range(size))
        begin = time.monotonic()
        sender.send(data, MSG_ZEROCOPY)
        code = notification(sender)
        if code is not None:
            longest = max(longest, time.monotonic() - begin)
            notified += 1
            copied += code == SO_EE_CODE_ZEROCOPY_COPIED
        arrived += receiver.recv(size + 1) == data
    print(f'{arrived} arrived, {notified} notified, {copied} copied')
    print(f'{longest * 1000:.1f}', file=sys.stderr)


main()
