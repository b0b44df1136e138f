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
    kDeafen,  ///< Nothing reaches one node; what it sends arrives.
    kMute,    ///< Nothing that one node sends arrives.
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
    kHangAll,   ///< One node's paths to all files.
    kHangFile,  ///< One file for everybody.
    kErrorPath,
    kSlowPath,
    kHangAnswers,    ///< Sectors land and are read in time; the answers come late.
    kLostWrite,      ///< Reported done, lands nowhere.
    kWriterDies,     ///< A write lands, or not, after its daemon or host died.
    kMisreadSector,  ///< Reads show a sector of another slot or of a former formatting.
    kTornWrite,
    kMisdirectedWrite,
    kStaleRead,  ///< One node reads a file as it was a while ago.
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
    kVotingFiles,  ///< Last: drawn by itself.
};
inline constexpr std::size_t kFaultKinds = static_cast<std::size_t>(FaultKind::kVotingFiles) + 1;

/// What faults on the way to a voting file did, as it happens. A planned one may meet no request.
enum class DiskEffect : std::uint8_t {
    kLandedLate,      ///< A write that had hung; its writer still waited.
    kLandedOrphaned,  ///< A write whose writer was no more.
    kNeverLanded,
    kAnsweredLate,  ///< A request that had landed, or been read, long before.
    kWriteError,
    kReadError,
    kLost,
    kTorn,
    kTornInUnits,  ///< At the units of a device whose sectors are larger.
    kMisdirected,
    kMisread,
    kStale,
    kWiped,
    kReplaced,
    kRestored,
};
inline constexpr std::size_t kDiskEffects = static_cast<std::size_t>(DiskEffect::kRestored) + 1;

/// What a fault of a kind is about.
enum class FaultScope : std::uint8_t { kCluster, kNode, kPair, kPath, kFile };

struct FaultInfo {
    FaultKind kind;
    std::string_view name;
    FaultScope scope;
};

/// In the order of the enumeration.
inline constexpr std::array<FaultInfo, kFaultKinds> kFaults{{
    {FaultKind::kCutPair, "cut-pair", FaultScope::kPair},
    {FaultKind::kCutOneWay, "cut-one-way", FaultScope::kPair},
    {FaultKind::kPartition, "partition", FaultScope::kCluster},
    {FaultKind::kIsolate, "isolate", FaultScope::kNode},
    {FaultKind::kDeafen, "deafen", FaultScope::kNode},
    {FaultKind::kMute, "mute", FaultScope::kNode},
    {FaultKind::kCutInterconnect, "cut-interconnect", FaultScope::kPair},
    {FaultKind::kFlap, "flap", FaultScope::kPair},
    {FaultKind::kLoss, "loss", FaultScope::kPair},
    {FaultKind::kLossJustUnder, "just-under", FaultScope::kPair},
    {FaultKind::kDelay, "delay", FaultScope::kPair},
    {FaultKind::kReplay, "replay", FaultScope::kCluster},
    {FaultKind::kForge, "forge", FaultScope::kCluster},
    {FaultKind::kHealLinks, "heal-links", FaultScope::kCluster},
    {FaultKind::kHangPath, "hang-path", FaultScope::kPath},
    {FaultKind::kHangNode, "hang-node", FaultScope::kNode},
    {FaultKind::kHangAll, "hang-all", FaultScope::kNode},
    {FaultKind::kHangFile, "hang-file", FaultScope::kFile},
    {FaultKind::kErrorPath, "error-path", FaultScope::kPath},
    {FaultKind::kSlowPath, "slow-path", FaultScope::kPath},
    {FaultKind::kHangAnswers, "hang-answers", FaultScope::kPath},
    {FaultKind::kLostWrite, "lost-write", FaultScope::kPath},
    {FaultKind::kWriterDies, "writer-dies", FaultScope::kPath},
    {FaultKind::kMisreadSector, "misread", FaultScope::kPath},
    {FaultKind::kTornWrite, "torn-write", FaultScope::kPath},
    {FaultKind::kMisdirectedWrite, "misdirected", FaultScope::kPath},
    {FaultKind::kStaleRead, "stale-read", FaultScope::kPath},
    {FaultKind::kWipeFile, "wipe-file", FaultScope::kFile},
    {FaultKind::kReplaceFile, "replace-file", FaultScope::kFile},
    {FaultKind::kRestoreFile, "restore-file", FaultScope::kFile},
    {FaultKind::kCrashHost, "crash-host", FaultScope::kNode},
    {FaultKind::kPowerCut, "power-cut", FaultScope::kCluster},
    {FaultKind::kPauseDaemon, "pause-daemon", FaultScope::kNode},
    {FaultKind::kPauseHost, "pause-host", FaultScope::kNode},
    {FaultKind::kStall, "stall", FaultScope::kNode},
    {FaultKind::kKillDaemon, "kill-daemon", FaultScope::kNode},
    {FaultKind::kGuardianLost, "guardian-lost", FaultScope::kNode},
    {FaultKind::kClone, "clone", FaultScope::kNode},
    {FaultKind::kForeignHost, "foreign-host", FaultScope::kNode},
    {FaultKind::kWallJump, "wall-jump", FaultScope::kNode},
    {FaultKind::kLeave, "leave", FaultScope::kNode},
    {FaultKind::kStopCluster, "stop-cluster", FaultScope::kNode},
    {FaultKind::kJoinStorm, "join-storm", FaultScope::kCluster},
    {FaultKind::kEvict, "evict", FaultScope::kPair},  // Asked of the first, about the second.
    {FaultKind::kParameters, "parameters", FaultScope::kNode},
    {FaultKind::kStandby, "standby", FaultScope::kNode},
    {FaultKind::kWeight, "weight", FaultScope::kNode},
    {FaultKind::kVotingFiles, "voting-files", FaultScope::kNode},
}};
static_assert([] {
    for (std::size_t i = 0; i < kFaults.size(); ++i) {
        if (static_cast<std::size_t>(kFaults[i].kind) != i) {
            return false;
        }
    }
    return true;
}());

constexpr const FaultInfo& info(FaultKind kind) {
    return kFaults[static_cast<std::size_t>(kind)];
}

}  // namespace css::sim
