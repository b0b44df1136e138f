# A three-node cluster on this machine for the demonstration. Sourced by tools/demo, after build.sh.
# shellcheck shell=bash
#
# Full form: a network namespace for each node on one bridge, voting files on loop devices with
# direct I/O. Fallback, without root: addresses 127.0.0.x and plain files.
# State: lab_dir, lab_form (full or fallback), lab_prefix (names of namespaces and interfaces),
# lab_files (paths of the voting files).

lab_nodes=(1 2 3)

# Why the full form is impossible here; nothing when it is possible.
lab_missing() {
    if [ "$(id -u)" -ne 0 ]; then
        echo "not root"
    elif ! unshare --net true 2>/dev/null; then
        echo "no network namespaces"
    elif [ ! -w /dev/loop-control ]; then
        echo "no loop devices"
    elif ! command -v iptables >/dev/null; then
        echo "no iptables"
    fi
}

lab_ns() { echo "$lab_prefix-$1"; }
lab_address() {
    if [ "$lab_form" = full ]; then echo "10.71.0.$1"; else echo "127.0.0.$1:$((20000 + $$ % 20000))"; fi
}
# lab_in NODE COMMAND...: runs it where the node lives, as this very process.
lab_exec() {
    local node=$1
    shift
    [ "$lab_form" != full ] || exec ip netns exec "$(lab_ns "$node")" "$@"
    exec "$@"
}
lab_in() { (lab_exec "$@"); }

lab_networks() {
    local n
    ip link add "${lab_prefix}b" type bridge forward_delay 0
    ip link set "${lab_prefix}b" up
    for n in "${lab_nodes[@]}"; do
        ip netns add "$(lab_ns "$n")"
        ip link add "${lab_prefix}v$n" type veth peer name eth0 netns "$(lab_ns "$n")"
        ip link set "${lab_prefix}v$n" master "${lab_prefix}b" up
        ip -n "$(lab_ns "$n")" link set lo up
        ip -n "$(lab_ns "$n")" addr add "$(lab_address "$n")/24" dev eth0
        ip -n "$(lab_ns "$n")" link set eth0 up
    done
}

lab_voting_files() {
    local f
    lab_files=()
    for f in 1 2 3; do
        truncate -s 2M "$lab_dir/vote$f.img"
        if [ "$lab_form" = full ]; then
            lab_files+=("$(losetup --find --show --direct-io=on "$lab_dir/vote$f.img")")
        else
            lab_files+=("$lab_dir/vote$f.img")
        fi
    done
}

lab_configure() {
    local n f
    "$bin/crsctl" create css key "$lab_dir/cluster.key" >/dev/null
    for n in "${lab_nodes[@]}"; do
        echo "node$n $(lab_address "$n")" >>"$lab_dir/nodes"
        mkdir -p "$lab_dir/node$n/run"
        {
            echo "cluster_name = demo"
            echo "nodes_file   = $lab_dir/nodes"
            echo "node_number  = $n"
            for f in "${lab_files[@]}"; do echo "voting_file  = $f"; done
            echo "key_file     = $lab_dir/cluster.key"
            echo "run_dir      = $lab_dir/node$n/run"
            echo "log_dir      = $lab_dir/node$n/log"
            echo "fence_action = exit"
        } >"$lab_dir/node$n/cssd.conf"
    done
}

# lab_start NODE: the daemon, its event stream into a file, and the application.
lab_start() {
    local dir=$lab_dir/node$1 tries
    lab_exec "$1" "$bin/cssd" --config "$dir/cssd.conf" >>"$dir/cssd.out" 2>&1 &
    echo $! >"$dir/daemon"
    for ((tries = 0; tries < 200; ++tries)); do
        [ -S "$dir/run/cssd.sock" ] && CSS_RUN_DIR=$dir/run "$bin/crsctl" get css misscount >/dev/null && break
        sleep 0.05
    done
    "$bin/crsctl" --run-dir "$dir/run" watch css events --json >>"$dir/events" 2>/dev/null &
    "$bin/css_test_client" --run-dir "$dir/run" --node "$1" --out "$dir/acted" --period-us 1000 \
        >>"$dir/client.out" 2>&1 &
    echo $! >"$dir/client"
    disown -a  # Their ends are told by the story, not by the shell.
}

lab_runs() { kill -0 "$(cat "$lab_dir/node$1/daemon")" 2>/dev/null; }

# Cut by rules in the receivers' namespaces: nobody else notices. All rules of one node at once.
lab_cut() {
    local n
    printf '*filter\n-A INPUT -s %s -j DROP\n-A INPUT -s %s -j DROP\nCOMMIT\n' \
        "$(lab_address 1)" "$(lab_address 2)" | lab_in 3 iptables-restore -w --noflush
    for n in 1 2; do lab_in "$n" iptables -w -A INPUT -s "$(lab_address 3)" -j DROP; done
}
lab_heal() {
    local n
    for n in "${lab_nodes[@]}"; do lab_in "$n" iptables -w -F INPUT; done
}

# Ends processes, namespaces, loop devices and the directory of this lab: nothing else.
lab_down() {
    local n pid f
    for pid in $(grep -lzF "$lab_dir/" /proc/[0-9]*/cmdline 2>/dev/null | cut -d/ -f3); do
        [ "$pid" = $$ ] || kill -KILL "$pid" 2>/dev/null || true
    done
    for n in "${lab_nodes[@]}"; do
        if [ -e "/run/netns/$(lab_ns "$n")" ]; then
            for pid in $(ip netns pids "$(lab_ns "$n")"); do kill -KILL "$pid" 2>/dev/null || true; done
            ip netns delete "$(lab_ns "$n")" || true
        fi
    done
    [ ! -e "/sys/class/net/${lab_prefix}b" ] || ip link delete "${lab_prefix}b" || true
    for f in "$lab_dir"/vote?.img; do
        for n in $(losetup --noheadings --output NAME --associated "$f" 2>/dev/null); do
            losetup --detach "$n" || true
        done
    done
    rm -rf "$lab_dir"
}
