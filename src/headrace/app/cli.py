"""The command line: one verb a function, each imported only when it runs.

Exit codes: 0 ok, 2 usage or bad input, 3 infeasible, 4 stale data, 5 refused. Every verb takes --json.
"""

import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, CycloptsError, Parameter

from headrace import __version__
from headrace.app.compiled import keep_compiled_code
from headrace.app.folders import DEMO_OUT, REPLAY_OUT
from headrace.app.live.cli import add_live_verbs
from headrace.app.market_cli import add_market
from headrace.app.miners_cli import miners
from headrace.app.operator_cli import add_operator_verbs
from headrace.app.sim_cli import add_sim_verb
from headrace.app.telemetry_cli import add_verify, keys
from headrace.core import ExitCode, HeadraceError

__all__ = ["app", "main"]

app = App(name="headrace", help="Decides where each megawatt of a flexible compute campus goes.", version=__version__)
bench = App(name="bench", help="Ratios against named peers, measured in one run.")
app.command(bench)
books = App(name="books", help="Double-entry books: statements imported and explained, balances.")
app.command(books)
recorded = App(name="data", help="What a data folder holds, and what operators have to add to it.")
app.command(recorded)
app.command(keys)
app.command(miners)
add_verify(app)
add_market(app)
add_operator_verbs(app)
add_live_verbs(app)
add_sim_verb(app)

Json = Annotated[bool, Parameter(name="--json", negative="", help="Print JSON instead of tables.")]
Data = Annotated[
    Path | None,
    Parameter(name="--data", env_var="HEADRACE_DATA", help="Folder of recorded data (see `headrace data`)."),
]
SiteFile = Annotated[Path, Parameter(help="Site file (TOML); `headrace new` writes one.")]
Out = Annotated[Path, Parameter(name="--out", help="Folder for journals, Parquet, books and the report.")]
Finished = Annotated[
    Path | None, Parameter(name="--out", help="Folder of a finished replay; the newer of out and demo-out by default.")
]


@app.command
def demo(*, out: Out = DEMO_OUT, json: Json = False) -> None:
    """Replay two sites on six real weeks of the embedded sample: ERCOT South hub, 4 November to 15 December 2024."""
    from headrace.app.verbs import run_demo

    run_demo(out=out, as_json=json)


@app.command
def replay(
    site: SiteFile,
    /,
    *,
    data: Data = None,
    out: Out = REPLAY_OUT,
    start: Annotated[str | None, Parameter(name="--from", help="First instant, ISO-8601 (local if no zone).")] = None,
    end: Annotated[str | None, Parameter(name="--to", help="First instant after, ISO-8601.")] = None,
    policies: Annotated[str, Parameter(help="Policies to run, separated by commas.")] = "always-on,desk,rolling,bound",
    sensitivities: Annotated[bool, Parameter(help="Also run the labelled sensitivities.")] = True,
    resume: Annotated[bool, Parameter(negative="", help="Go on where a killed replay stopped.")] = False,
    json: Json = False,
) -> None:
    """Replay a recorded period: site in, money out."""
    from headrace.app.verbs import run_replay

    run_replay(
        site,
        data=data,
        out=out,
        start=start,
        end=end,
        policies=tuple(name.strip() for name in policies.split(",") if name.strip()),
        sensitivities=sensitivities,
        resume=resume,
        as_json=json,
    )


@app.command
def reproduce(site: SiteFile, /, *, data: Data = None, out: Out = REPLAY_OUT, json: Json = False) -> None:
    """Run the journals of a finished replay again and compare them byte for byte; nothing in the folder changes."""
    from headrace.app.reproducing import run_reproduce

    run_reproduce(site, data=data, out=out, as_json=json)


@app.command
def why(
    at: Annotated[str, Parameter(name="TIME", help="Any instant of the replay, ISO-8601 (local if no zone).")],
    /,
    *,
    out: Finished = None,
    policy: Annotated[str, Parameter(help="Run to explain, by its label.")] = "rolling",
    picture: Annotated[Path | None, Parameter(help="Also draw the ladder into this SVG file.")] = None,
    json: Json = False,
) -> None:
    """Explain one interval of a finished replay: the ladder, what binds, and what the next MWh is worth."""
    from headrace.app.verbs import run_why

    run_why(at, out=out, label=policy, picture=picture, as_json=json)


