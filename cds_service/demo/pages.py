"""``/``, ``/report``, ``/demo/answer`` and ``/demo/feedback``: only where the demo is switched on.

They show whatever data they are given to whoever opens them, without a token even where a client
list is configured (so ``serve`` refuses to show them beyond this machine): not for real
patients. What is shown and answered there is counted under the site ``demo``, and appears in no
report but its own.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from typing import TYPE_CHECKING

from flask import Blueprint, Response, render_template, request, url_for

from cds_service.answer.trace import as_json
from cds_service.api.access import note
from cds_service.api.asking import ask
from cds_service.api.feedback import store_feedback
from cds_service.calls.strict_json import to_json
from cds_service.catalogue.topics import (
    names_of,
    option_values,
    options_of,
    patient_folders,
    services_of,
    topic_of,
)
from cds_service.core.identity import DEMO, DEMO_SITE
from cds_service.core.text import shortened
from cds_service.demo import presenting
from cds_service.demo.chart import MOST_SHOWN, chart
from cds_service.demo.fixtures import fixture_patients, offered_orders
from cds_service.demo.question import DemoRequest, question_of, read_demo_request
from cds_service.engine.hook import HOOKS
from cds_service.engine.overrides import OVERRIDES
from cds_service.engine.rule import CannotTell
from cds_service.engine.topic import Service
from cds_service.errors import BadRequest, NotFound
from cds_service.feedback.card_ids import RuleVersion
from cds_service.feedback.chart import COLOURS, trend_svg
from cds_service.feedback.report import interval, report
from cds_service.feedback.shown import CANNOT_TELL, SHOWN, WOULD_SHOW

if TYPE_CHECKING:
    from cds_service.answer.answering import AnsweredCall, Answering
    from cds_service.api.parts import Parts

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)

_RATE_HEADS = {
    "per_100_calls": "Per 100 calls",
    "per_patient": "Per patient",
    "per_clinician_day": "Per clinician-day",
    "per_100_orders": "Per 100 orders",
}

Variant = Callable[[Mapping[str, str], bool], "Answering"]
"""Makes an `Answering` from the options of the topics and whether all rules are silent."""


def blueprint(parts: Parts, variant: Variant) -> Blueprint:
    """The pages. ``variant`` is called once for each combination other than the service's own."""
    pages = Blueprint(
        "demo",
        __name__,
        template_folder="templates",
        static_folder="static",
        static_url_path="/demo/static",
    )
    folders = patient_folders(parts.topics)
    patients, orders = fixture_patients(folders), offered_orders(folders.values())
    title = names_of(parts.topics)

    services_by_topic = {
        topic.key: frozenset(service.id for service in topic.services) for topic in parts.topics
    }
    hooks_served = {service.hook for service in parts.answering.services.values()}
    options = options_of(parts.topics)
    own = option_values(parts.settings, parts.topics)

    @cache
    def with_settings(chosen: tuple[tuple[str, str], ...], silent: bool) -> Parts:
        settings = parts.settings.model_copy(
            update={
                **dict(chosen),
                # With a client list, a page without a token must not make the service call out.
                "fhir_servers": () if parts.callers else parts.settings.fhir_servers,
            }
        )
        as_it_is = dict(chosen) == own and not silent
        answering = parts.answering if as_it_is else variant(dict(chosen), silent)
        return replace(parts, settings=settings, answering=answering)

    def services_for(demo_request: DemoRequest) -> list[Service]:
        """The services, those of the chosen topic, or of the patient's, first.

        Raises BadRequest for a topic that is not served.
        """
        topic = demo_request.topic
        if topic and topic not in services_by_topic:
            raise BadRequest(
                f"The topic {shortened(topic, 40)} is not served.",
                f"Choose one of {', '.join(services_by_topic)}.",
                "topic",
            )
        if not topic and demo_request.patient in patients:
            topic = patients[demo_request.patient].topic
        first = services_by_topic.get(topic, frozenset())
        return sorted(
            parts.answering.services.values(), key=lambda service: service.id not in first
        )

    @pages.after_request
    def _policy(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = POLICY
        return response

    @pages.get("/")
    def page() -> str:
        return render_template(
            "demo/page.html",
            topics=title,
            hooks=[hook for hook in HOOKS.values() if hook in hooks_served],
            served=parts.topics if len(parts.topics) > 1 else (),
            patients=patients.values(),
            orders=orders,
            options=options.values(),
            own=own,
            signed=parts.callers is not None,
        )

    @pages.get("/report")
    def report_page() -> str:
        site = request.args.get("site") or None
        sites = [*(parts.sites if len(parts.sites) > 1 else ()), DEMO_SITE]
        if site is not None and site not in sites:
            raise NotFound("There is no site with that name.", f"The sites are {', '.join(sites)}.")
        rule_versions = [
            RuleVersion(rule.id, rule.version)
            for service in parts.answering.services
            for rule in parts.answering.rules(service)
        ]
        parts.records.shown_cards.flush()
        parts.records.denominators.flush()
        services = services_of(parts.topics)
        feedback_report = report(
            parts.records.database, rule_versions, site, services, topic_of(parts.topics)
        )
        rules = sorted(
            feedback_report.rules, key=lambda line: (not line.review, -line.fired, line.id)
        )
        return render_template(
            "demo/report.html",
            topics=title,
            report=feedback_report,
            site=site,
            sites=sites,
            rules=rules,
            trend=trend_svg,
            colours=COLOURS,
            titles={
                rule.id: rule.title
                for service in parts.answering.services
                for rule in parts.answering.rules(service)
            },
            page_of=_rule_page if parts.settings.serves_rule_pages else None,
            rate_heads=_RATE_HEADS,
            reasons=OVERRIDES,
            acceptance=lambda line: interval(line.accepted, line.accepted + line.overridden),
        )

    for service in parts.answering.services.values():
        pages.add_url_rule(
            f"/demo/feedback/{service}",
            endpoint=f"feedback-{service}",
            view_func=partial(_answered, parts, service),
            methods=["POST"],
        )

    @pages.post("/demo/answer")
    def answer() -> Response:
        body = parts.body(request.environ)
        note(request.environ, bytes=len(body))
        demo_request, chosen_options = read_demo_request(body, options)
        chosen = with_settings(tuple({**own, **chosen_options}.items()), demo_request.silent)
        return Response(
            to_json(_response_body(chosen, demo_request)),
            content_type="application/json; charset=utf-8",
        )

    def _response_body(chosen: Parts, demo_request: DemoRequest) -> dict[str, object]:
        question = question_of(
            demo_request,
            patients,
            services_for(demo_request),
            chosen.answering.keys,
            chosen.now(),
        )
        topic, service = demo_request.topic, question.service
        if topic and service.id not in services_by_topic[topic]:
            raise BadRequest(
                f"The topic {topic} has no service for {service.hook.name}.",
                "Choose another topic or another hook.",
                "hook",
            )
        answered = ask(
            chosen,
            to_json(question.request),
            question.as_of,
            origin=DEMO,
            service_id=service.id,
        )
        _count(chosen, answered)
        rules = chosen.answering.rules(service.id)
        bodies = [card.body for card in answered.cards]
        return {
            "service": service.id,
            "hook": question.request["hook"],
            "asOf": question.as_of.date().isoformat(),
            "drafts": question.drafts,
            "selections": question.selections,
            "status": presenting.card_counts(answered),
            "html": {
                "switches": render_template(
                    "demo/switches.html", switches=question.switches, facts=answered.facts
                ),
                "chart": render_template(
                    "demo/chart.html", chart=chart(answered, rules), most=MOST_SHOWN
                ),
                "cards": render_template(
                    "demo/cards.html",
                    cards=presenting.cards(answered),
                    silence=answered.silence,
                    silent=answered.silent,
                ),
                "why": render_template(
                    "demo/why.html",
                    rules=presenting.why(answered),
                    page_of=_rule_page if parts.settings.serves_rule_pages else None,
                ),
            },
            "request": question.request,
            "response": {"cards": bodies},
            "trace": as_json(answered),
            "curl": _curl(service),
        }

    return pages


def _answered(parts: Parts, service: Service) -> Response:
    note(request.environ, service=str(service))
    store_feedback(parts, service, DEMO)
    return Response(b"{}", content_type="application/json")


def _count(parts: Parts, answered: AnsweredCall) -> None:
    # Cards shown here can be answered here: the report must count both.
    events = [(card.rule.id, card.rule.version, SHOWN) for card in answered.cards]
    events += [(rule.id, rule.version, WOULD_SHOW) for rule in answered.silent]
    events += [
        (outcome.rule.id, outcome.rule.version, CANNOT_TELL)
        for outcome in answered.outcomes
        if isinstance(outcome.answer, CannotTell)
    ]
    parts.records.count_call(answered.call, events, answered.orders)


def _rule_page(rule: str) -> str:
    return url_for("rule_pages.rule_page", rule_id=rule)


def _curl(service: Service) -> str:
    address = shlex.quote(f"{request.host_url.rstrip('/')}/cds-services/{service}")
    return f"curl -s {address} -H 'Content-Type: application/json' -d @request.json"
