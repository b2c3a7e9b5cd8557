"""Words and formats that pages, commands and mails share: states, times, durations, numbers.

Belongs here: pure functions from a value to a text in the reader's language. No models, no HTML, no decisions.
"""
