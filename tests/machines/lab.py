"""Emulated machines with kernels of their own that share voting files and a network on the loopback device."""

import json
import os
import re
import signal
import socket
import subprocess
import threading
import time

NODES = (1, 2, 3)
DISK = 1 << 20
LOGS = 16 << 20


def now():
    return time.monotonic()


class Machine:
    """One machine, from power on to close(). Its console is read all the time; a line has the time at which it
    arrived here."""

    def __init__(self, lab, node):
        self.node = node
        self.lines = []
        self.path = f"{lab.directory}/node{node}"
        disks = [f"{lab.directory}/vote{i}" for i in (1, 2, 3)] + [f"{self.path}.logs"]
        command = ["qemu-system-x86_64", "-accel", "tcg", "-machine", "q35", "-cpu", "max", "-m", "256"]
        command += ["-nodefaults", "-no-user-config", "-display", "none"]
        command += ["-uuid", f"00000000-0000-4000-8000-00000000000{node}"]
        command += ["-kernel", lab.image + "/vmlinux", "-initrd", lab.image + "/initrd"]
        command += ["-append", f"console=ttyS0 quiet panic=1 tsc=reliable mitigations=off node={node}"]
        command += ["-serial", "stdio"]
        command += ["-serial", f"unix:{self.path}.commands,server=on,wait=off"]
        command += ["-qmp", f"unix:{self.path}.qmp,server=on,wait=off"]
        command += ["-device", "i6300esb", "-action", "watchdog=reset,panic=none"]
        for i, disk in enumerate(disks):
            # As a shared LUN: no cache of this host, no lock.
            block = {"driver": "file", "node-name": f"file{i}", "filename": disk, "locking": "off",
                     "cache": {"direct": True, "no-flush": False}}
            command += ["-blockdev", json.dumps(block)]
            command += ["-blockdev", json.dumps({"driver": "raw", "node-name": f"raw{i}", "file": f"file{i}"})]
            command += ["-device", f"virtio-blk-pci,drive=raw{i},share-rw=on"]
        command += ["-netdev", f"socket,id=net,mcast=230.77.0.1:{lab.port},localaddr=127.0.0.1"]
        command += ["-device", f"virtio-net-pci,netdev=net,id=nic,mac=52:54:00:00:00:0{node}"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT)
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append((now(), line.decode(errors="replace").strip()))

    # ------------------------------------------------------------------------ what it showed

    def boots(self):
        return [at for at, line in list(self.lines) if line.startswith("BOOTED")]

    def events(self, kind, since):
        """Events of `crsctl watch css events --json` that arrived later, with their times."""
        found = []
        for at, line in list(self.lines):
            if at >= since and line.startswith("{"):
                try:
                    event = json.loads(line)
                except ValueError:
                    continue  # The machine ended in the middle of it.
                if event.get("type") == kind:
                    found.append((at, event))
        return found

    def complete(self, nodes, since):
        """When it was told that the membership of exactly these nodes is complete; None: not yet."""
        names = {f"node{n}" for n in nodes}
        return next((at for at, e in self.events("complete", since) if set(e["members"]) == names), None)

    def acts(self, since):
        """Arrival of the lines of its client, which writes one whenever it may act."""
        pattern = re.compile(rf"^\d+ {self.node} \d+$")
        return [at for at, line in list(self.lines) if at >= since and pattern.match(line)]

    # ------------------------------------------------------------------------ what is done to it

    def command(self, line, patience=60):
        """Runs a shell command in the machine; returns what it printed."""
        mark = f"END{time.monotonic_ns()}"
        output = b""
        with socket.socket(socket.AF_UNIX) as port:
            port.settimeout(patience)
            port.connect(self.path + ".commands")
            port.sendall(f"{line}; echo {mark}\n".encode())
            while mark.encode() not in output:
                output += port.recv(65536)
        return output.decode(errors="replace").split(mark)[0].replace("\r", "").strip()

    def tell(self, execute, **arguments):
        """A command to the emulator itself."""
        with socket.socket(socket.AF_UNIX) as port:
            port.settimeout(60)
            port.connect(self.path + ".qmp")
            stream = port.makefile("rw")
            stream.readline()
            for message in ({"execute": "qmp_capabilities"}, {"execute": execute, "arguments": arguments}):
                stream.write(json.dumps(message) + "\n")
                stream.flush()
                answer = json.loads(stream.readline())
                while "event" in answer:
                    answer = json.loads(stream.readline())
            if "error" in answer:
                raise RuntimeError(f"{execute}: {answer['error']}")

    def cable(self, plugged):
        self.tell("set_link", name="nic", up=plugged)

    def pause(self, paused):
        """Its processor stands still and its clocks go on: a host that hangs."""
        os.kill(self.process.pid, signal.SIGSTOP if paused else signal.SIGCONT)

    def suspend(self, suspended):
        """Its clocks stand still as well: a machine that is suspended or moved."""
        self.tell("stop" if suspended else "cont")

    def close(self):
        if self.process.poll() is None:
            os.kill(self.process.pid, signal.SIGCONT)
            self.process.kill()
        self.process.wait()


class Lab:
    """Three machines and what they share. Everything goes with close()."""

    def __init__(self, image, directory, votefile, misscount, disktimeout, reboottime):
        self.image = image
        self.directory = directory
        self.port = 20000 + os.getpid() % 10000
        self.machines = {}
        votes = [f"{directory}/vote{i}" for i in (1, 2, 3)]
        for path, size in [(vote, DISK) for vote in votes] + [(f"{directory}/node{n}.logs", LOGS) for n in NODES]:
            with open(path, "wb") as disk:
                disk.write(bytes(size))
        subprocess.run([votefile, "create", "--cluster-name", "machines", "--misscount", str(misscount),
                        "--disktimeout", str(disktimeout), "--reboottime", str(reboottime), *votes],
                       check=True, stdout=subprocess.DEVNULL)
        for node in NODES:
            subprocess.run(["mkfs.ext4", "-q", f"{directory}/node{node}.logs"], check=True)

    def __getitem__(self, node):
        return self.machines[node]

    def start(self):
        for node in NODES:
            self.machines[node] = Machine(self, node)

    def wait(self, what, holds, patience):
        """What holds() says as soon as it says something; else a failure that tells what was awaited."""
        end = now() + patience
        while now() < end:
            value = holds()
            if value:
                return value
            time.sleep(0.02)
        raise AssertionError(f"waited {patience} s in vain: {what}")

    def wait_complete(self, told, nodes, since, patience=180):
        """Both or all of `told` know that the others have stopped: when the last one heard."""
        return max(self.wait(f"node{n} is told that {nodes} is complete",
                             lambda n=n: self[n].complete(nodes, since), patience) for n in told)

    def wait_whole(self, patience=240):
        """All three are members, say all three, and their clients act."""
        members = " ".join(f"node{n}" for n in NODES)
        for node in NODES:
            begin = now()
            self.wait(f"the client of node{node} acts", lambda n=node: bool(self[n].acts(begin)), patience)
            self.wait(f"node{node} has three members",
                      lambda n=node: members in self[n].command("crsctl query css status"), patience)

    def close(self):
        for machine in self.machines.values():
            machine.close()
