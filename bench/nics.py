# SPDX-License-Identifier: GPL-2.0-only
"""The kinds of NIC that a guest may have: venet, and what QEMU offers."""

import glob
import os

from base import comm, CONFIGFS, guest_mac, read, sh, VBUS, write


class Nics:
    """How a guest gets its NICs; host_ifnames are their host ends.

    They are the NICs number @first and up of all guests that run.  @rfs: of so many
    flows that come from the guest the host's stack remembers which CPU their consumer
    is on, and receives them there; 0: of none, as by default."""
    name = None
    how = ""

    def __init__(self, n=1, first=0, rfs=0):
        self.n, self.rfs = n, rfs
        self.ids = range(first, first + n)
        self.host_ifnames = []

    def set_up(self, guest):
        pass

    def qemu_args(self):
        return []

    def tear_down(self):
        pass

    def own_threads(self):
        """Threads outside of QEMU that work for the NICs."""
        return []

    def stats(self):
        """Counters that the NICs keep of themselves, if they do."""
        return {}

    def configure(self, guest):
        """What is to be set in the guest when it runs."""

    def set_rfs(self):
        """When the guest runs: before, the interface may have fewer queues."""
        if not self.rfs:
            return
        write("/proc/sys/net/core/rps_sock_flow_entries", str(self.rfs))
        for ifname in self.host_ifnames:
            queues = glob.glob("/sys/class/net/%s/queues/rx-*" % ifname)
            for queue in queues:
                write(queue + "/rps_flow_cnt", str(self.rfs // len(queues)))


class Venet(Nics):
    """All NICs are devices of one bus; its attributes may be given, and the
    priority of each NIC.  @preempt: its workers push others aside."""
    name = "venet"

    def __init__(self, n=1, pairs=1, lanes=1, name="venet", nic_priority=(),
                 guest_spin_us=None, first=0, zerocopy_bytes=None, preempt=False,
                 rfs=0, **attributes):
        super().__init__(n, first, rfs)
        self.nic_priority = list(nic_priority) + [0] * (n - len(nic_priority))
        self.name = name
        self.guest_spin_us, self.preempt = guest_spin_us, preempt
        self.how = " ".join("%s=%s" % kv for kv in (
            ("lanes", lanes), ("pairs", pairs),
            ("guest spin_us", "default" if guest_spin_us is None else
             guest_spin_us), *attributes.items(),
            *([] if zerocopy_bytes is None else
              [("zerocopy_bytes", zerocopy_bytes)]),
            *([("priorities of the NICs", nic_priority)] if nic_priority else
              []),
            *([("workers", "SCHED_OTHER")] if preempt else []),
            *([("RFS", rfs)] if rfs else [])))
        # the kernel's names of the worker threads are short
        self.bus, self.pairs, self.lanes = "b%d" % first, pairs, lanes
        self.device_attributes = [] if zerocopy_bytes is None else [
            "zerocopy_bytes=%d" % zerocopy_bytes]
        self.attributes = attributes
        self.host_ifnames = ["venet%d" % i for i in self.ids]

    def set_up(self, guest):
        sh(VBUS, "bus", "add", self.bus, "--lanes", str(self.lanes))
        for key, value in self.attributes.items():
            self.set(key, value)
        for i, ifname in enumerate(self.host_ifnames):
            sh(VBUS, "dev", "add", "venet/" + ifname, "mac=" + guest_mac(self.ids[i]),
               "pairs=%d" % self.pairs,
               "priority=%d" % self.nic_priority[i],
               *self.device_attributes)
            sh(VBUS, "plug", ifname, self.bus)
        sh(VBUS, "bus", "enable", self.bus)

    def set(self, key, value):
        write("%s/buses/%s/%s" % (CONFIGFS, self.bus, key), str(value))

    def configure(self, guest):
        if self.guest_spin_us is not None:
            guest.l2("echo %d >/sys/bus/vbus/devices/vbus0/spin_us" %
                     self.guest_spin_us)
        if self.preempt:
            for tid in self.own_threads():
                sh("chrt", "--other", "--pid", "0", str(tid))

    def qemu_args(self):
        address = read("%s/buses/%s/address" % (CONFIGFS, self.bus)).strip()
        return ["-device", "vhost-vdpa-device-pci,vhostdev=%s,"
                "disable-legacy=on,modern-pio-notify=on" % address]

    def own_threads(self):
        return [int(p) for p in os.listdir("/proc") if p.isdigit() and
                comm(p).startswith("vbus/%s/" % self.bus)]

    def stats(self):
        """Counters of the bus's lanes, added up."""
        names, *lanes = read("%s/buses/%s/stats" %
                             (CONFIGFS, self.bus)).splitlines()
        total = dict.fromkeys(names.split()[1:], 0)
        for line in lanes:
            for key, value in zip(total, line.split()[1:]):
                total[key] += int(value)
        return total

    def tear_down(self):
        for ifname in self.host_ifnames:
            sh(VBUS, "unplug", ifname)
            sh(VBUS, "dev", "del", ifname)
        sh(VBUS, "bus", "disable", self.bus)
        sh(VBUS, "bus", "del", self.bus)


class Qemu(Nics):
    """NICs that QEMU makes, on tap interfaces."""

    def __init__(self, name, n=1, model="virtio-net-pci", vhost=True,
                 netdev="", device="", queues=1, first=0, rfs=0):
        super().__init__(n, first, rfs)
        self.name, self.model, self.queues = name, model, queues
        self.netdev = (",vhost=on" if vhost else "") + netdev
        self.device = device
        self.how = "%s%s, tap%s%s" % (model, device, self.netdev,
                                      ", RFS=%d" % rfs if rfs else "")
        self.host_ifnames = ["tap%d" % i for i in self.ids]

    def set_up(self, guest):
        for ifname in self.host_ifnames:
            flags = ["vnet_hdr"]
            if self.queues > 1:
                flags.append("multi_queue")
            sh("ip", "tuntap", "add", ifname, "mode", "tap", *flags)

    def qemu_args(self):
        args = []
        for i, ifname in enumerate(self.host_ifnames):
            netdev = "tap,id=n%d,ifname=%s,script=no,downscript=no%s" % (
                i, ifname, self.netdev)
            device = "%s,netdev=n%d,mac=%s%s" % (
                self.model, i, guest_mac(self.ids[i]), self.device)
            if self.model.startswith("virtio"):
                device += ",disable-legacy=on"
            if self.queues > 1:
                netdev += ",queues=%d" % self.queues
                device += ",mq=on,vectors=%d" % (2 * self.queues + 2)
            args += ["-netdev", netdev, "-device", device]
        return args

    def tear_down(self):
        for ifname in self.host_ifnames:
            sh("ip", "link", "del", ifname)


class Dummy(Nics):
    """The kernel's device that drops whatever is sent on it."""
    name = "dummy"
    how = "no NIC, no guest"

    def __init__(self):
        super().__init__()
        self.host_ifnames = ["dummy0"]

    def set_up(self, guest):
        sh("ip", "link", "add", "dummy0", "type", "dummy")
        sh("ip", "link", "set", "dummy0", "up")

    def tear_down(self):
        sh("ip", "link", "del", "dummy0")


class Loop(Venet):
    """A venet whose bus is bound to the host's own virtio_vdpa."""
    name = "loop"

    def __init__(self):
        super().__init__(name="loop")

    def bind(self, driver):
        device = "vbus-" + self.bus
        bound = "/sys/bus/vdpa/devices/%s/driver" % device
        if os.path.exists(bound):
            write(bound + "/unbind", device)
        write("/sys/bus/vdpa/drivers/%s/bind" % driver, device)

    def tear_down(self):
        self.bind("vhost_vdpa")
        super().tear_down()
