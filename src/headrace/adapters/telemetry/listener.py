"""Signed readings over MQTT: devices publish to `headrace/SITE/readings/DEVICE`, the gateway judges each."""

from collections.abc import Callable

from headrace.adapters.mqtt import MqttLink
from headrace.adapters.telemetry.gateway import Gateway

__all__ = ["listen", "topic_of"]


def topic_of(site: str, device: str) -> str:
    """Topic that a device publishes its readings to; a name's own slashes and wildcards become underscores."""
    return f"headrace/{_level(site)}/readings/{_level(device)}"


async def listen(link: MqttLink, gateway: Gateway, site: str, *, now_us: Callable[[], int]) -> None:
    """Hand every reading to the gateway as it comes, until cancelled; the broker may come and go.

    Who published it does not matter: only its signature says whose it is. A reading that the broker kept for us while
    we were away is judged like any other, and refused if its interval has closed.

    Parameters
    ----------
    link
        A started link to the broker that carries nothing else.
    gateway
        Judges and keeps them.
    site
        The site's name.
    now_us
        The site's clock, epoch microseconds.
    """
    await link.subscribe(f"headrace/{_level(site)}/readings/+")
    async for message in link.messages():
        gateway.take(message.payload, now_us=now_us())


def _level(name: str) -> str:
    return "".join("_" if c in "/+#\0" else c for c in name)
