# SPDX-License-Identifier: GPL-2.0-only
"""Guests with one kind of NIC or another, and counters of what they cost.

Runs in L1.  The guest's NIC is a port of bridge br0, whose other port leads to
the network namespace "peer".  The guest's CPU is CPU 0; what works for it on the
host (vhost or lane worker, the peer's processes) is CPU 1, as an operator would
place them.
"""

import glob
import json
import os
import subprocess
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LAB = os.path.join(TOP, "lab")
BUILD = os.path.join(TOP, "build")
VBUS = os.path.join(BUILD, "user", "vbus")
PEER4, GUEST4 = "10.77.0.1", "10.77.0.2"
GUEST_MAC = "52:54:00:77:00:02"  # the same for all, so that ARP entries hold
PORT_RR = 7001
GUEST_CPU, HOST_CPU = 0, 1


class BenchError(Exception):
    pass


def sh(*args, check=True, timeout=120):
    """Run a command, return its output."""
    r = subprocess.run(args, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                       text=True, timeout=timeout)
    if check and r.returncode:
        raise BenchError("%s: %s" % (" ".join(args), r.stdout.strip()))
    return r.stdout


def await_condition(what, condition, seconds=30):
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise BenchError("timed out: " + what)
        time.sleep(0.05)


def read(path):
    with open(path) as f:
        return f.read()


def load_modules():
    sh("modprobe", "vhost_vdpa")
    for name in ("vbus", "vbus_vdpa", "vbus_venet"):
        if not os.path.isdir("/sys/module/" + name):
            sh("insmod", "%s/host/%s.ko" % (BUILD, name))
    for name in ("vhost_net", "tun", "bridge", "veth"):
        sh("modprobe", name)


class Peer:
    """The other end: a namespace behind the bridge, with servers in it."""

    def __init__(self):
        self.servers = []

    def __enter__(self):
        sh("ip", "netns", "add", "peer")
        sh("ip", "link", "add", "br0", "type", "bridge")
        sh("ip", "link", "set", "br0", "up")
        sh("ip", "link", "add", "peer0", "type", "veth", "peer", "name",
           "eth0", "netns", "peer")
        sh("ip", "link", "set", "peer0", "master", "br0", "up")
        sh("ip", "-n", "peer", "link", "set", "lo", "up")
        sh("ip", "-n", "peer", "addr", "add", PEER4 + "/24", "dev", "eth0")
        sh("ip", "-n", "peer", "link", "set", "eth0", "up")
        for port in range(5201, 5205):
            self.start("iperf3", "-s", "-p", str(port))
        self.start(BUILD + "/bench/rr", "server", str(PORT_RR))
        return self

    def command(self, *args):
        return ("taskset", "-c", str(HOST_CPU), "ip", "netns", "exec",
                "peer") + args

    def start(self, *args):
        p = subprocess.Popen(self.command(*args), stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL,
                             stdin=subprocess.DEVNULL)
        self.servers.append(p)
        return p

    def run(self, *args, timeout=120):
        return sh(*self.command(*args), timeout=timeout)

    def __exit__(self, *exc):
        for p in self.servers:
            p.kill()
            p.wait()
        sh("ip", "link", "del", "br0")
        sh("ip", "link", "del", "peer0", check=False)
        sh("ip", "netns", "del", "peer")


class Nic:
    """How a guest gets a NIC.  host_ifname is its host end."""
    name = None

    def set_up(self, guest):
        pass

    def qemu_args(self):
        return []

    def tear_down(self):
        pass

    def host_threads(self, pid):
        """Thread ids that work for the NIC outside the vCPU's thread."""
        return [int(t) for t in os.listdir("/proc/%d/task" % pid)]


