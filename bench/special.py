# SPDX-License-Identifier: GPL-2.0-only
"""What is measured like a guest and is none, or two: pairs of guests, the loop
connector, a sender alone.
"""

import contextlib
import glob
import os
import subprocess

from base import (await_condition, BUILD, BYTES, GUEST_CPU, guest_ip,
                  HOST_CPU, PORT_RR, sh, thread_time)
from guests import Guest


class Pair:
    """NICs of two guests that talk to each other, one each."""

    def __init__(self, a, b):
        self.nics, self.name, self.how = (a, b), a.name, a.how


class PairOfGuests:
    """Two guests on the bridge; the second one's vCPU has CPU 2."""

    suspect = False

    def __init__(self, pair, append=""):
        self.nics = pair
        self.guests = [Guest(nics, name=pair.name + suffix,
                             cpu=GUEST_CPU + i, append=append)
                       for i, (nics, suffix) in
                       enumerate(zip(pair.nics, ("", "-2")))]
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        try:
            for g in self.guests:
                self.stack.enter_context(g)
            for g, other in zip(self.guests, reversed(self.guests)):
                g.l2("ip route add %s dev $(ls /sys/class/net | grep -v lo)" %
                     self.ip(other))
            self.guests[1].l2("setsid iperf3 -s </dev/null >/dev/null 2>&1 &")
        except BaseException:
            self.stack.close()
            raise
        return self

    def alive(self):
        return all(g.alive() for g in self.guests)

    def restart(self):
        self.stack.close()
        self.__enter__()

    def __exit__(self, *exc):
        self.stack.close()

    def stand_still(self):
        for g in self.guests:
            g.stand_still()

    @contextlib.contextmanager
    def turn(self):
        with contextlib.ExitStack() as stack:
            for g in self.guests:
                stack.enter_context(g.turn())
            yield

    @staticmethod
    def ip(guest):
        return guest_ip(guest.nics.ids[0])

    def stream(self, _peer, _direction, seconds):
        """A TCP stream from the first to the second; exits are those of both."""
        sender, receiver = self.guests

        def during(seconds):
            before = receiver.exits()
            d = sender.measure(seconds)
            for key, value in receiver.exits().items():
                if key.startswith("kvm_"):
                    d[key] += value - before[key]
            return d

        return sender.load(["iperf3 -c %s -t %d" %
                            (self.ip(receiver), seconds + 3)],
                           (BYTES["g2h"],), seconds, during=during)


class WithoutVm(Guest):
    """What is counted of a VM is not there."""

    def exits(self):
        return {}

    def thread_times(self, hz):
        return {"cpu_vcpu": 0, "cpu_worker": sum(
            thread_time("/proc/%d" % t, hz) for t in self.nics.own_threads())}


class LoopGuest(WithoutVm):
    """No VM: the guest's modules and programs run on the host, in a namespace.
    What is left is the cost of the software alone."""

    def command(self, script, timeout):
        return ["timeout", str(int(timeout)), "taskset", "-c", str(GUEST_CPU),
                "ip", "netns", "exec", "loop", "sh", "-c", script]

    def last_words(self):
        return sh("dmesg").rsplit("\n", 20)[-1]

    def start(self):
        sh("modprobe", "virtio_vdpa")
        for name in ("vbus_guest", "vbus_virtio", "venet"):
            sh("insmod", "%s/guest-host/%s.ko" % (BUILD, name))
        self.nics.bind("virtio_vdpa")
        devices = "/sys/bus/vbus/devices/*/net/*"
        await_condition("the loop's interface", lambda: glob.glob(devices))
        ifname = os.path.basename(glob.glob(devices)[0])
        sh("ip", "netns", "add", "loop")
        sh("ip", "link", "set", ifname, "netns", "loop")
        sh("ip", "-n", "loop", "addr", "add", guest_ip() + "/24", "dev", ifname)
        sh("ip", "-n", "loop", "link", "set", ifname, "up")
        sh("ip", "link", "set", self.nics.host_ifnames[0], "master", "br0", "up")
        self.server = subprocess.Popen(
            self.command("exec %s/bench/rr server %d" % (BUILD, PORT_RR), 3600))
        for t in self.nics.own_threads():
            sh("taskset", "-pc", str(HOST_CPU), str(t), check=False)

    def __exit__(self, *exc):
        self.server.kill()
        self.server.wait()
        sh("ip", "netns", "del", "loop", check=False)
        self.nics.tear_down()
        for name in ("venet", "vbus_virtio", "vbus_guest"):
            sh("rmmod", name, check=False)


class NoGuest(WithoutVm):
    """Nobody is at the other end.  What is left is what the sender can do."""

    def start(self):
        pass

    def xdp_drop(self, seconds):
        with self.flood():
            d = self.measure(seconds)
        d["packets"] = d["tx_packets"]
        d["packets_s"] = d["packets"] / d["time"]
        return d

    def __exit__(self, *exc):
        self.nics.tear_down()
