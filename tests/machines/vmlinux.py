"""vmlinux.py BZIMAGE OUT: the kernel inside a compressed image. A machine that starts with it has nothing to
unpack, which takes longer than all the rest in an emulated processor."""

import lzma
import sys

XZ = b"\xfd7zXZ\x00"


def unpacked(image):
    at = image.find(XZ)
    while at >= 0:
        try:
            kernel = lzma.LZMADecompressor(lzma.FORMAT_XZ).decompress(image[at:])
        except lzma.LZMAError:
            kernel = b""
        if kernel.startswith(b"\x7fELF"):
            return kernel
        at = image.find(XZ, at + 1)
    sys.exit("no kernel found that was packed with xz")


with open(sys.argv[1], "rb") as packed, open(sys.argv[2], "wb") as out:
    out.write(unpacked(packed.read()))
