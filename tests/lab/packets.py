# SPDX-License-Identifier: GPL-2.0-only
"""What the lab's programs that send and receive frames and datagrams share."""

import os
import socket
import struct

TYPE = 0x88b5			# "local experimental"
ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_AUXDATA = 8
TP_STATUS_VLAN_VALID = 1 << 4


def enter(netns):
    """Go into that network namespace; what is opened before remains where it was."""
    with open(f'/run/netns/{netns}') as ns:
        os.setns(ns.fileno(), os.CLONE_NEWNET)


def packet_socket(interface, protocol):
    """Frames of an interface of this namespace; with protocol 0 it only sends."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    sock.bind((interface, protocol))
    return sock


def vlan_tag(ancillary):
    """(TPID, TCI) of a frame that was received with PACKET_AUXDATA, None without a tag."""
    for level, kind, data in ancillary:
        if level == SOL_PACKET and kind == PACKET_AUXDATA:
            status, _, _, _, _, tci, tpid = struct.unpack('=IIIHHHH', data[:20])
            if status & TP_STATUS_VLAN_VALID:
                return tpid, tci
    return None
