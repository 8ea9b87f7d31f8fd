// What every call of libzmq goes through: one place for EINTR, one for -1.
import CZeroMQ
import Glibc

/// Makes a call again while signals interrupt it. Returns its result, -1 for an error.
@inline(__always)
func retrying(_ call: () -> CInt) -> CInt {
  while true {
    let result = call()
    if result != -1 || zmq_errno() != EINTR { return result }
  }
}

/// Makes a call that answers -1 for an error, and throws that error.
@inline(__always)
func check(
  _ operation: @autoclosure () -> String, _ call: () -> CInt
) throws(ZeroMQError) {
  if retrying(call) == -1 { throw ZeroMQError(operation()) }
}
