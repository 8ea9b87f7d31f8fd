"""A Jupyter kernel: its IOPub channel while the cells of a notebook run.

Package: ipykernel (with jupyter_client to start it and ipywidgets for binary buffers).
Socket:  XPUB, bound by the kernel.
Frames:  topic, `<IDS|MSG>`, signature, header, parent header, metadata, content, buffers...
         The signature is the HMAC-SHA256 of the next four frames, which are JSON; the key here is
         `zcap`. Only comm messages of widgets have buffers: raw bytes, here of PNG images.
Topics:  `kernel.UUID.TYPE` for what the kernel says; `stream.stdout`, `stream.stderr`,
         `display_data` and `comm-UUID` for what a cell does.

The kernel greets each subscription with an `iopub_welcome`; that is how we know it has arrived.
To a subscription to everything, as zcap's, the greeting has no topic: it begins at `<IDS|MSG>`.
"""

import os
from urllib.parse import urlsplit

from jupyter_client.manager import KernelManager

import recorder

CELLS = [
    "print('hello from a notebook')",
    "import sys; print('and a warning on stderr', file=sys.stderr)",
    # An execute_result with two representations of the same value.
    """
class Circle:
    def __repr__(self): return 'Circle'
    def _repr_svg_(self): return '<svg width="9" height="9"><circle cx="4" cy="4" r="4"/></svg>'
Circle()
""",
    "{'grüße': 'мир', 'emoji': '🦓', 'right to left': 'שלום', 'combining': 'e\\u0301'}",
    # A display_data with an image (base64 in JSON), then updates of it in place.
    """
import cv2, numpy as np
from IPython.display import Image, display, clear_output

def wave(phase, width=96, height=64):
    x, y = np.meshgrid(np.linspace(0, 9, width), np.linspace(0, 6, height))
    pixels = [127 + 127 * np.sin(x * k + y + phase) for k in (1, 2, 3)]
    return cv2.imencode('.png', np.dstack(pixels).astype('uint8'))[1].tobytes()

handle = display(Image(wave(0)), display_id='wave')
for step in range(1, 6):
    handle.update(Image(wave(step / 2)))
""",
    # A widget: comm_open and comm_msg, the image in a binary buffer of its own.
    """
import ipywidgets
picture = ipywidgets.Image(value=wave(0), format='png')
display(picture)
for step in range(1, 11):
    picture.value = wave(step / 3)
""",
    # A comm of our own with several buffers, one of them empty.
    """
from comm import create_comm
comm = create_comm(target_name='zcap.example', data={'opened': True})
comm.send({'values': 3}, buffers=[np.arange(100, dtype='<f8').tobytes(), b'', b'\\x00\\xff' * 8])
comm.close()
""",
    # A progress bar and plain output, little by little: what a long computation looks like.
    """
import time
from tqdm.auto import tqdm
for step in tqdm(range(40), desc='computing'):
    print('step', step, flush=True)
    time.sleep(0.05)
""",
    "for i in range(3):\n    clear_output(wait=True); print('attempt', i)",
    "def deeper(n): return 1 / n if n == 0 else deeper(n - 1)\ndeeper(3)",
    "not python at all",
    "raise LookupError('größer als 3 — 💥')",
    "print('x' * 20_000)",
]


def publish(endpoint):
    address = urlsplit(endpoint)
    os.environ.update(USER="jovyan", LOGNAME="jovyan", JPY_SESSION_NAME="notebook.ipynb")
    manager = KernelManager(ip=address.hostname, iopub_port=address.port, cache_ports=False)
    manager.session.key = b"zcap"
    manager.session.username = "jovyan"
    manager.start_kernel()
    client = manager.client()
    # Not all channels: a second subscriber on IOPub would bring a second welcome.
    client.start_channels(iopub=False, stdin=False, hb=False)
    try:
        while not recorder.is_listening(0.2):
            pass
        client.kernel_info()
        client.get_shell_msg(timeout=30)
        for cell in CELLS:
            client.execute(cell, allow_stdin=False, stop_on_error=False)
            client.get_shell_msg(timeout=60)
    finally:
        client.shutdown()
        manager.finish_shutdown(waittime=10)
        client.stop_channels()


recorder.main(publish, "ipykernel")
