"""A finished run as figures and as one HTML file that opens without a network: the last step of the pipeline.

`figures` draws what was measured and keeps the plotted numbers beside each picture, `viewer` turns a
trajectory into a 3-D view that carries its own data, and `html` binds both into the report. All take plain
arrays and dictionaries.
"""
