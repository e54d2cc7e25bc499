"""NVIDIA DSX Flex: the site's controller asks an AI factory for power over MQTT, signed, and hears what came of it."""

from headrace.adapters.dsx_flex.controller import Factory, FlexController, Target
from headrace.adapters.dsx_flex.signing import Peer, Signer, peer_of, signer_of

__all__ = ["Factory", "FlexController", "Peer", "Signer", "Target", "peer_of", "signer_of"]
