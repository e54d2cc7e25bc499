"""AI factories of the device file as drivers: each over its own connection to the site's broker."""

import os
from collections.abc import Callable

from headrace.adapters.devicefile.build import factory_driver
from headrace.adapters.devicefile.schema_doors import DsxFlexSection, MqttSection
from headrace.adapters.devicefile.secrets import read_secret, secret_path
from headrace.app.live.plan import LivePlan
from headrace.control.ports import Driver

__all__ = ["factory_drivers"]


def factory_drivers(plan: LivePlan, now_us: Callable[[], int]) -> dict[str, Driver]:
    """A controller for each factory that the device file names.

    Raises
    ------
    headrace.core.BadInput
        If a key is missing, or is another kind of key than it must be.
    """
    file = plan.devices.file
    if not file.dsx_flex or file.mqtt is None:
        return {}
    return {factory_driver(each): _driver(plan, each, file.mqtt, now_us) for each in file.dsx_flex}


def _driver(plan: LivePlan, section: DsxFlexSection, broker: MqttSection, now_us: Callable[[], int]) -> Driver:
    from headrace.adapters.dsx_flex import Factory, FlexController, peer_of, signer_of
    from headrace.adapters.mqtt import MqttEndpoint, MqttLink

    folder = plan.devices.path.parent

    def pem(reference: str) -> bytes:
        return read_secret(reference, folder=folder, environ=os.environ).reveal().encode()

    peers = [
        peer_of(
            pem(section.factory_key),
            source=f"//grid/v1/dsx-flex-agent/{section.agent}",
            key_id=section.factory_key_id,
            where=section.factory_key,
            is_bound=section.is_bound,
        )
    ]
    if section.infra is not None and section.infra_key is not None:
        source = f"//grid/v1/infra/{section.infra}"
        peers.append(
            peer_of(pem(section.infra_key), source=source, key_id=section.infra_key_id, where=section.infra_key)
        )
    endpoint = MqttEndpoint(
        host=broker.host,
        port=broker.port,
        client_id=f"headrace-{section.isv}-{section.name}-{os.getpid()}",
        username=broker.user or "",
        password_file="" if broker.password is None else str(secret_path(broker.password, folder=folder)),
    )
    return FlexController(
        Factory(
            name=factory_driver(section),
            isv=section.isv,
            agent=section.agent,
            infra=section.infra or "",
            answer_s=section.answer_s,
        ),
        MqttLink(endpoint),
        signer=signer_of(pem(section.signing_key), key_id=section.signing_key_id, where=section.signing_key),
        peers=tuple(peers),
        now_us=now_us,
    )
