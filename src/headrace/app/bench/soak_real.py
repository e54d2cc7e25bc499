"""A soak over the real protocols: `headrace sim` and `headrace live` as processes, sixty times as fast as the wall.

The engine is killed with signal 9 at random moments, its disk filled (by the kernel's limit on a file's size), its
clock stepped from one life to the next against that of the devices, its broker stopped and started, its devices' links
cut, while an operator gives orders and sets locks through the API. Feeds are recorded data in the engine's own process
here: their outages are the business of the soak on a simulated clock.
"""

import os
import resource
import shutil
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np

from headrace.app.bench.soak_checks import JournalCheck, check_journal
from headrace.app.bench.soak_drill import OnDisk
from headrace.app.live.plan import LivePlan, live_plan
from headrace.app.live.warming import warm_up
from headrace.app.live_demo.ground import Network, free_port, lay_ground
from headrace.app.operator_client import OperatorClient, Refused, Unreachable
from headrace.core import ExitCode, HeadraceError, epoch_s, iso
from headrace.loads import Firmness

__all__ = ["RealSoak", "SoakFailed"]

SPEED: Final = 60.0
START: Final = datetime(2024, 11, 18, 18, 0, tzinfo=UTC)
POLL: Final = "4s"
READY_MAX_S: Final = 60.0
END_MAX_S: Final = 20.0
CALM_S: Final = 10.0
"""Wall seconds at either end in which nothing goes wrong."""
BROKER: Final = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
TELEMETRY: Final = """
[mqtt]
port = {port}
"""
LINKS: Final = (("link", "A.*"), ("link", "firm-*"), ("mute", "B.*"), ("lying", "A.m01*"), ("deaf", "B.m00*"))
EVENTS: Final = (
    "kill",
    "kill",
    "kill",
    "disk_full",
    "broker_restart",
    "link",
    "link",
    "order",
    "order",
    "order",
    "lock",
)
"""What happens, drawn with these weights every few seconds."""


class SoakFailed(HeadraceError):
    """A process of the soak did not do what everything else rests on."""

    exit_code = ExitCode.STALE


