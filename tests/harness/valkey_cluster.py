"""A cluster of three embedded Valkey servers on loopback."""

import signal
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from valkey.asyncio import Valkey

from fullhouse.infra.embedded import process, valkey
from fullhouse.infra.embedded.process import Folder, Launch
from harness.waiting import until

PASSWORD = "a password, with @ and /"
SLOTS = 16_384


@dataclass
class Node:
    """One server, which may be killed and started again."""

    folder: Folder
    launch: Launch
    port: int
    bus_port: int
    child: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        self.child = process.spawn(self.launch, self.folder)
        process.await_ready(self.child, lambda: valkey._answers(None, self.port), "Valkey", self.folder)

    def kill(self) -> None:
        process.kill(self.child)

    def client(self) -> Any:
        return Valkey(host="127.0.0.1", port=self.port, password=PASSWORD)


@dataclass
class Cluster:
    """The servers, and the URL under which the product finds them."""

    nodes: list[Node]

    @property
    def url(self) -> str:
        places = ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)
        return f"valkey+cluster://:a%20password%2C%20with%20%40%20and%20%2F@{places}"

    def stop(self) -> None:
        for node in self.nodes:
            node.kill()
            node.folder.release()


def make_node(path: Path) -> Node:
    folder = Folder(path, "valkey")
    port, bus_port = process.free_port(), process.free_port()
    lines = ["cluster-enabled yes", "cluster-config-file nodes.conf", "cluster-node-timeout 1000"]
    lines += ["cluster-require-full-coverage no", f"cluster-port {bus_port}", f"port {port}"]
    lines += ["bind 127.0.0.1", 'save ""', "appendonly no", f'requirepass "{PASSWORD}"']
    config = folder.write_private("valkey.conf", "\n".join(lines) + "\n")
    command = [str(valkey.program_file()), config.name]
    return Node(folder, Launch("Valkey", command, signal.SIGTERM, refuses_root=False), port, bus_port)


async def start_cluster(path: Path) -> Cluster:
    """Start three servers, give each a third of the slots, and wait until all know of all."""
    cluster = Cluster([make_node(path / str(number)) for number in range(3)])
    clients: list[Any] = []
    try:
        for number, node in enumerate(cluster.nodes):
            node.start()
            clients.append(node.client())
            first, last = SLOTS * number // 3, SLOTS * (number + 1) // 3 - 1
            await clients[-1].execute_command("CLUSTER", "ADDSLOTSRANGE", first, last)
        for node in cluster.nodes[1:]:
            await clients[0].execute_command("CLUSTER", "MEET", "127.0.0.1", node.port, node.bus_port)
        for client in clients:
            await until(lambda client=client: is_whole(client))
    except BaseException:
        cluster.stop()
        raise
    finally:
        for client in clients:
            await client.aclose()
    return cluster


async def is_whole(client: Any) -> bool:
    """Say whether a server knows of three servers and of who has which slot, and can tell both others something.

    It hears of the slots over connections that others made; what it announces goes over its own.
    """
    info: bytes = await client.execute_command("CLUSTER", "INFO")
    lines = set(info.decode().split())
    links: list[list[Any]] = await client.execute_command("CLUSTER", "LINKS")
    own = [dict(zip(link[::2], link[1::2], strict=True)) for link in links]
    told = {link[b"node"] for link in own if link[b"direction"] == b"to" and b"r" in link[b"events"]}
    return len(told) == 2 and {"cluster_state:ok", "cluster_known_nodes:3", f"cluster_slots_ok:{SLOTS}"} <= lines
