"""The grid's side of each door, on loopback: VTNs that issue events, a DNP3 master that sends base points."""