@app.command
def report(*, out: Finished = None, json: Json = False) -> None:
    """Draw the report of a finished replay again, and print its table."""
    from headrace.app.verbs import run_report

    run_report(out=out, as_json=json)


@app.command
def check(
    site: SiteFile,
    /,
    *,
    devices: Annotated[Path | None, Parameter(name="--devices", help="Also check this device file against it.")] = None,
    json: Json = False,
) -> None:
    """Check a site file: every problem at once, with key, line and what to do."""
    from headrace.app.site_verbs import run_check

    run_check(site, devices=devices, as_json=json)


@app.command
def new(
    name: Annotated[str, Parameter(help="What the site is called.")],
    /,
    *,
    folder: Annotated[Path, Parameter(help="Where to write it.")] = Path(),
    json: Json = False,
) -> None:
    """Write a commented site file to start from, and the schema that editors complete it with."""
    from headrace.app.site_verbs import run_new

    run_new(name, folder=folder, as_json=json)


@recorded.default
def data(*, data: Data = None, json: Json = False) -> None:
    """List the recorded series that a data folder holds, with span, step and gaps."""
    from headrace.app.data_verbs import run_data

    run_data(data=data, as_json=json)


@recorded.command(name="get")
def data_get(
    source: Annotated[str, Parameter(help="Operator: caiso, entsoe, ercot or nyiso.")],
    series: Annotated[str, Parameter(help='Series by its catalogue name, such as "ercot.real_time.hb_south".')],
    /,
    *,
    start: Annotated[str, Parameter(name="--from", help="First instant, ISO-8601 (the market's time if no zone).")],
    end: Annotated[str, Parameter(name="--to", help="First instant after, ISO-8601.")],
    out: Annotated[Path, Parameter(name="--out", help="Data folder to fetch into; `replay --data` reads it.")],
    dry_run: Annotated[bool, Parameter(negative="", help="Print the requests, secrets left out, and ask nothing.")] = (
        False
    ),
    again: Annotated[bool, Parameter(negative="", help="Ask for what is on record too, to see corrections.")] = False,
    json: Json = False,
) -> None:
    """Fetch a market operator's series into a data folder; what is there already is not asked again."""
    from headrace.app.data_verbs import run_data_get

    run_data_get(source, series, start=start, end=end, out=out, dry_run=dry_run, again=again, as_json=json)


