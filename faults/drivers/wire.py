"""A bad wire between two network interfaces: what comes in on one goes out on the other, later, or not at all.

    wire.py ONE OTHER DELAY_MS JITTER_MS LOSS_PERCENT SEED

For kernels without `tc netem`. Each frame has a delay of its own, so that frames also overtake one another. Frames
are taken and given with the kernel's own header (PACKET_VNET_HDR): checksums that are left to hardware, and packets
larger than the interface's, pass as they are. Runs until it is ended.
"""

import heapq
import random
import selectors
import socket
import struct
import sys
import time

ETH_P_ALL = 3
SOL_PACKET = 263
PACKET_VNET_HDR = 15
PACKET_IGNORE_OUTGOING = 23
LARGEST = 70_000


def open_interface(name):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    wire.setsockopt(SOL_PACKET, PACKET_VNET_HDR, struct.pack("i", 1))
    wire.setsockopt(SOL_PACKET, PACKET_IGNORE_OUTGOING, struct.pack("i", 1))
    wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
    wire.bind((name, 0))
    wire.setblocking(False)
    return wire


def main(one, other, delay_ms, jitter_ms, loss_percent, seed):
    chance = random.Random(int(seed))
    delay, jitter = float(delay_ms) / 1000, float(jitter_ms) / 1000
    loss = float(loss_percent) / 100
    ends = [open_interface(one), open_interface(other)]
    ready = selectors.DefaultSelector()
    for index, end in enumerate(ends):
        ready.register(end, selectors.EVENT_READ, ends[1 - index])
    waiting, number = [], 0
    print("ready", flush=True)
    while True:
        timeout = max(waiting[0][0] - time.monotonic(), 0) if waiting else None
        for key, _ in ready.select(timeout):
            try:
                frame = key.fileobj.recv(LARGEST)
            except BlockingIOError:
                continue
            if chance.random() < loss:
                continue
            due = time.monotonic() + delay + chance.random() * jitter
            number += 1
            heapq.heappush(waiting, (due, number, frame, key.data))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, frame, out = heapq.heappop(waiting)
            try:
                out.send(frame)
            except OSError:
                pass  # full queue or interface down: lost, as on a wire


if __name__ == "__main__":
    main(*sys.argv[1:])
