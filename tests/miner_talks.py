"""Builders for tests of miner dialects: a codec talks to a simulated machine over a socket, or over none."""

import asyncio

from headrace.adapters.miners.codec import Closed, Codec, Conversation, Credentials, Facts, More, Move, Say, SignedIn
from headrace.adapters.miners.dialects import codec_for
from headrace.control.commands import Action
from headrace.sim.miners.faults import Manner
from headrace.sim.miners.fleet import Device, Fleet
from headrace.sim.miners.model import MinerModel
from headrace.sim.miners.serve import TWINS

FACTS = Facts(now_s=1_700_000_000, nonce="00112233445566778899aabbccddeeff")
PASSWORDS = {
    "braiins": Credentials(),
    "whatsminer-v2": Credentials(password="admin"),
    "whatsminer-v3": Credentials(user="super", password="super"),
    "braiins-rest": Credentials(user="root", password="root"),
    "luxos": Credentials(),
    "antminer": Credentials(user="root", password="root"),
}
CAPS = ("braiins-rest", "whatsminer-v2", "whatsminer-v3", "luxos")
SIGNS_IN = ("braiins-rest", "whatsminer-v2", "whatsminer-v3", "luxos", "antminer")
WITHIN_S = 10.0


class Clock:
    """Time of a simulated machine, moved by hand."""

    def __init__(self) -> None:
        self.at_s = 1000.0

    def __call__(self) -> float:
        return self.at_s


class Rig:
    """One simulated machine on a socket and the codec of its dialect."""

    def __init__(self, dialect: str, manner: Manner = Manner.HONEST) -> None:
        self.codec: Codec = codec_for(dialect)
        self.dialect = dialect
        self.device = Device(0, TWINS[dialect][0](), MinerModel(), manner)
        self.clock = Clock()
        self.fleet = Fleet([self.device], delays_s=(0.0,), now_s=self.clock)
        self.address = ("127.0.0.1", 0)

    async def __aenter__(self) -> "Rig":
        (self.address,) = await self.fleet.listen([self.address])
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.fleet.close()

    async def talk(self, conversation: Conversation) -> Move:
        """Hold a conversation to its end."""
        return await asyncio.wait_for(_talk(self.address, conversation), WITHIN_S)

    async def sign_in(self, credentials: Credentials | None = None) -> Move | None:
        """Sign in; None where there is nothing to sign in to."""
        conversation = self.codec.sign_in(credentials or PASSWORDS[self.dialect], FACTS)
        return None if conversation is None else await self.talk(conversation)

    async def session(self):
        """Session of a sign-in that must succeed."""
        move = await self.sign_in()
        if move is None:
            return None
        assert isinstance(move, SignedIn), move
        return move.session

    async def do(self, action: Action, power_w: int | None = None) -> Move:
        """Sign in and command."""
        session = await self.session()
        return await self.talk(self.codec.command(action, power_w, session, FACTS))


async def _talk(address: tuple[str, int], conversation: Conversation) -> Move:
    reader, writer = await asyncio.open_connection(*address)
    writer.write(conversation.begin())
    while True:
        try:
            data = await reader.read(65536)
        except ConnectionResetError:
            data = b""
        move = conversation.receive(data or Closed())
        if isinstance(move, More):
            continue
        if not isinstance(move, Say):
            writer.close()
            return move
        if move.on_new_connection:
            writer.close()
            reader, writer = await asyncio.open_connection(*address)
        writer.write(move.data)