class Venet(Nic):
    name = "venet"

    def __init__(self, index=0):
        self.host_ifname = "venet%d" % index
        self.bus = "bench"

    def set_up(self, guest):
        sh(VBUS, "bus", "add", self.bus)
        sh(VBUS, "dev", "add", "venet/" + self.host_ifname,
           "mac=" + GUEST_MAC)
        sh(VBUS, "plug", self.host_ifname, self.bus)
        sh(VBUS, "bus", "enable", self.bus)

    def qemu_args(self):
        address = read("/sys/kernel/config/vbus/buses/%s/address" %
                       self.bus).strip()
        return ["-device", "vhost-vdpa-device-pci,vhostdev=%s,"
                "disable-legacy=on,modern-pio-notify=on" % address]

    def host_threads(self, pid):
        own = [int(p) for p in os.listdir("/proc") if p.isdigit() and
               comm(p).startswith("vbus/" + self.bus)]
        return super().host_threads(pid) + own

    def tear_down(self):
        sh(VBUS, "unplug", self.host_ifname)
        sh(VBUS, "dev", "del", self.host_ifname)
        sh(VBUS, "bus", "disable", self.bus)
        sh(VBUS, "bus", "del", self.bus)


class VirtioNet(Nic):
    def __init__(self, name, vhost, options=""):
        self.name = name
        self.vhost = vhost
        self.options = options
        self.host_ifname = "tap0"

    def set_up(self, guest):
        sh("ip", "tuntap", "add", self.host_ifname, "mode", "tap",
           "vnet_hdr")

    def qemu_args(self):
        return ["-netdev", "tap,id=n0,ifname=%s,script=no,downscript=no,"
                "vhost=%s" % (self.host_ifname, "on" if self.vhost else "off"),
                "-device", "virtio-net-pci,netdev=n0,"
                "disable-legacy=on,mac=" + GUEST_MAC + self.options]

    def tear_down(self):
        sh("ip", "link", "del", self.host_ifname)


def comm(pid):
    try:
        return read("/proc/%s/comm" % pid).strip()
    except OSError:
        return ""


