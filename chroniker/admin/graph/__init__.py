"""The page of the graph: how jobs depend on one another, as a picture in layers and as a table.

``layering`` and ``placement`` only compute: they turn ids into coordinates, and read nothing else.
"""
