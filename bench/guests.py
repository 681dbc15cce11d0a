# SPDX-License-Identifier: GPL-2.0-only
"""Guests with one kind of NIC or another, and counters of what they cost.

The guest's NIC is a port of bridge br0, whose other port leads to the network
namespace "peer".  The guest's first vCPU is on CPU 1, a second one on CPU 2; what
works for it on the host (vhost or lane worker, the peer's processes) is on CPU 0, as
an operator would place them.
"""

import contextlib
import glob
import json
import os
import re
import signal
import subprocess
import time

from base import (await_condition, BenchError, BUILD, BYTES, GUEST_CPU,
                  guest_ip, guest_mac, HOST_CPU, LAB, NICS_MAX, peer_ip,
                  PORT_RR, PORT_RR_REALTIME, read, sh, thread_time, write)

# a guest that stood still is not one that hangs
STANDS_STILL = "nowatchdog rcupdate.rcu_cpu_stall_suppress=1 "
USERSPACE_EXITS = "/sys/kernel/tracing/events/kvm/kvm_userspace_exit"


def load_modules():
    sh("modprobe", "vhost_vdpa")
    for name in ("vbus", "vbus_vdpa", "vbus_venet"):
        if not os.path.isdir("/sys/module/" + name):
            sh("insmod", "%s/host/%s.ko" % (BUILD, name))
    for name in ("vhost_net", "tun", "bridge", "veth"):
        sh("modprobe", name)
    count_userspace_exits()


def count_userspace_exits():
    """Have the kernel count exits that QEMU handles, from now on."""
    write(USERSPACE_EXITS + "/trigger", "hist:keys=common_pid")


def userspace_exits(vcpus):
    """Of the vCPUs with these threads."""
    hits = re.findall(r"common_pid: +(\d+) .*hitcount: +(\d+)",
                      read(USERSPACE_EXITS + "/hist"))
    return sum(int(n) for thread, n in hits if int(thread) in vcpus)


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
        for nic in range(NICS_MAX):
            sh("ip", "-n", "peer", "addr", "add", peer_ip(nic) + "/24", "dev",
               "eth0")
        sh("ip", "-n", "peer", "link", "set", "eth0", "up")
        self.start_servers()
        return self

    def start_servers(self):
        for port in range(5201, 5201 + NICS_MAX):
            self.start("iperf3", "-s", "-p", str(port))
        self.start(BUILD + "/bench/rr", "server", str(PORT_RR))

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

    def stop_servers(self):
        for p in self.servers:
            p.kill()
            p.wait()
        self.servers = []

    def restart_servers(self):
        """One whose client is gone waits for it."""
        self.stop_servers()
        self.start_servers()

    def __exit__(self, *exc):
        self.stop_servers()
        sh("ip", "link", "del", "br0")
        sh("ip", "link", "del", "peer0", check=False)
        sh("ip", "netns", "del", "peer")


def servers_are_free():
    """An iperf3 server refuses a client while it still ends the last one."""
    return not sh("ip", "netns", "exec", "peer", "ss", "-Htn", "state",
                  "established", "( sport >= :5201 and sport <= :%d )" %
                  (5200 + NICS_MAX)).strip()


