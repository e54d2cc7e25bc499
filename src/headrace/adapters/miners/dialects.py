"""The dialects a device file can name."""

from typing import Final

from headrace.adapters.miners.antminer import Antminer
from headrace.adapters.miners.braiins import Braiins
from headrace.adapters.miners.braiins_rest import BraiinsRest
from headrace.adapters.miners.codec import Codec
from headrace.adapters.miners.luxos import LuxOs
from headrace.adapters.miners.whatsminer_v2 import WhatsMinerV2
from headrace.adapters.miners.whatsminer_v3 import WhatsMinerV3
from headrace.core import BadInput

__all__ = ["DIALECTS", "codec_for"]

_CODECS: Final[tuple[Codec, ...]] = (Braiins(), BraiinsRest(), WhatsMinerV2(), WhatsMinerV3(), LuxOs(), Antminer())

DIALECTS: Final[tuple[str, ...]] = tuple(codec.dialect for codec in _CODECS)
"""Names of all dialects."""


def codec_for(dialect: str) -> Codec:
    """Codec of a dialect.

    Raises
    ------
    BadInput
        If there is none of that name.
    """
    for codec in _CODECS:
        if codec.dialect == dialect:
            return codec
    raise BadInput("dialect", f"{dialect!r} is not known", f"Use one of: {', '.join(DIALECTS)}.")
