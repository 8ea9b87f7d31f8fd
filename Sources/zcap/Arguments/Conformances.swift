public import ArgumentParser
public import CaptureIndex
public import PayloadCodecs
public import Replaying

// Types of the library that have the spelling of an argument already.

extension TopicRule: ExpressibleByArgument {
  public init?(argument: String) { self.init(argument) }
}

extension ColourOrder: ExpressibleByArgument {}
extension ReplayPlan.SocketKind: ExpressibleByArgument {}
extension ReplayPlan.LatePolicy: ExpressibleByArgument {}
extension ReplayPlan.StallPolicy: ExpressibleByArgument {}
extension ReplayPlan.Alignment: ExpressibleByArgument {}
