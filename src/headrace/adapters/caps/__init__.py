"""Power limits and clocks of accelerators: NVML on the node, Redfish through its controller; and measured curves."""
