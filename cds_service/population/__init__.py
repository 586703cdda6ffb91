"""The rules evaluated over a whole population, before they are switched on.

    source → shuffle by patient → evaluate_partition → evaluations, calls → summary, report

`cds_service.population.evaluating.evaluate_partition` is the only evaluation, whatever engine
runs it; `cds_service.population.live` is the only module that knows how the live service
answers.
"""