class Guest:
    """A running guest with NICs of one kind."""

    outlast = 3  # seconds that a client runs longer than it is measured
    suspect = False  # something failed

    def __init__(self, nics, kver="6.12", smp=1, mem=384, append="",
                 name="bench", cpu=GUEST_CPU):
        self.nics, self.kver, self.smp, self.mem = nics, kver, smp, mem
        self.append = append
        self.name, self.cpu = name, cpu
        self.pid = 0
        self.vcpus = []
        self.floor = {}

    def command(self, script, timeout):
        """The command that runs a script in the guest."""
        return [LAB + "/l2", "-n", self.name, "-t", str(int(timeout)), script]

    def l2(self, script, timeout=120):
        try:
            return sh(*self.command(script, timeout), timeout=timeout + 30)
        except BenchError as e:
            raise BenchError("%s\n%s" % (e, self.last_words()))

    def last_words(self):
        """What the guest and its QEMU said last, and what it still answers."""
        words = "".join(read("/run/vbus-lab/%s/%s" % (self.name, log))[-4000:]
                        for log in ("console.log", "qemu.log"))
        if not self.alive():
            return words
        return "%s%s%s\n%s" % (
            words, sh("ip", "-s", "link", "show", self.nics.host_ifnames[0],
                       check=False),
            self.nics.stats(),
            sh(*self.command("ps; ip -s link; cat /proc/interrupts", 10),
               timeout=20, check=False))

    def __enter__(self):
        self.nics.set_up(self)
        try:
            self.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def alive(self):
        """Without a VM it cannot have died."""
        return not self.pid or os.path.isdir("/proc/%d/task" % self.pid)

    def restart(self):
        self.__exit__()
        self.__enter__()

    def start(self):
        for ifname in self.nics.host_ifnames:
            sh("ip", "link", "set", ifname, "master", "br0", "up")
        sh(LAB + "/guest-start", self.name, "--kver", self.kver, "--mem",
           str(self.mem), "--smp", str(self.smp),
           "--append", STANDS_STILL + self.append,
           "--add", BUILD + "/bench/rr", "--add", BUILD + "/bench/xdp", "--",
           *self.nics.qemu_args(), timeout=300)
        self.pid = int(read("/run/vbus-lab/%s/pid" % self.name))
        self.l2("echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore; "
                "echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce")
        for i in self.nics.ids:
            self.configure(i)
        self.nics.configure(self)
        for i in self.nics.ids:
            await_condition("the guest answers ping", lambda: subprocess.run(
                ("ip", "netns", "exec", "peer", "ping", "-c1", "-W1",
                 guest_ip(i)), stdout=subprocess.DEVNULL).returncode == 0)
        self.nics.set_rfs()
        for words in ("server %d" % PORT_RR,
                      "rt server %d" % PORT_RR_REALTIME):
            self.l2("setsid rr %s </dev/null >/dev/null 2>&1 &" % words)
        self.pin()

    def configure(self, i):
        """Find the interface by its address, and bring it up."""
        self.l2("n=0; until d=$(grep -l %s /sys/class/net/*/address); do "
                "n=$((n + 1)); [ $n -lt 600 ] || exit 1; usleep 50000; done; "
                "d=${d%%/address}; d=${d##*/}; ip link set $d up && "
                "ip addr add %s/24 dev $d" % (guest_mac(i), guest_ip(i)))
        if self.nics.n == 1 and getattr(self.nics, "queues", 1) > 1:
            self.l2("ethtool -L $(ls /sys/class/net | grep -v lo) combined %d"
                    % self.nics.queues)

    def pin(self):
        """Each vCPU on a CPU of its own, everything that serves them on
        another one."""
        vcpus = self.vcpus = self.find_vcpus()
        for t in self.threads():
            cpu = self.cpu + vcpus.index(t) if t in vcpus else HOST_CPU
            sh("taskset", "-pc", str(cpu), str(t), check=False)

    def threads(self):
        """Those of its QEMU, and those outside that work for its NICs."""
        return [int(t) for t in os.listdir("/proc/%d/task" % self.pid)
                ] + self.nics.own_threads()

    def find_vcpus(self):
        """Which threads are vCPUs; QEMU does not name them by default."""
        reply = json.loads(sh(LAB + "/qmp", self.name,
                              '{"execute": "query-cpus-fast"}'))
        return [c["thread-id"] for c in reply]

    def __exit__(self, *exc):
        self.send(signal.SIGCONT)
        sh(LAB + "/guest-stop", self.name, check=False)
        self.nics.tear_down()

    def send(self, number):
        """A signal to its process, if there is one."""
        with contextlib.suppress(ProcessLookupError):
            if self.pid:
                os.kill(self.pid, number)

    def stand_still(self):
        """Until its turn().  An idle guest wakes up eight times a second, for which the
        one that is measured does not get the CPU that both are pinned to."""
        self.send(signal.SIGSTOP)

    def go_on(self):
        """... and wait until what its timers had to do meanwhile is done."""
        self.send(signal.SIGCONT)
        if self.pid:
            self.l2("true")

    @contextlib.contextmanager
    def turn(self):
        """It runs meanwhile, and stands still afterwards."""
        try:
            self.go_on()
            yield
        finally:
            self.stand_still()

    # ------------------------------------------------------------- counters

    def snapshot(self):
        """Counters at this moment: of KVM, of the host, of the NIC."""
        s = {"time": time.monotonic()}
        s.update(self.exits())
        s.update(("own_" + k, v) for k, v in self.nics.stats().items())
        cpu = [int(x) for x in read("/proc/stat").split("\n")[0].split()[1:]]
        hz = os.sysconf("SC_CLK_TCK")
        user, nice, system, idle, iowait, irq, softirq, steal, guest = cpu[:9]
        # guest time is part of user time
        s.update(self.thread_times(hz))
        s["cpu_host"] = (user - guest + nice + system + irq + softirq) / hz
        s["cpu_guest"] = guest / hz
        for key in ("rx_bytes", "tx_bytes", "rx_packets", "tx_packets"):
            s[key] = sum(int(read("/sys/class/net/%s/statistics/%s" %
                                  (i, key))) for i in self.nics.host_ifnames)
        return s

    def exits(self):
        """KVM's counters of this guest."""
        if not self.alive():
            raise BenchError("the guest is gone\n" + self.last_words())
        s = {}
        for path in glob.glob("/sys/kernel/debug/kvm/%d-*/*" % self.pid):
            try:
                key = "kvm_" + os.path.basename(path)
                s[key] = s.get(key, 0) + int(read(path))
            except (OSError, ValueError):
                continue
        s["userspace_exits"] = userspace_exits(self.vcpus)
        return s

    def thread_times(self, hz):
        """CPU time of the vCPUs' threads outside of the guest, and of the
        threads that serve its NICs (lane or vhost workers, QEMU's others)."""
        times = {"cpu_vcpu": 0, "cpu_worker": 0}
        tasks = ["/proc/%d/task/%s" % (self.pid, t)
                 for t in os.listdir("/proc/%d/task" % self.pid)]
        for path in tasks + ["/proc/%d" % t for t in self.nics.own_threads()]:
            busy = thread_time(path, hz)
            vcpu = int(os.path.basename(path)) in self.vcpus
            times["cpu_vcpu" if vcpu else "cpu_worker"] += busy
        return times

    def measure(self, seconds):
        """The change of all counters over a while."""
        before = self.snapshot()
        time.sleep(seconds)
        after = self.snapshot()
        return {k: after[k] - before[k] for k in after}

    def load(self, commands, keys, seconds, warm_up=1.0, during=None):
        """Run commands in the guest side by side, which must take longer, and
        return the counters of the steady part; @keys count the bytes that
        matter.  What @during returns is added."""
        await_condition("the peer's servers are free", servers_are_free)
        script = "".join("(%s) >/tmp/load.%d 2>&1 & p%d=$!; " % (c, i, i)
                         for i, c in enumerate(commands))
        script += "".join("wait $p%d || { cat /tmp/load.%d; exit 1; }; " %
                          (i, i) for i in range(len(commands)))
        client = subprocess.Popen(
            self.command(script, seconds + 90), stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        start = self.bytes(keys)
        try:
            await_condition("the load begins", lambda: client.poll() is not
                            None or self.bytes(keys) - start > 1 << 17)
            self.measure(warm_up)
            d = during(seconds) if during else self.measure(seconds)
            early = client.poll() is not None
            output, _ = client.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            raise BenchError("the load does not end\n" + self.last_words())
        except BenchError as e:
            raise BenchError("%s\n%s" % (e, self.last_words()) if self.alive()
                             else e)
        finally:
            client.kill()
        if early and self.alive():
            # here it takes longer than thought to see a load begin: next time
            Guest.outlast += 3
        if early or client.returncode:
            raise BenchError("the load %s: %s\n%s" % (
                "ended too early" if early else "failed", output,
                self.last_words()))
        d["bytes"] = sum(d[k] for k in keys)
        return d

    def bytes(self, keys):
        s = self.snapshot()
        return sum(s[k] for k in keys)

    def iperf3(self, direction, seconds, nic=0, port=0, more=""):
        """A client that outlasts a measurement of so many seconds."""
        return "iperf3 -c %s -p %d -t %d %s %s" % (
            peer_ip(self.nics.ids[nic]), 5201 + port, seconds + self.outlast,
            "" if direction == "g2h" else "-R", more)

    def stream(self, peer, direction, seconds, streams=1, more=""):
        """TCP streams, spread over the NICs."""
        keys = (BYTES[direction],)
        return self.load([self.iperf3(direction, seconds, i % self.nics.n, i,
                                      more)
                          for i in range(streams)], keys, seconds)

    def request_response(self, peer, seconds, nic=0, realtime=False, marker=None):
        """1-byte transactions, the peer asks; counters and latencies.  @marker: the
        file that each is noted in, if any."""
        before = self.snapshot()
        command = ("rt", "client") if realtime else ("client",)
        port = PORT_RR_REALTIME if realtime else PORT_RR
        result = json.loads(peer.run(BUILD + "/bench/rr", *command,
                                     guest_ip(self.nics.ids[nic]),
                                     str(port), str(seconds),
                                     *([marker] if marker else []),
                                     timeout=seconds + 60))
        after = self.snapshot()
        d = {k: after[k] - before[k] for k in after}
        d.update(result)
        return d

    @contextlib.contextmanager
    def flood(self):
        """Meanwhile frames of 60 bytes are sent on the host's interface as fast as
        it goes."""
        p = subprocess.Popen(
            ("taskset", "-c", str(HOST_CPU), BUILD + "/bench/frames", "send",
             self.nics.host_ifnames[0], str(2 ** 31 - 1), "60",
             "mac=" + guest_mac(self.nics.ids[0])))
        try:
            time.sleep(1)
            yield
            if p.poll() is not None:
                raise BenchError("the flood ended too early")
        finally:
            p.kill()
            p.wait()

    def xdp_drop(self, seconds):
        """A flood comes to an XDP program in the guest's driver that drops it."""
        find = ("d=$(grep -l %s /sys/class/net/*/address); d=${d%%/address}; "
                "d=${d##*/}; " % guest_mac(self.nics.ids[0]))
        # those of the queues: virtio-net shows their sum beside them
        count = ("awk '{ print $1 }' /proc/uptime; ethtool -S $d | "
                 "awk '/[0-9]_xdp_drop/ { n += $2 } END { print n }'; ")
        self.l2(find + "xdp attach $d drop")
        with self.flood():
            before = self.snapshot()
            out = self.l2(find + count + "sleep %d; " % seconds + count)
            after = self.snapshot()
        self.l2(find + "xdp detach $d")
        begin, packets_begin, end, packets_end = map(float, out.split())
        d = {k: after[k] - before[k] for k in after}
        d["packets"] = packets_end - packets_begin
        d["packets_s"] = d["packets"] / (end - begin)
        # what the host counts begins earlier and ends later
        if not 0 < d["packets"] <= d["tx_packets"]:
            raise BenchError("XDP dropped %d frames of %d" %
                             (d["packets"], d["tx_packets"]))
        return d


def stream_metrics(d):
    mb = d["bytes"] / 1e6
    m = {"throughput_mbit": (d["bytes"] * 8 / 1e6 / d["time"], "Mbit/s"),
         "host_cpu_s_per_gb": (d["cpu_host"] / (mb / 1e3), "s/GB")}
    if "kvm_exits" in d:
        m["exits_per_mb"] = (d["kvm_exits"] / mb, "1/MB")
        m["irqs_per_mb"] = (d["kvm_irq_injections"] / mb, "1/MB")
    return m


def rr_metrics(d):
    n = d["transactions"]
    m = {"rtt_p50_us": (d["p50_us"], "us"), "rtt_p99_us": (d["p99_us"], "us")}
    if "kvm_exits" in d:
        m["exits_per_txn"] = (d["kvm_exits"] / n, "1/txn")
        m["irqs_per_txn"] = (d["kvm_irq_injections"] / n, "1/txn")
    return m
