"""``cds-service new-rule`` and ``new-topic``: first drafts from templates.

A new rule is registered and comes with a table of cases and a scenario that pass at once: nothing
has to be edited before its tests run. Its author then changes all of this into the rule they want.
"""
