"""The stored output of a run: pages of chunks, numbered lines, views, search and colours. Read-only, without HTML.

A line belongs to one stream and is placed where it ends, among the lines of all streams. So its number needs only the
number of line ends before its chunk in each stream, which the chunks store.
"""
