// swift-tools-version: 6.2
import Foundation
import PackageDescription

let strict: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
  .enableExperimentalFeature("Lifetimes"),
  .treatAllWarnings(as: .error),
]

/// For the modules that touch memory: every unsafe operation carries the word `unsafe`.
let memory: [SwiftSetting] = strict + [.strictMemorySafety()]

let package = Package(
  name: "zcap",
  products: [.executable(name: "zcap", targets: ["zcap"])],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
    .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
  ],
  targets: [
    .systemLibrary(name: "CLinux"),
    .systemLibrary(name: "CZeroMQ", providers: [.apt(["libzmq3-dev"])]),
    .systemLibrary(name: "CXXHash", providers: [.apt(["libxxhash-dev"])]),
    .target(name: "Threads", dependencies: ["CLinux"], swiftSettings: memory),
    .target(name: "ZeroMQ", dependencies: ["CZeroMQ"], swiftSettings: memory),
    .target(
      name: "CaptureStore", dependencies: ["CLinux", "CXXHash", "Threads"], exclude: ["Format.md"],
      swiftSettings: memory),
    .target(name: "PayloadCodecs", swiftSettings: memory),
    .target(
      name: "CaptureIndex",
      dependencies: [
        "CaptureStore", "PayloadCodecs", .product(name: "GRDB", package: "GRDB.swift"),
      ],
      swiftSettings: memory),
    .target(
      name: "Recording", dependencies: ["Threads", "ZeroMQ", "CaptureStore", "CaptureIndex"],
      swiftSettings: memory),
    .target(
      name: "Replaying",
      dependencies: [
        "CLinux", "Threads", "ZeroMQ", "CaptureStore", "CaptureIndex",
        .product(name: "Histogram", package: "hdrhistogram-swift"),
      ],
      swiftSettings: memory),
    .executableTarget(
      name: "zcap",
      dependencies: [
        "Recording", "Replaying", "CaptureIndex", "CaptureStore", "PayloadCodecs", "Threads",
        "ZeroMQ",
        "CLinux",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: strict),

    .target(name: "CStops", path: "Tests/CStops"),
    .target(
      name: "TestSupport", dependencies: ["CaptureStore"], path: "Tests/TestSupport",
      swiftSettings: strict),
    .target(
      name: "FuzzHarness",
      dependencies: ["CaptureIndex", "CaptureStore", "PayloadCodecs", "TestSupport"],
      path: "Tests/Fuzzing/Harness", swiftSettings: strict),
    .testTarget(
      name: "FuzzingTests", dependencies: ["FuzzHarness", "TestSupport"], swiftSettings: strict),
    .testTarget(name: "ThreadsTests", dependencies: ["Threads"], swiftSettings: strict),
    .testTarget(
      name: "ZeroMQTests", dependencies: ["ZeroMQ", "TestSupport"], swiftSettings: strict),
    .testTarget(
      name: "CaptureStoreTests",
      dependencies: ["CaptureStore", "Threads", "TestSupport", "CStops"],
      swiftSettings: strict),
    .testTarget(
      name: "PayloadCodecsTests", dependencies: ["PayloadCodecs"], exclude: ["Fixtures"],
      swiftSettings: strict),
    .testTarget(
      name: "CaptureIndexTests",
      dependencies: [
        "CaptureIndex", "CaptureStore", "Threads", "TestSupport",
        .product(name: "GRDB", package: "GRDB.swift"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "RecordingTests",
      dependencies: [
        "Recording", "CaptureIndex", "CaptureStore", "ZeroMQ", "Threads", "TestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "ReplayingTests",
      dependencies: [
        "Replaying", "CaptureIndex", "CaptureStore", "CLinux", "ZeroMQ", "Threads", "TestSupport",
      ],
      swiftSettings: strict),
    .testTarget(
      name: "zcapTests",
      dependencies: ["zcap", "CaptureStore", "Replaying", "ZeroMQ", "TestSupport"],
      exclude: ["Scripts"],
      swiftSettings: strict),
  ]
)

// Only scripts/bit-flips and scripts/races build them.
if ProcessInfo.processInfo.environment["ZCAP_CAMPAIGNS"] != nil {
  package.targets += [
    .executableTarget(
      name: "zcap-bit-flips", dependencies: ["TestSupport"], path: "Tests/Campaigns",
      swiftSettings: strict),
    .executableTarget(
      name: "zcap-races", dependencies: ["CaptureStore", "Threads", "TestSupport"],
      path: "Tests/Races", swiftSettings: strict),
  ]
}

// Only scripts/schema-differential builds it.
if ProcessInfo.processInfo.environment["ZCAP_SCHEMA_DRIVER"] != nil {
  package.targets += [
    .executableTarget(
      name: "zcap-schema-driver", dependencies: ["PayloadCodecs"], path: "Tests/SchemaDriver",
      swiftSettings: strict)
  ]
}

// The fuzzer needs a runtime of its own to be linked: only scripts/fuzz builds it.
if ProcessInfo.processInfo.environment["ZCAP_FUZZ"] != nil {
  package.targets += [
    .executableTarget(
      name: "zcap-fuzz", dependencies: ["FuzzHarness"], path: "Tests/Fuzzing/Driver",
      swiftSettings: strict)
  ]
}
