"""Door to the browser and to programs: reads the history, shows it, and can keep the line moving behind it.

``app`` puts it together, ``server`` runs it, ``driver`` keeps the line moving; ``guard`` is what every request passes;
``pages`` and ``api`` are the routes; ``overview``, ``waiting``, ``nouns``, ``logs`` and ``outline`` gather what they
show; ``words``, ``render`` and ``answers`` write it.
"""
