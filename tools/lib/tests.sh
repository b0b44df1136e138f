# Runs tests and checks and counts them. Sourced by tools/test, after build.sh.
# shellcheck shell=bash

css_tests_begin() {
    css_passed=0
    css_failed=0
    css_skipped=0
}

# css_attribute NAME FILE: of the JUnit file's test suite; 0 when it is not there.
css_attribute() {
    local value
    value=$(sed -n "/<testsuite/,/>/p" "$2" | grep -o "\b$1=\"[0-9]*\"" | head -n 1 | tr -dc 0-9)
    echo "${value:-0}"
}

# css_as_root_if_possible COMMAND...: many tests need root; without it they are skipped.
css_as_root_if_possible() {
    if [ "$(id -u)" -ne 0 ] && sudo -n true 2>/dev/null; then
        sudo -n --preserve-env=CI "$@"
    else
        "$@"
    fi
}

# css_test_preset PRESET [CTEST OPTION...]: builds a preset and runs its tests.
css_test_preset() {
    local preset=$1 dir=$css_root/build/$1
    shift
    if ! css_build "$preset"; then
        css_failed=$((css_failed + 1))
        return
    fi
    css_say "testing ($preset)"
    rm -f "$dir/junit.xml"
    (cd "$css_root" &&
        css_as_root_if_possible ctest --test-dir "$dir" --output-on-failure --output-junit "$dir/junit.xml" \
            -j "$(nproc)" "$@" 2>&1 | tee "$dir/test.log" |
        sed -u '/^ *Start /d; /  *Passed  */d; /^Internal ctest/d; /^Test project/d')
    css_count "$preset" "$dir/junit.xml"
}

css_count() {
    local all failed skipped
    if [ ! -s "$2" ]; then
        css_say "$1: the tests did not run"
        css_failed=$((css_failed + 1))
        return
    fi
    all=$(css_attribute tests "$2")
    failed=$(css_attribute failures "$2")
    skipped=$(($(css_attribute skipped "$2") + $(css_attribute disabled "$2")))
    css_passed=$((css_passed + all - failed - skipped))
    css_failed=$((css_failed + failed))
    css_skipped=$((css_skipped + skipped))
    css_say "$1: $((all - failed - skipped)) passed, $failed failed, $skipped skipped" \
        "of $all in $(css_attribute time "$2") s"
    if [ "$all" -eq 0 ]; then
        css_say "$1: no test matches"
        css_failed=$((css_failed + 1))
    fi
}

# css_check NAME COMMAND...: one check that is no program of tests.
css_check() {
    local name=$1
    shift
    css_say "checking: $name"
    if "$@"; then
        css_passed=$((css_passed + 1))
    else
        css_say "FAILED: $name"
        css_failed=$((css_failed + 1))
    fi
}

css_sources() {
    find "$css_root"/{cssd,voting,netbeat,kill_block,tools,tests} -name '*.cc' -o -name '*.c' \
        -o -name '*.h' | sort
}

css_format() {
    css_sources | grep -v '\.c$' | xargs clang-format --dry-run --Werror
}

# css_lint FOLDER...: clang-tidy over the sources in these folders.
css_lint() {
    local dir=$css_root/build/lint
    cmake -S "$css_root" --preset clang -B "$dir" -DCMAKE_UNITY_BUILD=OFF >/dev/null || return 1
    (cd "$css_root" && find "$@" -name '*.cc' | sort |
        xargs -n 1 -P "$(nproc)" clang-tidy --quiet -p "$dir" 2>/dev/null)
}

# css_same_simulation PRESET...: a seed is the same run whatever compiled the simulator.
css_same_simulation() {
    local preset first=
    for preset in "$@"; do
        css_build "$preset" css_sim || return 1
        "$css_root/build/$preset/tests/simulator/css_sim" --hashes 1..60 \
            >"$css_root/build/$preset/hashes" || return 1
        first=${first:-$css_root/build/$preset/hashes}
        diff "$first" "$css_root/build/$preset/hashes" || return 1
    done
}

# css_machines [STORY...]: fencing on emulated machines; only builds for real hosts reset.
css_machines() {
    local bin=$css_root/build/release/bin image=$css_root/build/machines
    css_build release cssd cssdmonitor crsctl votefile css_test_client &&
        "$css_root/tests/machines/image.sh" "$bin" "$image" &&
        python3 "$css_root/tests/machines/run.py" "$bin" "$image" "$@"
}

css_tests_give_up() {
    css_say "cannot begin: $1"
    echo "0 passed, 1 failed"
    exit 1
}

css_tests_end() {
    if [ "$css_skipped" -gt 0 ]; then
        css_say "ATTENTION: $css_skipped tests were SKIPPED; nothing is known about what they test." \
            "They need root, network namespaces and loop devices."
        [ -z "${CI:-}" ] || css_failed=$((css_failed + css_skipped))
        echo "$css_passed passed, $css_failed failed, $css_skipped skipped"
    else
        echo "$css_passed passed, $css_failed failed"
    fi
    [ "$css_failed" -eq 0 ] || exit 1
    exit 0
}
