"""The demo page at ``/`` and the report page at ``/report``.

Pure presentation: every answer comes from the pipeline that answers EHRs. With
``CDS_TRUSTED_CLIENTS`` the page still answers whoever opens it, through an address of its own,
and shows what it is given: **never switch the demo on where real patients are**.
"""
