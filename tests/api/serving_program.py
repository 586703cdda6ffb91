"""The program that `tests/api/test_serving.py` starts: the real server with the tests' two rules.

A patient called ``slow`` takes as long as CDS_TEST_SLOW_S says; for one called ``greedy`` nothing
else of Python runs for a second, as when a very large number is computed. A forked worker sleeps
for CDS_TEST_SLOW_FORK_S before the server's own preparations.
"""

from __future__ import annotations

import os
import sys
import time
from typing import Any

from cds_service import app
from cds_service.answer.answering import Answering
from cds_service.errors import StartupError
from cds_service.serving import server
from tests.api.minimal_service import known

GREEDY = 4_000_000


def _slowly(answer: Any) -> Any:
    def answered(self: Answering, call: Any, deliveries: Any) -> Any:
        if call.patient_id == "slow":
            time.sleep(float(os.environ["CDS_TEST_SLOW_S"]))
        if call.patient_id == "greedy":
            _ = 7**GREEDY
        return answer(self, call, deliveries)

    return answered


if __name__ == "__main__":
    medicine = known()
    app.medicine = lambda _settings: medicine  # type: ignore[assignment]
    Answering.answer = _slowly(Answering.answer)  # type: ignore[method-assign]
    slow_fork_s = float(os.environ.get("CDS_TEST_SLOW_FORK_S", "0"))
    os.register_at_fork(after_in_child=lambda: time.sleep(slow_fork_s))
    try:
        server.serve(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
    except StartupError as error:
        sys.exit(str(error))
