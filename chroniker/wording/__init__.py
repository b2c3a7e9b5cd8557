"""Words and formats that pages, commands and mails share: states, times, durations, numbers.

Belongs here: pure functions from a value to a text in the reader's language, or to the HTML of one state or time. No
models, no pages, no decisions.
"""
