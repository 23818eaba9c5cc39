"""What people read about a hand-over, rendered from facts in English or French; nothing in it is left as a blank.

``session`` has the three documents of an export, ``journal`` what the trunk keeps of what landed, ``note`` reads the
agent's own words, ``words`` holds the two languages. Facts in, text out: this room reads no repository.
"""
