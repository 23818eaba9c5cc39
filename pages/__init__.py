"""The documentation as a tool: it is read, built into a site, and what it shows is run.

``reading`` finds the pages and what is in them, ``site`` makes HTML of them, ``references`` makes pages of schemas,
``typing_along`` types the commands of a page the way a reader would, in one of the ``settings``.
"""
