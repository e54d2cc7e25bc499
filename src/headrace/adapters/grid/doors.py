"""The doors that a device file declares, made of its tables, its secrets and the site's clock."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import msgspec

from headrace.adapters.devicefile.schema import DeviceFile
from headrace.adapters.devicefile.schema_doors import Dnp3Section, OpenAdr2Section, OpenAdr3Section, RegistrationSection
from headrace.adapters.devicefile.secrets import read_secret, secret_path
from headrace.adapters.grid.inbox import Consent
from headrace.adapters.grid.programme import PositiveDelta, PowerUnit, Programme
from headrace.control.basepoints import RampCurve, RampPiece, Registration
from headrace.control.orders import Authority, Order
from headrace.control.ports import Signals
from headrace.core import BadInput

__all__ = ["grid_doors", "registration_of"]

RANKS = {"grid": Authority.GRID, "reserve": Authority.RESERVE, "voluntary": Authority.VOLUNTARY}


def grid_doors(
    file: DeviceFile,
    *,
    folder: Path,
    environ: Mapping[str, str],
    now_us: Callable[[], int],
    most_mw: float,
    known: Iterable[Order] = (),
    consent: Consent | None = None,
) -> tuple[Signals, ...]:
    """Make every door for grid signals that a device file declares.

    Parameters
    ----------
    file, folder
        The device file, and the folder it lies in.
    environ
        Environment variables, where secrets may be.
    now_us
        The site's clock, epoch microseconds.
    most_mw
        Most power an order may name where a programme does not say, MW.
    known
        Orders in force already, of any door.
    consent
        Whether the site takes a voluntary order; None takes each.

    Raises
    ------
    headrace.core.BadInput
        If a secret is missing.
    """
    orders = tuple(known)
    doors: list[Signals] = []
    for number, section2 in enumerate(file.openadr2, start=1):
        doors.append(_openadr2(section2, _door("adr2", number), folder, now_us, most_mw, orders, consent))
    for number, section3 in enumerate(file.openadr3, start=1):
        doors.append(_openadr3(section3, _door("adr3", number), folder, environ, now_us, most_mw, orders, consent))
    if file.dnp3 is not None:
        doors.append(_dnp3(file.dnp3, now_us, most_mw, orders))
    return tuple(doors)


def _door(kind: str, number: int) -> str:
    """First word of a door's order ids: by the order of the device file, the same after a restart."""
    return kind if number == 1 else f"{kind}-{number}"


def _programme(section: OpenAdr2Section | OpenAdr3Section | Dnp3Section, context: str, most_mw: float) -> Programme:
    return Programme(
        name=section.name,
        context=context,
        authority=RANKS[section.authority],
        within_s=section.within_s,
        largest_mw=most_mw if section.most_mw is None else section.most_mw,
        level_mw=section.level_mw,
        unit=PowerUnit(section.unit),
        positive_delta=PositiveDelta(section.positive_delta),
        follows=section.follows,
        end_permits=section.end_permits,
    )


def _openadr2(
    section: OpenAdr2Section,
    door: str,
    folder: Path,
    now_us: Callable[[], int],
    most_mw: float,
    known: Iterable[Order],
    consent: Consent | None,
) -> Signals:
    from headrace.adapters.grid.openadr2 import OpenAdr2, OpenAdr2Settings  # noqa: PLC0415  needs the extra `live`
    from headrace.adapters.grid.openadr2_wire import WireSettings  # noqa: PLC0415

    def path(reference: str | None) -> str:
        return "" if reference is None else str(secret_path(reference, folder=folder))

    wire = WireSettings(
        url=section.vtn.rstrip("/"),
        cert_file=path(section.certificate),
        key_file=path(section.key),
        ca_file=path(section.authorities),
        vtn_fingerprint=section.server_fingerprint,
    )
    settings = OpenAdr2Settings(wire=wire, ven_name=section.ven, poll_s=section.poll_s, door=door)
    return OpenAdr2(settings, [_programme(section, section.context, most_mw)], now_us, known, consent)


def _openadr3(
    section: OpenAdr3Section,
    door: str,
    folder: Path,
    environ: Mapping[str, str],
    now_us: Callable[[], int],
    most_mw: float,
    known: Iterable[Order],
    consent: Consent | None,
) -> Signals:
    from headrace.adapters.grid.openadr3 import OpenAdr3, OpenAdr3Settings  # noqa: PLC0415  needs the extra `live`
    from headrace.adapters.grid.openadr3_rest import RestSettings  # noqa: PLC0415
    from headrace.adapters.grid.webhook import WebhookSettings  # noqa: PLC0415

    def secret(reference: str | None, key: str) -> str:
        if reference is None:
            raise BadInput(f"openadr3 {section.name!r}, {key}", "missing", f'Set {key} = "env:NAME" or "file:PATH"')
        return read_secret(reference, folder=folder, environ=environ).reveal()

    rest = RestSettings(
        url=section.vtn, client_id=section.client or section.ven, client_secret=secret(section.secret, "secret")
    )
    webhook = None
    if section.webhook_port is not None:
        hook_secret = secret(section.webhook_secret, "webhook_secret")
        webhook = WebhookSettings(port=section.webhook_port, secret=hook_secret, public_url=section.webhook_url)
    settings = OpenAdr3Settings(
        rest=rest, ven_name=section.ven, webhook=webhook, poll_s=section.poll_s, version=section.version, door=door
    )
    return OpenAdr3(settings, [_programme(section, section.programme, most_mw)], now_us, known, consent)


def _dnp3(section: Dnp3Section, now_us: Callable[[], int], most_mw: float, known: Iterable[Order]) -> Signals:
    from headrace.adapters.grid.dnp3 import Dnp3, Dnp3Settings, Registered  # noqa: PLC0415  needs the extra `live`

    settings = Dnp3Settings(
        port=section.port,
        bind=section.bind,
        outstation=section.outstation,
        master=section.master,
        valid_s=section.valid_s,
    )
    programme = _programme(section, section.name, most_mw)
    registered = None
    if (own := section.registration) is not None:
        points = msgspec.structs.replace(
            programme,
            name=own.name,
            context=f"{section.name}.basepoints",
            authority=RANKS[own.authority],
            end_permits=True,
        )
        registered = Registered(registration=registration_of(own), programme=points)
    return Dnp3(settings, programme, now_us, shed_mw=section.shed_mw, known=known, registered=registered)


def registration_of(section: RegistrationSection) -> Registration:
    """What the market knows of a controllable load, from its table."""

    def curve(pieces: tuple[tuple[float, float, float], ...]) -> RampCurve:
        return RampCurve(
            pieces=tuple(RampPiece(to_mw=to, up_mw_per_min=up, down_mw_per_min=down) for to, up, down in pieces)
        )

    return Registration(
        name=section.name,
        least_mw=section.least_mw,
        most_mw=section.most_mw,
        normal=curve(section.normal),
        emergency=curve(section.emergency),
        period_s=section.period_s,
        tolerance_ppm=round(section.tolerance_ratio * 1e6),
        tolerance_least_w=round(section.tolerance_least_mw * 1e6),
    )
