import ArgumentParser
import CaptureIndex
import CaptureStore
import Replaying

/// Where a replay sends to, and on which sockets.
struct TargetOptions: ParsableArguments {
  @Option(
    name: .customLong("bind"),
    help: ArgumentHelp("Bind this endpoint and send all on it.", valueName: "endpoint"))
  var binds: [EndpointAddress] = []

  @Option(help: ArgumentHelp("Connect to this endpoint and send all to it.", valueName: "endpoint"))
  var connect: EndpointAddress?

  @Option(
    name: .customLong("map"),
    help: ArgumentHelp(
      """
      Send what was recorded from one endpoint on another (repeatable). The new one is bound; \
      with '>' before it, connected to.
      """, valueName: "recorded=new"))
  var maps: [EndpointMapping] = []

  @Flag(
    help: """
      A socket for each recorded endpoint: bound where the recorder connected, connected where it was \
      bound. With --map, that is for the others.
      """)
  var asRecorded = false

  @Option(help: ArgumentHelp("Socket type: pub, push or dealer.", valueName: "type"))
  var type: ReplayPlan.SocketKind = .pub

  @Option(
    name: .customLong("topic-map"),
    help: ArgumentHelp(
      """
      Give first frames that start with OLD the beginning NEW (repeatable; the first that fits \
      counts). Only that frame is rewritten.
      """, valueName: "old=new"))
  var topicMaps: [TopicMappingArgument] = []

  @Option(
    name: .customLong("restamp"),
    help: ArgumentHelp(
      """
      Write the time into a field of messages whose first frame starts with PREFIX (repeatable), as \
      PREFIX:frame=N:offset=N:FORMAT:CLOCK. FORMAT is f64le, i64le, u64le, i32le, u32le or the same \
      with be; CLOCK is unix (now) or timeline (when it was recorded), in seconds, or with -ms, -us or \
      -ns behind it, which 32 bits have no room for. PREFIX is that of the recorded topic, whatever \
      --topic-map makes of it. For instance 'imu/:frame=1:offset=8:f64le:unix'.
      """, valueName: "field"))
  var restamps: [FieldStampArgument] = []

  private var bind: EndpointAddress? { binds.first }

  func check() throws {
    if binds.count > 1 { throw ValidationError("--bind: one endpoint; --map has more") }
    let ways = [bind != nil, connect != nil, !maps.isEmpty || asRecorded].filter { $0 }.count
    guard ways == 1 else {
      throw ValidationError("say where to: one of --bind, --connect, --map or --as-recorded")
    }
    try bind?.validate(isBound: true)
    try connect?.validate(isBound: false)
    for map in maps { try map.new.validate(isBound: map.isBound) }
    for stamp in restamps.map(\.stamp) where stamp.format.size == 4 && stamp.unit != .seconds {
      throw ValidationError("--restamp: a number of 32 bits has room for seconds only")
    }
    for (index, map) in maps.enumerated() {
      if maps[..<index].contains(where: { $0.recorded == map.recorded }) {
        throw ValidationError("--map \(map.recorded): mapped twice")
      }
    }
  }

  func routing(_ captures: [Capture]) throws -> ReplayPlan.Routing {
    if let bind { return .single(.init(address: bind.text, isBound: true)) }
    if let connect { return .single(.init(address: connect.text, isBound: false)) }
    var pairs = maps.map {
      (recorded: $0.recorded, target: ReplayPlan.Target(address: $0.new.text, isBound: $0.isBound))
    }
    guard asRecorded else { return .byEndpoint(pairs) }
    for endpoint in captures.flatMap(\.manifest.endpoints)
    where !pairs.contains(where: { $0.recorded == endpoint.address }) {
      let target = ReplayPlan.Target(address: endpoint.address, isBound: !endpoint.isBound)
      pairs.append((endpoint.address, target))
    }
    return .byEndpoint(pairs)
  }

  /// Recorded endpoints whose messages are not sent.
  func leftOut(_ indexes: [IndexReader]) throws -> [String] {
    if maps.isEmpty || asRecorded { return [] }
    let recorded = Set(try indexes.flatMap { try $0.topicRows() }.map(\.endpoint))
    return recorded.filter { address in !maps.contains { $0.recorded == address } }.sorted()
  }

  func apply(to plan: inout ReplayPlan) {
    plan.kind = type
    plan.topicMappings = topicMaps.map(\.mapping)
    plan.stamps = restamps.map(\.stamp)
  }
}

/// `OLD=NEW`, beginnings of topics; an `=` of OLD's own cannot be said.
struct TopicMappingArgument: ExpressibleByArgument {
  var mapping: ReplayPlan.TopicMapping

  init?(argument: String) {
    guard let split = argument.firstIndex(of: "=") else { return nil }
    mapping = ReplayPlan.TopicMapping(
      old: RawArguments.bytes(of: String(argument[..<split])),
      new: RawArguments.bytes(of: String(argument[argument.index(after: split)...])))
  }
}

/// `PREFIX:frame=N:offset=N:FORMAT:CLOCK`; the prefix may contain colons.
struct FieldStampArgument: ExpressibleByArgument {
  var stamp: FieldStamp

  init?(argument: String) {
    let parts = argument.split(separator: ":", omittingEmptySubsequences: false)
    guard parts.count >= 5 else { return nil }
    let fields = parts.suffix(4).map(String.init)
    let clock = fields[3].split(separator: "-", omittingEmptySubsequences: false)
      .map(String.init)
    guard let frame = Self.number(fields[0], "frame="),
      let offset = Self.number(fields[1], "offset="),
      let format = FieldStamp.Format(rawValue: fields[2]),
      let source = FieldStamp.Clock(rawValue: clock[0]), clock.count <= 2,
      let unit = FieldStamp.Unit(rawValue: clock.count == 2 ? clock[1] : "s")
    else { return nil }
    let prefix = parts.dropLast(4).joined(separator: ":")
    stamp = FieldStamp(
      prefix: RawArguments.bytes(of: prefix), frame: frame, offset: offset, format: format,
      clock: source,
      unit: unit)
  }

  private static func number(_ text: String, _ name: String) -> Int? {
    guard text.hasPrefix(name), let number = Int(text.dropFirst(name.count)),
      (0...Int(Int32.max)).contains(number)
    else { return nil }
    return number
  }
}

/// `RECORDED=NEW`, `RECORDED=>NEW` to connect.
struct EndpointMapping: ExpressibleByArgument {
  var recorded: String
  var new: EndpointAddress
  var isBound: Bool

  init?(argument: String) {
    // Addresses may contain '=': the one meant stands before a scheme.
    let split = argument.indices.first { index in
      let rest = argument[argument.index(after: index)...].drop { $0 == ">" }
      let scheme = rest.prefix { $0.isLetter }
      return argument[index] == "=" && !scheme.isEmpty
        && rest.dropFirst(scheme.count).hasPrefix("://")
    }
    guard let split, split > argument.startIndex else { return nil }
    recorded = String(argument[..<split])
    let rest = argument[argument.index(after: split)...]
    isBound = !rest.hasPrefix(">")
    guard let new = EndpointAddress(argument: String(isBound ? rest : rest.dropFirst())) else {
      return nil
    }
    self.new = new
  }
}
