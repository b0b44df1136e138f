"""run.py BIN IMAGE [STORY...]: fencing of machines with kernels of their own (README, "Real machines").

Every story begins and ends with three members whose clients act. Of the node that goes, no client may act after
the others were told that the membership without it is complete."""

import os
import shutil
import sys
import tempfile
import time
import traceback

from lab import NODES, Lab, now

MISSCOUNT = 10
DISKTIMEOUT = 30
REBOOTTIME = 4
# A processor that is emulated beside others shows a line late, and boots slowly.
SLACK = 0.5


def say(text):
    print("   " + text, flush=True)


def expect(holds, what):
    if not holds:
        raise AssertionError(what)


def expect_silence(lab, node, since, until):
    late = [at for at in lab[node].acts(since) if at < until]
    expect(not late, f"the client of node{node} acted {len(late)} times after the others were told that it had stopped")


def boot_of(lab, node, boots):
    return lab.wait(f"node{node} boots again", lambda: lab[node].boots()[boots:], 180)[0]


def reboot(lab):
    """Cut off, node 3 resets itself by its kernel's sysrq, and says why when it is back."""
    boots = len(lab[3].boots())
    cut = now()
    lab[3].cable(False)
    done = lab.wait_complete((1, 2), (1, 2), cut)
    say(f"cut, complete without node3: {done - cut:.1f} s (misscount {MISSCOUNT} s)")
    booted = boot_of(lab, 3, boots)
    last = max(lab[3].acts(cut), default=cut)
    say(f"its client acted last {last - cut:.1f} s after the cut, it was up again after {booted - cut:.1f} s")
    lab[3].cable(True)
    expect_silence(lab, 3, done, booted)
    lab.wait_whole()
    history = lab[3].command("crsctl query css history")
    reason = [line for line in history.splitlines() if "fence action reboot" in line]
    expect(reason, "the history of node3 does not tell why it was reset:\n" + history)
    say("it says: " + reason[0].strip())


def watchdog(lab):
    """Daemon and guardians of node 2 stand still: only the watchdog device is left."""
    boots = len(lab[2].boots())
    stopped = now()
    lab[2].command("kill -STOP $(pidof cssdagent) $(pidof cssdmonitor) $(pidof cssd)")
    booted = boot_of(lab, 2, boots)
    last = max(lab[2].acts(stopped), default=stopped)
    done = lab.wait_complete((1, 3), (1, 3), stopped)
    say(f"all stopped, up again after {booted - stopped:.1f} s; last act {last - stopped:.1f} s")
    say(f"complete without node2: {done - stopped:.1f} s")
    expect(last <= done + SLACK, "its client acted after the others were told that it had stopped")


def hang(lab):
    """Node 3 stands still for longer than misscount; its clocks go on."""
    boots = len(lab[3].boots())
    begin = now()
    lab[3].pause(True)
    done = lab.wait_complete((1, 2), (1, 2), begin)
    say(f"stands still, complete without node3: {done - begin:.1f} s")
    time.sleep(2)
    # What it wrote before, and what stood in its serial port, has arrived.
    woken = now()
    lab[3].pause(False)
    booted = boot_of(lab, 3, boots)
    acts = [at for at in lab[3].acts(woken) if at < booted]
    say(f"woken after {woken - begin:.1f} s: {len(acts)} acts, up again {booted - woken:.1f} s later")
    # One act may have been asked for before and be done afterwards.
    expect(len(acts) <= 1, f"it acted {len(acts)} times after it woke")


def suspension(lab):
    """Node 3 is suspended with its clocks: outside what is taken for granted, since it cannot know. It learns from the
    voting files, at its first look."""
    boots = len(lab[3].boots())
    begin = now()
    lab[3].suspend(True)
    done = lab.wait_complete((1, 2), (1, 2), begin)
    say(f"suspended, complete without node3: {done - begin:.1f} s")
    woken = now()
    lab[3].suspend(False)
    booted = boot_of(lab, 3, boots)
    acts = [at for at in lab[3].acts(woken) if at < booted]
    last = max(acts, default=woken) - woken
    say(f"woken: {len(acts)} acts until {last:.2f} s later, then none; up again {booted - woken:.1f} s later")
    expect(last <= 2 + SLACK, f"it acted for {last:.1f} s after it woke: longer than two looks at the voting files")


STORIES = {story.__name__: story for story in (reboot, watchdog, hang, suspension)}


def tell(lab, names):
    """Yields the stories that went well; the first that does not ends it, the next would need a whole cluster."""
    begin = now()
    lab.start()
    lab.wait_whole()
    say(f"three machines booted, formed a cluster and act after {now() - begin:.1f} s")
    for name in names:
        print(f"{name}: {STORIES[name].__doc__}", flush=True)
        STORIES[name](lab)
        lab.wait_whole()
        yield name


def main():
    binaries, image, names = sys.argv[1], sys.argv[2], sys.argv[3:] or list(STORIES)
    directory = tempfile.mkdtemp(prefix="css-machines.", dir=image)
    lab = Lab(image, directory, f"{binaries}/votefile", MISSCOUNT, DISKTIMEOUT, REBOOTTIME)
    passed = 0
    try:
        for _ in tell(lab, names):
            passed += 1
    except Exception as failure:
        traceback.print_exc()
        print(f"FAILED {names[passed]}: {failure}")
        for node, machine in lab.machines.items():
            print(f"--- the last lines of node{node}")
            print("\n".join(line for _, line in machine.lines if not line[:1].isdigit())[-3000:])
    finally:
        lab.close()
        shutil.rmtree(directory)
    failed = len(names) - passed
    print(f"machines: {passed} passed, {failed} failed", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
