"""Topics: the knowledge in a package of medicine, and the services that it offers.

A topic is found by an entry point of the group ``cds_service.topics``; the service itself
holds no medicine. See docs/how-to/add-a-topic.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cds_service.core.analytes import Analyte
from cds_service.core.knowledge import Limits, Reference
from cds_service.core.observing import NOTHING_MORE, Observing
from cds_service.core.patient import Facts
from cds_service.core.series import Newest, Worse
from cds_service.engine.arranging import NO_PRIORITIES, Priorities
from cds_service.engine.hook import Hook
from cds_service.engine.orderables import Orderable
from cds_service.engine.rule import Rule
from cds_service.terminology.codes import Coding
from cds_service.terminology.vocabulary import Vocabulary

ComputeNewest = Callable[[Facts, Worse], Newest | None]
"""Gives the newest results of an analyte from others; None where it has nothing to say."""


@dataclass(frozen=True, slots=True)
class Vocabularies:
    """The vocabulary for each kind of entry."""

    conditions: Vocabulary
    medications: Vocabulary
    observations: Vocabulary
    orders: Vocabulary
    allergies: Vocabulary


@dataclass(frozen=True, slots=True)
class Knowledge:
    """The knowledge behind the rules of a topic.

    ``limits`` takes a site's entries (or None) and the name of their file or setting, and returns
    the resulting limits; it may raise KnowledgeError. ``codes`` gives the codes by which results
    of an analyte are searched for. ``computed`` gives, by analyte, results computed from others.
    ``complaint`` says whether the topic's complaint is documented (None: cannot tell); rules of
    tier C fire only where it is. ``complaint_is`` names it in messages ("leg cramps are").
    ``observing`` is what Observations say besides results: conditions and methods.
    """

    vocabularies: Vocabularies
    analytes: Mapping[str, Analyte]
    limits: Callable[[Mapping[str, Any] | None, str], Limits]
    references: Mapping[str, Reference]
    orderables: Mapping[str, Orderable]
    codes: Callable[[str], Iterable[Coding]]
    complaint: Callable[[Facts], bool | None]
    computed: Mapping[str, ComputeNewest] = field(default_factory=dict)
    priorities: Priorities = NO_PRIORITIES
    complaint_is: str = "the complaint is"
    observing: Observing = NOTHING_MORE


# Made once; compared by identity.
@dataclass(frozen=True, slots=True, eq=False)
class Service:
    """One CDS service: the rules for one hook. A rule may belong to several services."""

    id: str
    hook: Hook
    title: str
    description: str
    rules: tuple[Rule, ...]

    def __str__(self) -> str:
        return self.id


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of a topic: the variable ``CDS_NAME``, a key of a site's table, and a choice on the
    demo page, with ``title`` as its label.

    ``choices`` are its values with their labels; the first is the default. Rules read it from
    ``facts.site.options``.
    """

    name: str
    title: str
    description: str
    choices: tuple[tuple[str, str], ...]

    @property
    def values(self) -> tuple[str, ...]:
        """The allowed values."""
        return tuple(value for value, _ in self.choices)

    @property
    def default(self) -> str:
        """The value where nothing else is set."""
        return self.choices[0][0]


@dataclass(frozen=True, slots=True, eq=False)
class Topic:
    """One field of medicine: its services, the knowledge behind them, and its own settings.

    ``title`` is its name on pages; without one, the words of the key. ``purpose`` completes
    "CDS Hooks services for …"; without one, the title. ``example`` is the folder in
    ``fixtures/scenarios`` of its checkout with a request for its first service that gets a card
    on any day.
    """

    key: str
    services: tuple[Service, ...]
    knowledge: Knowledge
    options: tuple[Option, ...] = ()
    title: str = ""
    purpose: str = ""
    example: str = ""

    @property
    def name(self) -> str:
        """Its title, or the words of its key: ``low-calcium`` is "Low calcium"."""
        return self.title or self.key.replace("-", " ").capitalize()

    @property
    def rules(self) -> tuple[Rule, ...]:
        """Every rule once, in the order of the services."""
        return tuple(dict.fromkeys(rule for service in self.services for rule in service.rules))
