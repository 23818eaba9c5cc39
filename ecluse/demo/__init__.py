"""The demonstration: the whole line on a repository made for it.

``template`` and ``changes`` are its material, ``stage`` shows commands while running them, ``script`` is the play.
"""
