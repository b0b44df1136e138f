#!/usr/bin/env bash
# image.sh BIN OUT: what the machines boot, in OUT: `vmlinux`, out of Debian's kernel package (which is
# not installed), and `initrd`, busybox with the programs of BIN and the modules that a node needs.
set -euo pipefail
bin=$(realpath "$1")
mkdir -p "$2"
out=$(realpath "$2")
here=$(cd "$(dirname "$0")" && pwd)
modules='virtio_pci virtio_blk virtio_net i6300esb crc32c_generic ext4'

if [ ! -d "$out/kernel" ]; then
    package=$(apt-cache depends linux-image-amd64 | awk '/Depends: linux-image/ { print $2; exit }')
    (cd "$out" && apt-get -q download "$package" 2>/dev/null && dpkg-deb -x "$package"_*.deb kernel.new)
    rm -f "$out/$package"_*.deb
    mv "$out/kernel.new" "$out/kernel"
fi
[ -f "$out/vmlinux" ] || python3 "$here/vmlinux.py" "$out"/kernel/boot/vmlinuz-* "$out/vmlinux"

tree=$(mktemp -d)
trap 'rm -rf "$tree"' EXIT
mkdir -p "$tree"/{bin,dev,proc,sys,run,tmp,etc/cssd,lib/modules,var/log/cssd}
cp /bin/busybox "$tree/bin/"
ln -s busybox "$tree/bin/sh"

# add_module NAME: after all that it depends on; the machine loads them in the order of etc/modules.
add_module() {
    local file name
    file=$(find "$out/kernel/lib/modules" -name "$(sed 's/[-_]/[-_]/g' <<<"$1").ko" | head -n 1)
    # Built in, or there already.
    [ -n "$file" ] && [ ! -e "$tree/lib/modules/$(basename "$file")" ] || return 0
    for name in $(tr '\0' '\n' <"$file" | sed -n 's/^depends=//p' | head -n 1 | tr ',' ' '); do
        add_module "$name"
    done
    cp "$file" "$tree/lib/modules/"
    basename "$file" >>"$tree/etc/modules"
}
for module in $modules; do
    add_module "$module"
done

for program in cssd cssdagent crsctl css_test_client; do
    strip -o "$tree/bin/$program" "$bin/$program"
    # None for what is linked statically.
    for library in $(ldd "$bin/$program" 2>/dev/null | grep -o '/[^ ]*' || true); do
        mkdir -p "$tree$(dirname "$library")"
        cp -n "$library" "$tree$library"
    done
done
ln -s cssdagent "$tree/bin/cssdmonitor"
cp "$here/init" "$tree/init"
cp "$here/cssd.conf" "$here/nodes" "$tree/etc/cssd/"
"$bin/crsctl" create css key "$tree/etc/cssd/cluster.key" >/dev/null
chmod +x "$tree/init"
(cd "$tree" && find . | cpio --quiet -o -H newc | gzip -1) >"$out/initrd.new"
mv "$out/initrd.new" "$out/initrd"
