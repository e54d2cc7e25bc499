"""Doors that a grid's orders come through: OpenADR 2.0b and 3, DNP3. Each implements `control.ports.Signals`."""
