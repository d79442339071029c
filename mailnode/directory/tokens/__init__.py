"""Access tokens: is one good, and whose is it?

``build.open_issuer`` gives the ``Issuer`` that the settings ask for: ``signed`` checks JWTs with
the issuer's keys, ``introspection`` asks the issuer about each.
"""