@app.command
def agent(
    *,
    node: Annotated[str, Parameter(help="Name of this node, as its scheduler has it.")],
    key: Annotated[Path, Parameter(help="File with the key shared with the site, 32 bytes or more, mode 600.")],
    host: Annotated[str, Parameter(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, Parameter(help="Port to listen on.")] = 7717,
    partition: Annotated[tuple[str, ...], Parameter(help="Flexible Slurm partition, PARTITION=TIER.")] = (),
    cgroup: Annotated[tuple[str, ...], Parameter(help="Control group to freeze, TIER=FOLDER.")] = (),
    lease_s: Annotated[float, Parameter(help="Silence after which the site counts as lost, seconds.")] = 60.0,
    when_lost: Annotated[Literal["keeps", "stops"], Parameter(help="What to do then.")] = "keeps",
    cap_rest_w: Annotated[
        int | None, Parameter(help="Cap accelerators through NVML; W that the node draws beside them.")
    ] = None,
) -> None:
    """Serve a compute node: stop and continue its flexible processes when the site says so."""
    from headrace.adapters.nodes.agent import AgentSettings
    from headrace.app.node_agents import run_agent
    from headrace.control.assets import WhenLost

    settings = AgentSettings(node=node, lease_s=lease_s, when_lost=WhenLost(when_lost))
    run_agent(
        settings,
        key=key,
        host=host,
        port=port,
        partitions=partition,
        control_groups=cgroup,
        cap_rest_w=cap_rest_w,
    )


@app.command
def doctor(*, data: Data = None, json: Json = False) -> None:
    """Say what is installed, what is simulated, and what is missing."""
    from headrace.app.data_verbs import run_doctor

    run_doctor(data=data, as_json=json)


Declared = Annotated[Path, Parameter(name="--declaration", help="How the sender's statements read (TOML).")]
Books = Annotated[str, Parameter(name="--books", help="Folder of a finished replay, SQLite file, or database URL.")]
StatementFile = Annotated[Path, Parameter(help="Statement of a supplier, market, pool or bank (CSV).")]


@books.command(name="import")
def books_import(file: StatementFile, /, *, declaration: Declared, books: Books, json: Json = False) -> None:
    """Book a statement: only what it changes, all of it or nothing, and once."""
    from headrace.app.statement_verbs import run_import

    run_import(file, declaration=declaration, books=books, as_json=json)


@books.command(name="reconcile")
def books_reconcile(
    file: StatementFile,
    /,
    *,
    declaration: Declared,
    out: Finished = None,
    meter: Annotated[Path | None, Parameter(help="Revenue meter's file (CSV); it outranks telemetry.")] = None,
    meter_declaration: Annotated[Path | None, Parameter(help="How the meter's file reads (TOML).")] = None,
    json: Json = False,
) -> None:
    """Explain how a statement differs from what a finished replay settled itself; nothing is booked."""
    from headrace.app.folders import replay_folder
    from headrace.app.statement_verbs import run_reconcile

    folder = replay_folder(out)
    run_reconcile(
        file, declaration=declaration, out=folder, meter=meter, meter_declaration=meter_declaration, as_json=json
    )


@books.command(name="show")
def books_show(*, books: Books, json: Json = False) -> None:
    """Print the trial balance and the statements that are booked."""
    from headrace.app.statement_verbs import run_show

    run_show(books=books, as_json=json)


@books.command(name="copy")
def books_copy(*, books: Books, out: Finished = None, json: Json = False) -> None:
    """Put the books of a finished replay into an empty database."""
    from headrace.app.folders import replay_folder
    from headrace.app.statement_verbs import run_copy

    run_copy(out=replay_folder(out), books=books, as_json=json)


@bench.command(name="dispatch")
def bench_dispatch(*, data: Data = None, json: Json = False) -> None:
    """Time the exact dispatch against PyPSA, linopy and warm HiGHS on the same windows."""
    from headrace.app.bench.dispatch import bench_dispatch, print_dispatch
    from headrace.app.folders import need_data
    from headrace.app.printing import show

    show(bench_dispatch(need_data(data)), print_dispatch, as_json=json)


@bench.command(name="value")
def bench_value(
    *,
    data: Data = None,
    site_a: Annotated[str, Parameter(help="Series to replay site (a) on: own, all, none, or names.")] = "own",
    json: Json = False,
) -> None:
    """Measure what each policy captures of perfect foresight on real prices."""
    from headrace.app.bench.value import bench_value, print_value, site_a_series
    from headrace.app.folders import need_data
    from headrace.app.printing import show

    show(bench_value(need_data(data), site_a_names=site_a_series(site_a)), print_value, as_json=json)


@bench.command(name="forecasts")
def bench_forecasts(*, data: Data = None, json: Json = False) -> None:
    """Measure how far the forecasts of price, temperature and demand miss, beside simple ones."""
    from headrace.app.bench.forecasts import bench_forecasts, print_forecasts
    from headrace.app.folders import need_data
    from headrace.app.printing import show

    show(bench_forecasts(need_data(data)), print_forecasts, as_json=json)


@bench.command(name="backcast")
def bench_backcast(*, data: Data = None, json: Json = False) -> None:
    """Replay a public miner's disclosed months from stated assumptions, with the error."""
    from headrace.app.bench.backcast import bench_backcast, print_backcast
    from headrace.app.folders import need_data
    from headrace.app.printing import show

    show(bench_backcast(need_data(data)), print_backcast, as_json=json)


@bench.command(name="peaks")
def bench_peaks(*, data: Data = None, json: Json = False) -> None:
    """Measure which of ERCOT's monthly maxima are avoided by what was known, and what false alarms cost."""
    from headrace.app.bench.peaks import bench_peaks, print_peaks
    from headrace.app.folders import need_data
    from headrace.app.printing import show

    show(bench_peaks(need_data(data)), print_peaks, as_json=json)


@bench.command(name="flex")
def bench_flex(*, json: Json = False) -> None:
    """Measure AI work as flexible load against the published grid events, and a signed target's loop over MQTT."""
    from headrace.app.bench.flex import bench_flex, print_flex
    from headrace.app.printing import show

    show(bench_flex(), print_flex, as_json=json)


@bench.command(name="reserve")
def bench_reserve(
    *,
    data: Data = None,
    months: Annotated[str, Parameter(help="Months of 2024: all, or numbers like 1,8.")] = "all",
    json: Json = False,
) -> None:
    """Measure what selling reserve is worth, month by month, on the prices of 2024."""
    from headrace.app.bench.reserve import bench_reserve, months_of, print_reserve
    from headrace.app.folders import need_data
    from headrace.app.printing import show

    show(bench_reserve(need_data(data), months=months_of(months)), print_reserve, as_json=json)


@bench.command(name="jobs")
def bench_jobs(*, data: Data = None, json: Json = False) -> None:
    """Time batch jobs against HiGHS on the same grid, and measure what rolling plans of them capture."""
    from headrace.app.bench.jobs import bench_jobs, print_jobs
    from headrace.app.folders import need_data
    from headrace.app.printing import show

    show(bench_jobs(need_data(data)), print_jobs, as_json=json)


@bench.command(name="stop")
def bench_stop(*, json: Json = False) -> None:
    """Time how fast 100 jobs of a real Slurm stop, through agents on the nodes and through Slurm alone."""
    from headrace.app.bench.jobs_stop import bench_stop, print_stop
    from headrace.app.printing import show

    show(bench_stop(), print_stop, as_json=json)


@bench.command(name="soak")
def bench_soak(
    *,
    days: Annotated[float, Parameter(help="Length of the simulated soak, days of site time.")] = 7.0,
    seed: Annotated[int, Parameter(help="Of everything that goes wrong.")] = 1,
    real: Annotated[float, Parameter(help="Hours of site time over the real protocols, instead.")] = 0.0,
    data: Data = None,
    json: Json = False,
) -> None:
    """Run a live site through everything that can go wrong, and count what must not be."""
    from headrace.app.bench.soak import bench_soak, print_soak
    from headrace.app.folders import data_folder
    from headrace.app.printing import show

    figures = bench_soak(data=data_folder(data), days=days, seed=seed, real_h=real)
    show(figures, print_soak, as_json=json)
    if not figures["is_sound"]:
        sys.exit(1)


@bench.command(name="shed")
def bench_shed(*, json: Json = False) -> None:
    """Time how fast simulated miners hear a stop, and how fast they are found, beside pyasic and pyasic-rs."""
    from headrace.app.bench.shed import bench_shed, print_shed
    from headrace.app.printing import show

    show(bench_shed(), print_shed, as_json=json)


@bench.command(name="surge")
def bench_surge(*, data: Data = None, json: Json = False) -> None:
    """Peaks of inference on a full connection, and a sudden surplus: does mining make room, and take it, in time?"""
    from headrace.app.bench.surge import bench_surge, print_surge
    from headrace.app.folders import data_folder
    from headrace.app.printing import show

    show(bench_surge(data_folder(data)), print_surge, as_json=json)


@bench.command(name="replay")
def bench_replay(*, data: Data = None, json: Json = False) -> None:
    """Time a year at five minutes, one policy, with its books and report."""
    from headrace.app.bench.replay import bench_replay, print_replay
    from headrace.app.folders import need_data
    from headrace.app.printing import show

    show(bench_replay(need_data(data)), print_replay, as_json=json)


def main() -> None:
    """Run the command line; the one place where an expected failure becomes a message and an exit code."""
    keep_compiled_code()
    try:
        app(sys.argv[1:], exit_on_error=False, print_error=True)
        sys.stdout.flush()
    except CycloptsError:
        sys.exit(ExitCode.BAD_INPUT)
    except HeadraceError as error:
        sys.stderr.write(f"headrace: {error}\n")
        sys.exit(error.exit_code)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package in ("", "headrace"):
            raise
        sys.stderr.write(f"headrace: package {package}: is not installed. pip install 'headrace[live]' brings it\n")
        sys.exit(ExitCode.BAD_INPUT)
    except BrokenPipeError:
        _forget_output()  # the reader has seen enough, e.g. `| head`
        sys.exit(ExitCode.OK)
    except OSError as error:
        _forget_output()
        place, what = error.filename or "standard output", error.strerror or error
        sys.stderr.write(f"headrace: {place}: {what}. Check the name, your rights and the space there\n")
        sys.exit(ExitCode.BAD_INPUT)
    except KeyboardInterrupt:
        sys.stderr.write("headrace: stopped; a replay goes on with --resume, a live site with its --out\n")
        sys.exit(130)


def _forget_output() -> None:
    """Send what is still buffered nowhere, so that the interpreter does not fail on it once more as it ends."""
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
