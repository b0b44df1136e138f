#!/bin/sh
# installed.sh BUILD_DIR SOURCE_DIR: installs libcss into an empty prefix, builds a program against
# it by pkg-config and by find_package, and compares what it exports with what css.h declares.
set -eu
build=$1
source=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
prefix=$work/prefix
unset DESTDIR

cmake --install "$build" --prefix "$prefix" --component libcss >"$work/log"
library=$(find "$prefix" -name libcss.so)
PKG_CONFIG_PATH=$(dirname "$library")/pkgconfig
export PKG_CONFIG_PATH

# shellcheck disable=SC2046 # Flags are words.
cc -Wall -Wextra -Werror $(pkg-config --cflags css) -o "$work/consumer" \
    "$source/tests/client/installed/consumer.c" $(pkg-config --libs css)
LD_LIBRARY_PATH=$(dirname "$library") "$work/consumer"

# Elsewhere from the first prefix: nothing in the package may name the place it was built for.
cp -a "$prefix" "$work/moved"
cmake -S "$source/tests/client/installed" -B "$work/build" -DCMAKE_PREFIX_PATH="$work/moved" \
    >"$work/log"
cmake --build "$work/build" >"$work/log"
"$work/build/consumer"

# C++ programs may include the header, and C programs need no C++ library.
printf '#include <css.h>\nint main() { return css_may_act(nullptr, nullptr); }\n' >"$work/a.cc"
# shellcheck disable=SC2046
c++ -std=c++17 -Wall -Wextra -Werror $(pkg-config --cflags css) -o "$work/a" "$work/a.cc" \
    $(pkg-config --libs css)
if readelf -d "$library" | grep -q 'NEEDED.*libstdc++'; then
    echo "libcss.so needs libstdc++"
    exit 1
fi

nm -D --defined-only "$library" | sed -n 's/.* T \(css_[a-z_]*\)@@CSS_1$/\1/p' | sort >"$work/exported"
sed -n 's/^[a-z].*[ *]\(css_[a-z_]*\)(.*/\1/p' "$prefix/include/css.h" | sort -u >"$work/declared"
[ -s "$work/declared" ]
diff -u "$work/declared" "$work/exported"
others=$(nm -D --defined-only "$library" | grep -cv ' css_\| CSS_1$' || true)
[ "$others" -eq 0 ] || { echo "libcss.so exports $others symbols that are not its own"; exit 1; }
