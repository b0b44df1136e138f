# Shared by the scripts in tools/: what they say, install and build. Sourced, never run.
# shellcheck shell=bash

css_root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
css_name=$(basename "$0")

css_say() { printf '%s: %s\n' "$css_name" "$*" >&2; }
css_die() {
    css_say "$*"
    exit 1
}

# css_privileged COMMAND...: as root, by sudo when we are not.
css_privileged() {
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        css_die "needs root or sudo for: $*"
    fi
}

# css_quietly LOG COMMAND...: nothing is shown unless the command fails, then the end of its output.
css_quietly() {
    local log=$1
    shift
    if ! "$@" >"$log" 2>&1; then
        grep -E 'error|FAILED|fatal' "$log" | head -n 20 >&2
        tail -n 40 "$log" >&2
        css_say "failed: $* (all output: $log)"
        return 1
    fi
}

# css_install LIST...: the Debian packages named in these files, as far as they are missing.
css_install() {
    local wanted missing=() package log
    wanted=$(cat "$@" | sed 's/#.*//' | tr -s ' \t\n' '\n')
    for package in $wanted; do
        [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] ||
            missing+=("$package")
    done
    [ ${#missing[@]} -gt 0 ] || return 0
    css_say "installing ${missing[*]}"
    log=$(mktemp /tmp/css-install.XXXXXX)
    local apt=(env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300)
    css_quietly "$log" css_privileged "${apt[@]}" update || return 1
    css_quietly "$log" css_privileged "${apt[@]}" install --no-install-recommends "${missing[@]}" ||
        return 1
    rm -f "$log"
}

# css_build PRESET [TARGET...]: configures and builds; everything when no target is named.
css_build() {
    local preset=$1 dir=$css_root/build/$1 options=()
    shift
    mkdir -p "$dir"
    if command -v ccache >/dev/null; then
        # Another clone of the same sources finds its objects.
        export CCACHE_BASEDIR=$css_root CCACHE_NOHASHDIR=1
        options+=(-DCMAKE_C_COMPILER_LAUNCHER=ccache -DCMAKE_CXX_COMPILER_LAUNCHER=ccache)
    fi
    # Sanitizers and the second compiler: nobody builds there twice, and several files at a time are
    # compiled faster.
    case $preset in
    asan | tsan | clang) options+=(-DCMAKE_UNITY_BUILD=ON -DCMAKE_UNITY_BUILD_BATCH_SIZE=16) ;;
    esac
    css_say "building ($preset)"
    (
        cd "$css_root" || exit 1
        css_quietly "$dir/configure.log" cmake --preset "$preset" "${options[@]}" &&
            css_quietly "$dir/build.log" cmake --build "$dir" ${*:+--target "$@"}
    )
}
