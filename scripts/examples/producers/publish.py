"""What the examples share: publishes messages at the endpoint of the command line, once somebody listens."""

import sys

import zmq


def publish(messages, copy=True):
    publisher = zmq.Context.instance().socket(zmq.XPUB)
    publisher.bind(sys.argv[1])
    publisher.recv()
    for frames in messages:
        publisher.send_multipart(frames, copy=copy)
    publisher.close()
    zmq.Context.instance().term()
