"""The application factory: the only place where HTTP, FHIR, rules and records meet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from cds_service.errors import StartupError
from cds_service.settings import Settings, read_settings

if TYPE_CHECKING:
    from flask import Flask, Response

    from cds_service.answer.answering import Answering
    from cds_service.answer.cards import Snooze
    from cds_service.api.parts import Parts
    from cds_service.audit.recording import Recorder
    from cds_service.core.knowledge import Limit
    from cds_service.engine.rule import Rule
    from cds_service.engine.topic import Topic
    from cds_service.feedback.card_ids import CardIds
    from cds_service.feedback.records import Records
    from cds_service.ops.metrics import Metrics

_READ_ON = 1 << 20
"""How many bytes of an unread body are still read, so that a refused client sees why."""


def assemble(
    settings: Settings,
    topics: Sequence[Topic],
    card_ids: CardIds,
    metrics: Metrics,
    snooze: Snooze | None = None,
) -> tuple[Answering, Mapping[str, Answering]]:
    """Everything between deliveries and cards, for HTTP and the command line alike.

    The first is for all topics with the settings of the site ``default``; the mapping has one
    for each site by name. Raises StartupError naming what is wrong with the sites file.
    """
    from cds_service.answer.answering import Answering
    from cds_service.answer.cards import Cards
    from cds_service.answer.evaluation import Evaluation
    from cds_service.answer.writing import CardWriter
    from cds_service.catalogue.sites import Hospital, default_for_all, hospitals
    from cds_service.core.identity import DEFAULT_SITE
    from cds_service.engine.faults import Faults
    from cds_service.engine.run import Engine
    from cds_service.fhir.read.reading import Reader
    from cds_service.ops import logs
    from cds_service.sources.prefetch import keys_of

    log = logs.logger(__name__)

    def failed(rule: Rule, error: Exception) -> None:
        log.error("rule_failed", rule=rule.id, **logs.described(error))
        metrics.failed(rule.id)

    def left_out(step: str, error: Exception) -> None:
        log.error("step_left_out", step=step, **logs.described(error))
        metrics.left_out(step)

    engines = {
        topic: Engine(
            {service.id: service.rules for service in topic.services},
            topic.knowledge.complaint,
            failed,
            complaint_is=topic.knowledge.complaint_is,
        )
        for topic in topics
    }
    readers = {
        topic: Reader(
            topic.knowledge.vocabularies, topic.knowledge.analytes, topic.knowledge.observing
        )
        for topic in topics
    }
    keys = {
        service.id: keys_of(service.rules, topic.knowledge.codes)
        for topic in topics
        for service in topic.services
    }

    def answering(hospital: Hospital, topics: Sequence[Topic]) -> Answering:
        evaluation = Evaluation(topics, engines, readers, site=hospital.site, keys=keys)
        faults = Faults(card=failed, step=left_out)
        cards = {
            topic: Cards(
                CardWriter(
                    topic.knowledge.references,
                    hospital.orderables,
                    settings.rules_address,
                    hospital.site.profile,
                ),
                card_ids.new,
                snooze,
                faults,
                topic.knowledge.priorities,
            )
            for topic in topics
        }
        return Answering(evaluation, cards, validated=settings.validate_models)

    found = hospitals(settings, topics)
    sites = {name: answering(hospital, hospital.topics) for name, hospital in found.items()}
    if found[DEFAULT_SITE].topics == tuple(topics):
        return sites[DEFAULT_SITE], sites
    return answering(default_for_all(settings, topics), topics), sites


def create_app(settings: Settings | None = None, *, start: bool = True) -> Flask:
    """The WSGI application, for any WSGI server: ``cds_service.app:create_app()``.

    ``start=False`` leaves the database alone: for a process that only forks workers, which
    then call ``app.extensions["cds_parts"].records.start()`` themselves.
    Raises StartupError naming the setting or file to correct, or the placeholder to replace.
    """
    from cds_service.catalogue.unfinished import refuse_unfinished
    from cds_service.ops import logs

    settings = settings or read_settings()
    logs.configure_once(settings.log_level, settings.log_format)
    parts = make_parts(settings)
    sites = [answering.site for answering in parts.sites.values()]
    refuse_unfinished(parts.topics, sites, demo=settings.demo)
    if start:
        parts.records.start()
    return build(parts)


def make_parts(settings: Settings, topics: Sequence[Topic] | None = None) -> Parts:
    """Everything that the endpoints use; opens no connection.

    ``topics`` defaults to the chosen ones of those installed. Raises StartupError naming the
    setting or file to correct.
    """
    from cds_service.api.parts import Parts
    from cds_service.catalogue.topics import chosen_topics, topic_of
    from cds_service.feedback.card_ids import RuleVersion
    from cds_service.feedback.records import open_records
    from cds_service.ops.metrics import Metrics
    from cds_service.outbound.fhir_servers import allowed_server, checked_servers
    from cds_service.outbound.servers import Servers
    from cds_service.sources.fetch.client import fetch_missing
    from cds_service.sources.obtaining import Obtaining
    from cds_service.trust.callers import Callers
    from cds_service.trust.clients import check_sites, load_clients
    from cds_service.trust.keys import KeySets
    from cds_service.trust.used_tokens import ReplayCheck

    if topics is None:
        topics = chosen_topics(settings)
    checked_servers(settings.fhir_servers, "CDS_FHIR_SERVERS")
    metrics = Metrics(topic_of(topics), by_site=settings.sites is not None)
    records = open_records(
        settings.database_url,
        [RuleVersion(rule.id, rule.version) for topic in topics for rule in topic.rules],
        settings.card_key,
    )
    records.database.on_breaker_change = metrics.database_breaker
    if settings.retention_days or settings.audit_days:
        from cds_service.storage.lifecycle import Retention

        retention = Retention(records.database, settings.retention_days, settings.audit_days)
        records.upkeep.add(retention)
    callers = None
    if settings.trusted_clients is not None:
        callers = Callers(
            load_clients(settings.trusted_clients),
            settings.public_url,
            KeySets(on_change=metrics.key_server),
            ReplayCheck(records.replay),
            max_age=settings.token_max_age,
        )
    answering, sites = assemble(
        settings,
        topics,
        records.card_ids,
        metrics,
        records.snooze if settings.snooze else None,
    )
    if callers is not None:
        check_sites(callers.clients, sites)
    return Parts(
        recorder=_recorder(settings, records, metrics, topics),
        settings=settings,
        answering=answering,
        sites=sites,
        obtaining=Obtaining(
            allowed_server,
            partial(fetch_missing, servers=Servers(metrics.fhir_breaker)),
            settings.fhir_deadline,
            settings.fhir_open,
        ),
        metrics=metrics,
        records=records,
        callers=callers,
        topics=topics,
    )


def _recorder(
    settings: Settings, records: Records, metrics: Metrics, topics: Sequence[Topic]
) -> Recorder | None:
    """What writes the audit trail; None where it is off.

    Raises StartupError for settings that contradict each other.
    """
    if settings.audit == "off":
        if settings.audit_required:
            raise StartupError(
                "CDS_AUDIT_REQUIRED is set and CDS_AUDIT is off.", "Set CDS_AUDIT, or unset it."
            )
        return None
    from cds_service.audit.recording import Recorder
    from cds_service.audit.sealing import Sealer, read_public
    from cds_service.audit.trail import Trail

    sealer = None
    if settings.audit == "full":
        if settings.audit_key is None:
            raise StartupError(
                "CDS_AUDIT is full and CDS_AUDIT_KEY is not set.",
                "Make a key pair with `cds-service audit keygen`, and set the public key.",
            )
        sealer = Sealer(read_public(settings.audit_key))
    trail = Trail(records.database, metrics.audit_lost)
    records.upkeep.add(trail.flush)
    return Recorder(
        trail,
        records.card_ids,
        sealer,
        records.upkeep.touch,
        {service.id: topic.key for topic in topics for service in topic.services},
        required=settings.audit_required,
    )


def limits_in_force(parts: Parts) -> Mapping[str, Limit] | None:
    """The limits of all sites by key; None where sites have different ones."""
    found: dict[str, Limit] = {}
    for answering in (parts.answering, *parts.sites.values()):
        for key, limit in answering.site.limits.items():
            if found.setdefault(key, limit).value != limit.value:
                return None
    return found


def _variant(parts: Parts, options: Mapping[str, str], silent: bool) -> Answering:
    """The answering for the demo page, which overrides the options of topics, and silence."""
    chosen: dict[str, object] = dict(options)
    if silent:
        chosen["rules_silent"] = ("*",)
    settings = parts.settings.model_copy(update=chosen)
    snooze = parts.records.snooze if settings.snooze else None
    return assemble(settings, parts.topics, parts.records.card_ids, parts.metrics, snooze)[0]


def build(parts: Parts) -> Flask:
    """The Flask application around ``parts``."""
    from flask import Flask, request
    from flask_cors import CORS

    from cds_service.api import access, body, discovery, errors, feedback, ops, services
    from cds_service.api.origins import Origins

    app = Flask(__name__, static_folder=None)
    app.json.sort_keys = False  # type: ignore[attr-defined]  # the default provider has it
    # A path with two slashes gets a 404: a redirect would name a host that the caller chose.
    app.url_map.merge_slashes = False
    app.extensions["cds_parts"] = parts
    errors.handle_errors(app)
    finished = access.AccessLog(parts.metrics)

    origins = None if parts.callers is not None else Origins(parts.settings)

    @app.before_request
    def _begin() -> None:
        access.begin(request.environ)
        if origins is not None:
            origins.check(request.environ)

    @app.after_request
    def _finish(response: Response) -> Response:
        stated = {name for name, _ in response.headers}
        for name, value in access.HEADERS:
            if name not in stated:
                response.headers.add(name, value)
        # Whether a browser may read the answer depends on the origin, even when none was sent.
        response.vary.add("Origin")
        if request.method != "GET" and body.BODY_READ not in request.environ:
            body.discard(request.environ, _READ_ON)
        endpoint = (request.endpoint or "none").partition(".")[2] or "none"
        finished.done(request.environ, endpoint, response.status_code)
        return response

    # Registered after `_finish` and therefore run before it: errors get these headers, too.
    CORS(
        app,
        origins=list(parts.settings.cors_origins),
        methods=["GET", "POST", "OPTIONS"],
        allow_headers=["Authorization", "Content-Type"],
        send_wildcard=True,
        max_age=600,
    )
    for module in (discovery, services, feedback, ops):
        app.register_blueprint(module.blueprint(parts))
    if parts.settings.serves_rule_pages:
        from cds_service.api import rule_pages
        from cds_service.catalogue.topics import limits, references

        rules = [rule for topic in parts.topics for rule in topic.rules]
        known = references(parts.topics), rules, limits(parts.topics, None)
        app.register_blueprint(rule_pages.blueprint(*known, limits_in_force(parts)))
    if parts.settings.demo:
        from cds_service.demo import pages

        app.register_blueprint(pages.blueprint(parts, partial(_variant, parts)))
    app.wsgi_app = services.Calls(parts, app.wsgi_app, origins, finished)  # type: ignore[method-assign]  # as Flask documents it
    return app
