#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace css::sim {

/// Everything that can be done to a cluster. One entry of a run's schedule is one of these.
enum class FaultKind : std::uint8_t {
    kCutPair,
    kCutOneWay,
    kPartition,
    kIsolate,
    kCutInterconnect,
    kFlap,
    kLoss,
    kLossJustUnder,  ///< Silence that ends just before or just after misscount.
    kDelay,
    kReplay,
    kForge,
    kHealLinks,
    kHangPath,  ///< One node's path to one file.
    kHangNode,  ///< One node's paths to several files.
    kHangFile,  ///< One file for everybody.
    kErrorPath,
    kSlowPath,
    kTornWrite,
    kMisdirectedWrite,
    kMisreadSector,  ///< Reads show a sector of another slot or of a former formatting.
    kWipeFile,
    kReplaceFile,
    kRestoreFile,  ///< An old copy comes back.
    kCrashHost,
    kPowerCut,
    kPauseDaemon,
    kPauseHost,
    kStall,  ///< The daemon stops between two effects of one output, again and again.
    kKillDaemon,
    kGuardianLost,
    kClone,
    kForeignHost,
    kWallJump,
    kLeave,
    kStopCluster,
    kJoinStorm,
    kEvict,
    kParameters,
    kStandby,
    kWeight,
};
inline constexpr std::size_t kFaultKinds = static_cast<std::size_t>(FaultKind::kWeight) + 1;

inline constexpr std::array<std::string_view, kFaultKinds> kFaultNames{
    "cut-pair",     "cut-one-way",  "partition",    "isolate",     "cut-interconnect",
    "flap",         "loss",         "just-under",   "delay",       "replay",
    "forge",        "heal-links",   "hang-path",    "hang-node",   "hang-file",
    "error-path",   "slow-path",    "torn-write",   "misdirected", "misread",
    "wipe-file",    "replace-file", "restore-file", "crash-host",  "power-cut",
    "pause-daemon", "pause-host",   "stall",        "kill-daemon", "guardian-lost",
    "clone",        "foreign-host", "wall-jump",    "leave",       "stop-cluster",
    "join-storm",   "evict",        "parameters",   "standby",     "weight",
};

}  // namespace css::sim
