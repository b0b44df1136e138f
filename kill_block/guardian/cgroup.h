#pragma once

namespace css::guardian {

/// Killing a whole cgroup, by a descriptor of its directory, without allocating. The daemon has
/// checked that it is one, and whose.
enum class CgroupVersion : unsigned char { kV2, kV1Freezer };

/// Halts everything in it and below it, as far as the kernel can.
void freeze_cgroup(int directory, CgroupVersion version);
/// Kills everything in it and below it. May be repeated; needed where a process can fork between
/// two looks: version 1 without its freezer at work, version 2 before Linux 5.14.
void kill_cgroup(int directory, CgroupVersion version);
/// True while a process is in it or below it; also when that cannot be read. A cgroup that was
/// removed is empty.
bool is_cgroup_populated(int directory, CgroupVersion version);

}  // namespace css::guardian
