"""What a study compares, and how every cell of it is trained: the settings of `configs/study.yaml`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pandas as pd

from scangen_bundle.errors import InputError
from scangen_bundle.studies.plan import Plan, read_schemes
from scangen_bundle.studies.scans import SplitRules, check_study
from scangen_bundle.studies.takes_part import grids_of, left_out
from scangen_bundle.studies.worker import StudyFacts


@dataclass(frozen=True)
class Design:
    """What is compared.

    Attributes:
        methods: names, such as "plain" and "standardise+scangen".
        schemes: by name, see `plan.read_schemes`.
        seeds: of the trainings; their number, or the seeds themselves.
        rules: how patients are divided.
        method_options: by method, what is not to have its default.
        grids: by method, the options that validation chooses from, each a mapping; others have their class's `grid`.
    """

    methods: Sequence[str]
    schemes: Mapping[str, Mapping[str, Any]]
    seeds: int | Sequence[int] = 1
    rules: SplitRules = field(default_factory=SplitRules)
    method_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    grids: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)

    def plan(self, manifest: pd.DataFrame, features_dir: str) -> Plan:
        """The cells on these scans; methods whose needs are not met are left out.

        Args:
            manifest: all scans.
            features_dir: where a scan's bag is, if the manifest does not say.

        Raises:
            InputError: the study cannot be done; see `scans.check_study`.
        """
        methods = tuple(dict.fromkeys(self.methods))
        if not methods:
            raise InputError("methods", "there are none to compare", "name at least one, such as plain")
        seeds = tuple(range(self.seeds)) if isinstance(self.seeds, int) else tuple(self.seeds)
        if not seeds:
            raise InputError("seeds", "there are none", "give at least 1")
        scanners = sorted(set(manifest["scanner"]) - set(self.rules.never_train))
        schemes = read_schemes(self.schemes, scanners)
        grids = grids_of(methods, self.grids, self.method_options)
        plan = Plan(methods, schemes, self.rules.folds, seeds, grids)
        check_study(manifest, plan, self.rules)
        return replace(plan, left_out=left_out(manifest, plan, self.rules, self.method_options, features_dir))


@dataclass(frozen=True)
class Training:
    """How every cell is trained: the config of `run training`.

    Attributes:
        config: its files, merged in this order.
        settings: of that config, by their ids, that differ from the files.
        features_dir: where a scan's bag is, if the manifest does not say.
        plugins: python files of the user.
        threads: of torch in each worker; 0 leaves it as it is.
    """

    config: Sequence[str]
    settings: Mapping[str, Any]
    features_dir: str
    plugins: Sequence[str] = ()
    threads: int = 1

    def facts(self, design: Design, plan: Plan, rules: Sequence[str]) -> StudyFacts:
        """What the results of the cells depend on.

        Args:
            design: of the study.
            plan: of the study.
            rules: of choice, see `choice.RULES`.
        """
        return StudyFacts(
            train_config=tuple(self.config),
            training=dict(self.settings),
            features_dir=self.features_dir,
            rules=design.rules,
            schemes={scheme.name: scheme for scheme in plan.schemes},
            choose_by=tuple(rules),
            method_options=dict(design.method_options),
            plugins=tuple(self.plugins),
            threads=self.threads,
        )
