import Testing
import ZeroMQ

@Suite struct SocketOptionTests {
  @Test func whatIsSetIsRead() throws {
    let socket = try Socket(.sub, in: Context())
    try socket.set(.receiveHighWaterMark, 12_345)
    #expect(try socket.get(.receiveHighWaterMark) == 12_345)
    try socket.set(.maxMessageSize, 1 << 40)
    #expect(try socket.get(.maxMessageSize) == 1 << 40)
    try socket.set(.affinity, 1 << 63)
    #expect(try socket.get(.affinity) == 1 << 63)
    try socket.set(.ipv6, true)
    #expect(try socket.get(.ipv6))
    try socket.set(.heartbeatIntervalMilliseconds, 1000)
    #expect(try socket.get(.heartbeatIntervalMilliseconds) == 1000)
  }

  @Test func nilIsNoLimit() throws {
    let socket = try Socket(.sub, in: Context())
    #expect(try socket.get(.maxMessageSize) == nil)
    #expect(try socket.get(.receiveTimeoutMilliseconds) == nil)
    try socket.set(.lingerMilliseconds, 7)
    #expect(try socket.get(.lingerMilliseconds) == 7)
    try socket.set(.lingerMilliseconds, nil)
    #expect(try socket.get(.lingerMilliseconds) == nil)
    try socket.set(.lingerMilliseconds, 0)
  }

  @Test func aRefusedValueIsNamed() throws {
    let socket = try Socket(.sub, in: Context())
    let refused = #expect(throws: ZeroMQError.self) { try socket.set(.sendHighWaterMark, -5) }
    #expect(refused?.code == .invalid)
    #expect(refused?.description == "set ZMQ_SNDHWM to -5: Invalid argument")
  }

  @Test func optionsOfOtherTypesAreRefused() throws {
    let socket = try Socket(.sub, in: Context())
    let refused = #expect(throws: ZeroMQError.self) { try socket.set(.xpubNoDrop, true) }
    #expect(refused?.description == "set ZMQ_XPUB_NODROP to 1: Invalid argument")
    let push = try Socket(.push, in: Context())
    let subscribed = #expect(throws: ZeroMQError.self) { try push.subscribe("") }
    #expect(subscribed?.description == "subscribe: Invalid argument")
  }
}