class RealSoak:
    """One soak over the real protocols.

    Parameters
    ----------
    folder
        Where everything is written.
    hours
        Length, hours of site time.
    seed
        Of everything that happens.
    """

    def __init__(self, folder: Path, *, hours: float, seed: int) -> None:
        self.happened: Counter[str] = Counter()
        self.broken: Counter[str] = Counter()
        self.told: list[str] = []
        self.rss_mb: list[tuple[float, float, int]] = []
        self.journal = folder / "ground" / "run" / "live.jsonl"
        self._folder = folder
        self._wall_s = hours * 3600.0 / SPEED
        self._rng = np.random.default_rng([seed, 5])
        self._on_disk: list[OnDisk] = []
        self._orders: dict[str, bool] = {}
        self._locks: set[str] = set()
        self._sim: subprocess.Popen[bytes] | None = None
        self._live: subprocess.Popen[bytes] | None = None
        self._broker: subprocess.Popen[bytes] | None = None
        self._channel: dict[str, Any] = {}
        self._number = 0
        self.plan: LivePlan

    def run(self) -> JournalCheck:
        """Run it, end every process, and follow the journal."""
        with ExitStack() as stack:
            network = Network()
            stack.callback(network.close)
            self._lay(network)
            stack.callback(self._end_all)
            self._start_broker()
            warm_up(self.plan, epoch_s(START))
            self._anchor_s = time.time_ns() * 1e-9
            self._begin_sim()
            self._begin_live(0.0)
            self._until(self._status, READY_MAX_S, "the engine's API did not answer")
            self._go_on()
            self._settle()
            effects = self._effects()
            self._end(self._live)
        return self._checked(effects)

    def _lay(self, network: Network) -> None:
        """Write site, devices and secrets; a broker carries the second meter where there is one."""
        start_s = epoch_s(START)
        ground = lay_ground(
            self._folder / "ground",
            network,
            vtn="http://127.0.0.1:1",
            vtn_secret="none",
            within_s=300.0,
            start_s=start_s,
        )
        text = ground.devices.read_text(encoding="utf-8")
        head, _, doors = text.partition("[[openadr3]]")
        text = head + "[api]" + doors.partition("[api]")[2]
        self._port = free_port()
        if BROKER is not None:
            wired = f'name = "B"\nhost = "127.{network.second}.2'
            first, _, rest = text.partition(wired)
            text = first + 'name = "B"\nprotocol = "mqtt"' + rest[rest.index("\n\n") :]
            text += TELEMETRY.format(port=self._port)
        ground.devices.write_text(text, encoding="utf-8")
        self._ground = ground
        self.plan = live_plan(ground.site, ground.devices, poll_s=4.0)
        self._api = OperatorClient(ground.api, ground.token, timeout_s=5.0)

    def _go_on(self) -> None:
        """Let things happen until the time is over."""
        until_s = self._anchor_s + self._wall_s - CALM_S
        next_s = time.time_ns() * 1e-9 + CALM_S
        while (now_s := time.time_ns() * 1e-9) < until_s:
            if now_s >= next_s:
                event = EVENTS[int(self._rng.integers(len(EVENTS)))]
                self.happened[event] += 1
                getattr(self, f"_{event}")()
                next_s = time.time_ns() * 1e-9 + float(self._rng.uniform(0.5, 5.0))
            self._note_memory(now_s)
            if self._live is not None and self._live.poll() is not None:
                self._breach("engine_ended", f"with code {self._live.returncode}: {self._words('live.errors')}")
                self._again()
            time.sleep(0.05)

    def _settle(self) -> None:
        """Take everything back, and give the site time to return."""
        self._until(self._status, READY_MAX_S, "the engine's API did not answer")
        for name, is_over in list(self._orders.items()):
            if not is_over:
                self._restore(name)
        for name in sorted(self._locks):
            self._ask("DELETE", f"/v1/locks/{name}", None)
        self._kill(shift_s=0.0)
        self._until(self._status, READY_MAX_S, "the engine's API did not answer at the end")
        time.sleep(CALM_S)

    def _kill(self, shift_s: float | None = None) -> None:
        """Signal 9, and a new life, whose clock may stand elsewhere."""
        live = self._live
        if live is not None:
            live.kill()
            live.wait(END_MAX_S)
        self._again(shift_s)

    def _again(self, shift_s: float | None = None) -> None:
        self._on_disk.append(OnDisk(self.journal))
        time.sleep(float(self._rng.uniform(0.0, 1.0)))
        if shift_s is None and self._rng.random() < 0.3:
            shift_s = float(self._rng.uniform(-0.5, 0.5))
            self.happened["clock_step"] += 1
        self._begin_live(shift_s or 0.0)

    def _disk_full(self) -> None:
        """Let the journal grow no further: the kernel refuses the write, the engine must stop before it acts."""
        live = self._live
        if live is None or not self.journal.exists():
            return
        size = self.journal.stat().st_size + int(self._rng.integers(400))
        hard = resource.prlimit(live.pid, resource.RLIMIT_FSIZE)[1]
        resource.prlimit(live.pid, resource.RLIMIT_FSIZE, (size, hard))
        try:
            live.wait(END_MAX_S)
        except subprocess.TimeoutExpired:
            self._breach("disk_full", "the engine went on without a journal")
            live.kill()
            live.wait(END_MAX_S)
        if live.returncode in (0, -9):
            self._breach("disk_full", f"the engine ended with code {live.returncode}")
        self._again()

    def _broker_restart(self) -> None:
        if self._broker is not None:
            self._broker.terminate()
            self._broker.wait(END_MAX_S)
            time.sleep(float(self._rng.uniform(0.0, 2.0)))
            self._start_broker()

    def _link(self) -> None:
        """Cut or spoil the links of some devices for a while."""
        kind, target = LINKS[int(self._rng.integers(len(LINKS)))]
        since_s = float(self._ask_sim({"do": "truth"})["since_s"])
        until_s = since_s + float(self._rng.uniform(30.0, 300.0))
        last_s = (self._wall_s - CALM_S) * SPEED
        fault = {"kind": kind, "target": target, "start_s": since_s, "end_s": min(until_s, max(last_s, since_s + 1.0))}
        self._ask_sim({"do": "fault", "fault": fault})
        self.happened[f"link.{kind}"] += 1

    def _order(self) -> None:
        """An order, or the end of one that needs a restore."""
        open_orders = [name for name, is_over in self._orders.items() if not is_over]
        if open_orders and self._rng.random() < 0.5:
            self._restore(open_orders[0])
            return
        self._number += 1
        name, kind = f"soak.{self._number}", ("shed", "shed", "limit", "hold")[int(self._rng.integers(4))]
        mw = float(self._rng.uniform(0.1, 0.6))
        body = {"id": name, "kind": kind, "mw": 0.0 if kind == "hold" else mw, "within_s": 60.0, "reason": "soak"}
        if self._ask("POST", "/v1/orders", body | {"is_certain": True}) is not None:
            self._orders[name] = False

    def _restore(self, name: str) -> None:
        self._number += 1
        held = {each["id"]: each["id"] for each in (self._status() or {"orders": []})["orders"]}
        ends = next((each for each in held if each.endswith(name)), name)
        body = {"id": f"soak.{self._number}", "kind": "restore", "ends": ends, "reason": "soak", "is_certain": True}
        if self._ask("POST", "/v1/orders", body) is not None:
            self._orders[name] = True

    def _lock(self) -> None:
        """Lock a machine or a feeder, or take the lock off again."""
        if self._locks and self._rng.random() < 0.6:
            name = sorted(self._locks)[0]
            if self._ask("DELETE", f"/v1/locks/{name}", None) is not None:
                self._locks.discard(name)
            return
        name = ("A.m001", "B", "batch-02", "B.m010")[int(self._rng.integers(4))]
        if self._ask("POST", "/v1/locks", {"asset": name, "reason": "soak"}) is not None:
            self._locks.add(name)

    def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> Any:  # noqa: ANN401  whatever it says
        """Ask the API; None if it was not there or refused."""
        try:
            return self._api.send(method, path, body).body
        except Refused:
            self.happened["refused"] += 1
        except Unreachable:
            self.happened["unreachable"] += 1
        return None

    def _status(self) -> dict[str, Any] | None:
        with suppress(Unreachable, Refused):
            found: dict[str, Any] = self._api.get("/v1/status")
            return found
        return None

    def _until(self, look: Callable[[], object], within_s: float, else_say: str) -> None:
        until_s = time.time_ns() * 1e-9 + within_s
        while look() is None:
            if time.time_ns() * 1e-9 > until_s:
                raise SoakFailed(f"{else_say}. {self._words('live.errors')}")
            time.sleep(0.2)

    def _begin_sim(self) -> None:
        self._sim = self._process(["sim", *self._files(0.0)], "sim.log")
        assert self._sim.stdout is not None
        line = self._sim.stdout.readline()
        if not line:
            raise SoakFailed(f"the simulated site did not start. {self._words('sim.log')}")
        self._channel = msgspec.json.decode(line)["channel"]

    def _begin_live(self, shift_s: float) -> None:
        run, log = self._ground.run, self._folder / "live.log"
        more = ["--out", str(run), "--poll", POLL, "--log", str(log)]
        self._live = self._process(["live", *self._files(shift_s), *more], "live.errors")

    def _files(self, shift_s: float) -> list[str]:
        anchor_s = self._anchor_s + shift_s
        start = iso(epoch_s(START))
        return [
            str(self._ground.site),
            *("--devices", str(self._ground.devices)),
            *("--speed", f"{SPEED:g}", "--start", start, "--anchor", f"{anchor_s:.6f}"),
        ]

    def _process(self, arguments: list[str], errors: str) -> subprocess.Popen[bytes]:
        with (self._folder / errors).open("ab") as file:
            return subprocess.Popen(
                [sys.executable, "-c", "from headrace.app.cli import main; main()", *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=file,
                start_new_session=True,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
            )

    def _start_broker(self) -> None:
        if BROKER is None:
            return
        config = self._folder / "mosquitto.conf"
        config.write_text(f"listener {self._port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
        with (self._folder / "mosquitto.log").open("ab") as log:
            self._broker = subprocess.Popen([BROKER, "-c", str(config)], stdout=log, stderr=log)

    def _ask_sim(self, asked: dict[str, Any]) -> dict[str, Any]:
        with socket.create_connection(("127.0.0.1", self._channel["port"]), timeout=10.0) as line:
            line.sendall(msgspec.json.encode({"token": self._channel["token"], **asked}) + b"\n")
            with line.makefile("rb") as answers:
                found: dict[str, Any] = msgspec.json.decode(answers.readline())
        if "error" in found:
            raise SoakFailed(f"the simulated site: {found['error']}")
        return found

    def _effects(self) -> Counter[tuple[str, str]]:
        """How often each device heard each command; without an id in its protocol, how often one changed it."""
        found: Counter[tuple[str, str]] = Counter()
        after = 0
        while effects := (page := self._ask_sim({"do": "effects", "after": after}))["effects"]:
            found.update(
                (each["asset"], each["command"] or each["action"])
                for each in effects
                if each["command"] or each["changed"]
            )
            after = page["next"]
        return found

    def _checked(self, effects: Counter[tuple[str, str]]) -> JournalCheck:
        site = self.plan.loaded.site
        check = check_journal(
            self.journal,
            self.plan.devices.inventory,
            firm=frozenset(each.name for each in site.leases if each.firmness is Firmness.FIRM),
            step_s=site.control_step_s,
            settlement_s=site.market.settlement_step_s,
        )
        check.broken.update(self.broken)
        check.told += self.told
        content = self.journal.read_bytes()
        for each in self._on_disk:
            if not each.is_kept(content):
                check.breach("journal_lost", f"the {each.lines} lines of one life are not in the journal")
        for name in self._orders:
            if name.encode() not in content:
                check.breach("journal_lost", f"order {name}")
        battery = self.plan.devices.file.battery
        for (asset, what), times in effects.items():
            if battery is not None and asset == battery.name and what == "stop":
                continue  # it rests by itself when no set-point was renewed
            most = check.told_to[asset, what] if (asset, what) in check.told_to else int(what in check.commands)
            if times > most:
                check.breach("duplicated_effects", f"{asset} heard {what} {times} times, commanded {most}")
        return check

    def _note_memory(self, now_s: float) -> None:
        live = self._live
        if live is None or (self.rss_mb and now_s - self._anchor_s - self.rss_mb[-1][0] < 1.0):
            return
        with suppress(OSError, IndexError):
            pages = int(Path(f"/proc/{live.pid}/statm").read_text(encoding="ascii").split()[1])
            self.rss_mb.append((now_s - self._anchor_s, pages * resource.getpagesize() / 1e6, live.pid))

    def _words(self, name: str) -> str:
        with suppress(OSError):
            return (self._folder / name).read_text(encoding="utf-8", errors="replace")[-800:].strip()
        return ""

    def _breach(self, rule: str, what: str) -> None:
        self.broken[rule] += 1
        self.told.append(f"{rule}: {what}")

    def _end(self, process: "subprocess.Popen[bytes] | None") -> None:
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(END_MAX_S)
        except subprocess.TimeoutExpired:
            self._breach("end", "a process did not end when asked to")
            process.kill()
            process.wait(END_MAX_S)

    def _end_all(self) -> None:
        for process in (self._live, self._sim, self._broker):
            self._end(process)
