"""Batch jobs in dispatch: the fluid problem and its plan, the gangs on top of it, and each job's state.

Import from the modules: nothing here is loaded, or compiled, by a site without jobs.
"""
