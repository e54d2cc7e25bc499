"""Text of a new site file: every table an operator may want, the optional ones as comments, valid as it stands."""

import json

__all__ = ["new_site_text"]


def new_site_text(name: str) -> str:
    """Commented site file that runs on the embedded sample as it stands.

    Parameters
    ----------
    name
        Name of the site, for people; 1 to 80 characters.
    """
    return _TEMPLATE.replace("@NAME@", json.dumps(name, ensure_ascii=False))


_TEMPLATE = """\
# A Headrace site. `headrace check FILE` names everything that is wrong with it; `headrace replay FILE` runs it.
# Units are in the names. Money carries the site's currency: a site in CAD writes import_adder_cad_per_mwh.
# As it stands, the file runs on the sample that comes with Headrace: South Texas, November and December 2024.

[site]
name = @NAME@
currency = "USD"                        # USD, EUR or CAD
time_zone = "America/Chicago"
control_step_min = 5                    # what the site steers

[connection]
import_max_mw = 10.0                    # firm power the grid gives
export_max_mw = 2.0                     # and takes; 0 for none

[market]
name = "ERCOT"
settlement_point = "HB_SOUTH"           # whose price you pay; a load settles at its zone or node
settlement_step_min = 15                # what the market bills
is_hub = true                           # a hub, which no load can settle at: every headline then says so

[tariff]
import_adder_usd_per_mwh = 4.0          # wires, losses, supplier's margin
export_deduction_usd_per_mwh = 2.0
peak_charge_usd_per_mw_month = 0.0      # on the highest import of each calendar month

# [[charge]]                            # dated parts of the tariff; versions share a name, without gap or overlap
# kind = "four-peaks"                   # or energy, losses, uplift, fixed, five-peaks, monthly-peak
# name = "transmission"
# start = 2024-01-01
# end = 2025-01-01
# source = "assumed"                    # tariff page or order
# cash = "next-year"                    # same-month, next-month or next-year
# peak_usd_per_mw_year = 65000.0        # on the mean import over the system's peaks of June to September
# load = "system_load"                  # a role in [feeds]; or peaks = [2024-06-28T20:00:00Z, ...]

[battery]                               # leave the table out if there is none
charge_max_mw = 2.0
discharge_max_mw = 2.0
capacity_mwh = 4.0
soc_min_ratio = 0.05
soc_max_ratio = 0.95
soc_start_ratio = 0.5
charge_efficiency_ratio = 0.92
discharge_efficiency_ratio = 0.92
wear_usd_per_mwh = 8.0                  # per MWh fed back

[[cooling]]
name = "halls"
pue = [[0.0, 1.06], [25.0, 1.12], [40.0, 1.25]]         # [outdoor temperature in C, PUE]

[[miner]]
name = "S21 hall"
model = "Antminer S21"                  # or: curve = [[2800, 170], [3500, 200]], points [W, TH/s] of one machine
machines = 1000
pool_fee_ratio = 0.01
cooling = "halls"

[[cluster]]
name = "GPU hall"
gpus = 3000
kw_per_gpu = 1.3                        # at work, with its share of server and network
idle_ratio = 0.3                        # share of that power a paused GPU still draws
cooling = "halls"

[[cluster.lease]]
name = "firm tenant"
firmness = "firm"                       # never cut for price
gpus = 2000
price_usd_per_gpu_h = 2.10
credit_usd_per_gpu_h = 4.20             # owed for every GPU-hour not delivered

[[cluster.lease]]
name = "batch tenant"
firmness = "curtailable"                # may be paused, against the credit
gpus = 1000
price_usd_per_gpu_h = 1.65
credit_usd_per_gpu_h = 0.40

# [[inference]]                         # demand is a series that nobody knows ahead of time
# name = "chat"
# gpus = 500
# kw_per_gpu = 1.3
# idle_ratio = 0.3
# wh_per_request = 0.1
# value_usd_per_request = 0.0005
# demand = "chat_demand"                # a role in [feeds]
# demand_scale_ratio = 2.0
# cooling = "halls"

# [[generator]]                         # behind the meter
# name = "solar field"
# kind = "solar"                        # wind, solar, nuclear, gas, diesel or other; fuel: see docs/plant.md
# capacity_mw = 3.0
# marginal_cost_usd_per_mwh = 0.0
# must_run_ratio = 0.0                  # share of the available output that cannot be turned down
# profile = "solar_output"              # a role in [feeds]: capacity factor 0..1; left out: always available

# [[ppa]]                               # bought as generated, settled against the market; never changes dispatch
# name = "wind contract"
# capacity_mw = 5.0
# strike_usd_per_mwh = 30.0
# profile = "wind_output"

# [[contract]]                          # a hedge; kinds: block, shaped, day-ahead, swing, take-or-pay, supply-fees
# kind = "block"
# name = "base block"
# start = 2024-01-01
# end = 2027-01-01
# source = "assumed"
# power_mw = 5.0
# strike_usd_per_mwh = 30.0

# [cash]                                # terms of payment that differ from the defaults, security, opening cash
# opening_usd = 0.0

# [[heat]]
# load = "firm tenant"
# recovered_ratio = 0.6
# heat_max_mw = 1.0
# price_usd_per_mwh = 20.0
# months = [11, 12, 1, 2, 3]

# [[hosting]]                           # another owner's miners: its pool pays it, it pays the site
# name = "host contract"
# owner = "Owner Inc"
# miner = "S21 hall"
# power_price = "fixed"                 # or "pass-through": what energy costs the site, and the price as a fee
# price_usd_per_mwh = 75.0
# profit_share_ratio = 0.1              # of what mining earns above the power bill
# guaranteed_uptime_ratio = 0.95        # of each month's hours
# free_curtailment_h = 20.0
# credit_usd_per_mwh = 75.0             # beyond both

# [[tenant]]                            # powered shell: a hall let with its power
# name = "hall B"
# contracted_mw = 1.0
# rent_usd_per_mw_h = 20.0
# power_price = "pass-through"
# price_usd_per_mwh = 5.0
# take_or_pay_ratio = 0.8

# [[allowance]]                         # how much of a curtailable lease may be taken away
# load = "batch tenant"
# monthly_h = 20.0
# longest_h = 4.0

# [[reserve]]                           # capacity sold to the grid's operator, held whatever the price
# name = "RRS"
# product = "ERCOT RRS"                 # a dated product of the catalogue
# loads = ["S21 hall"]  # miners, and leases whose contract allows a call
# battery = true
# qualified_mw = 2.0
# response_s = 60.0                     # of the slowest of them
# price = "rrs"                         # a role in [feeds], per MW and hour
# desk_mw = 1.0                         # what the desk sells in its hours, at any price
# desk_hours_local = [0, 1, 2, 3, 4, 5]

[desk]                                  # the baseline: how a good operator runs this site by hand
hold_min = 30.0                         # least time a load stays off, or on
peak_hours_local = []                   # hours (0..23) in which it keeps the monthly peak down

# [fx]                                  # only for a site in EUR or CAD
# usd_rate_ratio = 0.95                 # its currency per US dollar

[replay]                                # dates are midnights in the site's time zone
start = 2024-11-04
end = 2024-12-16

[feeds]                                 # role = series of the catalogue (`headrace data`), or a table of its own
real_time = "sample.real_time"
day_ahead = "sample.day_ahead"
temperature = "sample.temperature"
bitcoin_price = "sample.bitcoin.price"
difficulty = "sample.bitcoin.difficulty"
block_reward = "sample.bitcoin.block_reward"
# chat_demand = "sample.llm.m_large"
# system_load = "ercot.system_generation"
# rrs = "ercot.reserve.rrs"
# solar_output = { files = ["my/solar.csv"], columns = ["output_mw"], scale = 0.333, unit = "ratio", step_min = 15 }
"""
