# SPDX-License-Identifier: GPL-2.0-only
"""What the benchmark's files have in common: where things are, commands, numbers.

Runs in L1.
"""

import json
import os
import subprocess
import time

TOP = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LAB = os.path.join(TOP, "lab")
BUILD = os.path.join(TOP, "build")
VBUS = os.path.join(BUILD, "user", "vbus")
CONFIGFS = "/sys/kernel/config/vbus"
NICS_MAX = 16  # of all guests that run together
PORT_RR, PORT_RR_REALTIME = 7001, 7002
HOST_CPU, GUEST_CPU = 0, 1
RFS_FLOWS = 4096  # that the host steers to their consumers' CPUs
# which counter of the host's interface counts what goes that way
BYTES = {"g2h": "rx_bytes", "h2g": "tx_bytes"}


class BenchError(Exception):
    pass


def peer_ip(nic=0):
    """Address of the peer in the subnet of a NIC."""
    return "10.77.%d.1" % nic


def guest_ip(nic=0):
    """Address of the guest's NIC."""
    return "10.77.%d.2" % nic


def guest_mac(nic=0):
    """The same whatever the NIC is, so that the peer's ARP entries hold."""
    return "52:54:00:77:%02x:02" % nic


def sh(*args, check=True, timeout=120):
    """Run a command, return its output."""
    try:
        r = subprocess.run(args, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, text=True,
                           timeout=timeout)
    except subprocess.TimeoutExpired:
        raise BenchError("%s: no end after %d s" % (" ".join(args), timeout))
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


def write(path, text):
    with open(path, "w") as f:
        f.write(text)


def comm(pid):
    try:
        return read("/proc/%s/comm" % pid).strip()
    except OSError:
        return ""


def thread_time(path, hz):
    """CPU time of a thread in seconds, without that of a guest."""
    try:
        fields = read(path + "/stat").rpartition(")")[2].split()
    except OSError:
        return 0
    return (int(fields[11]) + int(fields[12]) - int(fields[40])) / hz


def persist(use, say, tries=3):
    """use(), and once more if a guest dies, hangs or times out, or a program fails.

    All of it is repeated then, which is said: a benchmark of an hour is not lost.
    """
    for left in reversed(range(tries)):
        try:
            return use()
        except BenchError as e:
            if not left:
                raise
            say("failed, once more: %s" % e)


def median(values):
    """Of a few; the module for it is not in L1."""
    v, half = sorted(values), len(values) // 2
    return v[half] if len(v) % 2 else (v[half - 1] + v[half]) / 2


def loopback_speed(seconds=2):
    """Mbit/s of a TCP stream inside of L1, without any guest.

    How many ticks a megabyte takes depends on it.  In an emulated machine it varies
    tenfold with what else the real one does."""
    port = str(5200 + NICS_MAX + 1)
    sh("ip", "link", "set", "lo", "up")
    server = subprocess.Popen(("iperf3", "-s", "-1", "-p", port),
                              stdout=subprocess.DEVNULL)
    results = []

    def client():
        r = json.loads(sh("iperf3", "-J", "-c", "127.0.0.1", "-p", port, "-t",
                          str(seconds), check=False))
        if "error" not in r:
            results.append(r["end"]["sum_received"]["bits_per_second"] / 1e6)
        return results

    try:
        await_condition("a stream inside of L1", client)
    finally:
        server.kill()
        server.wait()
    return results[0]