class Guest:
    """A running guest with one NIC."""

    def __init__(self, nic, kver="6.12", smp=1, mem=384):
        self.nic, self.kver, self.smp, self.mem = nic, kver, smp, mem
        self.name = "bench"

    def l2(self, command, timeout=120):
        return sh(LAB + "/l2", "-n", self.name, "-t", str(timeout), command,
                  timeout=timeout + 30)

    def __enter__(self):
        self.nic.set_up(self)
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def start(self):
        sh("ip", "link", "set", self.nic.host_ifname, "master", "br0", "up")
        sh(LAB + "/guest-start", self.name, "--kver", self.kver, "--mem",
           str(self.mem), "--smp", str(self.smp), "--add",
           BUILD + "/bench/rr", "--", *self.nic.qemu_args(), timeout=300)
        self.pid = int(read("/run/vbus-lab/%s/pid" % self.name))
        self.ifname = self.l2(
            "n=0; until ls /sys/class/net | grep -qv lo; do n=$((n + 1)); "
            "[ $n -lt 600 ] || exit 1; usleep 50000; done; "
            "ls /sys/class/net | grep -v lo").split()[0]
        self.l2("ip addr add %s/24 dev %s && ip link set %s up" %
                (GUEST4, self.ifname, self.ifname))
        await_condition("the guest answers ping", lambda: subprocess.run(
            ("ip", "netns", "exec", "peer", "ping", "-c1", "-W1", GUEST4),
            stdout=subprocess.DEVNULL).returncode == 0)
        self.l2("setsid rr server %d </dev/null >/dev/null 2>&1 &" % PORT_RR)
        self.pin()

    def pin(self):
        """The vCPU on its CPU, everything that serves it on the other."""
        vcpus = self.find_vcpus()
        for t in self.nic.host_threads(self.pid):
            cpu = GUEST_CPU if t in vcpus else HOST_CPU
            sh("taskset", "-pc", str(cpu), str(t), check=False)

    def find_vcpus(self):
        """Which threads are vCPUs; QEMU does not name them by default."""
        reply = json.loads(sh(LAB + "/qmp", self.name,
                              '{"execute": "query-cpus-fast"}'))
        return [c["thread-id"] for c in reply]

    def __exit__(self, *exc):
        sh(LAB + "/guest-stop", self.name, check=False)
        self.nic.tear_down()

    # ------------------------------------------------------------- counters

    def snapshot(self):
        """Counters at this moment: of KVM, of the host, of the NIC."""
        s = {"time": time.monotonic()}
        for path in glob.glob("/sys/kernel/debug/kvm/%d-*/*" %
                              self.pid):
            try:
                key = "kvm_" + os.path.basename(path)
                s[key] = s.get(key, 0) + int(read(path))
            except (OSError, ValueError):
                continue
        cpu = [int(x) for x in read("/proc/stat").split("\n")[0].split()[1:]]
        hz = os.sysconf("SC_CLK_TCK")
        user, nice, system, idle, iowait, irq, softirq, steal, guest = cpu[:9]
        # guest time is part of user time
        s["cpu_host"] = (user - guest + nice + system + irq + softirq) / hz
        s["cpu_guest"] = guest / hz
        net = "/sys/class/net/%s/statistics/" % self.nic.host_ifname
        for key in ("rx_bytes", "tx_bytes", "rx_packets", "tx_packets"):
            s[key] = int(read(net + key))
        return s

    def measure(self, seconds):
        """The change of all counters over a while."""
        before = self.snapshot()
        time.sleep(seconds)
        after = self.snapshot()
        return {k: after[k] - before[k] for k in after}

    def stream(self, peer, direction, seconds, warm_up=1.0):
        """One TCP stream; returns the counters of its steady part."""
        reverse = [] if direction == "g2h" else ["-R"]
        client = subprocess.Popen(
            [LAB + "/l2", "-n", self.name, "-t", str(seconds + 60),
             "iperf3 -c %s -p 5201 -t %d %s >/tmp/iperf3.log 2>&1" %
             (PEER4, seconds + warm_up + 2, " ".join(reverse))],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        key = "rx_bytes" if direction == "g2h" else "tx_bytes"
        start = self.snapshot()[key]
        try:
            await_condition("the stream begins",
                            lambda: self.snapshot()[key] - start > 1 << 20)
            self.measure(warm_up)
            d = self.measure(seconds)
            output, _ = client.communicate(timeout=seconds + 60)
        finally:
            client.kill()
        if client.returncode:
            raise BenchError("iperf3 failed: %s%s" %
                             (output, self.l2("cat /tmp/iperf3.log")))
        d["bytes"] = d[key]
        return d

    def request_response(self, peer, seconds):
        """1-byte transactions, the peer asks; counters and latencies."""
        before = self.snapshot()
        result = json.loads(peer.run(BUILD + "/bench/rr", "client", GUEST4,
                                     str(PORT_RR), str(seconds),
                                     timeout=seconds + 60))
        after = self.snapshot()
        d = {k: after[k] - before[k] for k in after}
        d.update(result)
        return d


def stream_metrics(d):
    mb = d["bytes"] / 1e6
    return {
        "throughput_mbit": (d["bytes"] * 8 / 1e6 / d["time"], "Mbit/s"),
        "exits_per_mb": (d["kvm_exits"] / mb, "1/MB"),
        "irqs_per_mb": (d["kvm_irq_injections"] / mb, "1/MB"),
        "host_cpu_s_per_gb": (d["cpu_host"] / (mb / 1e3), "s/GB"),
    }


def rr_metrics(d):
    n = d["transactions"]
    return {
        "rtt_p50_us": (d["p50_us"], "us"),
        "rtt_p99_us": (d["p99_us"], "us"),
        "exits_per_txn": (d["kvm_exits"] / n, "1/txn"),
        "irqs_per_txn": (d["kvm_irq_injections"] / n, "1/txn"),
    }
