"""The gateway of signed telemetry, and the files that anybody can verify."""
