"""Cameras that publish images with imagezmq.

Package: imagezmq (with NumPy and opencv-python-headless).
Socket:  PUB, bound by the camera (`REQ_REP=False`).
Frames:  two. JSON with the name of the camera, then the image:
         `send_image`  `{"msg": ..., "dtype": "uint8", "shape": [48, 64, 3]}` and the pixels;
         `send_jpg`    `{"msg": ...}` and a JPEG file.
Topics:  none that one could subscribe to: the JSON comes first.

Three cameras share the socket: one sends pixels, one sends depths of 16 bits in an image that
grows and shrinks, one sends JPEG.
"""

import sys
import time

# This file is named like the package: look for that one first.
sys.path.append(sys.path.pop(0))

import cv2
import imagezmq
import numpy as np

import recorder

IMAGES = 40


def scene(time, height=48, width=64):
    """A bright disc that goes round on a colourful background with some noise."""
    noise = np.random.default_rng(seed=time)
    y, x = np.mgrid[:height, :width]
    background = np.dstack([x * 255 // width, y * 255 // height, (x + y + time) % 256])
    pixels = (background + noise.integers(0, 9, background.shape)).clip(0, 255).astype(np.uint8)
    middle, angle = np.array([width, height]) / 2, time / 5
    center = middle + middle * [np.cos(angle), np.sin(angle)] * 2 / 3
    return cv2.circle(pixels, center.astype(int).tolist(), 6, (255, 255, 255), cv2.FILLED)


def publish(endpoint):
    with imagezmq.ImageSender(connect_to=endpoint, REQ_REP=False) as sender:
        while not recorder.is_listening(0.2):
            sender.send_image("lens cap", np.zeros((4, 4), np.uint8))
        for step in range(IMAGES):
            sender.send_image("front door", scene(step))
            side = 16 + step % 10 * 4
            depth = scene(step, side, side).sum(axis=2, dtype=np.uint16) * 64
            sender.send_image("depth", depth)
            _, jpeg = cv2.imencode(".jpg", scene(step, 120, 160), [cv2.IMWRITE_JPEG_QUALITY, 80])
            sender.send_jpg("garden", jpeg)
            time.sleep(0.05)


recorder.main(publish, "imagezmq")
