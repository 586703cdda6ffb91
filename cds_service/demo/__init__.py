"""The demo page at ``/`` and the report page at ``/report``.

Pure presentation: every response comes from the pipeline that answers EHRs. Even with
``CDS_TRUSTED_CLIENTS`` the page answers whoever opens it, at a path of its own, and shows what it
is given: **never switch the demo on where there are real patients**.
"""
